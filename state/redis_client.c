/* The data connection by hiredis. What hiredis does here: connecting, the TLS of redis_tls.c,
 * reading and the reply grammar. What it does not: commands are formatted straight into one output
 * buffer, and replies are built as struct redis_value in an arena (hiredis calls the functions
 * below for each element), so that a pipeline of ten thousand commands allocates nothing once
 * buffer and arena have grown to it. */
#include "state/redis_client.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/arena.h"
#include "base/must.h"
#include "state/redis_sentinel.h"
#include "state/redis_tls.h"

#define REPLIES_MAX ((size_t)1 << 30) /* bytes of the replies between two `forget` */
#define OUTPUT_KEEP ((size_t)8 << 20) /* an output buffer that grew beyond this is given back */

struct redis_client {
    const struct redis_client_options *options;
    struct redis_place place;        /* port 0: unix socket, its path in host */
    char where[REDIS_HOST_MAX + 32]; /* the same in words */
    struct redis_sentinel *sentinel; /* NULL: the place is fixed */
    redisContext *context;
    struct redis_tls *tls;
    uint64_t connections;
    size_t queued, unanswered; /* commands not sent; sent */
    bool readonly;             /* this server refused a write as a replica */
    char *out;
    size_t out_len, out_cap;
    bool starved; /* something queued found no memory: nothing of it may be sent */
    struct arena replies;
};

/* --- replies: called by hiredis for each element --- */

/* Where an element goes: its place in the array that holds it, or a value of its own. */
static struct redis_value *place(const redisReadTask *task)
{
    struct redis_client *client = task->privdata;

    if (task->parent) {
        const struct redis_value *array = task->parent->obj;

        return (struct redis_value *)(uintptr_t)&array->items[task->idx];
    }
    return arena_alloc(&client->replies, sizeof(struct redis_value));
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
    struct redis_client *client = task->privdata;
    struct redis_value *value = place(task);
    const char *copy = arena_copy(&client->replies, text, len);

    if (!value || !copy)
        return NULL;
    *value = (struct redis_value){.type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                                          : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                                             : REDIS_BULK,
                                  .text = {copy, len}};
    return value;
}

static void *array_of(const redisReadTask *task, size_t count)
{
    struct redis_client *client = task->privdata;
    struct redis_value *value = place(task);
    struct redis_value *items;

    if (count > REPLIES_MAX / sizeof *items)
        return NULL;
    items = arena_zalloc(&client->replies, (count + 1) * sizeof *items);
    if (!value || !items)
        return NULL;
    *value = (struct redis_value){.type = REDIS_ARRAY, .items = items, .count = count};
    return value;
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t count)
{
    return array_of(task, count);
}
#else
static void *make_array(const redisReadTask *task, int count)
{
    return count < 0 ? NULL : array_of(task, (size_t)count);
}
#endif

static void *make_integer(const redisReadTask *task, long long integer)
{
    struct redis_value *value = place(task);

    if (value)
        *value = (struct redis_value){.type = REDIS_INT, .integer = integer};
    return value;
}

static void *make_nil(const redisReadTask *task)
{
    struct redis_value *value = place(task);

    if (value)
        *value = (struct redis_value){.type = REDIS_NIL};
    return value;
}

static void free_value(void *value)
{
    (void)value; /* the arena's */
}

static redisReplyObjectFunctions functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = free_value,
};

/* --- the connection --- */

static void disconnect(struct redis_client *client)
{
    if (client->context)
        redisFree(client->context);
    client->context = NULL;
    client->out_len = 0;
    client->queued = client->unanswered = 0;
    client->readonly = false;
}

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static enum status away(struct redis_client *client, const char *what, const char *why,
                        struct report *report)
{
    report_set(report, "redis-away", "Redis at %s: %s: %s; it is tried again", client->where, what,
               why);
    disconnect(client);
    return STATUS_RETRY;
}

/* `lost` is true for a timeout as well: the answer may still come, so the connection is of no use
 * any more. */
static enum status broke(struct redis_client *client, const char *what, struct report *report)
{
    const redisContext *context = client->context;
    bool timeout = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    char why[160];

    snprintf(why, sizeof why, "%s",
             timeout ? "no answer within the command timeout" : context->errstr);
    return away(client, what, why, report);
}

