/* backup_inner: what the writer and the reader of a backup file share. */
#ifndef LC_CTL_BACKUP_INNER_H
#define LC_CTL_BACKUP_INNER_H

#include "ctl/backup_file.h"

#define BACKUP_MAGIC      "lifecycled backup 1\n"
#define BACKUP_FRAME      12 /* bytes before each payload */
#define BACKUP_NUMBERS    19 /* integers of the head */
#define BACKUP_HEAD_ITEMS (3 + BACKUP_NUMBERS + 2)

enum { BACKUP_HEAD, BACKUP_BUCKETS, BACKUP_END };

static inline void backup_frame_pack(unsigned char frame[BACKUP_FRAME], uint32_t len, uint64_t hash)
{
    for (int i = 0; i < 4; i++)
        frame[i] = (unsigned char)(len >> 8 * i);
    for (int i = 0; i < 8; i++)
        frame[4 + i] = (unsigned char)(hash >> 8 * i);
}

static inline void backup_frame_unpack(const unsigned char frame[BACKUP_FRAME], uint32_t *ret_len,
                                       uint64_t *ret_hash)
{
    *ret_len = 0;
    *ret_hash = 0;
    for (int i = 0; i < 4; i++)
        *ret_len |= (uint32_t)frame[i] << 8 * i;
    for (int i = 0; i < 8; i++)
        *ret_hash |= (uint64_t)frame[4 + i] << 8 * i;
}

#endif
