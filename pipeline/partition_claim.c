/* The claim: where does this partition stand, and may we go on from there? PROTOCOL.md step 2.
 *
 * In order: K (stable), the log's bounds, the topics' partition counts, Redis fit, the claim on the
 * meta; then one of: resume at (R, C), rebuild from the start of the log, birth, or stop and say
 * why. Nothing is written to Redis but the token, unless a rebuild wipes what was found useless. */
#include <stdio.h>

#include "base/must.h"
#include "pipeline/partition.h"
#include "state/params_codec.h"
#include "state/proposal.h"

#define METADATA_ARENA_MAX ((size_t)64 << 10)
/* How far back the parameters in force are looked for at first, records; and each time farther. */
#define PARAMS_NEAR    4096
#define PARAMS_FARTHER 8

/* What the claim found, before it decides. */
struct claim {
    struct partition *partition;
    struct ports *ports;
    bool has_k;
    struct report report;
};

/* Stop for the operator. */
static enum status claim_stop(struct claim *claim)
{
    partition_stop(claim->partition, claim->ports, &claim->report);
    return STATUS_GONE;
}

static enum status claim_committed(struct claim *claim)
{
    struct partition *partition = claim->partition;
    struct source *source = &claim->ports->source;
    struct arena arena;
    arena_init(&arena, METADATA_ARENA_MAX);
    int64_t offset = -1;
    struct span metadata = SPAN_ABSENT;
    partition->delivered = (struct delivered){.at = {-1, -1}, .watermark_ms = INT64_MIN};
    enum status status = source->committed(source->self, partition->number, &arena, &offset,
                                           &metadata, &claim->report);
    if (status == STATUS_OK && offset >= 0) {
        claim->has_k = true;
        if (position_metadata_decode(metadata, &partition->delivered) == STATUS_OK) {
            partition->delivered.at.offset = offset;
        } else {
            report_set(&claim->report, "foreign-offset",
                       "the group has committed offset %lld without our metadata: another program "
                       "uses this group id",
                       (long long)offset);
            status = claim_stop(claim);
        }
    }
    arena_fini(&arena);
    return status;
}

static enum status claim_bounds(struct claim *claim)
{
    struct partition *partition = claim->partition;
    struct source *source = &claim->ports->source;
    return source->bounds(source->self, partition->number, &partition->log_low, &partition->log_end,
                          &claim->report);
}

static enum status claim_topics(struct claim *claim)
{
    struct ports *ports = claim->ports;
    int32_t input = 0, control = 0;
    enum status status =
        ports->source.partitions(ports->source.self, &input, &control, &claim->report);
    if (status == STATUS_OK)
        status = claim_bounds(claim);
    if (status != STATUS_OK)
        return STATUS_RETRY; /* a missing topic may still be made: wait, saying so */
    if (input != control) {
        report_set(&claim->report, "partition-count",
                   "the input topic has %d partitions but the control topic %d: customers would "
                   "move between "
                   "partitions; restore the old count or migrate offline",
                   input, control);
        return claim_stop(claim);
    }
    if (ports->options.decode.partitions != 0)
        ports->options.decode.partitions = input;
    return STATUS_OK;
}

/* Connect, look the server over, write our token. */
static enum status claim_store(struct claim *claim)
{
    struct partition *partition = claim->partition;
    struct ports *ports = claim->ports;
    enum status status = STATUS_OK;
    if (!partition->connected) {
        status = ports->redis.connect(ports->redis.self, partition->number, &partition->redis,
                                      &claim->report);
        if (status != STATUS_OK)
            return STATUS_RETRY;
        partition->connected = true;
    }
    status = store_server_check(&partition->redis, &claim->report);
    if (status != STATUS_OK)
        return STATUS_RETRY; /* unfit (policy, replica) is put right by the operator without a
                                restart */
    int64_t generation = ports->source.membership(ports->source.self).generation;
    snprintf(partition->token, sizeof(partition->token), "%.40s:%lld", ports->options.token,
             (long long)generation);
    store_close(partition->store);
    struct store_options options = {.app = ports->options.app,
                                    .partition = partition->number,
                                    .token = partition->token,
                                    .generation = generation};
    partition->store = store_open(partition->redis, &options);
    if (partition->store == NULL) {
        report_set(&claim->report, "memory", "no memory for a partition's store");
        return STATUS_RETRY;
    }
    status = store_claim(partition->store, &partition->meta, &partition->present, &claim->report);
    if (status == STATUS_REJECT)
        return claim_stop(claim);
    return status == STATUS_OK
               ? STATUS_OK
               : STATUS_RETRY; /* STALE: a newer owner; the revocation is on its way */
}

