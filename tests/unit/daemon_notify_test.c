/* notify: what systemd hears, on a socket of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

static int heard_fd;
static char heard_path[64];

static int setup(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    snprintf(heard_path, sizeof heard_path, "/tmp/lifecycled-notify-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", heard_path);
    (void)unlink(heard_path);
    heard_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setenv("NOTIFY_SOCKET", heard_path, 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    return bind(heard_fd, (const struct sockaddr *)&address, sizeof address);
}

static int teardown(void **state)
{
    (void)state;
    (void)close(heard_fd);
    return unlink(heard_path);
}

/* The next message, "" when there is none. */
static const char *heard(void)
{
    static char text[512];
    ssize_t len = recv(heard_fd, text, sizeof text - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void ready_is_told_once(void **state)
{
    struct notify notify;

    (void)state;
    notify_init(&notify);
    notify_ready(&notify);
    notify_ready(&notify);
    assert_string_equal(heard(), "READY=1");
    assert_string_equal(heard(), "");
}

static void status_is_told_on_change_and_once_a_second(void **state)
{
    static const struct {
        const char *name;
        int64_t at_ms;
        const char *text, *expect;
    } rows[] = {
        {"the first", 1000, "waiting", "STATUS=waiting"},
        {"the same again", 5000, "waiting", ""},
        {"another", 5000, "live", "STATUS=live"},
        {"another within the second", 5999, "lag 3", ""},
        {"another after the second", 6000, "lag 4", "STATUS=lag 4"},
    };
    struct notify notify;

    (void)state;
    notify_init(&notify);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("  %s\n", rows[i].name);
        notify_status(&notify, rows[i].at_ms, rows[i].text);
        assert_string_equal(heard(), rows[i].expect);
    }
}

static void the_watchdog_is_fed_only_by_the_living(void **state)
{
    static const struct {
        const char *name;
        int64_t at_ms;
        bool alive;
        const char *expect;
    } rows[] = {
        {"at first", 1000, true, "WATCHDOG=1"},         {"before half the time", 2999, true, ""},
        {"at half the time", 3000, true, "WATCHDOG=1"}, {"stalled", 9000, false, ""},
        {"alive again", 9001, true, "WATCHDOG=1"},
    };
    struct notify notify;

    (void)state;
    notify_init(&notify);
    assert_int_equal(notify.watchdog_ms, 2000);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("  %s\n", rows[i].name);
        notify_watchdog(&notify, rows[i].at_ms, rows[i].alive);
        assert_string_equal(heard(), rows[i].expect);
    }
}

static void stopping_says_why(void **state)
{
    (void)state;
    notify_stopping("SIGTERM");
    assert_string_equal(heard(), "STOPPING=1\nSTATUS=SIGTERM");
}

static void without_a_watchdog_nothing_is_fed(void **state)
{
    struct notify notify;

    (void)state;
    unsetenv("WATCHDOG_USEC");
    notify_init(&notify);
    notify_watchdog(&notify, 1000, true);
    assert_string_equal(heard(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_is_told_once),
        cmocka_unit_test(status_is_told_on_change_and_once_a_second),
        cmocka_unit_test(the_watchdog_is_fed_only_by_the_living),
        cmocka_unit_test(stopping_says_why),
        cmocka_unit_test(without_a_watchdog_nothing_is_fed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
