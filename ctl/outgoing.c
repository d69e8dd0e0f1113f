/* outgoing: one list of members, two writers. */
#include "ctl/outgoing.h"

#include <msgpack.h>

#include "base/json.h"
#include "base/text.h"

/* The members of `properties`, in order; number of them. */
struct member {
    const char *key;
    struct span text; /* a string, unless is_number */
    bool is_number;
    int number;
};
enum { MEMBERS_MAX = 12 };

static void member_add(struct member *members, size_t *count, const char *key, struct span text)
{
    if (text.len > 0)
        members[(*count)++] = (struct member){.key = key, .text = text};
}

struct texts {
    char amount[32], ends[TEXT_TIME_BYTES];
};

static size_t members_of(const struct outgoing *e, struct member members[MEMBERS_MAX],
                         struct texts *texts)
{
    size_t count = 0;
    member_add(members, &count, "order_id", e->order_id);
    member_add(members, &count, "refund_id", e->refund_id);
    member_add(members, &count, "ticket_id", e->ticket_id);
    if (e->has_amount) {
        size_t len =
            text_decimal_format(e->amount_minor, e->exponent, texts->amount, sizeof texts->amount);
        member_add(members, &count, "amount", (struct span){texts->amount, len});
        member_add(members, &count, "currency", span_of(e->currency));
    }
    member_add(members, &count, "plan", e->plan);
    member_add(members, &count, "category", e->category);
    member_add(members, &count, "reason", e->reason);
    if (e->has_score) {
        member_add(members, &count, "metric", SPAN_LITERAL("nps"));
        members[count++] = (struct member){.key = "score", .is_number = true, .number = e->score};
    }
    if (e->ends_key.len > 0)
        members[count++] =
            (struct member){.key = e->ends_key.at,
                            .text = {texts->ends, text_time_format(e->ends_ms, texts->ends)}};
    return count;
}

enum status outgoing_json(const struct outgoing *e, char *buffer, size_t *ret_len)
{
    struct json_writer w;
    struct member members[MEMBERS_MAX];
    struct texts texts;
    size_t count = members_of(e, members, &texts);
    json_writer_init(&w, buffer, OUTGOING_MAX);
    json_put_object(&w);
    json_put_key(&w, "type");
    json_put_text(&w, "track");
    json_put_key(&w, "event");
    json_put_text(&w, e->event);
    json_put_key(&w, "messageId");
    json_put_string(&w, e->message_id);
    json_put_key(&w, "userId");
    json_put_string(&w, e->customer);
    json_put_key(&w, "timestamp");
    json_put_time(&w, e->time_ms);
    if (e->channel.len > 0) {
        json_put_key(&w, "channel");
        json_put_string(&w, e->channel);
    }
    json_put_key(&w, "properties");
    json_put_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_put_key(&w, members[i].key);
        if (members[i].is_number)
            json_put_i64(&w, members[i].number);
        else
            json_put_string(&w, members[i].text);
    }
    json_put_object_end(&w);
    json_put_object_end(&w);
    if (w.full)
        return STATUS_FULL;
    *ret_len = w.len;
    return STATUS_OK;
}

struct bounded {
    char *buffer;
    size_t len;
};

static int bounded_write(void *data, const char *bytes, size_t len)
{
    struct bounded *out = data;
    if (len > OUTGOING_MAX - out->len)
        return -1;
    memcpy(out->buffer + out->len, bytes, len);
    out->len += len;
    return 0;
}

static int pack_str(msgpack_packer *packer, struct span text)
{
    return msgpack_pack_str_with_body(packer, text.at, text.len);
}

enum status outgoing_msgpack(const struct outgoing *e, char *buffer, size_t *ret_len)
{
    struct member members[MEMBERS_MAX];
    struct texts texts;
    char time[TEXT_TIME_BYTES];
    size_t count = members_of(e, members, &texts);
    struct bounded out = {buffer, 0};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &out, bounded_write);
    const struct {
        struct span key, value;
    } top[] = {
        {SPAN_LITERAL("type"), SPAN_LITERAL("track")},
        {SPAN_LITERAL("event"), span_of(e->event)},
        {SPAN_LITERAL("messageId"), e->message_id},
        {SPAN_LITERAL("userId"), e->customer},
        {SPAN_LITERAL("timestamp"), {time, text_time_format(e->time_ms, time)}},
        {SPAN_LITERAL("channel"), e->channel},
    };
    size_t tops = sizeof top / sizeof *top - (e->channel.len == 0);
    int failed = msgpack_pack_map(&packer, tops + 1);
    for (size_t i = 0; i < tops; i++)
        failed |= pack_str(&packer, top[i].key) | pack_str(&packer, top[i].value);
    failed |= pack_str(&packer, SPAN_LITERAL("properties")) | msgpack_pack_map(&packer, count);
    for (size_t i = 0; i < count; i++) {
        failed |= pack_str(&packer, span_of(members[i].key));
        failed |= members[i].is_number ? msgpack_pack_int(&packer, members[i].number)
                                       : pack_str(&packer, members[i].text);
    }
    if (failed)
        return STATUS_FULL;
    *ret_len = out.len;
    return STATUS_OK;
}