static void claim_zero_meta(struct partition *partition)
{
    partition->meta = (struct store_meta){.at = {partition->log_low, 0},
                                          .watermark_ms = INT64_MIN,
                                          .switched_ms = INT64_MIN,
                                          .buckets = 1,
                                          .last_offset = -1};
}

/* Does the control topic hold, or has it held, anything of this partition? */
static enum status claim_was_born(struct claim *claim, bool *ret_born)
{
    struct partition *partition = claim->partition;
    struct control_record record;
    int64_t offset;
    control_log_seek(&partition->control, 0);
    enum status status = control_log_peek(&partition->control, &claim->ports->source, &record,
                                          &offset, &claim->report);
    if (status == STATUS_GONE)
        return claim_stop(claim);
    if (status == STATUS_RETRY && !partition->control.at_end)
        return STATUS_RETRY;
    *ret_born = status == STATUS_OK || partition->control.low > 0;
    return STATUS_OK;
}

/* K is gone though something was delivered once (an idle group's offsets expire). With the
 * operator's leave the highest position known to have been delivered stands in for it. */
static enum status claim_without_k(struct claim *claim, bool *ret_birth)
{
    struct partition *partition = claim->partition;
    bool born = false;
    enum status status = claim_was_born(claim, &born);
    if (status != STATUS_OK)
        return status;
#ifdef LC_PLANT_EXPIRY_UNNOTICED
    born = partition->present = false;
#endif
    if (!born && !partition->present) {
        *ret_birth = true;
        return STATUS_OK;
    }
    if (!claim->ports->options.continue_after_loss) {
        report_set(&claim->report, "position-lost",
                   "the group's committed offset is gone but the partition has a history: which "
                   "alerts were sent "
                   "is unknown; decide and restart with continue_after_loss");
        return claim_stop(claim);
    }
    struct position at =
        partition->present ? partition->meta.at : (struct position){partition->log_low, 0};
    struct control_record record;
    int64_t offset;
    while (control_log_peek(&partition->control, &claim->ports->source, &record, &offset,
                            &claim->report) == STATUS_OK) {
        struct position named = {record.label, record.number};
        if (position_compare(named, at) > 0)
            at = named;
        control_log_skip(&partition->control);
    }
    if (!partition->control.at_end)
        return STATUS_RETRY;
    partition->delivered.at = at;
    partition->loss_accepted = true;
    ports_log(claim->ports, WORKER_WARNING, partition->number, "position-lost",
              "going on from offset %lld as the operator decided", (long long)at.offset);
    return STATUS_OK;
}

/* The log no longer holds [from, log_low). */
static enum status claim_lost_range(struct claim *claim, int64_t from)
{
    struct partition *partition = claim->partition;
    report_set(&claim->report, "range-lost",
               "the log no longer holds offsets %lld to %lld, which were not applied yet "
               "(retention); restart with "
               "continue_after_loss to go on without them",
               (long long)from, (long long)partition->log_low - 1);
#ifdef LC_PLANT_LOSS_SILENT
    partition->loss_accepted = true;
    return STATUS_OK;
#endif
    if (!claim->ports->options.continue_after_loss)
        return claim_stop(claim);
    partition->loss_accepted = true;
    ports_log(claim->ports, WORKER_WARNING, partition->number, claim->report.code, "%s",
              claim->report.text);
    return STATUS_OK;
}

/* Wipe, then start from the first record. Everything that could forbid it is looked at before the
 * wipe. */
