/* roster: who signed last under an instance name? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/redis_memory.h"
#include "state/roster.h"

struct bed {
    struct redis_memory *server;
    struct redis_memory_conn *conn;
    struct redis redis;
    struct report report;
};

static void bed_open(struct bed *bed)
{
    *bed = (struct bed){.server = redis_memory_open()};
    bed->conn = redis_memory_connect(bed->server);
    bed->redis = redis_memory_port(bed->conn);
}

static void bed_close(struct bed *bed)
{
    redis_memory_disconnect(bed->conn);
    redis_memory_close(bed->server);
}

static void sign(struct bed *bed, const char *app, const char *name, const char *process)
{
    assert_int_equal(roster_sign(&bed->redis, app, name, process, &bed->report), STATUS_OK);
}

static bool rival(struct bed *bed, const char *name, const char *process)
{
    bool found = false;

    assert_int_equal(roster_look(&bed->redis, "app", name, process, &found, &bed->report),
                     STATUS_OK);
    return found;
}

static void who_signed_last_is_a_rival_of_who_signed_before(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    sign(&bed, "app", "n-0", "first");
    assert_false(rival(&bed, "n-0", "first"));
    sign(&bed, "app", "n-0", "second");
    assert_true(rival(&bed, "n-0", "first"));
    assert_false(rival(&bed, "n-0", "second"));
    bed_close(&bed);
}

static void other_names_and_other_applications_are_no_rivals(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    sign(&bed, "app", "n-0", "first");
    sign(&bed, "app", "n-1", "second");
    sign(&bed, "other", "n-0", "third");
    assert_false(rival(&bed, "n-0", "first"));
    bed_close(&bed);
}

static void a_lost_roster_knows_no_rival(void **state)
{
    struct bed bed;

    (void)state;
    bed_open(&bed);
    assert_false(rival(&bed, "n-0", "first"));
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_signed_last_is_a_rival_of_who_signed_before),
        cmocka_unit_test(other_names_and_other_applications_are_no_rivals),
        cmocka_unit_test(a_lost_roster_knows_no_rival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
