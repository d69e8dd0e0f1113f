#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "pipeline/position_codec.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void metadata_is_written_as_documented(void **state)
{
    const struct delivered delivered = {.at = {.offset = 99, .control = 12},
                                        .control_offset = 40,
                                        .watermark_ms = -5,
                                        .cfg = "00ff00ff00ff00ff",
                                        .params_version = 3};
    char text[POSITION_METADATA_MAX];
    size_t len = position_metadata_encode(&delivered, text);

    (void)state;
    assert_string_equal(text, "v=1;C=12;CO=40;W=-5;cfg=00ff00ff00ff00ff;pv=3");
    assert_int_equal(len, strlen(text));
}

static void metadata_reads_back(void **state)
{
    const struct delivered largest = {.at = {.offset = 7, .control = INT64_MAX},
                                      .control_offset = INT64_MAX,
                                      .watermark_ms = INT64_MIN,
                                      .cfg = "0123456789abcdef0123456",
                                      .params_version = UINT32_MAX};
    struct delivered back = {.at = {.offset = 7}};
    char text[POSITION_METADATA_MAX];
    size_t len = position_metadata_encode(&largest, text);

    (void)state;
    assert_int_equal(position_metadata_decode((struct span){text, len}, &back), STATUS_OK);
    assert_true(position_compare(back.at, largest.at) == 0); /* the offset is the caller's */
    assert_true(back.control_offset == largest.control_offset);
    assert_true(back.watermark_ms == largest.watermark_ms);
    assert_string_equal(back.cfg, largest.cfg);
    assert_int_equal(back.params_version, largest.params_version);
}

static const struct {
    const char *name, *text;
    bool good;
} metadata_rows[] = {
    {"as written", "v=1;C=1;CO=2;W=3;cfg=ab;pv=4", true},
    {"in another order", "pv=4;cfg=ab;W=3;CO=2;C=1;v=1", true},
    {"with a pair of a later build", "v=1;C=1;CO=2;W=3;cfg=ab;pv=4;next=x", true},
    {"control offset unknown", "v=1;C=0;CO=-1;W=3;cfg=;pv=0", true},
    {"nothing", "", false},
    {"somebody else's", "hello", false},
    {"another version", "v=2;C=1;CO=2;W=3;cfg=ab;pv=4", false},
    {"a pair missing", "v=1;C=1;CO=2;W=3;cfg=ab", false},
    {"a pair twice", "v=1;C=1;C=1;CO=2;W=3;cfg=ab;pv=4", false},
    {"no number", "v=1;C=x;CO=2;W=3;cfg=ab;pv=4", false},
    {"a negative count", "v=1;C=-1;CO=2;W=3;cfg=ab;pv=4", false},
    {"a control offset below unknown", "v=1;C=1;CO=-2;W=3;cfg=ab;pv=4", false},
    {"a version past 32 bits", "v=1;C=1;CO=2;W=3;cfg=ab;pv=4294967296", false},
    {"a number past 64 bits", "v=1;C=9223372036854775808;CO=2;W=3;cfg=ab;pv=4", false},
    {"a fingerprint that is no hex", "v=1;C=1;CO=2;W=3;cfg=AB;pv=4", false},
    {"a fingerprint of 23 digits", "v=1;C=1;CO=2;W=3;cfg=00000000000000000000000;pv=4", true},
    {"a fingerprint of 24", "v=1;C=1;CO=2;W=3;cfg=000000000000000000000000;pv=4", false},
};

static void metadata_that_is_not_ours_is_refused_untouched(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(metadata_rows); i++) {
        struct delivered back = {.at = {.offset = 7}, .params_version = 77};
        enum status status = position_metadata_decode(span_of(metadata_rows[i].text), &back);

        if ((status == STATUS_OK) != metadata_rows[i].good)
            fail_msg("%s: %s", metadata_rows[i].name, status_name(status));
        if (!metadata_rows[i].good && (back.params_version != 77 || back.at.control != 0))
            fail_msg("%s: touched", metadata_rows[i].name);
    }
}

static struct span encode(const struct control_record *control, struct arena *arena)
{
    struct span value = SPAN_ABSENT;

    assert_int_equal(control_encode(control, arena, &value), STATUS_OK);
    return value;
}

static void control_records_read_back(void **state)
{
    const struct control_record records[] = {
        {.kind = CONTROL_BIRTH,
         .number = 1,
         .label = 0,
         .watermark_ms = INT64_MIN,
         .made_ms = 1735689600000,
         .params_version = 1,
         .params = SPAN_LITERAL("a=1\n")},
        {.kind = CONTROL_SWITCH,
         .number = INT64_MAX,
         .label = INT64_MAX,
         .watermark_ms = INT64_MAX,
         .made_ms = INT64_MIN,
         .params_version = UINT32_MAX,
         .params = SPAN_LITERAL("x")},
        {.kind = CONTROL_TICK, .number = 2, .label = 5, .watermark_ms = 3},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ROWS(records); i++) {
        struct span value = encode(&records[i], &arena);
        struct control_record back = {0};
        const char *why = NULL;

        assert_int_equal(control_decode(value, &back, &why), STATUS_OK);
        assert_null(why);
        assert_int_equal(back.kind, records[i].kind);
        assert_true(back.number == records[i].number && back.label == records[i].label);
        assert_true(back.watermark_ms == records[i].watermark_ms);
        assert_true(back.made_ms == records[i].made_ms);
        assert_int_equal(back.params_version, records[i].params_version);
        assert_true(span_equal(back.params, records[i].params));
    }
    arena_fini(&arena);
}