static enum status claim_rebuild(struct claim *claim, const char *why)
{
    struct partition *partition = claim->partition;
    struct control_record birth;
    int64_t offset;
    control_log_seek(&partition->control, 0);
    enum status status = control_log_find(&partition->control, &claim->ports->source, 1, &birth,
                                          &offset, &claim->report);
    if (status == STATUS_GONE)
        return claim_stop(claim);
    if (status != STATUS_OK)
        return STATUS_RETRY; /* K is committed, so its birth record is there: not visible yet */
    if (partition->log_low > birth.label) {
        status = claim_lost_range(claim, birth.label);
        if (status != STATUS_OK)
            return status;
    }
    status = store_wipe(partition->store, &claim->report);
    if (status == STATUS_OK)
        status =
            store_claim(partition->store, &partition->meta, &partition->present, &claim->report);
    if (status != STATUS_OK || partition->present)
        return STATUS_RETRY;
    claim_zero_meta(partition);
#ifdef LC_PLANT_START_FROM_K
    partition->meta.at.offset = partition->delivered.at.offset;
#endif
    partition->rebuild_due = false;
    claim->ports->stats.rebuilds++;
    ports_log(claim->ports, WORKER_NOTICE, partition->number, "rebuild",
              "%s: rebuilding from offset %lld", why, (long long)partition->meta.at.offset);
    return STATUS_OK;
}

/* Every control record ≤ C is labelled ≤ R and the next one ≥ R; a rollback can bring back a
 * zombie's state that says otherwise. *ret_fits false: wipe and rebuild. */
static enum status claim_check_labels(struct claim *claim, bool *ret_fits)
{
    struct partition *partition = claim->partition;
    const struct position at = partition->meta.at;
    *ret_fits = true;
#ifdef LC_PLANT_CLAIM_UNCHECKED
    return STATUS_OK;
#endif
    if (at.control > partition->delivered.at.control ||
        (at.control < partition->delivered.at.control &&
         at.offset > partition->delivered.at.offset))
        *ret_fits = false;
    control_log_seek(&partition->control, partition->meta.control_offset);
    while (*ret_fits) {
        struct control_record record;
        int64_t offset;
        enum status status = control_log_peek(&partition->control, &claim->ports->source, &record,
                                              &offset, &claim->report);
        if (status == STATUS_GONE)
            return claim_stop(claim);
        if (status == STATUS_RETRY) /* records up to C_K are there: not visible yet */
            return partition->control.at_end && at.control >= partition->delivered.at.control
                       ? STATUS_OK
                       : STATUS_RETRY;
        if (record.number > at.control) {
            *ret_fits = record.label >= at.offset;
            return STATUS_OK;
        }
        if (record.label > at.offset)
            *ret_fits = false;
        partition->control_at = offset;
        partition->control_at_number = record.number;
        control_log_skip(&partition->control);
    }
    return STATUS_OK;
}

/* Reads the control log from an offset up to C; *ret_found: the parameters in force at C were among
 * what was read. */
static enum status claim_read_params(struct claim *claim, int64_t from, bool *ret_found)
{
    struct partition *partition = claim->partition;
    *ret_found = false;
    control_log_seek(&partition->control, from);
    for (;;) {
        struct control_record record;
        int64_t offset;
        enum status status = control_log_peek(&partition->control, &claim->ports->source, &record,
                                              &offset, &claim->report);
        if (status == STATUS_GONE || (status == STATUS_RETRY && !partition->control.at_end))
            return status;
        if (status == STATUS_RETRY || record.number > partition->meta.at.control)
            return STATUS_OK;
        if ((record.kind == CONTROL_BIRTH || record.kind == CONTROL_SWITCH) &&
            record.params_version == partition->meta.params_version) {
            if (params_decode(record.params, &partition->params, &claim->report) != STATUS_OK)
                return STATUS_GONE;
            *ret_found = true;
        }
        control_log_skip(&partition->control);
    }
}

/* The text of the parameters in force at C, from the control log: backwards in growing steps, since
 * an insight switches every day but the log may hold years of ticks. GONE: it is not there, or
 * cannot be read (the report says it). */
static enum status claim_old_params(struct claim *claim)
{
    const struct store_meta *meta = &claim->partition->meta;
    for (int64_t back = PARAMS_NEAR;; back *= PARAMS_FARTHER) {
        int64_t from = meta->control_offset > back ? meta->control_offset - back : 0;
        bool found;
        enum status status = claim_read_params(claim, from, &found);
        if (status != STATUS_OK || found)
            return status;
        if (from == 0)
            break;
    }
    report_set(&claim->report, "control-lost",
               "the parameters in force at offset %lld are not in the control topic any more",
               (long long)meta->at.offset);
    return STATUS_GONE;
}

