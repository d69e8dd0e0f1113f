/* test_clock: for integration tests, a clock of the workers that runs faster than the machine's, so
 * that a month passes in a minute. Only the workers have it; what is measured in real time (health,
 * watchdog, the clients of Kafka and Redis) is not touched. Never for service: what the workers
 * record then is of no real time. */
#ifndef LC_DAEMON_TEST_CLOCK_H
#define LC_DAEMON_TEST_CLOCK_H

#include <stdbool.h>

#include "base/clock.h"

/* The environment variable LIFECYCLED_TEST_CLOCK=REAL:START:RATE, three integers: at the machine's
 * Unix time REAL (ms) it is START (ms), and RATE ms (1–1000000) pass in each. *ret_on: it is set. A
 * text that is none of this counts as not set: *ret_on is false then, and the system's clock is
 * returned. */
struct clock test_clock_from(const char *text, bool *ret_on);

#endif
