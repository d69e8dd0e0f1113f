/* setting: one row of config.def or model/params.def, and how its value is read from and written as
 * text. */
#ifndef LC_CONFIG_SETTING_H
#define LC_CONFIG_SETTING_H

#include "base/report.h"
#include "config/config.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_NAME,
    SETTING_CURRENCY,
    SETTING_ADDRESS,
    SETTING_COUNT,
    SETTING_DURATION,
    SETTING_SIZE,
    SETTING_FLAG,
    SETTING_CHOICE,
    SETTING_FRACTION,
    SETTING_NUMBER,
    SETTING_MONEY,
    SETTING_PARAM_FLAG /* 0 or 1 in an int64_t */
};

struct setting {
    const char *section; /* "" at the top level */
    const char *name;    /* the key, for parameters with the suffix of its unit: see setting_key */
    enum setting_type type;
    size_t offset; /* of the value in struct config */
    const char *fallback_text;
    double fallback, min, max; /* exact: all below 2^53 */
    const char *unit, *help;
};

/* A section, or a map inside one. */
struct setting_group {
    const char *section, *help;
};
struct setting_map {
    const char *section, *key, *help;
    const char *example; /* one line, as it would stand in the map */
};

extern const struct setting setting_rows[];
extern const size_t setting_row_count;
extern const struct setting_group setting_groups[];
extern const size_t setting_group_count;
extern const struct setting_map setting_maps[];
extern const size_t setting_map_count;

#define SETTING_TEXT_MAX 128

struct span setting_key(const struct setting *setting);
/* "section.key", or "key" at the top level. */
void setting_path(const struct setting *setting, char ret_path[SETTING_TEXT_MAX]);
/* NULL when there is none. */
const struct setting *setting_find(const char *section, const char *key);

void setting_reset(const struct setting *setting, struct config *config);
/* Text to value; text is copied into config->arena. Money is read in minor units of
 * config->params.reporting. REJECT: `why` says what is wrong with the value, starting with the
 * value. */
enum status setting_parse(const struct setting *setting, struct span text, struct config *config,
                          struct report *why) LC_CHECKED;
/* The value as setting_parse reads it; cut at cap. */
void setting_format(const struct setting *setting, const struct config *config, char *ret_text,
                    size_t cap);
/* "1 to 64 threads", "murmur2, crc32"; empty when there is nothing to say. */
void setting_range(const struct setting *setting, const struct config *config, char *ret_text,
                   size_t cap);

#endif
