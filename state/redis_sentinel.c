/* A fresh connection for each question: it is asked once a connection to Redis. Plain hiredis
 * replies; TLS and its checks are those of the data connection (redis_tls.c). */
#include "state/redis_sentinel.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "base/must.h"
#include "base/text.h"
#include "state/redis_tls.h"

struct redis_sentinel {
    const struct redis_client_options *options;
    struct redis_place list[REDIS_SENTINELS_MAX];
    bool down[REDIS_SENTINELS_MAX]; /* did not answer last time: asked last */
    size_t count;
    int64_t epoch; /* newest that was taken */
};

struct answer {
    struct redis_place primary;
    int64_t epoch;
};

/* --- the list --- */

enum status redis_place_parse(struct span text, struct redis_place *ret_place)
{
    struct redis_place place = {.port = 0};
    bool bracket = text.len > 0 && text.at[0] == '[';
    size_t len = text.len;
    int64_t port;

    while (len > 0 && text.at[len - 1] != ':')
        len--;
    if (len < 2 ||
        text_i64_parse((struct span){text.at + len, text.len - len}, &port) != STATUS_OK ||
        port < 1 || port > 65535)
        return STATUS_REJECT;
    len--; /* the colon */
    if (bracket && (len < 3 || text.at[len - 1] != ']'))
        return STATUS_REJECT;
    if (bracket)
        len -= 2;
    if (len >= sizeof place.host || (!bracket && memchr(text.at, ':', len)) ||
        memchr(text.at, '/', len))
        return STATUS_REJECT;
    memcpy(place.host, text.at + bracket, len);
    place.port = (int)port;
    *ret_place = place;
    return STATUS_OK;
}

bool redis_place_is_local(const struct redis_place *place)
{
    unsigned char bytes[4];

    if (!strcmp(place->host, "localhost") || !strcmp(place->host, "::1"))
        return true;
    return inet_pton(AF_INET, place->host, bytes) == 1 && bytes[0] == 127;
}

static enum status read_list(struct redis_sentinel *sentinel, struct report *report)
{
    const struct redis_client_options *options = sentinel->options;

    for (const char *at = options->sentinels;; at++) {
        struct span text = {at, strcspn(at, ",")};

        at += text.len;
        while (text.len > 0 && text.at[0] == ' ')
            text = (struct span){text.at + 1, text.len - 1};
        if (sentinel->count == REDIS_SENTINELS_MAX ||
            redis_place_parse(text, &sentinel->list[sentinel->count]) != STATUS_OK) {
            report_set(report, "redis-address",
                       "redis.sentinels '%s' is no list of host:port, separated by commas (at most "
                       "%d; an IPv6 address in brackets)",
                       options->sentinels, REDIS_SENTINELS_MAX);
            return STATUS_REJECT;
        }
        if (!options->tls && !options->allow_plaintext &&
            !redis_place_is_local(&sentinel->list[sentinel->count])) {
            report_set(report, "redis-plaintext",
                       "the Sentinel %.*s is remote and TLS is off: set redis.tls, or "
                       "redis.allow_plaintext where the network is private",
                       (int)text.len, text.at);
            return STATUS_REJECT;
        }
        sentinel->count++;
        if (!*at)
            return STATUS_OK;
    }
}

enum status redis_sentinel_open(const struct redis_client_options *options,
                                struct redis_sentinel **ret_sentinel, struct report *report)
{
    struct redis_sentinel *sentinel = calloc(1, sizeof *sentinel);
    enum status status;

    MUST(options->master);
    if (!sentinel) {
        report_set(report, "memory", "no memory for the Sentinels");
        return STATUS_RETRY;
    }
    sentinel->options = options;
    sentinel->epoch = -1;
    status = read_list(sentinel, report);
    if (status != STATUS_OK) {
        redis_sentinel_close(sentinel);
        return status;
    }
    *ret_sentinel = sentinel;
    return STATUS_OK;
}

void redis_sentinel_close(struct redis_sentinel *sentinel)
{
    free(sentinel);
}

/* --- one question --- */

static enum status silent(const struct redis_place *place, const char *why, struct report *report)
{
    report_set(report, "redis-sentinel-away", "the Sentinel %s:%d does not answer: %s", place->host,
               place->port, why);
    return STATUS_RETRY;
}

static enum status refused(const struct redis_sentinel *sentinel, const struct redis_place *place,
                           const redisReply *reply, struct report *report)
{
    report_set(report, "redis-sentinel-refused",
               "the Sentinel %s:%d refuses (master '%s'): %.120s; check redis.master and "
               "redis.sentinel_password_file",
               place->host, place->port, sentinel->options->master, reply->str);
    return STATUS_REJECT;
}

/* The reply to one command, to be freed; NULL with *ret_status and words. */
static redisReply *ask(const struct redis_sentinel *sentinel, const struct redis_place *place,
                       redisContext *context, int argc, const char **argv, enum status *ret_status,
                       struct report *report)
{
    redisReply *reply = redisCommandArgv(context, argc, argv, NULL);

    *ret_status = STATUS_OK;
    if (!reply)
        *ret_status = silent(place, context->errstr, report);
    else if (reply->type == REDIS_REPLY_ERROR)
        *ret_status = refused(sentinel, place, reply, report);
    if (*ret_status == STATUS_OK)
        return reply;
    if (reply)
        freeReplyObject(reply);
    return NULL;
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* configuration epoch among the names and values of SENTINEL MASTER; −1: not told. */
static int64_t epoch_of(const redisReply *reply)
{
    int64_t epoch;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];

        if (is_text(name) && is_text(value) && !strcmp(name->str, "config-epoch") &&
            text_i64_parse((struct span){value->str, value->len}, &epoch) == STATUS_OK)
            return epoch;
    }
    return -1;
}

