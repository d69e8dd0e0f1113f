/* options: long options from one table, over getopt_long. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "ctl/ctl.h"

static void options_help(const char *usage, const struct ctl_option *options)
{
    printf("usage: lifecyclectl %s\n\noptions:\n", usage);
    for (const struct ctl_option *o = options; o->type != CTL_END; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-28s %s\n", left, o->help);
    }
    printf("  %-28s %s\n", "--help", "this text");
}

static _Noreturn void options_wrong(const char *format, const char *name, const char *value)
{
    fputs("lifecyclectl: ", stderr);
    fprintf(stderr, "--%s: ", name);
    fprintf(stderr, "%s '%s'\n", format, value);
    exit(CTL_USAGE);
}

/* As JSON has it, or .5 as people write it. */
static bool number_parse(const char *text, double *ret_value)
{
    char digits[64];
    const bool bare = text[0] == '.' && text[1] >= '0' && text[1] <= '9';
    const int len = snprintf(digits, sizeof digits, "%s%s", bare ? "0" : "", text);

    return len > 0 && (size_t)len < sizeof digits &&
           text_double_parse(span_of(digits), ret_value) == STATUS_OK;
}

static void option_set(const struct ctl_option *option, const char *text)
{
    switch (option->type) {
    case CTL_FLAG:
        *(bool *)option->value = true;
        return;
    case CTL_TEXT:
        *(const char **)option->value = text;
        return;
    case CTL_COUNT:
        if (text_i64_parse(span_of(text), option->value) != STATUS_OK ||
            *(int64_t *)option->value < 0)
            options_wrong("needs a whole number, 0 or more, not", option->name, text);
        return;
    case CTL_NUMBER:
        if (!number_parse(text, option->value))
            options_wrong("needs a number, not", option->name, text);
        return;
    case CTL_TIME:
        if (text_time_parse(span_of(text), option->value) != STATUS_OK)
            options_wrong("needs a date (2025-01-31) or an RFC 3339 time, not", option->name, text);
        return;
    case CTL_DURATION:
        if (text_duration_parse(span_of(text), option->value) != STATUS_OK)
            options_wrong("needs a duration such as 90d, 36h, 15m, 10s or 250ms, not", option->name,
                          text);
        return;
    case CTL_END:
        break;
    }
    MUST(option->type < CTL_END);
}

static _Noreturn void options_unknown(const char *word, const struct ctl_option *options)
{
    const char *names[CTL_OPTIONS_MAX];
    size_t count = 0;
    for (const struct ctl_option *o = options; o->type != CTL_END; o++)
        names[count++] = o->name;
    while (*word == '-')
        word++;
    size_t len = strcspn(word, "=");
    const char *near = text_did_you_mean((struct span){word, len}, names, count);
    fprintf(stderr, "lifecyclectl: no option --%.*s%s%s%s See --help.\n", (int)len, word,
            near ? "; did you mean --" : ".", near ? near : "", near ? "?" : "");
    exit(CTL_USAGE);
}

int ctl_options(int argc, char **argv, const char *usage, const struct ctl_option *options,
                int least, int most)
{
    struct option longs[CTL_OPTIONS_MAX + 2] = {{0}};
    int count = 0;
    for (const struct ctl_option *o = options; o->type != CTL_END; o++) {
        MUST(count < CTL_OPTIONS_MAX);
        longs[count] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                       count + 256};
        count++;
    }
    longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    opterr = 0;
    optind = 1;
    for (;;) {
        int at = optind;
        int got = getopt_long(argc, argv, ":h", longs, NULL);
        if (got == -1)
            break;
        if (got == 'h') {
            options_help(usage, options);
            exit(CTL_OK);
        }
        if (got == ':') {
            fprintf(stderr, "lifecyclectl: %s needs a value; see --help\n", argv[optind - 1]);
            exit(CTL_USAGE);
        }
        if (got == '?')
            options_unknown(argv[at < argc ? at : argc - 1], options);
        option_set(&options[got - 256], optarg);
    }
    int left = argc - optind;
    if (left < least || left > most) {
        fprintf(stderr, "usage: lifecyclectl %s\n", usage);
        exit(CTL_USAGE);
    }
    memmove(argv, argv + optind, sizeof *argv * (size_t)left);
    return left;
}
