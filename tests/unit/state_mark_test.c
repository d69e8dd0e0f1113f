#include "state/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/text.h"

/* Computed by Python's hmac and hashlib: names in Redis never change by themselves. */
static void a_mark_s_name_is_the_keyed_hash_of_the_id(void **state)
{
    static const struct {
        const char *secret, *app, *customer, *name;
    } rows[] = {
        {"", "lifecycled", "c42", "ffbcaad7629d4723f685745fca9bc8342e"},
        {"0123456789abcdef", "lifecycled", "c42", "ff8c6c2d02d1259726145ab0e1422fa544"},
        {"0123456789abcdef", "other", "c42", "ff1c18fe87155f5efa0a599891d0788959"},
        {"0123456789abcdef", "lifecycled", "c43", "ff7eaa907aac4b3ccac24c541f0f95eec9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[MARK_NAME_BYTES], hex[2 * MARK_NAME_BYTES + 1];
        struct mark_key key;

        mark_key_make(span_of(rows[i].secret), rows[i].app, &key);
        mark_name(&key, span_of(rows[i].customer), name);
        for (size_t j = 0; j < MARK_NAME_BYTES; j++) {
            hex[2 * j] = "0123456789abcdef"[(unsigned char)name[j] >> 4];
            hex[2 * j + 1] = "0123456789abcdef"[name[j] & 15];
        }
        hex[2 * MARK_NAME_BYTES] = '\0';
        assert_string_equal(hex, rows[i].name);
    }
}

static void a_mark_is_no_id_and_no_id_is_a_mark(void **state)
{
    char name[MARK_NAME_BYTES];
    struct mark_key key;

    (void)state;
    mark_key_make(SPAN_ABSENT, "app", &key);
    mark_name(&key, SPAN_LITERAL("c42"), name);
    assert_true(mark_is((struct span){name, sizeof name}));
    assert_false(text_utf8_valid((struct span){name, sizeof name}));
    assert_false(mark_is(SPAN_LITERAL("an id of 17 bytes")));
    assert_false(mark_is(SPAN_LITERAL("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_s_name_is_the_keyed_hash_of_the_id),
        cmocka_unit_test(a_mark_is_no_id_and_no_id_is_a_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
