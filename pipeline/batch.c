#include "pipeline/batch_inner.h"

#include <stdlib.h>

#include "base/must.h"
#include "model/errands.h"
#include "state/customer_codec.h"
#include "state/params_codec.h"

#define TABLE_CAP_MIN 128u

bool batch_init(struct batch *batch, struct ports *ports)
{
    *batch = (struct batch){.ports = ports, .buckets_max = ports->options.tick_buckets_max};
    arena_init(&batch->arena, ports->options.batch_arena_max);
    arena_init(&batch->commit_arena, ports->options.batch_arena_max);
    batch->effects.cap = EFFECTS_PER_STEP_MAX;
    batch->effects.at = malloc(EFFECTS_PER_STEP_MAX * sizeof(*batch->effects.at));
    batch->effects.errands = calloc(1, sizeof(*batch->effects.errands));
    return batch->effects.at != NULL && batch->effects.errands != NULL;
}

void batch_fini(struct batch *batch)
{
    free(batch->effects.at);
    free(batch->effects.errands);
    arena_fini(&batch->arena);
    arena_fini(&batch->commit_arena);
    *batch = (struct batch){0};
}

void batch_reset(struct batch *batch)
{
    arena_reset(&batch->arena);
    batch->stage = BATCH_EMPTY;
    batch->parts = batch->last_part = NULL;
    batch->table = NULL;
}

struct batch_part *batch_part_new(struct batch *batch, struct partition *partition)
{
    struct batch_part *part = arena_zalloc(&batch->arena, sizeof(*part));
    if (part == NULL)
        return NULL;
    if (batch->parts == NULL)
        batch->wall_ms = clock_wall_ms(&batch->ports->clock);
    part->partition = partition;
    part->base = part->next = partition->meta;
    part->replay = partition->phase == PARTITION_REPLAYING;
    if (!part->replay && partition->control_at > part->next.control_offset)
        part->next.control_offset = partition->control_at;
    part->due_next_ms = partition->due_next_ms;
    part->alert_max = INT64_MAX;
    timers_init(&part->timers, &batch->arena, INT64_MIN);
    return part;
}

/* --- customers --- */

static bool table_make(struct batch *batch)
{
    size_t cap = TABLE_CAP_MIN;
    while (cap < batch->ports->options.batch_max)
        cap *= 2; /* chains bear what timers bring in beyond the events */
    batch->table = arena_zalloc(&batch->arena, cap * sizeof(*batch->table));
    batch->table_mask = (uint32_t)(cap - 1);
    return batch->table != NULL;
}

static uint32_t table_slot(const struct batch *batch, const struct batch_part *part, uint64_t hash)
{
    uint64_t mixed =
        hash + (uint64_t)(uint32_t)part->partition->number * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32 ^ mixed) & batch->table_mask;
}

struct batch_customer *batch_customer_find(const struct batch *batch, const struct batch_part *part,
                                           struct span id, uint64_t hash)
{
    if (batch->table == NULL)
        return NULL;
    struct batch_customer *customer = batch->table[table_slot(batch, part, hash)];
    while (customer != NULL &&
           (customer->hash != hash || customer->part != part || !span_equal(customer->id, id)))
        customer = customer->chain;
    return customer;
}

static bool customers_grow(struct batch *batch, struct batch_part *part)
{
    uint32_t cap = part->customer_cap == 0 ? 64 : part->customer_cap * 2;
    struct batch_customer **customers =
        arena_alloc(&batch->arena, cap * sizeof(struct batch_customer *));
    if (customers == NULL)
        return false;
    if (part->customer_count > 0)
        memcpy(customers, part->customers, part->customer_count * sizeof(struct batch_customer *));
    part->customers = customers;
    part->customer_cap = cap;
    return true;
}

struct batch_customer *batch_customer(struct batch *batch, struct batch_part *part, struct span id,
                                      bool copy)
{
    uint64_t hash = store_customer_hash(id);
    struct batch_customer *customer = batch_customer_find(batch, part, id, hash);
    if (customer != NULL)
        return customer;
    if (batch->table == NULL && !table_make(batch))
        return NULL;
    if (part->customer_count == part->customer_cap && !customers_grow(batch, part))
        return NULL;
    customer = arena_alloc(&batch->arena, sizeof(*customer));
    if (customer == NULL)
        return NULL;
    memset(customer, 0,
           offsetof(struct batch_customer, state)); /* the state is 3 KB: written when loaded */
    customer->ledger = (struct ledger){0};
    customer->id = id;
    if (copy && (customer->id.at = arena_copy(&batch->arena, id.at, id.len)) == NULL)
        return NULL;
    customer->hash = hash;
    customer->part = part;
    customer->index = part->customer_count;
    part->customers[part->customer_count++] = customer;
    struct batch_customer **slot = &batch->table[table_slot(batch, part, hash)];
    customer->chain = *slot;
    *slot = customer;
    return customer;
}