/* The bytes are read by other builds: they never change. */
static void a_tick_has_these_bytes(void **state)
{
    static const unsigned char want[] = {0x98, 1,    3,    2,    0xcd, 1, 0x2c, 0xcf, 0,   0,
                                         1,    0x94, 0x1f, 0x29, 0x7c, 0, 0xff, 4,    0xa0};
    const struct control_record tick = {.kind = CONTROL_TICK,
                                        .number = 2,
                                        .label = 300,
                                        .watermark_ms = 1735689600000,
                                        .made_ms = -1,
                                        .params_version = 4};
    struct arena arena;
    struct span value;

    (void)state;
    arena_init(&arena, 1 << 20);
    value = encode(&tick, &arena);
    assert_int_equal(value.len, sizeof(want));
    assert_memory_equal(value.at, want, sizeof(want));
    arena_fini(&arena);
}

#define MP(text)                                                                                   \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }

static const struct {
    const char *name;
    struct span value;
    const char *why; /* part of it; NULL: accepted */
} control_rows[] = {
    {"a tick", MP("\x98\x01\x03\x01\x00\x00\x00\x00\xa0"), NULL},
    {"a tick with an item of a later build",
     MP("\x99\x01\x03\x01\x00\x00\x00\x00\xa0\x81\xa1x\x01"), NULL},
    {"nothing", MP(""), "end"},
    {"a map", MP("\x80"), "array"},
    {"an item too few", MP("\x97\x01\x03\x01\x00\x00\x00\x00"), "too few"},
    {"another version", MP("\x98\x02\x03\x01\x00\x00\x00\x00\xa0"), "version"},
    {"kind 0", MP("\x98\x01\x00\x01\x00\x00\x00\x00\xa0"), "kind"},
    {"a guard", MP("\x99\x01\x04\x01\x00\x00\x00\x00\xa0\x03"), NULL},
    {"a guard with an item of a later build", MP("\x9a\x01\x04\x01\x00\x00\x00\x00\xa0\x00\xc0"),
     NULL},
    {"a guard that does not say what it holds", MP("\x98\x01\x04\x01\x00\x00\x00\x00\xa0"),
     "does not say"},
    {"a guard for an unknown reason", MP("\x99\x01\x04\x01\x00\x00\x00\x00\xa0\x04"),
     "unknown reason"},
    {"kind 5", MP("\x98\x01\x05\x01\x00\x00\x00\x00\xa0"), "kind"},
    {"number 0", MP("\x98\x01\x03\x00\x00\x00\x00\x00\xa0"), "below 1"},
    {"a negative label", MP("\x98\x01\x03\x01\xff\x00\x00\x00\xa0"), "label"},
    {"a version past 32 bits",
     MP("\x98\x01\x03\x01\x00\x00\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00"
        "\xa0"),
     "too large"},
    {"a switch without parameters", MP("\x98\x01\x02\x01\x00\x00\x00\x01\xa0"), "without"},
    {"a switch", MP("\x98\x01\x02\x01\x00\x00\x00\x01\xa1x"), NULL},
    {"more after it", MP("\x98\x01\x03\x01\x00\x00\x00\x00\xa0\xc0"), "more"},
    {"five bytes that promise four billion", MP("\xdd\xff\xff\xff\xff"), "hold"},
};

static void damaged_control_records_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(control_rows); i++) {
        struct control_record back = {.number = 77};
        const char *why = NULL;
        enum status status = control_decode(control_rows[i].value, &back, &why);

        if ((status == STATUS_OK) != !control_rows[i].why)
            fail_msg("%s: %s %s", control_rows[i].name, status_name(status), why ? why : "");
        if (control_rows[i].why && (!strstr(why, control_rows[i].why) || back.number != 77))
            fail_msg("%s: \"%s\"", control_rows[i].name, why);
    }
}

static void a_full_arena_is_said(void **state)
{
    const struct control_record tick = {.kind = CONTROL_TICK, .number = 1};
    struct arena arena;
    struct span value;

    (void)state;
    arena_init(&arena, 16);
    assert_int_equal(control_encode(&tick, &arena, &value), STATUS_FULL);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_is_written_as_documented),
        cmocka_unit_test(metadata_reads_back),
        cmocka_unit_test(metadata_that_is_not_ours_is_refused_untouched),
        cmocka_unit_test(control_records_read_back),
        cmocka_unit_test(a_tick_has_these_bytes),
        cmocka_unit_test(damaged_control_records_are_refused),
        cmocka_unit_test(a_full_arena_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
