/* kafka_handle: see the header. */
#include "pipeline/kafka_handle.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define REFUSAL_KEPT_MS                                                                            \
    60000 /* twice the time for which librdkafka keeps quiet about a repeated error */
#define REFUSAL_FIRST_MS 5000

static struct kafka_handle *handle_of(const rd_kafka_t *rk)
{
    return rd_kafka_opaque(rk);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- being refused, and refusing --- */

/* One for all clients: it is taken when something is wrong, and then shortly. */
static pthread_mutex_t refusal_lock = PTHREAD_MUTEX_INITIALIZER;

/* librdkafka before 2.6.1 gives a nonce back that brokers since Kafka 3.7.2, 3.8.1 and 3.9 refuse
 * (CVE-2024-56128; librdkafka's pull request 4895): the password may well be right. */
static const char *scram_words(const char *text)
{
    return rd_kafka_version() < 0x020601ff && strstr(text, "SCRAM")
               ? " (this librdkafka cannot do SCRAM with Kafka 4: it needs 2.6.1, Debian 13; or "
                 "use "
                 "sasl.mechanisms PLAIN inside TLS)"
               : "";
}

/* `first`: it says more than what librdkafka will say next about the same. */
static void refuse(struct kafka_handle *handle, bool first, const char *why)
{
    int64_t now = now_ms();

    (void)pthread_mutex_lock(&refusal_lock);
    if (first || !handle->refusal.code[0] || now - handle->refusal_ms > REFUSAL_FIRST_MS) {
        report_set(&handle->refusal, "kafka-refused",
                   "Kafka at %.100s: %.200s%s; check kafka.properties and kafka.secrets",
                   handle->options->brokers, why, scram_words(why));
        handle->refusal_ms = now;
    }
    (void)pthread_mutex_unlock(&refusal_lock);
}

void kafka_handle_refusal(struct kafka_handle *handle, struct report *report)
{
    (void)pthread_mutex_lock(&refusal_lock);
    if (handle->refusal.code[0] && now_ms() - handle->refusal_ms < REFUSAL_KEPT_MS)
        report_set(report, handle->refusal.code, "%s", handle->refusal.text);
    (void)pthread_mutex_unlock(&refusal_lock);
}

/* Codes of OpenSSL's x509_vfy.h, which are part of its interface. */
static const char *certificate_words(int error)
{
    switch (error) {
    case 9:
        return "is not valid yet (or our clock is wrong)";
    case 10:
        return "has expired (or our clock is wrong)";
    case 2:
    case 18:
    case 19:
    case 20:
    case 21:
        return "is of no authority we trust (ssl.ca.location)";
    case 62:
    case 64:
        return "is for another name than the one we asked for";
    default:
        return "is not accepted";
    }
}

/* librdkafka has one sentence for every certificate that fails; the verdict is OpenSSL's all the
 * same. */
static int on_certificate(rd_kafka_t *rk, const char *broker, int32_t id, int *error, int depth,
                          const char *bytes, size_t len, char *ret_why, size_t cap, void *opaque)
{
    char why[300];

    (void)rk;
    (void)id;
    (void)depth;
    (void)bytes;
    (void)len;
    if (*error == 0)
        return 1;
    (void)snprintf(why, sizeof why, "the certificate of %.200s %s", broker,
                   certificate_words(*error));
    refuse(opaque, true, why);
    (void)snprintf(ret_why, cap, "%s", why);
    return 0;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_handle *handle = handle_of(rk);

    if (handle && strcmp(facility, "FAIL") == 0 &&
        (strstr(text, "SASL") || strstr(text, "SSL") || strstr(text, "uthenticat")))
        refuse(handle, false, text);
    /* FAIL and ERROR lines reach on_error too, which turns them into the problem that is told once.
     * CONFWARN: one set of properties serves all roles, so some are always for another one. */
    if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0 ||
        strcmp(facility, "CONFWARN") == 0)
        return;
    if (handle && handle->options->log.line)
        handle->options->log.line(handle->options->log.self, level, facility, text);
}

