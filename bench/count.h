/* count: how often the program asked for memory. The linker routes malloc and its kin here
 * (bench/CMakeLists.txt), so that our own static libraries are counted and shared ones are not. */
#ifndef LC_BENCH_COUNT_H
#define LC_BENCH_COUNT_H

#include <stdint.h>

uint64_t count_mallocs(void);
/* Between the two nothing is counted: what is not part of lifecycled stands in for something. */
void count_pause(void);
void count_resume(void);

#endif
