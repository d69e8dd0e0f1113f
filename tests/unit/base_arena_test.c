#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#ifdef TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

static void test_allocations_are_aligned_apart_and_keep_their_bytes(void **state)
{
    struct arena arena;
    unsigned char *blocks[500];

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = arena_alloc(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)(i & 255), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(blocks[i][j], i & 255);
    assert_true(arena.bytes_used >= 499 * 500 / 2);
    assert_true(arena.bytes_held >= arena.bytes_used);
    assert_true(arena.bytes_held <= arena.bytes_max);
    arena_fini(&arena);
}

static void test_the_bound_is_kept_and_a_refusal_harms_nothing(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_null(arena_alloc(&arena, 4097));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, 4096)); /* the chunk's own head counts */
    assert_non_null(arena_alloc(&arena, 4000));
    assert_null(arena_alloc(&arena, 200));
    assert_non_null(arena_alloc(&arena, 1));
    assert_true(arena.bytes_held <= 4096);
    arena_reset(&arena);
    assert_int_equal(arena.bytes_used, 0);
    assert_non_null(arena_alloc(&arena, 4000));
    arena_fini(&arena);
    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, 0));
    arena_fini(&arena);
}

static void test_reset_keeps_the_chunks_so_that_a_steady_state_calls_no_malloc(void **state)
{
    struct arena arena;
    size_t held;

    (void)state;
    arena_init(&arena, 64 << 20);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 10000));
    held = arena.bytes_held;
    for (int round = 0; round < 20; round++) {
        arena_reset(&arena);
        for (int i = 0; i < 100; i++)
            assert_non_null(arena_alloc(&arena, 10000));
        assert_int_equal(arena.bytes_held, held);
    }
    arena_fini(&arena);
    assert_null(arena.chunks);
}

/* One season in which each reset finds `bytes` in use. */
static void live_a_season(struct arena *arena, size_t bytes)
{
    for (int i = 0; i < ARENA_SEASON_RESETS; i++) {
        for (size_t used = 0; used < bytes; used += 4096)
            assert_non_null(arena_alloc(arena, 4096));
        arena_reset(arena);
    }
}

static void test_what_one_burst_needed_goes_back_after_a_quiet_season(void **state)
{
    struct arena arena;
    size_t burst;

    (void)state;
    arena_init(&arena, 1 << 26);
    for (int i = 0; i < 4096; i++)
        assert_non_null(arena_alloc(&arena, 4096));
    arena_reset(&arena);
    burst = arena.bytes_held;
    assert_true(burst >= (size_t)4096 * 4096);
    live_a_season(&arena, 1 << 16); /* the season of the burst itself */
    assert_true(arena.bytes_held == burst);
    live_a_season(&arena, 1 << 16);
    assert_true(arena.bytes_held < burst / ARENA_HELD_SHARE);
    arena_fini(&arena);
}

static void test_a_steady_load_never_gives_its_chunks_back(void **state)
{
    struct arena arena;
    size_t held;

    (void)state;
    arena_init(&arena, 1 << 26);
    live_a_season(&arena, 3 << 20);
    held = arena.bytes_held;
    for (int season = 0; season < 2; season++) {
        live_a_season(&arena, 3 << 20);
        assert_int_equal(arena.bytes_held, held);
    }
    arena_fini(&arena);
}

static void test_zalloc_clears_what_was_used_before(void **state)
{
    struct arena arena;
    unsigned char *block;

    (void)state;
    arena_init(&arena, 1 << 20);
    block = arena_alloc(&arena, 256);
    memset(block, 0xff, 256);
    arena_reset(&arena);
    block = arena_zalloc(&arena, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(block[i], 0);
    arena_fini(&arena);
}

static void test_copy_copies(void **state)
{
    struct arena arena;
    char original[] = "abc", *copy;

    (void)state;
    arena_init(&arena, 1 << 20);
    copy = arena_copy(&arena, original, sizeof(original));
    original[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_non_null(arena_copy(&arena, NULL, 0));
    arena_fini(&arena);
}

static void test_fini_accepts_zeroed(void **state)
{
    struct arena arena = {0};

    (void)state;
    arena_fini(&arena);
    arena_fini(&arena);
    assert_null(arena_alloc(&arena, 1));
}

#ifdef TEST_ASAN
static void test_bytes_between_allocations_and_after_reset_are_poisoned(void **state)
{
    struct arena arena;
    char *block;

    (void)state;
    arena_init(&arena, 1 << 20);
    block = arena_alloc(&arena, 21);
    assert_non_null(arena_alloc(&arena, 16));
    assert_false(__asan_address_is_poisoned(block + 20));
    assert_true(__asan_address_is_poisoned(block + 21));
    assert_true(__asan_address_is_poisoned(block + 32));
    arena_reset(&arena);
    assert_true(__asan_address_is_poisoned(block));
    arena_fini(&arena);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations_are_aligned_apart_and_keep_their_bytes),
        cmocka_unit_test(test_the_bound_is_kept_and_a_refusal_harms_nothing),
        cmocka_unit_test(test_reset_keeps_the_chunks_so_that_a_steady_state_calls_no_malloc),
        cmocka_unit_test(test_what_one_burst_needed_goes_back_after_a_quiet_season),
        cmocka_unit_test(test_a_steady_load_never_gives_its_chunks_back),
        cmocka_unit_test(test_zalloc_clears_what_was_used_before),
        cmocka_unit_test(test_copy_copies),
        cmocka_unit_test(test_fini_accepts_zeroed),
#ifdef TEST_ASAN
        cmocka_unit_test(test_bytes_between_allocations_and_after_reset_are_poisoned),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
