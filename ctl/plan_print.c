#include "base/json.h"
#include "base/text.h"
#include "ctl/plan.h"
#include "model/tier.h"

#include <stdio.h>

enum { LINE_BYTES_MAX = 65536 };

static const char *money(const struct plan_view *view, int64_t minor, char text[40])
{
    size_t len = text_decimal_format(minor, currency_exponent(view->params->reporting), text, 32);

    snprintf(text + len, 40 - len, " %s", currency_code(view->params->reporting));
    return text;
}

static const char *tier_name(enum tier tier)
{
    return tier == TIER_NONE ? "none" : tier_label(tier);
}

/* --- the list --- */

static void row_json(const struct plan_row *row)
{
    const struct effect *effect = row->effect;
    char line[2048];
    struct json_writer w;

    json_writer_init(&w, line, sizeof line);
    json_put_object(&w);
    json_put_key(&w, "customer");
    json_put_string(&w, row->customer);
    json_put_key(&w, "partition");
    json_put_i64(&w, row->partition);
    json_put_key(&w, "kind");
    json_put_text(&w, kind_label(effect->kind));
    json_put_key(&w, "phase");
    json_put_text(&w, phase_label(effect->phase));
    json_put_key(&w, "band");
    json_put_text(&w, kind_band_label(effect->kind, effect->band));
    json_put_key(&w, "from");
    json_put_text(&w, stage_label(effect->from));
    json_put_key(&w, "to");
    json_put_text(&w, stage_label(effect->to));
    json_put_key(&w, "tier_from");
    json_put_text(&w, tier_name(effect->tier_from));
    json_put_key(&w, "tier_to");
    json_put_text(&w, tier_name(effect->tier_to));
    json_put_key(&w, "at");
    json_put_time(&w, effect->at_ms);
    json_put_key(&w, "anyway");
    json_put_bool(&w, row->anyway);
    json_put_key(&w, "value_minor");
    json_put_i64(&w, row->value_minor);
    json_put_object_end(&w);
    if (!w.full)
        printf("%.*s\n", (int)w.len, line);
}

void plan_row_print(struct plan_view *view, const struct plan_row *row)
{
    const struct effect *effect = row->effect;
    char text[40], move[64] = "";

    if (view->rows >= view->rows_max)
        return;
    view->rows++;
    if (view->json) {
        row_json(row);
        return;
    }
    if (effect->kind == KIND_STAGE_CHANGED)
        snprintf(move, sizeof move, "%s -> %s", stage_label(effect->from), stage_label(effect->to));
    else if (effect->kind == KIND_TIER_CHANGED)
        snprintf(move, sizeof move, "%s -> %s", tier_name(effect->tier_from),
                 tier_name(effect->tier_to));
    printf("%-24.*s %-20s %-9s %-22s %16s%s\n", (int)row->customer.len, row->customer.at,
           kind_label(effect->kind), phase_label(effect->phase), move,
           money(view, row->value_minor, text), row->anyway ? "  (anyway)" : "");
}

/* --- the sums --- */

static void moves_text(const struct plan_view *view, const struct plan_sums *sums)
{
    char text[40];
    bool any = false;

    printf("\n%-32s %10s %20s\n", "moved by the switch", "customers", "expected value");
    for (int from = 0; from < STAGE_COUNT; from++)
        for (int to = 0; to < STAGE_COUNT; to++)
            if (sums->stage[from][to] > 0) {
                any = true;
                printf("stage %-10s -> %-12s %10lld %20s\n", stage_label((enum stage)from),
                       stage_label((enum stage)to), (long long)sums->stage[from][to],
                       money(view, sums->stage_minor[from][to], text));
            }
    for (int from = 0; from < TIER_COUNT; from++)
        for (int to = 0; to < TIER_COUNT; to++)
            if (sums->tier[from][to] > 0) {
                any = true;
                printf("tier  %-10s -> %-12s %10lld %20s\n", tier_name((enum tier)from),
                       tier_name((enum tier)to), (long long)sums->tier[from][to],
                       money(view, sums->tier_minor[from][to], text));
            }
    if (!any)
        puts("nobody");
}

static bool kind_told(const struct plan_alerts *alerts, int kind)
{
    uint64_t sum = alerts->after[kind];

    for (int phase = 0; phase < PHASE_COUNT; phase++)
        sum += alerts->window[kind][phase];
    return sum > 0;
}

static uint64_t closed(const struct plan_alerts *alerts, int kind)
{
    return alerts->window[kind][PHASE_RESOLVED] + alerts->window[kind][PHASE_RETRACTED];
}

