/* log: one logfmt line a thing, quoted, bounded, not repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

static void lines(void **state)
{
    static const struct {
        const char *name;
        enum log_level level;
        const char *code;
        int32_t partition;
        uint64_t left_out;
        const char *text, *expect;
    } rows[] = {
        {"plain", LOG_LEVEL_INFO, "live", -1, 0, "all well",
         "time=1970-01-01T00:00:00.000Z level=info code=live msg=\"all well\"\n"},
        {"with a partition", LOG_LEVEL_WARNING, "redis-oom", 3, 0, "full",
         "time=1970-01-01T00:00:00.000Z level=warning code=redis-oom partition=3 msg=\"full\"\n"},
        {"partition zero is a partition", LOG_LEVEL_ERROR, "x", 0, 0, "y",
         "time=1970-01-01T00:00:00.000Z level=error code=x partition=0 msg=\"y\"\n"},
        {"how many were left out", LOG_LEVEL_WARNING, "x", -1, 7, "y",
         "time=1970-01-01T00:00:00.000Z level=warning code=x left_out=7 msg=\"y\"\n"},
        {"quotes are escaped, a line end cannot forge a line", LOG_LEVEL_DEBUG, "x", -1, 0,
         "a\"b\\c\nlevel=error",
         "time=1970-01-01T00:00:00.000Z level=debug code=x msg=\"a\\\"b\\\\c level=error\"\n"},
    };
    char line[LOG_LINE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = log_format(0, rows[i].level, rows[i].code, rows[i].partition, rows[i].left_out,
                                rows[i].text, line);

        print_message("  %s\n", rows[i].name);
        assert_string_equal(line, rows[i].expect);
        assert_int_equal(len, strlen(rows[i].expect));
    }
}

static void a_long_text_is_cut(void **state)
{
    char text[2 * LOG_LINE_MAX], line[LOG_LINE_MAX];

    (void)state;
    memset(text, '"', sizeof text - 1); /* each becomes two */
    text[sizeof text - 1] = '\0';
    assert_in_range(log_format(0, LOG_LEVEL_INFO, "x", -1, 0, text, line), LOG_LINE_MAX - 8,
                    LOG_LINE_MAX - 1);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static size_t count_lines(int fd, const char *word)
{
    static char text[1 << 18];
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    size_t count = 0;

    assert_true(len >= 0);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void a_repeated_warning_is_written_once(void **state)
{
    char path[] = "/tmp/lifecycled-log-XXXXXX";
    int fd = mkstemp(path);
    struct log_options options = {.level = LOG_LEVEL_NOTICE, .fd = fd};

    (void)state;
    assert_true(fd >= 0);
    log_open(&options);
    for (int i = 0; i < 1000; i++) {
        log_line(LOG_LEVEL_WARNING, "redis-away", 1, "attempt %d", i);
        log_line(LOG_LEVEL_NOTICE, "told", -1, "each time");
        log_line(LOG_LEVEL_INFO, "below", -1, "the level");
    }
    log_line(LOG_LEVEL_WARNING, "redis-away", 2, "another partition is another thing");
    assert_int_equal(count_lines(fd, "code=redis-away partition=1"), 1);
    assert_int_equal(count_lines(fd, "code=redis-away partition=2"), 1);
    assert_int_equal(count_lines(fd, "code=told"), 1000);
    assert_int_equal(count_lines(fd, "code=below"), 0);
    options.fd = STDERR_FILENO;
    log_open(&options);
    (void)close(fd);
    (void)unlink(path);
}

static char *slurp(const char *path)
{
    static char text[1 << 19];
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return text;
}

/* Every code given to report_set( in the source stands in docs/OPERATIONS.md. */
static void the_runbook_names_every_code(void **state)
{
    static char docs[1 << 17];
    static const char call[] = "report_set(";
    size_t found = 0;
    glob_t files = {0};

    (void)state;
    snprintf(docs, sizeof docs, "%s", slurp(LC_SOURCE_DIR "/docs/OPERATIONS.md"));
    assert_int_equal(glob(LC_SOURCE_DIR "/state/*.c", 0, NULL, &files), 0);
    assert_int_equal(glob(LC_SOURCE_DIR "/pipeline/*.c", GLOB_APPEND, NULL, &files), 0);
    assert_int_equal(glob(LC_SOURCE_DIR "/daemon/*.c", GLOB_APPEND, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        for (const char *at = slurp(files.gl_pathv[i]); (at = strstr(at, call)) != NULL;
             at += sizeof call) {
            const char *quote = strchr(at, '"');
            char code[64];
            size_t len = quote ? strspn(quote + 1, "abcdefghijklmnopqrstuvwxyz-") : 0;

            if (len == 0 || len > 40 || quote[1 + len] != '"' || quote - at > 120 ||
                memchr(at, ';', (size_t)(quote - at)))
                continue;
            snprintf(code, sizeof code, "`%.*s`", (int)len, quote + 1);
            found++;
            if (!strstr(docs, code))
                fail_msg("%s: docs/OPERATIONS.md does not name %s", files.gl_pathv[i], code);
        }
    }
    globfree(&files);
    assert_true(found > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_repeated_warning_is_written_once),
        cmocka_unit_test(the_runbook_names_every_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
