/* The commented example and the list for --help, both from the tables. */
#include <stdio.h>
#include <stdlib.h>

#include "config/setting.h"

static void print_setting(FILE *out, const struct setting *setting, const struct config *config)
{
    const char *indent = setting->section[0] ? "  " : "";
    char value[SETTING_TEXT_MAX], range[2 * SETTING_TEXT_MAX];
    struct span key = setting_key(setting);

    setting_format(setting, config, value, sizeof(value));
    setting_range(setting, config, range, sizeof(range));
    fprintf(out, "%s# %s%s%s%s\n", indent, setting->help, range[0] ? " (" : "", range,
            range[0] ? ")" : "");
    fprintf(out, "%s#%.*s: %s\n", indent, (int)key.len, key.at, value[0] ? value : "\"\"");
}

static void print_map(FILE *out, const struct setting_map *map)
{
    fprintf(out, "  # %s\n  #%s:\n  #  %s\n", map->help, map->key, map->example);
}

static void print_example(FILE *out)
{
    struct config config;

    config_default(&config);
    config.kafka_group = config.alerts_source = ""; /* as they stand in the table */
    fprintf(out, "# The configuration of lifecycled, with every setting at its default. Remove the "
                 "# before what\n"
                 "# you change; lines that stay as they are may go. Check it before a start:\n"
                 "#\n"
                 "#     lifecycled --check FILE\n"
                 "#\n"
                 "# Durations carry their unit: 90d, 36h, 15m, 10s, 250ms. Sizes too: 512B, 64KiB, "
                 "256MiB, 2GiB.\n"
                 "# Money is in the reporting currency: 12.50. Secrets stand in files or systemd "
                 "credentials.\n");
    for (size_t g = 0; g < setting_group_count; g++) {
        const struct setting_group *group = &setting_groups[g];

        fprintf(out, "\n# --- %s ---\n", group->help);
        if (group->section[0])
            fprintf(out, "%s:\n", group->section);
        for (size_t i = 0; i < setting_row_count; i++)
            if (strcmp(setting_rows[i].section, group->section) == 0)
                print_setting(out, &setting_rows[i], &config);
        for (size_t i = 0; i < setting_map_count; i++)
            if (strcmp(setting_maps[i].section, group->section) == 0)
                print_map(out, &setting_maps[i]);
    }
}

static void print_help(FILE *out)
{
    struct config config;

    config_default(&config);
    config.kafka_group = config.alerts_source = "";
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting *setting = &setting_rows[i];
        char path[SETTING_TEXT_MAX], value[SETTING_TEXT_MAX], range[2 * SETTING_TEXT_MAX];

        setting_path(setting, path);
        setting_format(setting, &config, value, sizeof(value));
        setting_range(setting, &config, range, sizeof(range));
        fprintf(out, "  %-34s %s%s%s%s [%s]\n", path, setting->help, range[0] ? " (" : "", range,
                range[0] ? ")" : "", value[0] ? value : "\"\"");
    }
    for (size_t i = 0; i < setting_map_count; i++)
        fprintf(out, "  %s.%-*s %s: \"%s\"\n", setting_maps[i].section,
                (int)(33 - strlen(setting_maps[i].section)), setting_maps[i].key,
                setting_maps[i].help, setting_maps[i].example);
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    print(out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

char *config_print_example(void)
{
    return printed(print_example);
}

char *config_print_help(void)
{
    return printed(print_help);
}