/* The parameters in force at C are not those we want: what are they? Events to be replayed are
 * folded with them. Live, a switch is due; but their insight may be newer than ours, and then it is
 * ours that is wrong. Live, a text that is gone or of a newer program is no reason to stop. */
static enum status claim_params_in_force(struct claim *claim, bool replay)
{
    struct partition *partition = claim->partition;
    struct ports *ports = claim->ports;
    struct insight newest;
    struct report ignored;
    if (proposal_load(&partition->redis, ports->options.app, &ports->wanted.insight, &newest,
                      &ignored) == STATUS_OK &&
        !ports_learn(ports, &newest))
        return STATUS_RETRY;
    partition->params = ports->wanted;
    if (strncmp(partition->meta.cfg, ports->cfg, sizeof(ports->cfg)) == 0)
        return STATUS_OK;
    enum status status = claim_old_params(claim);
    if (status == STATUS_OK)
        return ports_learn(ports, &partition->params.insight) ? STATUS_OK : STATUS_RETRY;
    if (status != STATUS_GONE)
        return STATUS_RETRY;
    if (replay)
        return claim_stop(claim);
    ports_log(ports, WORKER_NOTICE, partition->number, "params-unknown",
              "%s: going on with those of the configuration", claim->report.text);
    partition->params = ports->wanted;
    return STATUS_OK;
}

/* Whatever Redis holds was committed to Kafka before. So a state that is ahead of K says that K was
 * read before somebody else went on (a worker that stood still in between): only a K read after the
 * state may condemn it. */
static enum status claim_misfit(struct claim *claim, const char **ret_rebuild)
{
    const struct position before = claim->partition->delivered.at;
    enum status status = claim_committed(claim);
    if (status != STATUS_OK)
        return status;
#ifdef LC_PLANT_MISFIT_BLIND
    claim->partition->delivered.at = before;
#endif
    if (position_compare(before, claim->partition->delivered.at) != 0)
        return STATUS_RETRY;
    *ret_rebuild = "the state does not agree with the control records";
    return STATUS_OK;
}

/* There is a state: may it be resumed? */
static enum status claim_resume(struct claim *claim, const char **ret_rebuild)
{
    struct partition *partition = claim->partition;
    struct ports *ports = claim->ports;
    bool fits = false;
    enum status status = claim_check_labels(claim, &fits);
    if (status != STATUS_OK)
        return status;
    if (!fits)
        return claim_misfit(claim, ret_rebuild);
    if (position_compare(partition->meta.at, partition->newest) < 0) {
        ports->stats.rollbacks++;
        partition->newest = partition->meta.at;
        ports_log(ports, WORKER_WARNING, partition->number, "rollback",
                  "Redis is back at offset %lld: replaying", (long long)partition->meta.at.offset);
    }
    /* The log may have grown, and another worker gone on, since its end was read: only an end read
     * after the state may condemn the log. */
#ifndef LC_PLANT_END_BEFORE_STATE
    if (partition->meta.at.offset > partition->log_end && claim_bounds(claim) != STATUS_OK)
        return STATUS_RETRY;
#endif
    if (partition->meta.at.offset > partition->log_end) {
        report_set(&claim->report, "topic-truncated",
                   "the state stands at offset %lld but the log ends at %lld: the topic was "
                   "recreated or truncated",
                   (long long)partition->meta.at.offset, (long long)partition->log_end);
        return claim_stop(claim);
    }
    if (partition->meta.at.offset < partition->log_low) {
        status = claim_lost_range(claim, partition->meta.at.offset);
        if (status != STATUS_OK)
            return status; /* else the first batch carries R over the hole */
    }
#ifdef LC_PLANT_NO_W
    partition->meta.watermark_ms = INT64_MIN;
#endif
    return STATUS_OK;
}

