/* fuzz: what every target is: one function over bytes, which aborts (MUST, sanitizers) when
 * something that must hold does not. Two drivers run it: libFuzzer (CMake option LC_FUZZ, clang)
 * and replay.c, which runs the committed corpus and its simple mutations in every test run with any
 * compiler. */
#ifndef LC_TESTS_FUZZ_H
#define LC_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Always 0: nothing is ever "uninteresting" here. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif
