// Fleet, soaks: how long a policy has what ran looked at.
#include "trust/fleet.h"

#include <string.h>

uint64_t
dr_fleet_wave_soak_s(const Drover__V1__Environment *policy)
{
    uint64_t soak = policy->wave_soak_s;
    for (size_t i = 0; policy->wave_soak_s == 0 && i < policy->n_gates; i++) {
        const Drover__V1__Gate *gate = policy->gates[i];
        if (gate->kind == DROVER__V1__GATE_KIND__GATE_STAGED && gate->soak_s > soak) {
            soak = gate->soak_s;
        }
    }
    return soak;
}

uint64_t
dr_fleet_last_soak_s(const Drover__V1__Environment *policy)
{
    uint64_t soak = dr_fleet_wave_soak_s(policy);
    for (size_t i = 0; i < policy->n_gates; i++) {
        const Drover__V1__Gate *gate = policy->gates[i];
        if (gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED && gate->after &&
            strcmp(gate->from_environment, policy->name) == 0 && gate->soak_s > soak) {
            soak = gate->soak_s;
        }
    }
    return soak;
}
