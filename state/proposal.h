/* proposal: the newest insight, offered to every worker of an application through one hash in
 * Redis, `{app:insight}`:
 *
 *   version, made   of the insight
 *   text            its canonical text (params_codec.h)
 *   story           how it was made, for people and `lifecyclectl insight`: JSON
 *   asked, answered a person wants a new one: due while the two differ
 *
 * A channel of distribution, nothing more: each partition records the insight it takes, in full, in
 * the control topic. A Redis that lost this key loses nothing; whoever knows a version offers it
 * again. */
#ifndef LC_STATE_PROPOSAL_H
#define LC_STATE_PROPOSAL_H

#include "base/arena.h"
#include "model/insight.h"
#include "state/redis.h"

/* What stands there, without the texts. */
struct proposal {
    uint32_t version; /* 0: no insight there */
    int64_t made_ms;
    int64_t asked, answered; /* 0: never */
};

/* One round trip. RETRY: Redis does not answer. REJECT: the key holds something else. */
enum status proposal_peek(struct redis *redis, const char *app, struct proposal *ret_proposal,
                          struct report *report) LC_CHECKED;
/* The insight there when it is newer than `known` (insight_newer), else `known` again. A text that
 * cannot be read, of a newer version of the program, is REJECT. */
enum status proposal_load(struct redis *redis, const char *app, const struct insight *known,
                          struct insight *ret_insight, struct report *report) LC_CHECKED;
/* The story, into the arena; absent: none there. */
enum status proposal_story(struct redis *redis, const char *app, struct arena *arena,
                           struct span *ret_story, struct report *report) LC_CHECKED;
/* Offers the insight unless one that is not older stands there: STALE. story absent: the one there
 * stays. On a connection without a WATCH of its own, which this sets and clears. */
enum status proposal_offer(struct redis *redis, const char *app, const struct insight *insight,
                           struct span story, struct report *report) LC_CHECKED;
/* A person asks for a new insight; `number` is any number that differs from the last one (a time).
 */
enum status proposal_ask(struct redis *redis, const char *app, int64_t number,
                         struct report *report) LC_CHECKED;
/* What was asked is done; story absent: the one there stays. */
enum status proposal_answer(struct redis *redis, const char *app, int64_t number, struct span story,
                            struct report *report) LC_CHECKED;

#endif
