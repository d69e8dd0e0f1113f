#include "config/yaml.h"

#include <yaml.h>

struct walk {
    yaml_parser_t parser;
    yaml_event_t event; /* the one looked at */
    bool has_event;
    bool stopped; /* a syntax error, or no more room */
    bool full;
    struct arena *arena;
    struct yaml_tree *tree;
    struct config_errors *errors;
    const char *names[YAML_DEPTH_MAX];
};

static struct yaml_place place_of(yaml_mark_t mark)
{
    return (struct yaml_place){(int)mark.line + 1, (int)mark.column + 1};
}

static void fault_at(struct walk *walk, struct yaml_place at, const char *words)
{
    config_error_add(walk->errors, at.line, at.column, "%s", words);
}

/* The next event, or the end of the stream after a syntax error. */
static yaml_event_type_t next(struct walk *walk)
{
    if (walk->has_event)
        yaml_event_delete(&walk->event);
    walk->has_event = false;
    if (walk->stopped)
        return YAML_STREAM_END_EVENT;
    if (!yaml_parser_parse(&walk->parser, &walk->event)) {
        yaml_parser_t *parser = &walk->parser;
        struct yaml_place at = place_of(parser->problem_mark);

        walk->stopped = true;
        if (parser->error == YAML_READER_ERROR)
            config_error_add(walk->errors, 0, 0, "byte %zu: %s", parser->problem_offset,
                             parser->problem);
        else
            config_error_add(walk->errors, at.line, at.column, "not YAML: %s%s%s",
                             parser->problem ? parser->problem : "no memory",
                             parser->context ? ", " : "", parser->context ? parser->context : "");
        return YAML_STREAM_END_EVENT;
    }
    walk->has_event = true;
    return walk->event.type;
}

/* Pass the rest of the item that the current event begins. */
static void skip(struct walk *walk)
{
    size_t depth = 0;

    for (yaml_event_type_t type = walk->event.type;; type = next(walk)) {
        if (type == YAML_STREAM_END_EVENT)
            return;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth == 0)
            return;
    }
}

/* Anchors and tags say more than a configuration may mean. */
static void check_plain(struct walk *walk)
{
    const yaml_event_t *event = &walk->event;
    struct yaml_place at = place_of(event->start_mark);
    const void *anchor = NULL, *tag = NULL;

    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor)
        fault_at(walk, at, "anchors are not used here; write the value out");
    if (tag)
        fault_at(walk, at, "tags are not used here; the setting decides the type");
}

static const char *copy_scalar(struct walk *walk, struct span *ret_value)
{
    size_t len = walk->event.data.scalar.length;
    char *copy = arena_alloc(walk->arena, len + 1);

    if (!copy) {
        walk->full = walk->stopped = true;
        return NULL;
    }
    memcpy(copy, walk->event.data.scalar.value, len);
    copy[len] = '\0';
    *ret_value = (struct span){copy, len};
    return copy;
}

static bool same_path(const struct yaml_node *left, const struct yaml_node *right)
{
    if (left->depth != right->depth)
        return false;
    for (int i = left->depth; i-- > 0;)
        if (strcmp(left->names[i], right->names[i]) != 0)
            return false;
    return true;
}

/* NULL when the list is full or the same key stands above: then an error has been said. */
static struct yaml_node *node_add(struct walk *walk, const struct yaml_node *node)
{
    struct yaml_tree *tree = walk->tree;

    for (size_t i = 0; i < tree->count; i++) {
        if (same_path(&tree->nodes[i], node)) {
            config_error_add(walk->errors, node->key_at.line, node->key_at.column,
                             "\"%s\" stands in line %d already", node->names[node->depth - 1],
                             tree->nodes[i].key_at.line);
            return NULL;
        }
    }
    if (tree->count == YAML_NODES_MAX) {
        fault_at(walk, node->key_at, "more settings than a configuration can have");
        walk->stopped = true;
        return NULL;
    }
    tree->nodes[tree->count] = *node;
    return &tree->nodes[tree->count++];
}