/* Everything is decided: set up what the rounds need. */
static enum status claim_finish(struct claim *claim)
{
    struct partition *partition = claim->partition;
    struct ports *ports = claim->ports;
    const struct store_meta *meta = &partition->meta;
    bool replay = partition_replays(partition);
    partition->params = ports->wanted;
    if (meta->at.control > 0 && strncmp(meta->cfg, ports->cfg, sizeof(ports->cfg)) != 0) {
        enum status status = claim_params_in_force(claim, replay);
        if (status != STATUS_OK)
            return status;
    }
    /* also after a restart: the replay of another log was written before it was noticed */
    if (position_compare(meta->at, partition->delivered.at) == 0 &&
        !ports->options.continue_after_loss && !partition_arrived(partition, ports))
        return STATUS_GONE;
    control_log_seek(&partition->control, meta->control_offset);
    partition->verify = meta->last_offset >= partition->log_low;
    if (!partition->verify && meta->last_offset >= 0)
        ports_log(ports, WORKER_INFO, partition->number, "not-verified",
                  "the log begins at %lld, after the last record applied (%lld): not compared",
                  (long long)partition->log_low, (long long)meta->last_offset);
    int64_t now_ms = clock_mono_ms(&ports->clock);
    partition->due_next_ms = INT64_MIN;
    partition->tick_at_ms = partition->poke_at_ms = now_ms;
    partition->lazy_at_ms = now_ms + ports->options.lazy_commit_ms;
    partition->phase = replay ? PARTITION_REPLAYING : PARTITION_LIVE;
    partition_well(partition);
    ports_log(ports, WORKER_INFO, partition->number, "claimed",
              "at offset %lld, delivered to %lld: %s", (long long)meta->at.offset,
              (long long)partition->delivered.at.offset, replay ? "replaying" : "live");
    return STATUS_OK;
}

/* What a newer version folded stays untouched until this build is upgraded, or the newer one has
 * gone back to a level known here. */
static enum status claim_level(struct claim *claim)
{
    const struct partition *partition = claim->partition;
    int64_t in_state = partition->present ? params_level_of(partition->meta.cfg) : 1;
    int64_t in_k = claim->has_k ? params_level_of(partition->delivered.cfg) : 1;
    if (in_state <= FOLD_LEVEL && in_k <= FOLD_LEVEL)
        return STATUS_OK;
    report_set(&claim->report, PARTITION_VERSION_NEWER,
               "the state is of fold level %lld, this version knows %d: upgrade it, or set "
               "upgrade.fold_level of the newer one back; until then the partition waits",
               (long long)(in_state > in_k ? in_state : in_k), FOLD_LEVEL);
    return STATUS_RETRY;
}

static enum status claim_decide(struct claim *claim)
{
    struct partition *partition = claim->partition;
    enum status status = STATUS_OK;
    if (!claim->has_k) {
        bool birth = false;
        status = claim_without_k(claim, &birth);
        if (status != STATUS_OK)
            return status;
        if (birth) {
            claim_zero_meta(partition);
            partition->birth_due = true;
            partition_well(partition);
            return STATUS_OK;
        }
    }
    if (partition->delivered.at.offset > partition->log_end) {
        report_set(&claim->report, "topic-truncated",
                   "alerts were delivered up to offset %lld but the log ends at %lld: the topic "
                   "was recreated or "
                   "truncated",
                   (long long)partition->delivered.at.offset, (long long)partition->log_end);
        return claim_stop(claim);
    }
    const char *rebuild = NULL;
    if (!partition->present)
        rebuild = "no state in Redis";
    else if (partition->rebuild_due)
        rebuild = "a record of the state is damaged";
    else
        status = claim_resume(claim, &rebuild);
    if (status == STATUS_OK && rebuild != NULL)
        status = claim_rebuild(claim, rebuild);
    if (status != STATUS_OK)
        return status;
    return claim_finish(claim);
}

enum status partition_claim(struct partition *partition, struct ports *ports)
{
    MUST(partition->phase == PARTITION_CLAIMING);
    struct claim claim = {.partition = partition, .ports = ports};
    partition->birth_due = false;
    partition->control_at = -1;
    report_set(&claim.report, "claiming", "waiting for Kafka");
    enum status status = claim_committed(&claim);
    if (status == STATUS_OK)
        status = claim_topics(&claim);
    if (status == STATUS_OK)
        status = claim_store(&claim);
    if (status == STATUS_OK)
        status = claim_level(&claim);
    if (status == STATUS_OK)
        status = claim_decide(&claim);
    if (status == STATUS_OK || partition->phase == PARTITION_STOPPED)
        return STATUS_OK;
    partition_wait(partition, ports, &claim.report);
    return STATUS_RETRY;
}