/* The epoch is asked for on both sides of the address, and must be the same: the failover may end
 * in between. */
static enum status question(const struct redis_sentinel *sentinel, const struct redis_place *place,
                            redisContext *context, struct answer *ret_answer, struct report *report)
{
    const char *master = sentinel->options->master;
    const char *address[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master};
    const char *state[] = {"SENTINEL", "MASTER", master};
    struct answer answer = {.epoch = -1};
    enum status status = STATUS_OK;

    for (int i = 0; status == STATUS_OK && i < 3; i++) {
        redisReply *reply =
            ask(sentinel, place, context, 3, i == 1 ? address : state, &status, report);

        if (!reply)
            break;
        if (i == 0) {
            answer.epoch = epoch_of(reply);
        } else if (i == 2) {
            if (epoch_of(reply) != answer.epoch)
                status = silent(place, "a failover is going on", report);
        } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                   is_text(reply->element[0]) && is_text(reply->element[1]) &&
                   reply->element[0]->len < sizeof answer.primary.host) {
            int64_t port = 0;

            snprintf(answer.primary.host, sizeof answer.primary.host, "%s", reply->element[0]->str);
            if (text_i64_parse(span_of(reply->element[1]->str), &port) == STATUS_OK && port > 0 &&
                port <= 65535)
                answer.primary.port = (int)port;
        }
        freeReplyObject(reply);
    }
    if (status == STATUS_OK && answer.primary.port == 0)
        status = silent(place, "it knows no address of the master yet", report);
    if (status == STATUS_OK)
        *ret_answer = answer;
    return status;
}

static enum status authenticate(const struct redis_sentinel *sentinel,
                                const struct redis_place *place, redisContext *context,
                                struct report *report)
{
    const struct redis_client_options *options = sentinel->options;
    const char *argv[3] = {"AUTH"};
    enum status status = STATUS_OK;
    redisReply *reply;
    int argc = 1;

    if (!options->sentinel_password)
        return STATUS_OK;
    if (options->sentinel_username)
        argv[argc++] = options->sentinel_username;
    argv[argc++] = options->sentinel_password;
    reply = ask(sentinel, place, context, argc, argv, &status, report);
    if (reply)
        freeReplyObject(reply);
    return status;
}

static enum status ask_one(const struct redis_sentinel *sentinel, const struct redis_place *place,
                           struct answer *ret_answer, struct report *report)
{
    const struct redis_client_options *options = sentinel->options;
    struct timeval patience = {.tv_sec = options->connect_timeout_ms / 1000,
                               .tv_usec = options->connect_timeout_ms % 1000 * 1000};
    redisContext *context = redisConnectWithTimeout(place->host, place->port, patience);
    struct redis_tls *tls = NULL;
    enum status status = STATUS_OK;

    if (!context || context->err)
        status = silent(place, context ? context->errstr : "out of memory", report);
    if (status == STATUS_OK && redisSetTimeout(context, patience) != REDIS_OK)
        status = silent(place, "cannot set the timeout", report);
    if (status == STATUS_OK && options->tls)
        status = redis_tls_open(options, place->host, &tls, report);
    if (status == STATUS_OK && tls)
        status = redis_tls_start(tls, context, report);
    if (status == STATUS_OK)
        status = authenticate(sentinel, place, context, report);
    if (status == STATUS_OK)
        status = question(sentinel, place, context, ret_answer, report);
    if (context)
        redisFree(context);
    redis_tls_close(tls);
    return status;
}

/* --- all of them --- */

static enum status few(const struct redis_sentinel *sentinel, size_t answers, size_t needed,
                       const struct report *last, struct report *report)
{
    report_set(report, last->code,
               "%zu of %zu Sentinels answered, %zu have to: a few alone may name the primary of "
               "yesterday. The last one: %.200s",
               answers, sentinel->count, needed, last->text);
    return STATUS_RETRY;
}

static enum status ask_all(struct redis_sentinel *sentinel, struct redis_place *ret_primary,
                           struct report *report)
{
    size_t needed = (sentinel->count + 1) / 2, answers = 0;
    bool rejected = false, before[REDIS_SENTINELS_MAX];
    struct answer best = {.epoch = -2}, answer;
    struct report last = {0};
    enum status status;

    memcpy(before, sentinel->down, sizeof before);
    for (size_t i = 0; i < 2 * sentinel->count && answers < needed; i++) {
        size_t n = i % sentinel->count;

        if (before[n] != (i >= sentinel->count))
            continue; /* those that were well come first */
        status = ask_one(sentinel, &sentinel->list[n], &answer, &last);
        sentinel->down[n] = status != STATUS_OK;
        rejected = rejected || status == STATUS_REJECT;
        if (status != STATUS_OK)
            continue;
        answers++;
        if (answer.epoch > best.epoch)
            best = answer;
    }
    if (answers < needed) {
        status = few(sentinel, answers, needed, &last, report);
        return rejected ? STATUS_REJECT : status;
    }
    if (best.epoch < sentinel->epoch) {
        report_set(report, "redis-sentinel-behind",
                   "the Sentinels that answer know configuration epoch %" PRId64
                   ", and there was %" PRId64
                   " already: they name the primary of before a failover",
                   best.epoch, sentinel->epoch);
        return STATUS_RETRY;
    }
    sentinel->epoch = best.epoch;
    *ret_primary = best.primary;
    return STATUS_OK;
}

enum status redis_sentinel_find(struct redis_sentinel *sentinel, struct redis_place *ret_primary,
                                struct report *report)
{
    sigset_t pipe, before, pending;
    enum status status;

    /* hiredis writes plainly: a Sentinel that hangs up must not end the process. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    status = ask_all(sentinel, ret_primary, report);
    if (!sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
