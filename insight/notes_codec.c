/* notes_codec: version 1. Head: [version, horizon, reporting, noted, notes, belief]; belief:
 * [lessons, better, means…, covariance by rows…, plain warnings…, tests…]. A chunk is one flat
 * array: who, at, last day, signs as bits, figures, of each note. */
#include <string.h>

#include "base/mp.h"
#include "base/must.h"
#include "base/text.h"
#include "insight/notes.h"

#define VERSION      1
#define HEAD_ITEMS   6
#define BELIEF_ITEMS (2 + BELIEF_SIZE + BELIEF_SIZE * BELIEF_SIZE + WARNING_COUNT + 5)
#define NOTE_ITEMS   (4 + FEATURE_COUNT)
#define ITEM_BYTES   9

/* --- writing: every number in nine bytes, so that the length is known beforehand --- */

struct out {
    uint8_t *at, *end;
};

static void put(struct out *out, uint8_t head, uint64_t value, int bytes)
{
    MUST(out->end - out->at > bytes);
    *out->at++ = head;
    for (int i = bytes - 1; i >= 0; i--)
        *out->at++ = (uint8_t)(value >> (8 * i));
}

static void put_array(struct out *out, uint32_t count)
{
    put(out, 0xdd, count, 4);
}

static void put_u64(struct out *out, uint64_t value)
{
    put(out, 0xcf, value, 8);
}

static void put_i64(struct out *out, int64_t value)
{
    put(out, 0xd3, (uint64_t)value, 8);
}

static void put_double(struct out *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put(out, 0xcb, bits, 8);
}

static enum status out_open(struct arena *arena, size_t items, struct out *ret_out,
                            struct span *ret_bytes)
{
    const size_t cap = items * ITEM_BYTES + 1;
    uint8_t *bytes = arena_alloc(arena, cap);

    if (!bytes)
        return STATUS_FULL;
    *ret_out = (struct out){bytes, bytes + cap};
    *ret_bytes = (struct span){(const char *)bytes, 0};
    return STATUS_OK;
}

static void put_doubles(struct out *out, const double values[], int count)
{
    for (int i = 0; i < count; i++)
        put_double(out, values[i]);
}

enum status notes_encode_head(const struct notes *notes, struct arena *arena,
                              struct span *ret_bytes)
{
    const struct belief *belief = &notes->belief;
    const struct belief_test *t = &belief->test;
    struct out out;
    struct span bytes;

    if (out_open(arena, 1 + HEAD_ITEMS + BELIEF_ITEMS, &out, &bytes) != STATUS_OK)
        return STATUS_FULL;
    put_array(&out, HEAD_ITEMS);
    put_u64(&out, VERSION);
    put_i64(&out, notes->horizon_ms);
    put_u64(&out, (uint64_t)notes->reporting);
    put_i64(&out, notes->noted_ms);
    put_u64(&out, notes->count);
    put_array(&out, BELIEF_ITEMS);
    put_double(&out, belief->lessons);
    put_u64(&out, belief->better);
    put_doubles(&out, belief->mean, BELIEF_SIZE);
    for (int i = 0; i < BELIEF_SIZE; i++)
        put_doubles(&out, belief->covariance[i], BELIEF_SIZE);
    put_doubles(&out, belief->plain_warning, WARNING_COUNT);
    put_doubles(&out, (const double[]){t->weight, t->plain, t->learned, t->gain, t->gain_square},
                5);
    bytes.len = (size_t)(out.at - (const uint8_t *)bytes.at);
    *ret_bytes = bytes;
    return STATUS_OK;
}

static void put_note(struct out *out, const struct note *note)
{
    uint64_t signs = 0;

    for (int i = 0; i < WARNING_COUNT; i++)
        signs |= (uint64_t)note->lesson.sign[i] << i;
    put_u64(out, note->who);
    put_i64(out, note->at_ms);
    put_i64(out, note->last_day);
    put_u64(out, signs);
    put_doubles(out, note->lesson.figure, FEATURE_COUNT);
}

enum status notes_encode_chunk(const struct notes *notes, size_t chunk, struct arena *arena,
                               struct span *ret_bytes)
{
    const size_t from = chunk * NOTES_CHUNK;
    struct out out;
    struct span bytes;
    size_t count;

    MUST(from <= notes->count);
    count = notes->count - from < NOTES_CHUNK ? notes->count - from : NOTES_CHUNK;
    if (out_open(arena, 1 + count * NOTE_ITEMS, &out, &bytes) != STATUS_OK)
        return STATUS_FULL;
    put_array(&out, (uint32_t)(count * NOTE_ITEMS));
    for (size_t i = 0; i < count; i++)
        put_note(&out, &notes->note[from + i]);
    bytes.len = (size_t)(out.at - (const uint8_t *)bytes.at);
    *ret_bytes = bytes;
    return STATUS_OK;
}

