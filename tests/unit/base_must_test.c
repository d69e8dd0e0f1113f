#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"

static void test_a_true_fact_passes(void **state)
{
    int evaluated = 0;

    (void)state;
    MUST(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void test_a_false_fact_names_itself_and_aborts(void **state)
{
    char text[256] = {0};
    int ends[2], wait_status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        int apples = 3;

        signal(SIGABRT, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(ends[1], STDERR_FILENO);
        MUST(apples == 4);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    assert_true(WIFSIGNALED(wait_status));
    assert_int_equal(WTERMSIG(wait_status), SIGABRT);
    assert_non_null(strstr(text, "MUST(apples == 4)"));
    assert_non_null(strstr(text, "base_must_test.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_true_fact_passes),
        cmocka_unit_test(test_a_false_fact_names_itself_and_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