/* Runs in the thread that polls, so plain fields will do. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_handle *handle = opaque;
    rd_kafka_resp_err_t err = (rd_kafka_resp_err_t)code;

    (void)rk;
    /* Whatever ends a connection to the coordinator may have left a request of ours behind in it.
     */
    if (strstr(reason, "TxnCoordinator"))
        handle->coordinator_lost++;
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        handle->topic_gone = true;
    /* At once, since the worker may wait in a flush or commit for a while before it can say so. */
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && handle->options->log.line)
        handle->options->log.line(handle->options->log.self, LOG_ERR, KAFKA_LINE_AWAY, reason);
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        return; /* kafka_handle_fatal has the words */
    if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL)
        report_set(&handle->problem, "kafka-refused",
                   "Kafka at %s refuses us: %s; check kafka.properties and the secret",
                   handle->options->brokers, reason);
    else
        report_set(&handle->problem, "kafka-away", "Kafka at %s: %s; trying again by itself",
                   handle->options->brokers, reason);
}

enum status kafka_handle_open(struct kafka_handle *handle, const struct kafka_options *options,
                              enum kafka_role role, void (*prepare)(rd_kafka_conf_t *conf),
                              struct report *report)
{
    struct rd_kafka_conf_s *conf = NULL;
    char why[256];
    enum status status;

    handle->options = options;
    handle->coordinator_lost = 0;
    handle->problem.code[0] = handle->refusal.code[0] = '\0';
    status = kafka_conf_new(options, role, &conf, report);
    if (status != STATUS_OK)
        return status;
    rd_kafka_conf_set_opaque(conf, handle);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf,
                                               on_certificate); /* a build without TLS: none */
    if (prepare)
        prepare(conf);
    handle->rk = rd_kafka_new(role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf,
                              why, sizeof why);
    if (handle->rk)
        return STATUS_OK;
    rd_kafka_conf_destroy(conf);
    status = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE ? STATUS_RETRY
                                                                           : STATUS_REJECT;
    report_set(report, "kafka-client", "librdkafka %s cannot make a client: %s",
               rd_kafka_version_str(), why);
    return status;
}

enum status kafka_handle_fatal(const struct kafka_handle *handle, struct report *report)
{
    char why[256];
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(handle->rk, why, sizeof why);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return STATUS_OK;
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        report_set(report, "instance-fenced",
                   "another process with the instance name \"%s\" joined group \"%s\"; this one "
                   "stops. Give each daemon "
                   "its own kafka.instance",
                   handle->options->instance, handle->options->group);
        return STATUS_FENCED;
    }
    report_set(report, "kafka-fatal", "Kafka client is dead: %s (%s); making a new one", why,
               rd_kafka_err2name(err));
    return STATUS_FATAL;
}

void kafka_handle_problem(struct kafka_handle *handle, struct report *report)
{
    if (!handle->problem.code[0])
        return;
    report_set(report, handle->problem.code, "%s", handle->problem.text);
    handle->problem.code[0] = '\0';
    if (strcmp(report->code, "kafka-refused") == 0)
        kafka_handle_refusal(handle, report); /* the certificate's words, when there are some */
}

static void *destroy(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

void kafka_handle_close(struct kafka_handle *handle, int timeout_ms)
{
    struct timespec until;
    pthread_t thread;

    if (!handle->rk)
        return;
    if (pthread_create(&thread, NULL, destroy, handle->rk) != 0) {
        (void)destroy(handle->rk); /* no thread to spare: then wait */
    } else {
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
            (void)pthread_detach(thread);
            handle->abandoned = true;
            if (handle->options->log.line)
                handle->options->log.line(
                    handle->options->log.self, LOG_WARNING, "CLOSE",
                    "a Kafka client would not end in time; left to the process's end");
        }
    }
    handle->rk = NULL;
}
