/* record: one Kafka record as the pipeline sees it. Borrowed from the source's batch. */
#ifndef LC_PIPELINE_RECORD_H
#define LC_PIPELINE_RECORD_H

#include <stdint.h>

#include "base/span.h"

#define RECORD_HEADERS_MAX 64

struct header {
    struct span name, value; /* value absent: null */
};

struct record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;   /* of the record (create or append time) */
    struct span key, value; /* absent: null */
    void *impl;             /* the source's, for source_headers() */
};

#endif
