/* control_log: reading one partition's control records in order of their numbers, a window at a
 * time, so that a rebuild over years of ticks needs no more memory than a restart. */
#ifndef LC_PIPELINE_CONTROL_LOG_H
#define LC_PIPELINE_CONTROL_LOG_H

#include "pipeline/position_codec.h"
#include "pipeline/source.h"

#define CONTROL_WINDOW 128 /* records read at a time */

struct control_log {
    struct arena arena; /* of the window */
    int32_t partition;
    int64_t from; /* control-topic offset to read on from */
    struct record *window;
    size_t count, next;
    bool at_end; /* after a RETRY: everything visible was read; else there was no answer */
    int64_t low; /* log start of the control partition at the last read */
};

void control_log_init(struct control_log *log, int32_t partition);
void control_log_fini(struct control_log *log); /* accepts zeroed */
/* Forget the window; read on from `from`. */
void control_log_seek(struct control_log *log, int64_t from);
/* The next record, without consuming it; spans live until the call after control_log_skip.
 * *ret_offset: where it is. RETRY: none is visible now, or the broker does not answer. GONE: a
 * record of the log cannot be read (report). */
enum status control_log_peek(struct control_log *log, struct source *source,
                             struct control_record *ret_record, int64_t *ret_offset,
                             struct report *report) LC_CHECKED;
void control_log_skip(struct control_log *log);
/* Record number `number`, skipping older ones. RETRY, GONE as above; GONE also when the log begins
 * after it. Not consumed. */
enum status control_log_find(struct control_log *log, struct source *source, int64_t number,
                             struct control_record *ret_record, int64_t *ret_offset,
                             struct report *report) LC_CHECKED;

#endif
