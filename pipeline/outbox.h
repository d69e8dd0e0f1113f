/* outbox: what one batch of one partition wants to send: alerts, dead letters, control records,
 * complete and copied into the batch's arena, so that the same messages can be sent again after an
 * aborted transaction. */
#ifndef LC_PIPELINE_OUTBOX_H
#define LC_PIPELINE_OUTBOX_H

#include "pipeline/alert_codec.h"
#include "pipeline/decode.h"
#include "pipeline/errand_codec.h"
#include "pipeline/position_codec.h"
#include "pipeline/sink.h"
#include "pipeline/storm_alert.h"

struct outbox_message {
    struct sink_message message;
    struct outbox_message *next;
};

struct outbox {
    struct outbox_message *first, *last;
    uint32_t count;
    uint32_t dead_letters, control, storms, errands, receipts;
    uint32_t alerts_by_kind[KIND_COUNT];
    uint32_t dead_by_error[DECODE_ERROR_COUNT];
};

/* All: FULL when the arena is. Spans given are copied where they would die with the source's batch.
 */
enum status outbox_alert(struct outbox *outbox, struct arena *arena, const struct effect *effect,
                         struct span customer, const struct alert_options *options,
                         int64_t recorded_ms) LC_CHECKED;

enum status outbox_storm(struct outbox *outbox, struct arena *arena,
                         const struct storm_alert *storm, const struct alert_options *options,
                         int64_t recorded_ms) LC_CHECKED;

struct dead_letter {
    const struct record *record;
    const struct header *headers; /* of the record, at most RECORD_HEADERS_MAX */
    size_t header_count;
    enum decode_error error;
    struct span detail;
    const char *topic; /* of the input */
};
enum status outbox_dead_letter(struct outbox *outbox, struct arena *arena,
                               const struct dead_letter *letter) LC_CHECKED;
enum status outbox_control(struct outbox *outbox, struct arena *arena, int32_t partition,
                           const struct control_record *record) LC_CHECKED;
/* What the step of the cause wants done. */
struct outbox_errands {
    struct errand_cause cause;
    const struct errands *errands;
    const struct header *headers; /* of the record */
    size_t header_count;
    const struct decode_options *decode; /* how the input is partitioned */
    bool msgpack;                        /* form of a receipt */
    int64_t recorded_ms;
};
enum status outbox_errands(struct outbox *outbox, struct arena *arena,
                           const struct outbox_errands *todo) LC_CHECKED;

#endif
