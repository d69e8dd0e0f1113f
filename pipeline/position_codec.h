/* position_codec: the ASCII metadata that stands beside K in the group's committed offset, and the
 * control topic's records.
 *
 * Metadata "v=1;C=<n>;CO=<offset>;W=<ms>;cfg=<hex>;pv=<n>;lo=<offset>;lh=<hex>" (lo, lh: may be
 * missing): with K it says that every effect of (offset, control) below (K, C) and of timers due ≤
 * W has been delivered.
 *
 * Control records (control_codec.c; key: the partition number in ASCII; value: MessagePack) are
 * numbered per partition from 1, each labelled with the input offset it comes before. Kinds: BIRTH
 * (first of a partition; parameters), SWITCH (parameters), TICK (watermark), GUARD (what holds
 * time). */
#ifndef LC_PIPELINE_POSITION_CODEC_H
#define LC_PIPELINE_POSITION_CODEC_H

#include "base/arena.h"
#include "state/store.h"

#define POSITION_METADATA_MAX 256

/* K as committed. */
struct delivered {
    struct position at;
    int64_t control_offset; /* of record number at.control in the control topic; −1 unknown */
    int64_t watermark_ms;
    char cfg[STORE_CFG_BYTES];
    uint32_t params_version;
    /* The last data record before K, when there is one: a replay that arrives at K by another
     * record replays another log. */
    bool last_known;
    int64_t last_offset;
    uint64_t last_hash; /* of its key and value */
};

size_t position_metadata_encode(const struct delivered *delivered,
                                char ret_text[POSITION_METADATA_MAX]);
/* at.offset is the caller's. REJECT: not ours. */
enum status position_metadata_decode(struct span text, struct delivered *ret_delivered) LC_CHECKED;

enum control_kind { CONTROL_BIRTH = 1, CONTROL_SWITCH = 2, CONTROL_TICK = 3, CONTROL_GUARD = 4 };

struct control_record {
    enum control_kind kind;
    int64_t number;       /* C */
    int64_t label;        /* input offset it comes before */
    int64_t watermark_ms; /* TICK: the new W; GUARD: where time is held; SWITCH and BIRTH: W then */
    int64_t made_ms;      /* wall clock: against which lateness of the fired timers is measured */
    uint32_t held;        /* GUARD: STORE_HELD_* from here on */
    uint32_t params_version;
    struct span params; /* BIRTH, SWITCH: canonical text */
};

enum status control_encode(const struct control_record *control, struct arena *arena,
                           struct span *ret_value) LC_CHECKED;
/* Borrows from value. */
enum status control_decode(struct span value, struct control_record *ret_control,
                           const char **ret_why) LC_CHECKED;

#endif
