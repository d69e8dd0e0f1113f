/* sim_fiber: see the header. The first entry goes through ucontext; after that a switch is
 * _setjmp/_longjmp, which makes no system call. Under AddressSanitizer every switch goes through
 * ucontext and is announced, or it takes the other stack for damage. */
#undef _FORTIFY_SOURCE /* a jump into another stack is an attack to it */
#include "tests/sim/sim_fiber.h"

#include <setjmp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/must.h"
#include "tests/sim/sim_memory.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_FIBER_ASAN 1
#endif
#endif

#ifdef SIM_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES (4u << 20)
#else
#define STACK_BYTES (1u << 20)
#endif
#define GUARD_BYTES (64u << 10)

struct sim_fiber {
    void (*main)(void *arg);
    void *arg;
    char *stack;
    struct sim_fiber *next_free;
    bool started, done;
    ucontext_t context;
    jmp_buf jump;
    void *fake_stack;
};

static struct sim_fiber *running, *free_fibers;
static ucontext_t home_context;
#ifdef SIM_FIBER_ASAN
static const void *home_stack;
static size_t home_bytes;
#else
static jmp_buf home_jump;
#endif

static void fiber_main(void)
{
#ifdef SIM_FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &home_stack, &home_bytes);
#endif
    running->main(running->arg);
    running->done = true;
    for (;;)
        sim_fiber_yield();
}

/* getcontext counts as returning twice: alone with its argument it clobbers nothing. */
static __attribute__((noinline)) void prepare(struct sim_fiber *fiber)
{
    MUST(getcontext(&fiber->context) == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
}

struct sim_fiber *sim_fiber_open(void (*main)(void *arg), void *arg)
{
    struct sim_fiber *fiber = free_fibers;
    if (fiber != NULL) {
        free_fibers = fiber->next_free;
    } else {
        fiber = calloc(1, sizeof *fiber);
        MUST(fiber != NULL);
        void *memory = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MUST(memory != MAP_FAILED);
        MUST(mprotect(memory, GUARD_BYTES, PROT_NONE) == 0);
        fiber->stack = (char *)memory + GUARD_BYTES;
    }
    fiber->main = main;
    fiber->arg = arg;
    fiber->started = fiber->done = false;
    fiber->fake_stack = NULL;
    prepare(fiber);
    return fiber;
}

#ifdef SIM_FIBER_ASAN
static void enter(void)
{
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, running->stack, STACK_BYTES);
    MUST(swapcontext(&home_context, &running->context) == 0);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
}
#else
/* No locals, none of a caller's: a longjmp may bring back old ones. */
static __attribute__((noinline)) void enter(void)
{
    if (_setjmp(home_jump) != 0)
        return;
    if (running->started)
        _longjmp(running->jump, 1);
    running->started = true;
    (void)swapcontext(&home_context, &running->context);
}
#endif

void sim_fiber_resume(struct sim_fiber *fiber)
{
    MUST(running == NULL);
    running = fiber;
    enter();
    running = NULL;
}

void sim_fiber_yield(void)
{
#ifdef SIM_FIBER_ASAN
    struct sim_fiber *me = running;
    __sanitizer_start_switch_fiber(&me->fake_stack, home_stack, home_bytes);
    MUST(swapcontext(&me->context, &home_context) == 0);
    __sanitizer_finish_switch_fiber(me->fake_stack, &home_stack, &home_bytes);
#else
    if (_setjmp(running->jump) == 0)
        _longjmp(home_jump, 1);
#endif
}

bool sim_fiber_done(const struct sim_fiber *fiber)
{
    return fiber->done;
}

void sim_fiber_abandon(struct sim_fiber *fiber)
{
    if (fiber == NULL)
        return;
    MUST(running != fiber);
#ifdef SIM_FIBER_ASAN
    __asan_unpoison_memory_region(fiber->stack, STACK_BYTES);
#endif
    fiber->next_free = free_fibers;
    free_fibers = fiber;
}
