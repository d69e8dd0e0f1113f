/* double: binary64 as the decimal that JSON and people read: exact both ways, without snprintf for
 * the numbers that matter (every alert carries a dozen). */
#ifndef LC_BASE_DOUBLE_H
#define LC_BASE_DOUBLE_H

#include <stddef.h>

#define DOUBLE_TEXT_BYTES 32

/* The shortest of %.15g, %.16g and %.17g that reads back as the same double; the length without
 * NUL. `value` must be finite. */
size_t double_format(double value, char ret_text[DOUBLE_TEXT_BYTES]);

#endif
