/* config: one YAML file, checked as a whole, immutable after.
 *
 * Design: config.def and model/params.def are the only places where a setting is named.
 * config_load() reads the file, finds every error (not only the first), each with file:line:column
 * and a suggestion, and gives a struct that holds. Nothing here prints; secrets are never read
 * here, only where they stand (config/secret.h). */
#ifndef LC_CONFIG_CONFIG_H
#define LC_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/status.h"
#include "model/event.h"
#include "model/params.h"

/* Types of config.def in C. */
#define SETTING_C_TEXT     const char * /* never NULL; "" is not set */
#define SETTING_C_NAME     const char *
#define SETTING_C_CURRENCY const char *
#define SETTING_C_ADDRESS  const char *
#define SETTING_C_COUNT    int64_t
#define SETTING_C_DURATION int64_t
#define SETTING_C_SIZE     int64_t
#define SETTING_C_FLAG     bool
#define SETTING_C_CHOICE   int

/* Words of the choices, in the order of config.def. */
enum { CONFIG_CLOCK_WALL, CONFIG_CLOCK_EVENT };
enum { CONFIG_PARTITIONER_MURMUR2, CONFIG_PARTITIONER_CRC32 };
enum { CONFIG_ASSIGNOR_RANGE, CONFIG_ASSIGNOR_COOPERATIVE_STICKY };
enum { CONFIG_ALERTS_JSON, CONFIG_ALERTS_MSGPACK };
enum { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_NOTICE, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum { CONFIG_LOG_AUTO, CONFIG_LOG_JOURNALD, CONFIG_LOG_LOGFMT };

#define CONFIG_PROPERTIES_MAX 64
#define CONFIG_ALIASES_MAX    256

/* kafka.properties (value), kafka.secrets (value is a path or the name of a systemd credential, see
 * secret_locate). */
struct config_property {
    const char *name, *value;
};

/* events.type_aliases: a publisher's name of an event, reduced to lower-case letters and digits,
 * and what it is here. */
struct config_alias {
    const char *from;
    enum event_type to;
};

struct config {
#define SETTING(field, section, key, type, fallback, min, max, unit, help) SETTING_C_##type field;
#include "config/config.def"
#undef SETTING
    /* kafka_group and alerts_source are never empty here: their defaults are filled in. */
    struct params params;  /* with clock, reporting currency and rates from `clock` and `money` */
    enum currency assumed; /* CURRENCY_NONE: amounts must name theirs */
    struct config_property kafka_properties[CONFIG_PROPERTIES_MAX],
        kafka_secrets[CONFIG_PROPERTIES_MAX];
    size_t kafka_property_count, kafka_secret_count;
    struct config_alias type_aliases[CONFIG_ALIASES_MAX];
    size_t type_alias_count;
    struct arena arena; /* the texts */
};

#define CONFIG_ERRORS_MAX     64
#define CONFIG_ERROR_TEXT_MAX 400

struct config_errors {
    struct config_error {
        int line, column; /* from 1; 0: the file as a whole */
        char text[CONFIG_ERROR_TEXT_MAX];
    } errors[CONFIG_ERRORS_MAX]; /* in the order of the file */
    size_t count;                /* of errors[] */
    size_t dropped;              /* found beyond CONFIG_ERRORS_MAX */
};

/* Why a librdkafka property may not be passed through, NULL when it may: kafka_conf_reserved() of
 * pipeline/kafka_conf.h. */
typedef const char *config_refuse_fn(const char *property);

/* All defaults; nothing to free, but config_fini() is allowed. */
void config_default(struct config *ret_config);
/* REJECT: *ret_errors says what is wrong, at least one; ret_config is untouched. `refuse` may be
 * NULL. On OK the config is the caller's to config_fini(). */
enum status config_load(const char *path, config_refuse_fn *refuse, struct config *ret_config,
                        struct config_errors *ret_errors) LC_CHECKED;
/* The same from memory; `text` is not kept. */
enum status config_parse(struct span text, config_refuse_fn *refuse, struct config *ret_config,
                         struct config_errors *ret_errors) LC_CHECKED;
void config_fini(struct config *config); /* accepts zeroed */

/* Append one; counted as dropped when there is no room. */
void config_error_add(struct config_errors *errors, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "FILE:LINE:COLUMN: text" of one error, "FILE: text" of one without a place; cut at cap. */
void config_error_format(const struct config_error *error, const char *path, char *ret_text,
                         size_t cap);

/* The commented example with every setting at its default (config/lifecycled.yaml is this text),
 * and one line a setting for
 * --help. To be given to free(); NULL without memory. */
char *config_print_example(void);
char *config_print_help(void);

/* "host:port", "[v6]:port", "unix:/path". */
struct config_address {
    char host[256]; /* without brackets; "" for a unix socket */
    int port;       /* 0–65535; 0 asks for any */
    char path[108]; /* "" for TCP */
    bool loopback;  /* reachable from this machine only: unix, localhost, 127.0.0.0/8, ::1 */
};
/* REJECT when it is none of these. */
enum status config_address_parse(const char *text, struct config_address *ret_address) LC_CHECKED;

#endif
