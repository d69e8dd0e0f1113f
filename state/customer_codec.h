/* customer_codec: struct customer and struct ledger ↔ bytes. Versioned MessagePack: an array
 * [version, due_ms, …] with sparse groups, written with msgpack-c, read with the bounded cursor
 * base/mp.h (Redis content may be damaged). Every version ever written stays readable;
 * docs/FORMATS.md lists them. */
#ifndef LC_STATE_CUSTOMER_CODEC_H
#define LC_STATE_CUSTOMER_CODEC_H

#include "base/arena.h"
#include "model/customer.h"
#include "model/ledger.h"

/* The newest version this build writes. A record is of the lowest version that can hold it, so that
 * an older build reads whatever makes no use of what came later. */
#ifdef LC_FOLD_NEXT
#define CUSTOMER_RECORD_VERSION 2
#else
#define CUSTOMER_RECORD_VERSION 1
#endif
#define CUSTOMER_RECORD_MAX 4096 /* bytes; asserted by construction */
#define LEDGER_RECORD_MAX   (16 + LEDGER_ORDERS_MAX * 8 + LEDGER_EVENTS_MAX * 8 + PREVIOUS_BYTES_MAX)

/* Into the arena. FULL: arena. */
enum status customer_encode(const struct customer *customer, struct arena *arena,
                            struct span *ret_record) LC_CHECKED;
/* REJECT with a constant reason: damaged, or of a version this build does not know: then the reason
 * is customer_record_newer, and the record is none to be given up. Then
 * *ret_customer is undefined. */
extern const char customer_record_newer[];
enum status customer_decode(struct span record, struct customer *ret_customer,
                            const char **ret_why) LC_CHECKED;
/* due_ms without decoding the rest; INT64_MIN when damaged (sweep it and find out). */
int64_t customer_peek_due(struct span record);

enum status ledger_encode(const struct ledger *ledger, struct arena *arena,
                          struct span *ret_record) LC_CHECKED;
/* Memory from the arena, with room for `extra` more of each kind (the events of the batch). An
 * absent or empty record is an empty ledger. FULL: arena. */
enum status ledger_decode(struct span record, uint32_t extra, struct arena *arena,
                          struct ledger *ret_ledger, const char **ret_why) LC_CHECKED;

#endif
