/* erase: publishes a Delete, waits for its receipts, and says what remains where.
 *
 * The receipts of one Delete carry its time: that of the id asked for, and of every other id of the
 * same person that it was sent on to. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "ctl/kafka_client.h"
#include "ctl/outgoing.h"
#include "ctl/servers.h"
#include "model/event.h"

enum { HEADERS = 32, QUIET_MS = 3000, OPEN_MS = 30000 };

struct erase {
    const char *config_path, *brokers;
    struct span customer;
    bool yes, no_wait, json;
    int64_t timeout_ms;
    /* the Delete */
    int64_t time_ms;
    char time[TEXT_TIME_BYTES], id[32];
    /* the receipts */
    int receipts;
    bool asked, followed; /* that of the customer is there; it was sent on to others */
};

static void delete_make(struct erase *erase)
{
    struct clock clock = clock_system();
    uint64_t random = 0;

    MUST(getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random);
    erase->time_ms = clock_wall_ms(&clock);
    (void)text_time_format(erase->time_ms, erase->time);
    (void)snprintf(erase->id, sizeof erase->id, "erase-%016" PRIx64, random);
}

static enum status delete_send(const struct erase *erase, const struct servers *servers,
                               struct report *report)
{
    struct outgoing event = {.event = "Delete",
                             .customer = erase->customer,
                             .message_id = span_of(erase->id),
                             .time_ms = erase->time_ms};
    struct kafka_producer *producer = NULL;
    char value[OUTGOING_MAX];
    size_t len = 0;
    enum status status;

    MUST(outgoing_json(&event, value, &len) == STATUS_OK);
    status = kafka_producer_open(&servers->kafka, &producer, report);
    if (status == STATUS_OK)
        status = kafka_producer_send(producer, servers_input_topic(servers), erase->customer,
                                     (struct span){value, len}, report);
    if (status == STATUS_OK)
        status = kafka_producer_flush(producer, OPEN_MS, report);
    kafka_producer_close(producer);
    return status;
}

/* --- receipts --- */

static struct span header_of(const struct header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (span_is(headers[i].name, name))
            return headers[i].value;
    return SPAN_ABSENT;
}

/* "followed" of the payload above zero, in either form: its last member. */
static bool was_followed(struct span value)
{
    char last = value.len > 0 ? value.at[value.len - 1] : '\0';

    if (value.len > 1 && last == '}')
        return value.at[value.len - 2] != '0' || value.at[value.len - 3] != ':';
    return last != '\0';
}

static void receipt_show(struct erase *erase, const struct record *record,
                         const struct header *headers, size_t count)
{
    struct span subject = header_of(headers, count, "ce_subject");

    if (!span_is(header_of(headers, count, "ce_type"), "lifecycled.receipt.erased.v1") ||
        !span_is(header_of(headers, count, "ce_time"), erase->time))
        return;
    erase->receipts++;
    erase->asked = erase->asked || span_equal(subject, erase->customer);
    erase->followed = erase->followed || was_followed(record->value);
    if (erase->json && record->value.len > 0 && record->value.at[0] == '{')
        printf("%.*s\n", (int)record->value.len, record->value.at);
    else
        printf("erased %.*s%s\n", (int)subject.len, subject.at,
               span_equal(subject, erase->customer) ? "" : ", another id of the same customer");
    fflush(stdout);
}

/* To the end of the topic as it is now, so that nothing told from here on is missed. */
static enum status reader_ready(struct kafka_reader *reader, struct report *report)
{
    struct clock clock = clock_system();
    int64_t until_ms = clock_mono_ms(&clock) + OPEN_MS;
    struct record record;
    bool end = false;

    while (!end && !ctl_interrupted()) {
        enum status status = kafka_reader_next(reader, 250, &record, &end, report);
        if (status != STATUS_OK && status != STATUS_RETRY)
            return status;
        if (clock_mono_ms(&clock) > until_ms) {
            report_set(report, "kafka", "the alerts topic does not answer");
            return STATUS_RETRY;
        }
    }
    return ctl_interrupted() ? STATUS_REJECT : STATUS_OK;
}

static enum status receipts_wait(struct erase *erase, struct kafka_reader *reader,
                                 struct report *report)
{
    struct clock clock = clock_system();
    int64_t begun_ms = clock_mono_ms(&clock), news_ms = begun_ms;
    struct header headers[HEADERS];
    struct record record;

    for (;;) {
        int64_t now_ms = clock_mono_ms(&clock);
        bool end = false;
        int before = erase->receipts;
        enum status status;

        if (erase->asked && (!erase->followed || now_ms - news_ms > QUIET_MS))
            return STATUS_OK;
        if (now_ms - begun_ms > erase->timeout_ms || ctl_interrupted())
            return STATUS_RETRY;
        status = kafka_reader_next(reader, 250, &record, &end, report);
        if (status == STATUS_OK && !end) {
            size_t count = kafka_reader_headers(reader, headers, HEADERS);
            receipt_show(erase, &record, headers, count > HEADERS ? HEADERS : count);
        } else if (status != STATUS_OK && status != STATUS_RETRY) {
            return status;
        }
        news_ms = erase->receipts > before ? now_ms : news_ms;
        ctl_progress("waiting for the receipt, seconds", (now_ms - begun_ms) / 1000,
                     erase->timeout_ms / 1000 + 1);
    }
}

