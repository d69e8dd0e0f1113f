/* must: assertions that stay on in production. For bugs, never for input. */
#ifndef LC_BASE_MUST_H
#define LC_BASE_MUST_H

_Noreturn void must_fail(const char *fact, const char *file, int line);

/* One fact a line, so that the message names the one that broke. */
#define MUST(fact) ((fact) ? (void)0 : must_fail(#fact, __FILE__, __LINE__))

#endif
