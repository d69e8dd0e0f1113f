/* ctl: what every subcommand of lifecyclectl shares: its table row, its options, and how it ends.
 */
#ifndef LC_CTL_CTL_H
#define LC_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/report.h"
#include "base/status.h"

/* Exit statuses (sysexits.h where it has one). */
enum {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 64,
    CTL_DATA = 65,
    CTL_UNAVAILABLE = 69,
    CTL_CONFIG = 78
};

struct ctl_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

int simulate_command(int argc, char **argv);
int import_command(int argc, char **argv);
int explain_command(int argc, char **argv);
int tail_command(int argc, char **argv);
int export_command(int argc, char **argv);
int status_command(int argc, char **argv);
int insight_command(int argc, char **argv);
int report_command(int argc, char **argv);
int backup_command(int argc, char **argv);
int restore_command(int argc, char **argv);
int plan_command(int argc, char **argv);
int erase_command(int argc, char **argv);
int demo_command(int argc, char **argv);
int fit_command(int argc, char **argv);
int score_command(int argc, char **argv);
int backtest_command(int argc, char **argv);

/* --- options: one table a command, from which parsing and --help come --- */

enum ctl_option_type { CTL_FLAG, CTL_TEXT, CTL_COUNT, CTL_NUMBER, CTL_TIME, CTL_DURATION, CTL_END };

struct ctl_option {
    enum ctl_option_type type;
    const char *name;     /* long option, without dashes */
    const char *argument; /* its placeholder in --help; NULL for a flag */
    const char *help;
    void *value; /* bool, const char *, int64_t, double, int64_t ms, int64_t ms */
};

#define CTL_OPTIONS_MAX 40

/* Parses options anywhere in argv. On --help prints usage and exits 0; on an error prints it (with
 * a suggestion) and exits 64. Positional arguments are moved to argv[0..]; their number is returned
 * and must lie in [least, most]. */
int ctl_options(int argc, char **argv, const char *usage, const struct ctl_option *options,
                int least, int most);

/* --- ending and telling --- */

/* Prints "lifecyclectl NAME: text" to stderr and returns status. */
int ctl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int ctl_fail_report(int status, const struct report *report);
/* True once SIGINT or SIGTERM came; installs the handlers at first use. */
bool ctl_interrupted(void);
/* Sleeps; for pacing and polling. */
void ctl_nap(int64_t ms);
/* A progress line on a terminal's stderr, at most ten times a second; nothing in a pipe. done =
 * total ends the line. */
void ctl_progress(const char *what, int64_t done, int64_t total);

#endif