/* --- reading --- */

static void read_doubles(struct mp_reader *reader, double ret_values[], int count)
{
    for (int i = 0; i < count; i++)
        ret_values[i] = mp_read_double(reader);
}

static void read_belief(struct mp_reader *reader, struct belief *ret_belief)
{
    double tests[5];

    if (mp_read_array(reader) != BELIEF_ITEMS)
        mp_fault(reader, "another number of weights: of another version?");
    ret_belief->lessons = mp_read_double(reader);
    ret_belief->better = mp_read_u64(reader) == 1;
    read_doubles(reader, ret_belief->mean, BELIEF_SIZE);
    for (int i = 0; i < BELIEF_SIZE; i++)
        read_doubles(reader, ret_belief->covariance[i], BELIEF_SIZE);
    read_doubles(reader, ret_belief->plain_warning, WARNING_COUNT);
    read_doubles(reader, tests, 5);
    ret_belief->test = (struct belief_test){.weight = tests[0],
                                            .plain = tests[1],
                                            .learned = tests[2],
                                            .gain = tests[3],
                                            .gain_square = tests[4]};
}

static enum status ended(const struct mp_reader *reader, const char *why, const char **ret_why)
{
    if (reader->fault)
        why = reader->fault;
    else if (why == NULL && reader->at != reader->end)
        why = "bytes after the end";
    if (why == NULL)
        return STATUS_OK;
    *ret_why = why;
    return STATUS_REJECT;
}

enum status notes_decode_head(struct span bytes, struct notes *notes, size_t *ret_count,
                              const char **ret_why)
{
    struct mp_reader reader;
    const char *why = NULL;
    uint64_t version, reporting, count;

    mp_reader_init(&reader, bytes);
    if (mp_read_array(&reader) != HEAD_ITEMS)
        mp_fault(&reader, "no head of notes");
    version = mp_read_u64(&reader);
    if (version != VERSION)
        mp_fault(&reader, "written by a newer version");
    notes->horizon_ms = mp_read_i64(&reader);
    reporting = mp_read_u64(&reader);
    notes->noted_ms = mp_read_i64(&reader);
    count = mp_read_u64(&reader);
    read_belief(&reader, &notes->belief);
    if (reporting >= CURRENCY_COUNT || count > NOTES_MAX || notes->horizon_ms < 0)
        why = "a number is out of range";
    else if (!reader.fault)
        why = belief_check(&notes->belief);
    notes->reporting = reporting < CURRENCY_COUNT ? (enum currency)reporting : CURRENCY_NONE;
    notes->count = 0;
    *ret_count = (size_t)count;
    return ended(&reader, why, ret_why);
}

static const char *read_note(struct mp_reader *reader, struct note *ret_note)
{
    int64_t last_day;
    uint64_t signs;

    *ret_note = (struct note){.who = mp_read_u64(reader)};
    ret_note->at_ms = mp_read_i64(reader);
    last_day = mp_read_i64(reader);
    signs = mp_read_u64(reader);
    read_doubles(reader, ret_note->lesson.figure, FEATURE_COUNT);
    for (int i = 0; i < WARNING_COUNT; i++)
        ret_note->lesson.sign[i] = signs >> i & 1;
    ret_note->last_day = (int32_t)last_day;
    /* Times of the years 1 to 9999, as everywhere. */
    if (last_day != ret_note->last_day || signs >> WARNING_COUNT != 0 ||
        ret_note->at_ms < INT64_C(-62135596800000) || ret_note->at_ms > INT64_C(253402300799999))
        return "a number of a note is out of range";
    return NULL;
}

enum status notes_decode_chunk(struct span bytes, struct notes *notes, const char **ret_why)
{
    struct mp_reader reader;
    const char *why = NULL;
    uint32_t items;

    mp_reader_init(&reader, bytes);
    items = mp_read_array(&reader);
    if (items % NOTE_ITEMS != 0 || items / NOTE_ITEMS > NOTES_CHUNK ||
        items / NOTE_ITEMS > NOTES_MAX - notes->count)
        mp_fault(&reader, "another number of notes");
    for (uint32_t i = 0; i < items / NOTE_ITEMS && !reader.fault && !why; i++) {
        const size_t at = notes->count;

        why = read_note(&reader, &notes->note[at]);
        if (!why && at > 0 && notes->note[at].who < notes->note[at - 1].who)
            why = "notes are not in order";
        notes->count++;
    }
    return ended(&reader, why, ret_why);
}