static bool is_null(const yaml_event_t *event, struct span value)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (value.len == 0 || span_is(value, "~") || span_is(value, "null"));
}

static void read_map(struct walk *walk, int depth);

/* The value behind a key, whose node is filled but for it. */
static void read_value(struct walk *walk, struct yaml_node *node)
{
    yaml_event_type_t type = next(walk);

    if (type == YAML_STREAM_END_EVENT)
        return;
    node->value_at = place_of(walk->event.start_mark);
    check_plain(walk);
    if (type == YAML_SCALAR_EVENT) {
        if (!copy_scalar(walk, &node->value))
            return;
        node->null = is_null(&walk->event, node->value);
        (void)node_add(walk, node);
    } else if (type == YAML_MAPPING_START_EVENT && node->depth < YAML_DEPTH_MAX) {
        node->map = true;
        if (node_add(walk, node))
            read_map(walk, node->depth);
        else
            skip(walk);
    } else {
        fault_at(walk, node->value_at,
                 type == YAML_SEQUENCE_START_EVENT  ? "a list; a single value belongs here"
                 : type == YAML_MAPPING_START_EVENT ? "nested too deep"
                                                    : "aliases are not used here");
        skip(walk);
    }
}

/* Members up to the end of the map whose start is the current event. Recursion is bounded by
 * YAML_DEPTH_MAX. */
static void read_map(struct walk *walk, int depth)
{
    for (;;) {
        struct yaml_node node = {.depth = depth + 1};
        struct span key;
        yaml_event_type_t type = next(walk);

        if (type == YAML_STREAM_END_EVENT || type == YAML_MAPPING_END_EVENT)
            return;
        node.key_at = place_of(walk->event.start_mark);
        check_plain(walk);
        if (type != YAML_SCALAR_EVENT) {
            fault_at(walk, node.key_at, "a key must be a word");
            skip(walk);
            if (next(walk) != YAML_STREAM_END_EVENT)
                skip(walk);
            continue;
        }
        walk->names[depth] = copy_scalar(walk, &key);
        if (!walk->names[depth])
            return;
        memcpy(node.names, walk->names, (size_t)(depth + 1) * sizeof(node.names[0]));
        read_value(walk, &node);
    }
}

enum status yaml_tree_read(struct span text, struct arena *arena, struct yaml_tree *ret_tree,
                           struct config_errors *errors)
{
    struct walk walk = {.arena = arena, .tree = ret_tree, .errors = errors};
    yaml_event_type_t type;

    *ret_tree =
        (struct yaml_tree){.nodes = arena_alloc(arena, YAML_NODES_MAX * sizeof(*ret_tree->nodes))};
    if (!ret_tree->nodes || !yaml_parser_initialize(&walk.parser))
        return STATUS_FULL;
    yaml_parser_set_encoding(&walk.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&walk.parser, (const unsigned char *)(text.at ? text.at : ""),
                                 text.len);
    (void)next(&walk); /* the stream's start */
    type = next(&walk);
    if (type == YAML_DOCUMENT_START_EVENT) {
        type = next(&walk);
        if (type == YAML_MAPPING_START_EVENT) {
            check_plain(&walk);
            read_map(&walk, 0);
        } else if (type != YAML_STREAM_END_EVENT) {
            fault_at(&walk, place_of(walk.event.start_mark),
                     "the file must be a map: `setting: value` lines");
            skip(&walk);
        }
        (void)next(&walk); /* the document's end */
        if (next(&walk) == YAML_DOCUMENT_START_EVENT)
            fault_at(&walk, place_of(walk.event.start_mark), "a second document; one is enough");
    }
    if (walk.has_event)
        yaml_event_delete(&walk.event);
    yaml_parser_delete(&walk.parser);
    return walk.full ? STATUS_FULL : STATUS_OK;
}
