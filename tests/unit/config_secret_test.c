#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/secret.h"

static char folder[] = "/tmp/lc-secret-XXXXXX";
static char path[256];

static void write_secret(const char *bytes, size_t len, mode_t mode)
{
    FILE *file;

    (void)unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

struct secret_row {
    const char *name, *bytes;
    size_t len;
    mode_t mode;
    const char *text; /* NULL: refused, saying: */
    const char *words;
};

static const struct secret_row rows[] = {
    {"a word", "hunter2", 7, 0600, "hunter2", NULL},
    {"a word and a line end", "hunter2\n", 8, 0640, "hunter2", NULL},
    {"a word and a line end of Windows", "hunter2\r\n", 9, 0400, "hunter2", NULL},
    {"only one line end goes", "hunter2\n\n", 9, 0600, "hunter2\n", NULL},
    {"spaces stay", " a b ", 5, 0600, " a b ", NULL},
    {"nothing", "", 0, 0600, NULL, "empty"},
    {"a line end only", "\n", 1, 0600, NULL, "empty"},
    {"a zero byte", "a\0b", 3, 0600, NULL, "zero byte"},
    {"readable by everybody", "hunter2", 7, 0604, NULL, "readable by everybody"},
};

static void test_secrets_are_read_or_refused_without_being_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret secret;
        struct report report = {.text = ""};
        enum status status;

        write_secret(rows[i].bytes, rows[i].len, rows[i].mode);
        status = secret_read(path, &secret, &report);
        if (status != (rows[i].text ? STATUS_OK : STATUS_REJECT))
            fail_msg("%s: %s", rows[i].name, report.text);
        assert_string_equal(secret.text, rows[i].text ? rows[i].text : "");
        assert_int_equal(secret.len, rows[i].text ? strlen(rows[i].text) : 0);
        if (!rows[i].text) {
            assert_non_null(strstr(report.text, rows[i].words));
            assert_non_null(strstr(report.text, path));
            assert_null(strstr(report.text, "hunter2"));
        }
        secret_wipe(&secret);
        for (size_t at = 0; at < sizeof(secret.text); at++)
            assert_int_equal(secret.text[at], 0);
    }
}

static void test_the_longest_secret_is_read_and_one_byte_more_is_refused(void **state)
{
    char bytes[SECRET_BYTES_MAX + 1];
    struct secret secret;
    struct report report;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    write_secret(bytes, SECRET_BYTES_MAX, 0600);
    assert_int_equal(secret_read(path, &secret, &report), STATUS_OK);
    assert_int_equal(secret.len, SECRET_BYTES_MAX);
    write_secret(bytes, SECRET_BYTES_MAX + 1, 0600);
    assert_int_equal(secret_read(path, &secret, &report), STATUS_REJECT);
    assert_int_equal(secret.len, 0);
    assert_int_equal(secret.text[0], 0);
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct secret secret;
    struct report report;

    (void)state;
    assert_int_equal(secret_read("/nonexistent/secret", &secret, &report), STATUS_REJECT);
    assert_non_null(strstr(report.text, "No such file"));
    assert_int_equal(secret_read(folder, &secret, &report), STATUS_REJECT);
    assert_non_null(strstr(report.text, "not a file"));
    assert_int_equal(secret_read("/dev/null", &secret, NULL), STATUS_REJECT);
}

static void test_where_a_secret_stands(void **state)
{
    char found[SECRET_PATH_MAX], wanted[512];

    (void)state;
    write_secret("x", 1, 0600);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_true(secret_locate("/etc/secret", "token", found));
    assert_string_equal(found, "/etc/secret");
    assert_true(secret_locate("relative", "token", found));
    assert_string_equal(found, "relative");
    assert_false(secret_locate("", "token", found));
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    assert_true(secret_locate("/etc/secret", "token", found));
    assert_string_equal(found, "/etc/secret");
    (void)snprintf(wanted, sizeof(wanted), "%s/other", folder);
    assert_true(secret_locate("other", "token", found));
    assert_string_equal(found, wanted);
    assert_true(secret_locate("", "token", found));
    assert_string_equal(found, path);
    assert_false(secret_locate("", "absent", found));
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/token", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_are_read_or_refused_without_being_told),
        cmocka_unit_test(test_the_longest_secret_is_read_and_one_byte_more_is_refused),
        cmocka_unit_test(test_what_is_no_file_is_refused),
        cmocka_unit_test(test_where_a_secret_stands),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
