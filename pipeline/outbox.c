#include "pipeline/outbox.h"

#include <stdio.h>

#include "base/hash.h"

#define NUMBER_TEXT_MAX 24

static struct outbox_message *outbox_add(struct outbox *outbox, struct arena *arena)
{
    struct outbox_message *entry = arena_zalloc(arena, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    if (outbox->last == NULL)
        outbox->first = entry;
    else
        outbox->last->next = entry;
    outbox->last = entry;
    outbox->count++;
    return entry;
}

static bool copy_span(struct arena *arena, struct span from, struct span *ret_span)
{
    struct span copy = SPAN_ABSENT;
    if (from.at != NULL) {
        copy.at = from.len == 0 ? "" : arena_copy(arena, from.at, from.len);
        copy.len = from.len;
        if (copy.at == NULL)
            return false;
    }
    *ret_span = copy;
    return true;
}

static bool number_span(struct arena *arena, int64_t number, struct span *ret_span)
{
    char text[NUMBER_TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    return copy_span(arena, (struct span){text, (size_t)len}, ret_span);
}

enum status outbox_alert(struct outbox *outbox, struct arena *arena, const struct effect *effect,
                         struct span customer, const struct alert_options *options,
                         int64_t recorded_ms)
{
    struct alert *alert = arena_alloc(arena, sizeof(*alert));
    if (alert == NULL)
        return STATUS_FULL;
    enum status status = alert_encode(effect, customer, options, recorded_ms, arena, alert);
    if (status != STATUS_OK)
        return status;
    struct outbox_message *entry = outbox_add(outbox, arena);
    if (entry == NULL)
        return STATUS_FULL;
    entry->message = (struct sink_message){.topic = SINK_ALERTS,
                                           .partition = -1,
                                           .key = customer,
                                           .value = alert->value,
                                           .headers = alert->headers,
                                           .header_count = alert->header_count};
    outbox->alerts_by_kind[effect->kind]++;
    return STATUS_OK;
}

enum status outbox_storm(struct outbox *outbox, struct arena *arena,
                         const struct storm_alert *storm, const struct alert_options *options,
                         int64_t recorded_ms)
{
    struct alert *alert = arena_alloc(arena, sizeof(*alert));
    struct span key;
    if (alert == NULL)
        return STATUS_FULL;
    enum status status = storm_alert_encode(storm, options, recorded_ms, arena, &key, alert);
    if (status != STATUS_OK)
        return status;
    struct outbox_message *entry = outbox_add(outbox, arena);
    if (entry == NULL)
        return STATUS_FULL;
    entry->message = (struct sink_message){.topic = SINK_ALERTS,
                                           .partition = -1,
                                           .key = key,
                                           .value = alert->value,
                                           .headers = alert->headers,
                                           .header_count = alert->header_count};
    outbox->storms++;
    return STATUS_OK;
}

/* Original headers and ours behind them. */
static enum status dead_letter_headers(struct arena *arena, const struct dead_letter *letter,
                                       struct header **ret_headers, size_t *ret_count)
{
    enum { OURS = 5 };
    size_t count = letter->header_count;
    struct header *headers = arena_alloc(arena, (count + OURS) * sizeof(*headers));
    if (headers == NULL)
        return STATUS_FULL;
    for (size_t i = 0; i < count; i++)
        if (!copy_span(arena, letter->headers[i].name, &headers[i].name) ||
            !copy_span(arena, letter->headers[i].value, &headers[i].value))
            return STATUS_FULL;
    struct header *ours = headers + count;
    ours[0].name = SPAN_LITERAL("lc-error");
    ours[0].value = span_of(decode_error_code(letter->error));
    ours[1].name = SPAN_LITERAL("lc-error-detail");
    ours[2] = (struct header){SPAN_LITERAL("lc-topic"), span_of(letter->topic)};
    ours[3].name = SPAN_LITERAL("lc-partition");
    ours[4].name = SPAN_LITERAL("lc-offset");
    if (!copy_span(arena, letter->detail, &ours[1].value) ||
        !number_span(arena, letter->record->partition, &ours[3].value) ||
        !number_span(arena, letter->record->offset, &ours[4].value))
        return STATUS_FULL;
    *ret_headers = headers;
    *ret_count = count + OURS;
    return STATUS_OK;
}

enum status outbox_dead_letter(struct outbox *outbox, struct arena *arena,
                               const struct dead_letter *letter)
{
    struct sink_message message = {.topic = SINK_DEAD_LETTERS, .partition = -1};
    struct header *headers;
    if (!copy_span(arena, letter->record->key, &message.key) ||
        !copy_span(arena, letter->record->value, &message.value))
        return STATUS_FULL;
    enum status status = dead_letter_headers(arena, letter, &headers, &message.header_count);
    if (status != STATUS_OK)
        return status;
    message.headers = headers;
    struct outbox_message *entry = outbox_add(outbox, arena);
    if (entry == NULL)
        return STATUS_FULL;
    entry->message = message;
    outbox->dead_letters++;
    outbox->dead_by_error[letter->error]++;
    return STATUS_OK;
}

enum status outbox_control(struct outbox *outbox, struct arena *arena, int32_t partition,
                           const struct control_record *record)
{
    struct sink_message message = {.topic = SINK_CONTROL, .partition = partition};
    enum status status = control_encode(record, arena, &message.value);
    if (status != STATUS_OK)
        return status;
    if (!number_span(arena, partition, &message.key))
        return STATUS_FULL;
    struct outbox_message *entry = outbox_add(outbox, arena);
    if (entry == NULL)
        return STATUS_FULL;
    entry->message = message;
    outbox->control++;
    return STATUS_OK;
}

/* --- errands --- */

/* Counted as what it is for: an event of the input goes where that customer's events go. */
static enum status send(struct outbox *outbox, struct arena *arena,
                        const struct decode_options *decode, const struct sink_message *message)
{
    struct outbox_message *entry = outbox_add(outbox, arena);

    if (entry == NULL)
        return STATUS_FULL;
    entry->message = *message;
    if (message->topic != SINK_INPUT) {
        outbox->receipts++;
        return STATUS_OK;
    }
    outbox->errands++;
    if (decode->partitions > 0)
        entry->message.partition = decode->crc32
                                       ? hash_partition_crc32(message->key, decode->partitions)
                                       : hash_partition_murmur2(message->key, decode->partitions);
    return STATUS_OK;
}

static enum status send_unlinks(struct outbox *outbox, struct arena *arena,
                                const struct outbox_errands *todo)
{
    struct sink_message message;
    enum status status = STATUS_OK;
    struct span previous;
    uint32_t at = 0;

    while (status == STATUS_OK && previous_next(&todo->errands->unlink, &at, &previous)) {
        status = errand_unlink(&todo->cause, previous, arena, &message);
        if (status == STATUS_OK)
            status = send(outbox, arena, todo->decode, &message);
    }
    return status;
}

/* The one addressed to another customer, if there is one. */
static enum status addressed(const struct outbox_errands *todo, struct arena *arena,
                             struct sink_message *ret_message)
{
    const struct errands *errands = todo->errands;
    const struct span to = errands_to(errands);

    if (errands->request)
        return errand_request(&todo->cause, to, arena, ret_message);
    if (errands->state)
        return errand_state(&todo->cause, errands, arena, ret_message);
    return errand_forward(&todo->cause, to, todo->headers, todo->header_count, arena, ret_message);
}

enum status outbox_errands(struct outbox *outbox, struct arena *arena,
                           const struct outbox_errands *todo)
{
    const struct errands *errands = todo->errands;
    struct sink_message message;
    enum status status = STATUS_OK;

    if (errands->to_len > 0) {
        status = addressed(todo, arena, &message);
        if (status == STATUS_OK)
            status = send(outbox, arena, todo->decode, &message);
    }
    if (status == STATUS_OK && errands->receipt) {
        status = errand_receipt(&todo->cause, errands, todo->msgpack, todo->recorded_ms, arena,
                                &message);
        if (status == STATUS_OK)
            status = send(outbox, arena, todo->decode, &message);
    }
    return status == STATUS_OK ? send_unlinks(outbox, arena, todo) : status;
}
