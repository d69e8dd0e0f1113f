/* hiredis encrypts but leaves the host name unchecked, so the OpenSSL session is made here: the
 * server's chain must verify and its certificate must be for the name (or address) we asked for.
 * TLS 1.2 or newer; no fallback to plaintext. */
#include "state/redis_tls.h"

#ifndef LC_HAVE_REDIS_TLS

enum status redis_tls_open(const struct redis_client_options *options, const char *host,
                           struct redis_tls **ret_tls, struct report *report)
{
    (void)options;
    (void)host;
    (void)ret_tls;
    report_set(report, "redis-tls-missing",
               "redis.tls is set, but this build's hiredis has no TLS (it needs hiredis 1.0, "
               "Debian 13): build there, or "
               "reach Redis over a unix socket, loopback or a tunnel");
    return STATUS_REJECT;
}

enum status redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                            struct report *report)
{
    (void)tls;
    (void)context;
    (void)report;
    return STATUS_REJECT;
}

void redis_tls_close(struct redis_tls *tls)
{
    (void)tls;
}

#else

#include <arpa/inet.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct redis_tls {
    SSL_CTX *context;
    const char *name; /* to check */
};

static enum status bad_file(const char *setting, const char *file, struct report *report)
{
    char why[160];

    ERR_error_string_n(ERR_get_error(), why, sizeof why);
    report_set(report, "redis-tls-file", "%s '%s' cannot be used: %s", setting, file, why);
    return STATUS_REJECT;
}

static enum status load_files(SSL_CTX *context, const struct redis_client_options *options,
                              struct report *report)
{
    if (options->tls_ca_file) {
        if (SSL_CTX_load_verify_locations(context, options->tls_ca_file, NULL) != 1)
            return bad_file("redis.tls_ca_file", options->tls_ca_file, report);
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
        return bad_file("the system's CA", "", report);
    }
    if (options->tls_cert_file &&
        SSL_CTX_use_certificate_chain_file(context, options->tls_cert_file) != 1)
        return bad_file("redis.tls_cert_file", options->tls_cert_file, report);
    if (options->tls_key_file &&
        SSL_CTX_use_PrivateKey_file(context, options->tls_key_file, SSL_FILETYPE_PEM) != 1)
        return bad_file("redis.tls_key_file", options->tls_key_file, report);
    return STATUS_OK;
}

enum status redis_tls_open(const struct redis_client_options *options, const char *host,
                           struct redis_tls **ret_tls, struct report *report)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);
    enum status status = STATUS_REJECT;

    if (tls)
        tls->context = SSL_CTX_new(TLS_client_method());
    if (tls && tls->context) {
        tls->name = options->tls_server_name ? options->tls_server_name : host;
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
        SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
        status = load_files(tls->context, options, report);
    } else {
        report_set(report, "redis-tls-file", "OpenSSL does not start");
    }
    if (status != STATUS_OK) {
        redis_tls_close(tls);
        return status;
    }
    *ret_tls = tls;
    return STATUS_OK;
}

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

enum status redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                            struct report *report)
{
    SSL *ssl = SSL_new(tls->context);
    bool named;
    long verdict;

    if (!ssl) {
        report_set(report, "redis-away", "TLS to Redis: out of memory");
        return STATUS_RETRY;
    }
    if (is_address(tls->name))
        named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls->name) == 1;
    else
        named = SSL_set1_host(ssl, tls->name) == 1 && SSL_set_tlsext_host_name(ssl, tls->name) == 1;
    if (!named) {
        SSL_free(ssl);
        report_set(report, "redis-tls-name", "'%s' is no name to check a certificate against",
                   tls->name);
        return STATUS_REJECT;
    }
    if (redisInitiateSSL(context, ssl) == REDIS_OK)
        return STATUS_OK; /* it is the context's now */
    /* A session that hiredis could not start stays the caller's (hiredis 1.0 to 1.2). */
    verdict = SSL_get_verify_result(ssl);
    SSL_free(ssl);
    if (verdict != X509_V_OK) {
        report_set(report, "redis-tls-certificate",
                   "the certificate of Redis ('%s') is not accepted: %s", tls->name,
                   X509_verify_cert_error_string(verdict));
        return STATUS_REJECT;
    }
    report_set(report, "redis-away", "TLS to Redis: %s", context->errstr);
    return STATUS_RETRY;
}

void redis_tls_close(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

#endif