/* Write everything; SIGPIPE never reaches the process. */
static bool write_plain(struct redis_client *client)
{
    size_t sent = 0;

    while (sent < client->out_len) {
        ssize_t count =
            send(client->context->fd, client->out + sent, client->out_len - sent, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            client->context->err = REDIS_ERR_IO;
            snprintf(client->context->errstr, sizeof client->context->errstr, "%s",
                     strerror(errno));
            return false;
        }
        sent += (size_t)count;
    }
    return true;
}

/* TLS writes through hiredis, which writes to the socket plainly: SIGPIPE is held back meanwhile.
 */
static bool write_tls(struct redis_client *client)
{
    sigset_t pipe, before, pending;
    bool good;
    int done = 0;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    good = redisAppendFormattedCommand(client->context, client->out, client->out_len) == REDIS_OK;
    while (good && !done)
        good = redisBufferWrite(client->context, &done) == REDIS_OK;
    if (!good && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

static enum status flush(struct redis_client *client, struct report *report)
{
    if (client->starved) {
        report_set(report, "memory", "no memory for what is to be sent to Redis");
        disconnect(client);
        return STATUS_RETRY;
    }
    bool good = client->tls ? write_tls(client) : write_plain(client);

    if (!good)
        return broke(client, "write", report);
    client->out_len = 0;
    if (client->out_cap > OUTPUT_KEEP) {
        free(client->out);
        client->out = NULL;
        client->out_cap = 0;
    }
    return STATUS_OK;
}

static enum status next_reply(struct redis_client *client, const struct redis_value **ret_value,
                              struct report *report)
{
    void *value = NULL;

    for (;;) {
        if (redisGetReplyFromReader(client->context, &value) != REDIS_OK)
            return broke(client, "reply", report);
        if (value)
            break;
        errno = 0;
        if (redisBufferRead(client->context) != REDIS_OK)
            return broke(client, "read", report);
    }
    *ret_value = value;
    return STATUS_OK;
}

/* --- formatting: "*2\r\n$4\r\nPING\r\n..." --- */

static bool out_room(struct redis_client *client, size_t more)
{
    size_t cap = (client->out_len + more) * 2;
    char *out;

    if (client->starved)
        return false;
    if (client->out_len + more <= client->out_cap)
        return true;
    out = realloc(client->out, cap);
    if (!out) {
        client->starved = true;
        return false;
    }
    client->out = out;
    client->out_cap = cap;
    return true;
}

static void out_number(struct redis_client *client, char sort, size_t number)
{
    char digits[24];
    size_t at = sizeof digits;

    digits[--at] = '\n';
    digits[--at] = '\r';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    digits[--at] = sort;
    memcpy(client->out + client->out_len, digits + at, sizeof digits - at);
    client->out_len += sizeof digits - at;
}

static void format(struct redis_client *client, size_t argc, const struct span *argv)
{
    size_t need = 24;

    for (size_t i = 0; i < argc; i++)
        need += argv[i].len + 26;
    if (!out_room(client, need))
        return;
    out_number(client, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        out_number(client, '$', argv[i].len);
        if (argv[i].len)
            memcpy(client->out + client->out_len, argv[i].at, argv[i].len);
        client->out_len += argv[i].len;
        memcpy(client->out + client->out_len, "\r\n", 2);
        client->out_len += 2;
    }
}

/* --- connecting --- */

static enum status refused(struct redis_client *client, struct span error, struct report *report)
{
    const char *user = client->options->username ? client->options->username : "default";
    int len = (int)(error.len < 120 ? error.len : 120);
    static const char crowded[] = "ERR max number of clients";

    if (error.len >= sizeof crowded - 1 && !memcmp(error.at, crowded, sizeof crowded - 1))
        return away(client, "connect", "it has its maximum of clients (maxclients)", report);
    report_set(report, "redis-auth",
               "Redis at %s refuses user '%s' or database %d: %.*s; check redis.username, the "
               "password file and "
               "redis.database",
               client->where, user, client->options->database, len, error.at);
    disconnect(client);
    return STATUS_REJECT;
}

/* AUTH and SELECT, the first commands of a connection. What the caller has queued waits behind
 * them. */
static enum status introduce(struct redis_client *client, struct report *report)
{
    const struct redis_client_options *options = client->options;
    char database[16];
    int len = snprintf(database, sizeof database, "%d", options->database);
    struct span auth[3] = {SPAN_LITERAL("AUTH")};
    size_t argc = 1, count = 0;
    enum status status;

    if (options->username)
        auth[argc++] = span_of(options->username);
    if (options->password)
        auth[argc++] = span_of(options->password);
    if (options->password) {
        format(client, argc, auth);
        count++;
    }
    if (options->database != 0) {
        format(client, 2, (struct span[]){SPAN_LITERAL("SELECT"), {database, (size_t)len}});
        count++;
    }
    if (count == 0)
        return STATUS_OK;
    status = flush(client, report);
    for (; status == STATUS_OK && count > 0; count--) {
        const struct redis_value *value;

        status = next_reply(client, &value, report);
        if (status == STATUS_OK && value->type == REDIS_ERROR)
            status = refused(client, value->text, report);
    }
    return status;
}

/* A connection, encrypted where asked for. */
static enum status reach(struct redis_client *client, struct report *report)
{
    struct timeval patience = timeval_of(client->options->connect_timeout_ms);
    enum status status = STATUS_OK;

    client->context =
        client->place.port
            ? redisConnectWithTimeout(client->place.host, client->place.port, patience)
            : redisConnectUnixWithTimeout(client->place.host, patience);
    if (!client->context || client->context->err) {
        char why[160];

        snprintf(why, sizeof why, "%s",
                 client->context ? client->context->errstr : "out of memory");
        status = away(client, "connect", why, report);
    }
    if (status == STATUS_OK) {
        client->context->reader->fn = &functions;
        client->context->reader->privdata = client;
        if (client->place.port)
            redisEnableKeepAlive(client->context);
    }
    /* A server that does not speak TLS may wait for us as we wait for it. */
    if (status == STATUS_OK && redisSetTimeout(client->context, patience) != REDIS_OK)
        status = away(client, "connect", "cannot set the connect timeout", report);
    if (status == STATUS_OK && client->tls)
        status = redis_tls_start(client->tls, client->context, report);
    if (status == STATUS_OK &&
        redisSetTimeout(client->context, timeval_of(client->options->command_timeout_ms)) !=
            REDIS_OK)
        status = away(client, "connect", "cannot set the command timeout", report);
    return status;
}

/* Sentinel's word is not enough: it may be slow to notice, and a primary that comes back is one
 * until Sentinel has told it otherwise. */
static enum status expect_primary(struct redis_client *client, struct report *report)
{
    const struct redis_value *value, *role;
    enum status status;

    format(client, 1, (struct span[]){SPAN_LITERAL("ROLE")});
    status = flush(client, report);
    if (status == STATUS_OK)
        status = next_reply(client, &value, report);
    if (status != STATUS_OK)
        return status;
    if (value->type == REDIS_ERROR)
        return away(client, "ROLE", "refused; load deploy/redis/lifecycled.acl", report);
    role = value->type == REDIS_ARRAY && value->count > 0 ? value->items : NULL;
    if (role && role->type == REDIS_BULK && span_is(role->text, "master"))
        return STATUS_OK;
    report_set(report, "redis-replica",
               "Redis at %s is what Sentinel calls the primary of '%s', but it says it is none (a "
               "failover?); Sentinel is asked again",
               client->where, client->options->master);
    disconnect(client);
    return STATUS_RETRY;
}

static void set_where(struct redis_client *client)
{
    snprintf(client->where, sizeof client->where, "%s:%d", client->place.host, client->place.port);
}

static enum status refuse_plaintext(struct redis_client *client, struct report *report)
{
    report_set(report, "redis-plaintext",
               "Redis at %s is remote and TLS is off: customers and the password would travel in "
               "the clear. Set redis.tls, or redis.allow_plaintext where the network is private",
               client->where);
    return STATUS_REJECT;
}

static bool may_be_plain(const struct redis_client *client)
{
    return client->options->tls || client->options->allow_plaintext || client->place.port == 0 ||
           redis_place_is_local(&client->place);
}

static enum status connect_now(struct redis_client *client, struct report *report)
{
    char *queued_out = client->out; /* set aside: AUTH goes first */
    size_t queued_len = client->out_len, queued_cap = client->out_cap, queued = client->queued;
    enum status status = STATUS_OK;

    client->out = NULL;
    client->out_len = client->out_cap = 0;
    if (client->sentinel) {
        status = redis_sentinel_find(client->sentinel, &client->place, report);
        if (status == STATUS_OK)
            set_where(client);
        if (status == STATUS_OK && !may_be_plain(client))
            status = refuse_plaintext(client, report);
    }
    if (status == STATUS_OK)
        status = reach(client, report);
    if (status == STATUS_OK)
        status = introduce(client, report);
    if (status == STATUS_OK && client->sentinel)
        status = expect_primary(client, report);
    if (status != STATUS_OK)
        disconnect(client);
    else
        client->connections++;
    /* Who is refused now may come in later: a secret that is being rotated, a certificate that is
     * replaced. So nobody has to give up for it. */
    if (status == STATUS_REJECT)
        status = STATUS_RETRY;
    free(client->out);
    client->out = queued_out;
    client->out_len = queued_len;
    client->out_cap = queued_cap;
    client->queued = queued;
    return status;
}

/* --- the port --- */

static void port_queue(void *self, size_t argc, const struct span *argv)
{
    struct redis_client *client = self;

    format(client, argc, argv);
    client->queued++;
}

static enum status port_send(void *self, struct report *report)
{
    struct redis_client *client = self;
    enum status status = client->context ? STATUS_OK : connect_now(client, report);

    if (status == STATUS_OK)
        status = flush(client, report);
    if (status == STATUS_OK)
        client->unanswered += client->queued;
    else
        client->out_len = 0;
    client->queued = 0;
    client->starved = false;
    return status;
}

static bool is_readonly(const struct redis_value *value)
{
    static const char word[] = "READONLY ";

    return value->type == REDIS_ERROR && value->text.len >= sizeof word - 1 &&
           !memcmp(value->text.at, word, sizeof word - 1);
}

static enum status port_reply(void *self, const struct redis_value **ret_value,
                              struct report *report)
{
    struct redis_client *client = self;
    enum status status;

    MUST(client->context); /* after a broken connection there is nothing to wait for */
    status = next_reply(client, ret_value, report);
    if (status != STATUS_OK)
        return status;
    client->unanswered -= client->unanswered > 0;
    client->readonly = client->readonly || is_readonly(*ret_value);
    /* The primary has become a replica: the next connect finds the new one. Not before the last
     * answer, which the caller waits for. */
    if (client->readonly && client->unanswered == 0)
        disconnect(client);
    return STATUS_OK;
}

static void port_forget(void *self)
{
    struct redis_client *client = self;

    arena_reset(&client->replies);
}

static uint64_t port_connection(void *self)
{
    struct redis_client *client = self;

    return client->context ? client->connections : 0;
}

static void port_close(void *self)
{
    disconnect(self);
}

/* --- opening --- */

static enum status bad_address(const struct redis_client_options *options, struct report *report)
{
    report_set(report, "redis-address",
               "redis.address '%s' is neither unix:/path nor host:port (an IPv6 address in "
               "brackets: [::1]:6379)",
               options->address);
    return STATUS_REJECT;
}

static enum status parse_address(struct redis_client *client, struct report *report)
{
    const char *address = client->options->address;

    snprintf(client->where, sizeof client->where, "%s", address);
    if (!strncmp(address, "unix:", 5)) {
        if (address[5] != '/' || strlen(address + 5) >= 104) /* sun_path */
            return bad_address(client->options, report);
        snprintf(client->place.host, sizeof client->place.host, "%s", address + 5);
        return STATUS_OK;
    }
    if (redis_place_parse(span_of(address), &client->place) != STATUS_OK)
        return bad_address(client->options, report);
    return may_be_plain(client) ? STATUS_OK : refuse_plaintext(client, report);
}

enum status redis_client_open(const struct redis_client_options *options,
                              struct redis_client **ret_client, struct report *report)
{
    struct redis_client *client = calloc(1, sizeof *client);
    enum status status;

    if (!client) {
        report_set(report, "memory", "no memory for a connection to Redis");
        return STATUS_RETRY;
    }
    client->options = options;
    arena_init(&client->replies, REPLIES_MAX);
    status = options->sentinels ? redis_sentinel_open(options, &client->sentinel, report)
                                : parse_address(client, report);
    /* The name to check follows the place: it points there. */
    if (status == STATUS_OK && options->tls)
        status = redis_tls_open(options, client->place.host, &client->tls, report);
    if (status != STATUS_OK) {
        redis_client_close(client);
        return status;
    }
    *ret_client = client;
    return STATUS_OK;
}

struct redis redis_client_port(struct redis_client *client)
{
    return (struct redis){client,      port_queue,      port_send, port_reply,
                          port_forget, port_connection, port_close};
}

void redis_client_close(struct redis_client *client)
{
    if (!client)
        return;
    disconnect(client);
    redis_tls_close(client->tls);
    redis_sentinel_close(client->sentinel);
    free(client->out);
    arena_fini(&client->replies);
    free(client);
}