/* --- asking --- */

/* True: go on. */
static bool confirmed(const struct erase *erase)
{
    char line[2 * EVENT_CUSTOMER_BYTES_MAX] = "";

    fprintf(stderr,
            "This erases customer %.*s, and every id that became it, from lifecycled's state. It "
            "cannot "
            "be undone.\nType the id to go on: ",
            (int)erase->customer.len, erase->customer.at);
    if (!fgets(line, sizeof line, stdin))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return span_equal(span_of(line), erase->customer);
}

static void remains_say(const struct servers *servers)
{
    fprintf(
        stderr,
        "What remains, until its retention ends (kafka-configs.sh --describe --topic NAME shows "
        "retention.ms):\n"
        "  topic %s: the customer's events, and this Delete\n"
        "  topic %s: alerts and the receipt\n"
        "  topic %s: records of the customer that were refused, if any\n"
        "and backups of Redis, and whatever other systems took from these topics. In Redis a keyed "
        "hash with the time is left.\n",
        servers->kafka.input, servers->kafka.alerts, servers->kafka.dead_letters);
}

static int ended(const struct erase *erase, const struct servers *servers, enum status status,
                 const struct report *report)
{
    if (status == STATUS_OK) {
        remains_say(servers);
        return CTL_OK;
    }
    if (status != STATUS_RETRY)
        return ctl_fail_report(CTL_UNAVAILABLE, report);
    return ctl_fail(
        CTL_FAILED,
        "erase: the Delete is published (%s at %s), but %s within %lld s. It takes effect "
        "when the daemon reads it: lifecyclectl status",
        erase->id, erase->time, erase->asked ? "not every receipt came" : "no receipt came",
        (long long)(erase->timeout_ms / 1000));
}

static int erase_run(struct erase *erase, struct servers *servers)
{
    struct kafka_reader *reader = NULL;
    struct report report = {0};
    enum status status = STATUS_OK;
    int result;

    if (!erase->no_wait) {
        status = kafka_reader_open(&servers->kafka, servers_alerts_topic(servers), false, &reader,
                                   &report);
        if (status == STATUS_OK)
            status = reader_ready(reader, &report);
    }
    delete_make(erase);
    if (status == STATUS_OK)
        status = delete_send(erase, servers, &report);
    if (status != STATUS_OK) {
        kafka_reader_close(reader);
        return ctl_fail_report(CTL_UNAVAILABLE, &report);
    }
    fprintf(stderr, "published Delete %s of %.*s to %s\n", erase->id, (int)erase->customer.len,
            erase->customer.at, servers_input_topic(servers));
    result = ended(erase, servers,
                   erase->no_wait ? STATUS_OK : receipts_wait(erase, reader, &report), &report);
    kafka_reader_close(reader);
    return result;
}

int erase_command(int argc, char **argv)
{
    struct erase erase = {.timeout_ms = 60000};
    const struct ctl_option options[] = {
        {CTL_TEXT, "config", "FILE", "configuration of the daemon", &erase.config_path},
        {CTL_TEXT, "brokers", "HOSTS", "instead of the configured ones", &erase.brokers},
        {CTL_FLAG, "yes", NULL, "do not ask", &erase.yes},
        {CTL_FLAG, "no-wait", NULL, "publish the Delete and do not wait for its receipt",
         &erase.no_wait},
        {CTL_DURATION, "timeout", "TIME", "longest wait for the receipt (default 60s)",
         &erase.timeout_ms},
        {CTL_FLAG, "json", NULL, "the receipts' payloads, a line each", &erase.json},
        {CTL_END, NULL, NULL, NULL, NULL},
    };
    ctl_options(argc, argv,
                "erase CUSTOMER [OPTIONS]   (0: erased, 1: no receipt in time, 69: servers away)",
                options, 1, 1);
    erase.customer = span_of(argv[0]);
    if (erase.customer.len < 1 || erase.customer.len > EVENT_CUSTOMER_BYTES_MAX ||
        !text_utf8_valid(erase.customer))
        return ctl_fail(CTL_USAGE, "erase: a customer's id has 1 to 128 bytes of UTF-8");
    if (!erase.yes && !isatty(STDIN_FILENO))
        return ctl_fail(CTL_USAGE, "erase: standard input is no terminal to ask at; give --yes");
    if (!erase.yes && !confirmed(&erase))
        return ctl_fail(CTL_FAILED, "erase: not confirmed, nothing done");
    struct servers servers;
    int failed = servers_load(&servers, erase.config_path, erase.brokers, NULL);
    if (failed)
        return failed;
    int result = erase_run(&erase, &servers);
    servers_close(&servers);
    return result;
}
