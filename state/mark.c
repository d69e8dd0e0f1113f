#include "state/mark.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/must.h"

static void hmac(struct span key, struct span text, unsigned char ret_digest[EVP_MAX_MD_SIZE])
{
    unsigned len = 0;

    MUST(HMAC(EVP_sha256(), key.len > 0 ? key.at : "", (int)key.len, (const unsigned char *)text.at,
              text.len, ret_digest, &len) != NULL);
    MUST(len == MARK_KEY_BYTES);
}

void mark_key_make(struct span secret, const char *app, struct mark_key *ret_key)
{
    unsigned char inner[EVP_MAX_MD_SIZE], digest[EVP_MAX_MD_SIZE];

    hmac(secret, SPAN_LITERAL("lifecycled erasure marks 1"), inner);
    hmac((struct span){(const char *)inner, MARK_KEY_BYTES}, span_of(app), digest);
    memcpy(ret_key->bytes, digest, MARK_KEY_BYTES);
}

void mark_name(const struct mark_key *key, struct span customer, char ret_name[MARK_NAME_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    hmac((struct span){(const char *)key->bytes, MARK_KEY_BYTES}, customer, digest);
    ret_name[0] = MARK_LEAD;
    memcpy(ret_name + 1, digest, MARK_NAME_BYTES - 1);
}