/* --- write-out --- */

static enum status put_of(struct batch *batch, struct batch_customer *customer,
                          struct store_put *ret_put)
{
    struct store_put put = {.customer = customer->id,
                            .hash = customer->hash,
                            .due_ms = INT64_MAX,
                            .created = !customer->stored};
    enum status status = STATUS_OK;
    if (!customer_is_empty(&customer->state) && !customer_is_mark(&customer->state)) {
        put.due_ms = batch_customer_due(customer);
        status = customer_encode(&customer->state, &batch->arena, &put.record);
        if (status == STATUS_OK && customer->ledger.changed)
            status = ledger_encode(&customer->ledger, &batch->arena, &put.ledger);
    }
    *ret_put = put;
    return status;
}

/* An erased customer's record goes under a name nobody can read; one that comes back carries what
 * the mark said itself. */
static enum status mark_put_of(struct batch *batch, const struct batch_customer *customer,
                               struct store_put *ret_put)
{
    char *name = arena_alloc(&batch->arena, MARK_NAME_BYTES);
    if (name == NULL)
        return STATUS_FULL;
    mark_name(&batch->ports->options.mark_key, customer->id, name);
    struct store_put put = {
        .customer = {name, MARK_NAME_BYTES}, .due_ms = INT64_MAX, .created = !customer->marked};
    put.hash = store_customer_hash(put.customer);
    *ret_put = put;
    return customer_is_mark(&customer->state)
               ? customer_encode(&customer->state, &batch->arena, &ret_put->record)
               : STATUS_OK;
}

static enum status write_put(struct batch *batch, struct batch_part *part,
                             struct batch_customer *customer, struct store_put *puts, size_t *count)
{
    const bool marks = customer_is_mark(&customer->state);
    enum status status = STATUS_OK;
    if (customer->stored || (!marks && !customer_is_empty(&customer->state)))
        status = put_of(batch, customer, &puts[(*count)++]);
    if (status == STATUS_OK && (marks || customer->marked)) {
        status = mark_put_of(batch, customer, &puts[(*count)++]);
        part->next.marks += (int64_t)marks - (int64_t)customer->marked;
    }
    return status;
}

static enum status write_puts(struct batch *batch, struct batch_part *part)
{
    struct store_put *puts =
        arena_alloc(&batch->arena, (2 * part->customer_count + 1) * sizeof(*puts));
    size_t count = 0;
    if (puts == NULL)
        return STATUS_FULL;
    for (uint32_t i = 0; i < part->customer_count; i++) {
        if (!part->customers[i]->dirty)
            continue;
        enum status status = write_put(batch, part, part->customers[i], puts, &count);
        if (status != STATUS_OK)
            return status;
    }
    for (size_t i = 0; i < count; i++)
        if (puts[i].due_ms < part->due_next_ms)
            part->due_next_ms = puts[i].due_ms;
    part->step.puts = puts;
    part->step.put_count = count;
    return STATUS_OK;
}

int64_t batch_bucket_due(const struct batch *batch, const struct batch_part *part,
                         const struct store_bucket *bucket)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < bucket->count; i++) {
        const struct store_blob *blob = &bucket->blobs[i];
        if (mark_is(blob->customer))
            continue;
        const struct batch_customer *customer =
            batch_customer_find(batch, part, blob->customer, blob->hash);
        MUST(customer != NULL);
        if (!customer_is_empty(&customer->state) && batch_customer_due(customer) < due_ms)
            due_ms = batch_customer_due(customer);
    }
    return due_ms;
}

/* The exact due time of the buckets that were read whole. Customers made in this batch that fall
 * into one of them lower it when they are put (state/store.h). */
