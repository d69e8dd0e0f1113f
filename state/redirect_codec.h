/* redirect_codec: the record of an id that has become another customer (Alias). A form of its own,
 * told from a customer's by its number of items: MessagePack [version, into, now, erased, erased
 * offset, episodes, alerts, previous]. */
#ifndef LC_STATE_REDIRECT_CODEC_H
#define LC_STATE_REDIRECT_CODEC_H

#include "base/arena.h"
#include "base/mp.h"
#include "model/customer.h"

#define REDIRECT_RECORD_VERSION 1
#define REDIRECT_ITEMS          8

enum status redirect_encode(const struct customer *customer, struct arena *arena,
                            struct span *ret_record) LC_CHECKED;
/* The rest of the record behind its array header and version. A fault of the reader: malformed. */
void redirect_read(struct mp_reader *reader, struct customer *ret_customer);

#endif
