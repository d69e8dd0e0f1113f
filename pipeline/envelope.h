/* envelope: which of the accepted forms a record has, from its headers and first byte.
 *
 * In this order: `content-type` starting application/cloudevents → structured CloudEvents; all
 * mandatory ce_ headers → binary CloudEvents (Kafka protocol binding 1.0.2); else Segment or flat
 * form. The payload's format comes from the content type, else from its first byte: a JSON object
 * and a MessagePack map start differently. */
#ifndef LC_PIPELINE_ENVELOPE_H
#define LC_PIPELINE_ENVELOPE_H

#include "pipeline/decode.h"

enum envelope_form { ENVELOPE_PLAIN, ENVELOPE_STRUCTURED, ENVELOPE_BINARY };
enum envelope_format { ENVELOPE_JSON, ENVELOPE_MSGPACK, ENVELOPE_NEITHER };

/* Headers of a record that was sent on because its customer has become another (errand_codec.h). */
#define ENVELOPE_PREVIOUS_ID "lc-previous-id"
#define ENVELOPE_HOPS        "lc-hops"

struct envelope {
    enum envelope_form form;
    enum envelope_format format; /* NEITHER: the payload is neither; its reader is not called */
    /* Of binary form; absent: no such header. */
    struct span id, source, type, specversion, subject, time;
    /* Of a record sent on: whom it names, and how often it was; absent: it was not. */
    struct span previous_id, hops;
};

/* DECODE_HEADERS with a constant detail: too many headers, an attribute twice, a content type that
 * is not supported. */
enum decode_error envelope_read(const struct header *headers, size_t header_count,
                                struct span value, struct envelope *ret_envelope,
                                const char **ret_detail);
/* Is this header read at all, but for those of a record sent on? Each is there once. */
bool envelope_reads(struct span name);
/* The format a content type names (parameters are ignored); absent or another one: by the first
 * byte of the payload. */
enum envelope_format envelope_format_of(struct span content_type, struct span payload);

#endif
