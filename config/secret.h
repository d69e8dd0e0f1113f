/* secret: passwords and tokens from files or systemd credentials. Never printed, wiped when done
 * with. */
#ifndef LC_CONFIG_SECRET_H
#define LC_CONFIG_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/report.h"
#include "base/status.h"

#define SECRET_BYTES_MAX 4096
#define SECRET_PATH_MAX  4096

struct secret {
    char text[SECRET_BYTES_MAX + 1]; /* NUL-terminated */
    size_t len;
};

/* Where a secret stands. `place` is the configured path: absolute as it is, relative below
 * $CREDENTIALS_DIRECTORY (systemd's LoadCredential). Empty: the credential named `fallback` when it
 * exists; else false, there is none. */
bool secret_locate(const char *place, const char *fallback, char ret_path[SECRET_PATH_MAX]);
/* The file's content without one line end at its end. REJECT with words, never the content:
 * unreadable, empty, too long, holding a NUL, or readable by everybody. On failure *ret_secret is
 * wiped. */
enum status secret_read(const char *path, struct secret *ret_secret,
                        struct report *report) LC_CHECKED;
void secret_wipe(struct secret *secret);

#endif