static void alerts_text(const struct plan_sums *sums)
{
    double days = (double)sums->days;

    printf("\nalerts               in the hour after the switch        raised a day, %lld days\n"
           "                     raised   updated  closed   (without: raised  closed)   with    "
           "without\n",
           (long long)sums->days);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const struct plan_alerts *with = &sums->with, *without = &sums->without;

        if (!kind_told(with, kind) && !kind_told(without, kind))
            continue;
        printf("%-20s %7llu %9llu %7llu  %16llu %7llu %9.1f %9.1f\n", kind_label((enum kind)kind),
               (unsigned long long)with->window[kind][PHASE_RAISED],
               (unsigned long long)with->window[kind][PHASE_UPDATED],
               (unsigned long long)closed(with, kind),
               (unsigned long long)without->window[kind][PHASE_RAISED],
               (unsigned long long)closed(without, kind), (double)with->after[kind] / days,
               (double)without->after[kind] / days);
    }
}

static void move_json(struct json_writer *w, const char *from, const char *to, int64_t customers,
                      int64_t value_minor)
{
    json_put_object(w);
    json_put_key(w, "from");
    json_put_text(w, from);
    json_put_key(w, "to");
    json_put_text(w, to);
    json_put_key(w, "customers");
    json_put_i64(w, customers);
    json_put_key(w, "value_minor");
    json_put_i64(w, value_minor);
    json_put_object_end(w);
}

static void moves_json(struct json_writer *w, const struct plan_sums *sums)
{
    json_put_key(w, "stage_moves");
    json_put_array(w);
    for (int from = 0; from < STAGE_COUNT; from++)
        for (int to = 0; to < STAGE_COUNT; to++)
            if (sums->stage[from][to] > 0)
                move_json(w, stage_label((enum stage)from), stage_label((enum stage)to),
                          sums->stage[from][to], sums->stage_minor[from][to]);
    json_put_array_end(w);
    json_put_key(w, "tier_moves");
    json_put_array(w);
    for (int from = 0; from < TIER_COUNT; from++)
        for (int to = 0; to < TIER_COUNT; to++)
            if (sums->tier[from][to] > 0)
                move_json(w, tier_name((enum tier)from), tier_name((enum tier)to),
                          sums->tier[from][to], sums->tier_minor[from][to]);
    json_put_array_end(w);
}

static void fate_json(struct json_writer *w, const char *name, const struct plan_alerts *alerts,
                      int kind, int64_t days)
{
    json_put_key(w, name);
    json_put_object(w);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        json_put_key(w, phase_label((enum phase)phase));
        json_put_i64(w, (int64_t)alerts->window[kind][phase]);
    }
    json_put_key(w, "raised_a_day");
    json_put_double(w, (double)alerts->after[kind] / (double)days);
    json_put_object_end(w);
}

static void sums_json(const struct plan_view *view, const struct plan_sums *sums)
{
    static char line[LINE_BYTES_MAX];
    struct json_writer w;

    json_writer_init(&w, line, sizeof line);
    json_put_object(&w);
    json_put_key(&w, "switch_at");
    json_put_time(&w, view->at_ms);
    json_put_key(&w, "window_ms");
    json_put_i64(&w, PLAN_WINDOW_MS);
    json_put_key(&w, "customers");
    json_put_i64(&w, sums->customers);
    json_put_key(&w, "affected");
    json_put_i64(&w, sums->affected);
    json_put_key(&w, "affected_value_minor");
    json_put_i64(&w, sums->affected_minor);
    moves_json(&w, sums);
    json_put_key(&w, "alerts");
    json_put_array(&w);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (!kind_told(&sums->with, kind) && !kind_told(&sums->without, kind))
            continue;
        json_put_object(&w);
        json_put_key(&w, "kind");
        json_put_text(&w, kind_label((enum kind)kind));
        fate_json(&w, "with", &sums->with, kind, sums->days);
        fate_json(&w, "without", &sums->without, kind, sums->days);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
    if (!w.full)
        printf("%.*s\n", (int)w.len, line);
}

void plan_sums_print(const struct plan_view *view, const struct plan_sums *sums)
{
    char at[TEXT_TIME_BYTES] = "never", text[40];

    if (view->json) {
        sums_json(view, sums);
        return;
    }
    if (view->at_ms != INT64_MIN)
        (void)text_time_format(view->at_ms, at);
    printf("%ssilence from the switch at %s on: of %lld customers %lld are affected, expected "
           "value %s\n",
           view->rows > 0 ? "\n" : "", at, (long long)sums->customers, (long long)sums->affected,
           money(view, sums->affected_minor, text));
    moves_text(view, sums);
    alerts_text(sums);
}
