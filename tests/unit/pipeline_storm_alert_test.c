/* The storm alert: the bytes that docs/FORMATS.md shows, the same in MessagePack, and its id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mp.h"
#include "pipeline/storm_alert.h"

static const struct storm_alert storm = {.partition = 3,
                                         .number = 17,
                                         .at_ms = INT64_C(1735689600000),
                                         .alerts = 101,
                                         .limit = 100,
                                         .mean_milli = 12500};
static const struct alert_options options = {.source = "lifecycled/lifecycled",
                                             .params_version = 4};

static const char *header(const struct alert *alert, const char *name, char text[64])
{
    for (size_t i = 0; i < alert->header_count; i++)
        if (span_is(alert->headers[i].name, name)) {
            snprintf(text, 64, "%.*s", (int)alert->headers[i].value.len,
                     alert->headers[i].value.at);
            return text;
        }
    return NULL;
}

/* The example without its blanks and line ends. */
static char *documented(void)
{
    FILE *file = fopen(LC_SOURCE_DIR "/docs/FORMATS.md", "r");
    char *text = calloc(1, 1 << 20), *from, *to, *at = text;

    assert_non_null(file);
    text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
    (void)fclose(file);
    from = strstr(text, "```json storm\n");
    assert_non_null(from);
    from += strlen("```json storm\n");
    to = strstr(from, "```");
    for (; from < to; from++)
        if (*from != ' ' && *from != '\n')
            *at++ = *from;
    *at = '\0';
    return text;
}

static void it_says_what_the_documentation_shows(void **state)
{
    char *expect = documented(), text[64];
    struct arena arena;
    struct alert alert;
    struct span key;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_int_equal(storm_alert_encode(&storm, &options, 1735689601000, &arena, &key, &alert),
                     STATUS_OK);
    assert_true(span_is(key, "partition-3"));
    assert_int_equal(alert.value.len, strlen(expect));
    assert_memory_equal(alert.value.at, expect, alert.value.len);
    assert_string_equal(header(&alert, "ce_type", text), "lifecycled.alert.storm.raised.v1");
    assert_string_equal(header(&alert, "ce_subject", text), "partition-3");
    assert_string_equal(header(&alert, "ce_time", text), "2025-01-01T00:00:00.000Z");
    assert_string_equal(header(&alert, "ce_recordedtime", text), "2025-01-01T00:00:01.000Z");
    assert_string_equal(header(&alert, "ce_expirytime", text), "2025-01-02T00:00:01.000Z");
    assert_string_equal(header(&alert, "ce_severitytext", text), "WARN");
    free(expect);
    arena_fini(&arena);
}

static void messagepack_has_the_same_members(void **state)
{
    struct alert_options packed = options;
    struct arena arena;
    struct alert alert;
    struct span key;
    struct mp_reader reader;

    (void)state;
    packed.msgpack = true;
    arena_init(&arena, 1 << 16);
    assert_int_equal(storm_alert_encode(&storm, &packed, 0, &arena, &key, &alert), STATUS_OK);
    mp_reader_init(&reader, alert.value);
    assert_int_equal(mp_read_map(&reader), 9);
    assert_true(span_is(mp_read_str(&reader), "kind"));
    assert_true(span_is(mp_read_str(&reader), "storm"));
    for (int i = 1; i < 9; i++) {
        (void)mp_read_str(&reader);
        mp_skip(&reader);
    }
    assert_null(reader.fault);
    assert_ptr_equal(reader.at, reader.end);
    arena_fini(&arena);
}

static void its_id_is_the_control_records(void **state)
{
    char one[33], two[33];

    (void)state;
    storm_alert_id(3, 17, one);
    storm_alert_id(3, 17, two);
    assert_string_equal(one, two);
    assert_int_equal(strlen(one), 32);
    storm_alert_id(3, 18, two);
    assert_string_not_equal(one, two);
    storm_alert_id(4, 17, two);
    assert_string_not_equal(one, two);
}

static void a_full_arena_is_said(void **state)
{
    struct arena arena;
    struct alert alert;
    struct span key;

    (void)state;
    for (size_t bytes = 16; bytes <= 256; bytes *= 2) {
        arena_init(&arena, bytes);
        assert_int_equal(storm_alert_encode(&storm, &options, 0, &arena, &key, &alert),
                         STATUS_FULL);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_the_documentation_shows),
        cmocka_unit_test(messagepack_has_the_same_members),
        cmocka_unit_test(its_id_is_the_control_records),
        cmocka_unit_test(a_full_arena_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
