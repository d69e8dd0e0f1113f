/* worker_crash: where a test takes over at the named points of the protocol (worker.h). */
#include "pipeline/worker.h"

void (*worker_crash_point)(const char *name);
