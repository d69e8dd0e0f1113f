/* torture: each allocation fails in turn. Linux' defaults never refuse memory, but containers'
 * limits and a configured overcommit do, and then every malloc is a branch that no other test
 * takes.
 *
 * torture_malloc.c stands in front of the C library's malloc (and of AddressSanitizer's), so that
 * allocations of libraries fail too. What the simulated servers allocate is exempt. */
#ifndef LC_TESTS_TORTURE_H
#define LC_TESTS_TORTURE_H

#include <stdbool.h>
#include <stddef.h>

/* The from-th allocation from now on fails (from 1), and the `width` − 1 that follow. */
void torture_arm(long from, long width);
/* How many were asked for since; none fails any more. */
long torture_disarm(void);
void torture_exempt(int by); /* +1, −1: nests */
long torture_live(void);     /* allocations not freed */

/* A worker's day, over simulated ports: opened, events, timers, a wiped Redis. */
void torture_worker_open(long from, long width);
void torture_worker_day(long from, long width);

#endif
