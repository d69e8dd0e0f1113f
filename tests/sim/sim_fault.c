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

static void add(struct sim_plan *plan, struct sim_random *random, enum sim_fault_kind kind,
                uint32_t nth)
{
    plan->at[plan->count++] = (struct sim_fault){
        .kind = kind,
        .nth = nth > 0 ? nth : 1,
        .ms = rows[kind].ms_max > 0 ? sim_random_log(random, rows[kind].ms_max) : 0,
        .choice = (uint32_t)sim_random_next(random),
    };
}

/* Redis is saved, loses everything, goes another way, and is put back to where it never was in this
 * life: what a rollback to a zombie's state looks like. Best around the moment at which parameters
 * change. */
static void add_revival(struct sim_plan *plan, struct sim_random *random, uint32_t calls,
                        uint32_t turn)
{
    uint32_t at = turn > 0 ? turn : 60 + sim_random_below(random, calls);
    uint32_t before = sim_random_below(random, 60), after = at + sim_random_below(random, 60);
    add(plan, random, SIM_FAULT_REDIS_SAVE, at > before ? at - before : 1);
    add(plan, random, SIM_FAULT_REDIS_WIPE, after);
    add(plan, random, SIM_FAULT_CRASH_AFTER, after + sim_random_below(random, 10));
    add(plan, random, SIM_FAULT_REDIS_ROLLBACK, after + 60 + sim_random_below(random, 300));
}

void sim_plan_draw(struct sim_plan *plan, struct sim_random *random, uint32_t calls, uint32_t turn,
                   bool may_lose)
{
    /* Most runs have few faults, so that a failure is easy to read; some have many. */
    uint32_t count =
        (uint32_t)sim_random_log(random, 24) - (sim_random_chance(random, 100) ? 1 : 0);
    /* A run likes some kinds: the same fault again and again finds other bugs than one of each. */
    enum sim_fault_kind liked = (enum sim_fault_kind)sim_random_below(random, SIM_FAULTS);

    plan->count = plan->events = 0;
    while (plan->count < count) {
        enum sim_fault_kind kind = sim_random_chance(random, 250)
                                       ? liked
                                       : (enum sim_fault_kind)sim_random_below(random, SIM_FAULTS);
        if (rows[kind].loses && !may_lose) {
            liked = SIM_FAULT_CRASH_AFTER;
            continue;
        }
        uint32_t range = calls * share_of(rows[kind].port) / 100 + 2;
        add(plan, random, kind, 1 + sim_random_below(random, range));
    }
    if (sim_random_chance(random, turn > 0 ? 400 : 50))
        add_revival(plan, random, calls, turn);
}
