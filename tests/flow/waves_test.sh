#!/bin/bash
# Waves: the policy asks for one canary of three databases, so two wait until it has shown that it succeeded.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

test_begin three_databases_and_one_canary
flow_canary_world
run 0 as alice drover policy apply policy.conf --yes
coordinator_start || wrong "droverd did not start"
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
agent_start one || wrong "the agent did not start"

test_begin the_approval_says_who_goes_first
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover rollout watch R-1 --until production=ready --timeout 60s
run 0 as alice drover approve R-1 -e production --confirm production --yes
run 0 as alice drover rollout watch R-1 --until production=applied --timeout 60s
run 0 as alice drover rollout show R-1 --output json
waves=$(printf '%s' "$OUT" | python3 -c '
import json, sys
for stage in json.load(sys.stdin)["stages"]:
    print(" ".join("%s:%d" % (t["target"][-1], t["wave"]) for t in stage["targets"]))')
same "$waves" "a:1 b:2 c:2"

test_begin the_others_were_sent_after_the_canary_had_succeeded # id: W01
run 0 as alice drover log
applied=$(printf '%s\n' "$OUT" | grep -n 'R-1 production/a .*applied' | head -n 1 | cut -d: -f1)
sent=$(printf '%s\n' "$OUT" | grep -n 'R-1 production/[bc] .*on its way' | head -n 1 | cut -d: -f1)
[ -n "$applied" ] && [ -n "$sent" ] && [ "$applied" -lt "$sent" ] || wrong "applied in line '$applied', sent in line '$sent'"

flow_end
