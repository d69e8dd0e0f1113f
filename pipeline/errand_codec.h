/* errand_codec: errands of the fold as records of the input topic, and back.
 *
 * A forwarded record is the record itself under the key of the customer that its customer has
 * become; two headers say so: lc-previous-id (whom the payload names) and lc-hops. The others are
 * binary CloudEvents of the types lifecycled.alias.requested|moved|erased.v1 with a MessagePack
 * payload. Anybody who may write to the topic may write these, too: what they can do at most is in
 * docs/FORMATS.md, "Internal events". */
#ifndef LC_PIPELINE_ERRAND_CODEC_H
#define LC_PIPELINE_ERRAND_CODEC_H

#include "model/errands.h"
#include "pipeline/envelope.h"
#include "pipeline/event_fields.h"
#include "pipeline/sink.h"

#define ERRAND_BYTES_MAX   20480 /* of a value: a state with the fullest record and ledger */
#define ERRAND_HEADERS_MAX 14

/* What an errand comes of. */
struct errand_cause {
    const char *source;          /* ce_source */
    struct span customer;        /* whose step it was */
    const struct event *event;   /* its event, */
    const struct record *record; /* and record */
};

/* Is it the type of such an event? */
bool errand_type_is(struct span type);
/* The event of a binary envelope of such a type. Faults go into fields; customer and partition are
 * checked by the caller. */
void errand_read(const struct envelope *envelope, const struct record *record,
                 const struct decode_options *options, struct arena *scratch,
                 struct event_fields *fields, struct event *ret_event);

/* Messages to the key `to`, complete in the arena; the partition is the caller's. FULL: arena. */
enum status errand_request(const struct errand_cause *cause, struct span to, struct arena *arena,
                           struct sink_message *ret_message) LC_CHECKED;
enum status errand_unlink(const struct errand_cause *cause, struct span to, struct arena *arena,
                          struct sink_message *ret_message) LC_CHECKED;
enum status errand_state(const struct errand_cause *cause, const struct errands *errands,
                         struct arena *arena, struct sink_message *ret_message) LC_CHECKED;
/* The record of the cause as it came, with its headers. */
enum status errand_forward(const struct errand_cause *cause, struct span to,
                           const struct header *headers, size_t header_count, struct arena *arena,
                           struct sink_message *ret_message) LC_CHECKED;
/* The receipt of an erasure, for the alerts topic. */
enum status errand_receipt(const struct errand_cause *cause, const struct errands *errands,
                           bool msgpack, int64_t recorded_ms, struct arena *arena,
                           struct sink_message *ret_message) LC_CHECKED;
/* ce_id of a receipt. */
void errand_receipt_id(const struct event *event, struct span customer, char ret_id[33]);

#endif
