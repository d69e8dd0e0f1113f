/* alert_codec: an effect of the fold becomes an alert record: binary CloudEvents, JSON payload
 * (MessagePack by configuration). docs/FORMATS.md has the full example. No name, e-mail or phone
 * number ever appears. */
#ifndef LC_PIPELINE_ALERT_CODEC_H
#define LC_PIPELINE_ALERT_CODEC_H

#include "base/arena.h"
#include "model/effect.h"
#include "pipeline/record.h"

#define ALERT_HEADERS_MAX 16
#define ALERT_VALUE_MAX   5120

struct alert_options {
    const char *source; /* ce_source: the deployment */
    bool msgpack;
    enum currency reporting;
    int64_t horizon_ms; /* churn horizon, told in the alert */
    uint32_t params_version;
    bool calibrated;
};

struct alert {
    struct header headers[ALERT_HEADERS_MAX];
    size_t header_count;
    struct span value;
};

/* Into the arena. FULL: arena. recorded_ms is when it is emitted (outside replay equality). */
enum status alert_encode(const struct effect *effect, struct span customer,
                         const struct alert_options *options, int64_t recorded_ms,
                         struct arena *arena, struct alert *ret_alert) LC_CHECKED;
/* ce_id: hex of hash(customer, kind, episode, phase, revision, at_ms): the same in every replay. */
void alert_id(const struct effect *effect, struct span customer, char ret_id[33]);
/* ce_correlationid: the same for every alert of one episode. */
void alert_id_episode(const struct effect *effect, struct span customer, char ret_id[33]);

#endif
