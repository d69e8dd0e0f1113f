#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *fact, const char *file, int line)
{
    /* Unbuffered: the core dump says the rest, and nothing after this line runs. */
    fprintf(stderr, "bug: MUST(%s) does not hold at %s:%d\n", fact, file, line);
    abort();
}
