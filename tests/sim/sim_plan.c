/* sim_plan: see the header. */
#include "tests/sim/sim_plan.h"

#include <stdio.h>
#include <string.h>

void sim_plan_write(const struct sim_plan *plan, char ret_text[SIM_PLAN_TEXT_MAX])
{
    size_t len = 0;
    ret_text[0] = '\0';
    if (plan->events > 0)
        len = (size_t)snprintf(ret_text, SIM_PLAN_TEXT_MAX, "events:%u", plan->events);
    for (uint32_t i = 0; i < plan->count && len + 80 < SIM_PLAN_TEXT_MAX; i++)
        len += (size_t)snprintf(ret_text + len, SIM_PLAN_TEXT_MAX - len, "%s%s:%u:%lld:%u",
                                len > 0 ? "," : "", sim_fault_label(plan->at[i].kind),
                                plan->at[i].nth, (long long)plan->at[i].ms, plan->at[i].choice);
}

bool sim_plan_read(const char *text, struct sim_plan *ret_plan)
{
    char label[32];
    int used = 0;
    ret_plan->count = ret_plan->events = 0;
    if (sscanf(text, "events:%u%n", &ret_plan->events, &used) == 1)
        text += used + (text[used] == ',');
    while (*text != '\0' && *text != '\n') {
        struct sim_fault fault = {.kind = 0};
        long long ms = 0;
        if (ret_plan->count == SIM_PLAN_MAX || sscanf(text, "%31[a-z-]:%u:%lld:%u%n", label,
                                                      &fault.nth, &ms, &fault.choice, &used) != 4)
            return false;
        fault.ms = ms;
        while (fault.kind < SIM_FAULTS && strcmp(sim_fault_label(fault.kind), label) != 0)
            fault.kind++;
        if (fault.kind == SIM_FAULTS)
            return false;
        ret_plan->at[ret_plan->count++] = fault;
        text += used;
        text += *text == ',';
    }
    return true;
}