static enum status write_sweeps(struct batch *batch, struct batch_part *part)
{
    struct store_sweep *sweeps =
        arena_alloc(&batch->arena, (part->bucket_count + 1) * sizeof(*sweeps));
    if (sweeps == NULL)
        return STATUS_FULL;
    for (size_t i = 0; i < part->bucket_count; i++) {
        const struct store_bucket *bucket = &part->buckets[i];
        sweeps[i] = (struct store_sweep){.number = bucket->number,
                                         .due_ms = batch_bucket_due(batch, part, bucket)};
        if (sweeps[i].due_ms < part->due_next_ms)
            part->due_next_ms = sweeps[i].due_ms;
    }
    part->step.sweeps = sweeps;
    part->step.sweep_count = part->bucket_count;
    return STATUS_OK;
}

enum status batch_part_finish(struct batch *batch, struct batch_part *part)
{
    MUST(position_compare(part->next.at, part->base.at) >= 0);
    MUST(part->next.watermark_ms >= part->base.watermark_ms);
#ifndef LC_PLANT_ERRAND_REPLAYED
    MUST(!part->replay || part->outbox.count == 0);
#endif
    enum status status = write_puts(batch, part);
    if (status == STATUS_OK)
        status = write_sweeps(batch, part);
    if (status != STATUS_OK)
        return status;
    if (part->due_all)
        part->due_next_ms = INT64_MIN;
    part->step.base = &part->base;
    part->step.next = &part->next;
    part->step.due_all = part->due_all;
    part->stored = part->step.put_count > 0 || part->step.sweep_count > 0 || part->due_all ||
                   position_compare(part->next.at, part->base.at) > 0;
    part->transactional = part->transactional || part->outbox.count > 0;
    if (batch->last_part == NULL)
        batch->parts = part;
    else
        batch->last_part->next_part = part;
    batch->last_part = part;
    batch->stage = BATCH_SEND;
    return STATUS_OK;
}

/* --- parts without events --- */

static enum status add_control(struct batch *batch, struct batch_part *part, enum control_kind kind)
{
    struct ports *ports = batch->ports;
    struct control_record record = {.kind = kind,
                                    .number = part->base.at.control + 1,
                                    .label = part->next.at.offset,
                                    .watermark_ms = part->next.watermark_ms,
                                    .made_ms = batch->wall_ms,
                                    .params_version = part->base.params_version + 1,
                                    .params = {ports->params_text, ports->params_text_len}};
    part->next.at.control = record.number;
    part->next.params_version = record.params_version;
    part->next.switched_ms = part->next.watermark_ms;
    memcpy(part->next.cfg, ports->cfg, sizeof(part->next.cfg));
#if defined(LC_PLANT_BIRTH_MISSING) || defined(LC_PLANT_SWITCH_UNRECORDED)
    part->transactional = true;
#ifdef LC_PLANT_BIRTH_MISSING
    if (kind == CONTROL_BIRTH)
        return STATUS_OK;
#else
    if (kind == CONTROL_SWITCH)
        return STATUS_OK;
#endif
#endif
    return outbox_control(&part->outbox, &batch->arena, part->partition->number, &record);
}

enum status batch_add_birth(struct batch *batch, struct partition *partition)
{
    struct batch_part *part = batch_part_new(batch, partition);
    if (part == NULL)
        return STATUS_FULL;
    enum status status = add_control(batch, part, CONTROL_BIRTH);
    if (status == STATUS_OK)
        status = batch_part_finish(batch, part);
    if (status == STATUS_OK)
        part->stored = false; /* Redis gets it as the first step of the replay that follows */
    return status;
}

enum status batch_add_switch(struct batch *batch, struct partition *partition)
{
    struct batch_part *part = batch_part_new(batch, partition);
    if (part == NULL)
        return STATUS_FULL;
    part->params_next =
        arena_copy(&batch->arena, &batch->ports->wanted, sizeof(*part->params_next));
    if (part->params_next == NULL)
        return STATUS_FULL;
#ifndef LC_PLANT_SWITCH_UNARMED
    part->due_all = true;
#endif
    enum status status = add_control(batch, part, CONTROL_SWITCH);
    return status == STATUS_OK ? batch_part_finish(batch, part) : status;
}

enum status batch_add_flush(struct batch *batch, struct partition *partition,
                            struct batch_part **ret_part)
{
    struct batch_part *part = batch_part_new(batch, partition);
    if (part == NULL)
        return STATUS_FULL;
    if (partition->caught_up && partition->log_end > part->next.at.offset)
        part->next.at.offset = partition->log_end;
    part->transactional = position_compare(part->next.at, partition->delivered.at) > 0;
    enum status status = batch_part_finish(batch, part);
    if (status == STATUS_OK)
        *ret_part = part;
    return status;
}
