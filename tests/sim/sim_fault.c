/* sim_fault: see the header. */
#include "tests/sim/sim_fault.h"

static const struct {
    const char *label;
    enum sim_port port;
    int64_t ms_max;
    bool loses;
} rows[SIM_FAULTS] = {
#define X(name, label, port, ms, loses) {label, SIM_PORT_##port, ms, loses},
    SIM_FAULT_TABLE(X)
#undef X
};

const char *sim_fault_label(enum sim_fault_kind kind)
{
    return rows[kind].label;
}

const char *sim_port_label(enum sim_port port)
{
    static const char *const labels[SIM_PORTS] = {
#define X(name, label) label,
        SIM_PORT_TABLE(X)
#undef X
    };
    return labels[port];
}

enum sim_port sim_fault_port(enum sim_fault_kind kind)
{
    return rows[kind].port;
}

bool sim_fault_loses(enum sim_fault_kind kind)
{
    return rows[kind].loses;
}

int64_t sim_fault_ms_max(enum sim_fault_kind kind)
{
    return rows[kind].ms_max;
}

/* About how often a port is called in a hundred calls: so that nth falls inside the run. */
static uint32_t share_of(enum sim_port port)
{
    switch (port) {
    case SIM_PORT_ANY:
        return 100;
    case SIM_PORT_POLL:
    case SIM_PORT_REDIS_SEND:
        return 15;
    case SIM_PORT_REDIS_REPLY:
        return 40;
    default:
        return 4;
    }
}

void sim_plan_draw(struct sim_plan *plan, struct sim_random *random, uint32_t calls, bool may_lose)
{
    /* Most runs have few faults, so that a failure is easy to read; some have many. */
    uint32_t count =
        (uint32_t)sim_random_log(random, 24) - (sim_random_chance(random, 100) ? 1 : 0);
    /* A run likes some kinds: the same fault again and again finds other bugs than one of each. */
    enum sim_fault_kind liked = (enum sim_fault_kind)sim_random_below(random, SIM_FAULTS);

    plan->count = 0;
    while (plan->count < count) {
        enum sim_fault_kind kind = sim_random_chance(random, 250)
                                       ? liked
                                       : (enum sim_fault_kind)sim_random_below(random, SIM_FAULTS);
        if (rows[kind].loses && !may_lose) {
            liked = SIM_FAULT_CRASH_AFTER;
            continue;
        }
        uint32_t range = calls * share_of(rows[kind].port) / 100 + 2;
        struct sim_fault *fault = &plan->at[plan->count++];
        *fault = (struct sim_fault){
            .kind = kind,
            .nth = 1 + sim_random_below(random, range),
            .ms = rows[kind].ms_max > 0 ? sim_random_log(random, rows[kind].ms_max) : 0,
            .choice = (uint32_t)sim_random_next(random),
        };
    }
}
