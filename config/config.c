/* The reader: yaml.c gives a flat list of keys and values with places; each is matched with its row
 * of the table, then what must hold between settings is checked. Every step goes on after an error,
 * so that one run shows them all. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "config/config_inner.h"

#define FILE_BYTES_MAX  ((size_t)1 << 20)
#define TEXT_BYTES_MAX  ((size_t)8 << 20) /* settings that were read */
#define NODES_BYTES_MAX ((size_t)16 << 20)

void config_error_add(struct config_errors *errors, int line, int column, const char *format, ...)
{
    struct config_error *error;
    va_list args;

    if (errors->count == CONFIG_ERRORS_MAX) {
        errors->dropped++;
        return;
    }
    error = &errors->errors[errors->count++];
    error->line = line;
    error->column = column;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    /* Names from the file end up on somebody's terminal. */
    for (char *at = error->text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

void config_error_format(const struct config_error *error, const char *path, char *ret_text,
                         size_t cap)
{
    if (error->line > 0)
        (void)snprintf(ret_text, cap, "%s:%d:%d: %s", path, error->line, error->column,
                       error->text);
    else
        (void)snprintf(ret_text, cap, "%s: %s", path, error->text);
}

static int by_place(const void *left, const void *right)
{
    const struct config_error *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

void config_default(struct config *ret_config)
{
    memset(ret_config, 0, sizeof(*ret_config));
    params_default(&ret_config->params);
    for (size_t i = 0; i < setting_row_count; i++)
        setting_reset(&setting_rows[i], ret_config);
    ret_config->kafka_group = ret_config->app;
    ret_config->alerts_source = "lifecycled/lifecycled";
}

void config_fini(struct config *config)
{
    arena_fini(&config->arena);
}

/* --- settings --- */

void config_node_fault(struct config_reader *reader, struct yaml_node *node, struct yaml_place at,
                       const char *words)
{
    char path[3 * SETTING_TEXT_MAX] = "";
    size_t len = 0;

    for (int i = 0; i < node->depth && len < sizeof(path); i++)
        len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%.80s", i > 0 ? "." : "",
                                node->names[i]);
    config_error_add(reader->errors, at.line, at.column, "%s: %s", path, words);
    node->bad = true;
}

static void setting_read(struct config_reader *reader, struct yaml_node *node,
                         const struct setting *setting)
{
    struct report why;

    if (node->map)
        config_node_fault(reader, node, node->value_at, "takes one value, not a map");
    else if (node->null)
        config_node_fault(reader, node, node->key_at,
                          "has no value; leave the line out for the default");
    else if (setting_parse(setting, node->value, &reader->config, &why) != STATUS_OK)
        config_node_fault(reader, node, node->value_at, why.text);
}

/* Copies of the keys of a section, or of the top level with its sections and maps, for a
 * suggestion. */
static size_t keys_of(struct config_reader *reader, const char *section, const char **ret_keys,
                      size_t cap)
{
    size_t count = 0;

    for (size_t i = 0; i < setting_row_count && count < cap; i++) {
        struct span key = setting_key(&setting_rows[i]);
        char *copy;

        if (strcmp(setting_rows[i].section, section) != 0)
            continue;
        copy = arena_zalloc(&reader->scratch, key.len + 1);
        if (!copy)
            return count;
        memcpy(copy, key.at, key.len);
        ret_keys[count++] = copy;
    }
    for (size_t i = 0; i < setting_map_count && count < cap; i++)
        if (strcmp(setting_maps[i].section, section) == 0)
            ret_keys[count++] = setting_maps[i].key;
    for (size_t i = 0; i < setting_group_count && count < cap && section[0] == '\0'; i++)
        if (setting_groups[i].section[0] != '\0')
            ret_keys[count++] = setting_groups[i].section;
    return count;
}

/* Nothing of that name in its section: what was meant? */
static void unknown_key(struct config_reader *reader, struct yaml_node *node, const char *section)
{
    const char *keys[128], *key = node->names[node->depth - 1], *nearest;
    char words[SETTING_TEXT_MAX];

    nearest = text_did_you_mean(span_of(key), keys, keys_of(reader, section, keys, 128));
    if (nearest) {
        (void)snprintf(words, sizeof(words), "no such setting; did you mean %s?", nearest);
        config_node_fault(reader, node, node->key_at, words);
        return;
    }
    for (size_t i = 0; i < setting_row_count; i++) {
        const char *home = setting_rows[i].section;

        if (strcmp(home, section) == 0 || !span_is(setting_key(&setting_rows[i]), key))
            continue;
        (void)snprintf(words, sizeof(words), "no such setting here; it belongs %s%s",
                       home[0] ? "under " : "at the top level", home);
        config_node_fault(reader, node, node->key_at, words);
        return;
    }
    config_node_fault(reader, node, node->key_at, "no such setting");
}

static bool is_group(const char *name)
{
    for (size_t i = 0; i < setting_group_count; i++)
        if (name[0] != '\0' && strcmp(setting_groups[i].section, name) == 0)
            return true;
    return false;
}

static const struct setting_map *map_of(const char *section, const char *key)
{
    for (size_t i = 0; i < setting_map_count; i++)
        if (strcmp(setting_maps[i].section, section) == 0 && strcmp(setting_maps[i].key, key) == 0)
            return &setting_maps[i];
    return NULL;
}

/* The members of something unknown or wrong would each be unknown again: the one error about it is
 * enough. */
static bool parent_is_bad(struct config_reader *reader, const struct yaml_node *node)
{
    for (size_t i = 0; i < reader->tree.count; i++) {
        const struct yaml_node *other = &reader->tree.nodes[i];

        if (other == node)
            break;
        if (!other->bad || !other->map || other->depth >= node->depth)
            continue;
        if (strcmp(other->names[0], node->names[0]) == 0 &&
            (other->depth == 1 || strcmp(other->names[1], node->names[1]) == 0))
            return true;
    }
    return false;
}

static void node_read(struct config_reader *reader, struct yaml_node *node)
{
    const char *section = node->depth > 1 ? node->names[0] : "";
    const char *key = node->names[node->depth > 1 ? 1 : 0];
    const struct setting *setting = setting_find(section, key);

    if (parent_is_bad(reader, node))
        node->bad = true;
    else if (node->depth == 1 && is_group(key)) {
        if (!node->map && !node->null)
            config_node_fault(reader, node, node->value_at,
                              "is a section; its settings stand below it, indented");
    } else if (map_of(section, key)) {
        if (node->depth == 3)
            config_map_read(reader, node);
        else if (!node->map && !node->null)
            config_node_fault(reader, node, node->value_at,
                              "is a map; its `name: value` lines stand below it, indented");
    } else if (setting && node->depth <= 2)
        setting_read(reader, node, setting);
    else
        unknown_key(reader, node, section);
}

/* Money is read in the reporting currency, wherever in the file that stands. */
static void currency_read(struct config_reader *reader)
{
    for (size_t i = 0; i < reader->tree.count; i++) {
        struct yaml_node *node = &reader->tree.nodes[i];
        struct report unsaid; /* node_read says it, in the order of the file */

        if (node->depth != 2 || node->map || strcmp(node->names[0], "money") != 0 ||
            strcmp(node->names[1], "currency") != 0)
            continue;
        if (setting_parse(setting_find("money", "currency"), node->value, &reader->config,
                          &unsaid) == STATUS_OK)
            reader->config.params.reporting = currency_find(span_of(reader->config.money_currency));
    }
    memset(reader->config.params.rates, 0, sizeof(reader->config.params.rates));
    reader->config.params.rates[reader->config.params.reporting] =
        (struct currency_rate){.mantissa = 1, .scale = 0};
}

/* What follows from settings, once all are read. */
static void derive(struct config_reader *reader)
{
    struct config *config = &reader->config;
    struct span app = span_of(config->app);

    config->params.clock = config->clock == CONFIG_CLOCK_EVENT ? FOLD_CLOCK_EVENT : FOLD_CLOCK_WALL;
    config->assumed = currency_find(span_of(config->money_assumed));
    if (config->kafka_group[0] == '\0')
        config->kafka_group = config->app;
    if (config->alerts_source[0] == '\0') {
        char *source = arena_alloc(&config->arena, sizeof("lifecycled/") + app.len);

        if (!source) {
            config_error_add(reader->errors, 0, 0, "no memory");
            return;
        }
        memcpy(source, "lifecycled/", sizeof("lifecycled/") - 1);
        memcpy(source + sizeof("lifecycled/") - 1, app.at, app.len + 1);
        config->alerts_source = source;
    }
}

enum status config_parse(struct span text, config_refuse_fn *refuse, struct config *ret_config,
                         struct config_errors *ret_errors)
{
    struct config_reader *reader = calloc(1, sizeof(*reader));
    enum status status = STATUS_REJECT;

    ret_errors->count = ret_errors->dropped = 0;
    if (!reader) {
        config_error_add(ret_errors, 0, 0, "no memory");
        return STATUS_REJECT;
    }
    reader->errors = ret_errors;
    reader->refuse = refuse;
    config_default(&reader->config);
    reader->config.kafka_group = reader->config.alerts_source = "";
    arena_init(&reader->config.arena, TEXT_BYTES_MAX);
    arena_init(&reader->scratch, NODES_BYTES_MAX);
    if (yaml_tree_read(text, &reader->scratch, &reader->tree, ret_errors) != STATUS_OK) {
        config_error_add(ret_errors, 0, 0, "no memory for all that stands in it");
    } else {
        currency_read(reader);
        for (size_t i = 0; i < reader->tree.count; i++)
            node_read(reader, &reader->tree.nodes[i]);
        derive(reader);
        config_check(reader);
    }
    if (ret_errors->count == 0) {
        *ret_config = reader->config;
        status = STATUS_OK;
    } else {
        qsort(ret_errors->errors, ret_errors->count, sizeof(ret_errors->errors[0]), by_place);
        arena_fini(&reader->config.arena);
    }
    arena_fini(&reader->scratch);
    free(reader);
    return status;
}

/* --- the file --- */

static char *file_read(const char *path, size_t *ret_len)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = NULL;
    struct stat stat;
    ssize_t got = -1;

    if (file < 0)
        return NULL;
    if (fstat(file, &stat) == 0 && S_ISDIR(stat.st_mode))
        errno = EISDIR;
    else
        text = malloc(FILE_BYTES_MAX + 1);
    *ret_len = 0;
    while (text && *ret_len <= FILE_BYTES_MAX) {
        got = read(file, text + *ret_len, FILE_BYTES_MAX + 1 - *ret_len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        *ret_len += (size_t)got;
    }
    if (text && got < 0) {
        free(text);
        text = NULL;
    }
    close(file);
    return text;
}

enum status config_load(const char *path, config_refuse_fn *refuse, struct config *ret_config,
                        struct config_errors *ret_errors)
{
    enum status status = STATUS_REJECT;
    size_t len = 0;
    char *text = file_read(path, &len);

    ret_errors->count = ret_errors->dropped = 0;
    if (!text)
        config_error_add(ret_errors, 0, 0, "can't be read: %s", strerror(errno));
    else if (len > FILE_BYTES_MAX)
        config_error_add(ret_errors, 0, 0, "larger than 1 MiB; that is no configuration");
    else
        status = config_parse((struct span){text, len}, refuse, ret_config, ret_errors);
    free(text);
    return status;
}

/* --- addresses --- */

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

enum status config_address_parse(const char *text, struct config_address *ret_address)
{
    struct config_address address = {.loopback = true};
    struct span host;
    const char *colon;
    int64_t port;

    if (strncmp(text, "unix:", 5) == 0) {
        if (text[5] != '/' || strlen(text + 5) >= sizeof(address.path))
            return STATUS_REJECT;
        (void)snprintf(address.path, sizeof(address.path), "%s", text + 5);
        *ret_address = address;
        return STATUS_OK;
    }
    colon = strrchr(text, ':');
    if (!colon || text_i64_parse(span_of(colon + 1), &port) != STATUS_OK || port < 0 ||
        port > 65535 || colon[1] == '-')
        return STATUS_REJECT;
    host = (struct span){text, (size_t)(colon - text)};
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = (struct span){host.at + 1, host.len - 2};
    else if (host.len == 0 || memchr(host.at, ':', host.len) || host.at[0] == '[')
        return STATUS_REJECT;
    if (host.len >= sizeof(address.host) || memchr(host.at, ' ', host.len) ||
        memchr(host.at, '/', host.len))
        return STATUS_REJECT;
    memcpy(address.host, host.at, host.len);
    address.port = (int)port;
    address.loopback = is_loopback(address.host);
    *ret_address = address;
    return STATUS_OK;
}
