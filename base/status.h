/* status: what the caller does next.
 *
 * An error code here is an instruction, not a diagnosis: the words for people travel beside it in a
 * struct report (report.h) that the lower layer fills and daemon/ or ctl/ prints once. */
#ifndef LC_BASE_STATUS_H
#define LC_BASE_STATUS_H

/* clang-format off */
/* name, name in words, what the caller does next */
#define STATUS_TABLE(X)                                                                            \
    X(OK,     "ok",     "go on")                                                                   \
    X(RETRY,  "retry",  "nothing was done; back off and call again")                               \
    X(REJECT, "reject", "the input is wrong; tell whoever sent it and go on without it")           \
    X(STALE,  "stale",  "somebody else moved what this stood on; drop what is held and read again") \
    X(FULL,   "full",   "a stated bound is reached; make room and call again")                     \
    X(GONE,   "gone",   "what is needed exists no more; stop this part and ask the operator")      \
    X(FENCED, "fenced", "a newer instance of the same name took over; stop and do not come back")  \
    X(FATAL,  "fatal",  "this handle is of no use any more; close it, open another, read again")
/* clang-format on */

enum status {
#define X(name, lower, next) STATUS_##name,
    STATUS_TABLE(X)
#undef X
        STATUS_COUNT
};

#define LC_CHECKED __attribute__((warn_unused_result))

/* Lower-case name ("ok", "retry", ...); never NULL. */
const char *status_name(enum status status);

#endif
