#!/bin/bash
# Probes: the wave behind the canary goes after the canary has soaked and its agent has signed that the probe passed.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

test_begin a_probe_of_the_signed_policy
flow_canary_world "INSERT INTO users VALUES (1);"
sed -i '/^ *wave_soak/d' policy.conf
sed -i 's/^environment.*{/&\n    wave_soak = "2s"\n    probe "users" { engine = sqlite sql = "SELECT count(*) FROM users" most = "0" every = "1s" }/' policy.conf
run 0 as alice drover policy apply policy.conf --yes
coordinator_start || wrong "droverd did not start"
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
agent_start one || wrong "the agent did not start"

test_begin production_is_applied_wave_by_wave
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover rollout watch R-1 --until production=ready --timeout 60s
run 0 as alice drover approve R-1 -e production --confirm production --yes
paused() {
    as alice drover rollout show R-1 --output json | grep -q "did not pass: 1"
}
wait_until 40 paused || wrong "the probe did not pause the rollout"

test_begin nobody_promotes_past_a_probe_that_did_not_pass # id: G7
run 1 as alice drover rollout promote R-1
says "nobody promotes past that" "try: mend the cause, then drover rollout resume R-1, which asks again" "drover rollout undo R-1 --wave 1"
run 1 as alice drover rollout pause R-1
says "rollout 'R-1' is already paused" "try: drover why R-1"
run 1 as alice drover rollout retry R-1
says "nothing in rollout 'R-1' is there to retry" "try: drover why R-1"
run 1 as alice drover rollout retry R-1 -t production/a
says "target 'production/a' is applied: there is nothing to retry" "try: drover why production/a"

test_begin resume_asks_again_and_goes_on_when_it_passes # id: G7
mend() {
    python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("DELETE FROM users")
db.commit()' "$WORLD/$1.db"
}
mend a
run 0 as alice drover rollout resume R-1
run 0 as alice drover rollout watch R-1 --until production=applied --timeout 60s

test_begin the_rollout_is_done_when_they_passed_after_the_last_wave # id: G7
run 8 as alice drover rollout watch R-1 --timeout 60s
says "wave 2, the last, soaks until" "R-1 is paused" "did not pass: 1" "next: drover rollout resume R-1"
mend b
mend c
run 0 as alice drover rollout resume R-1
run 0 as alice drover rollout watch R-1 --timeout 60s
says "R-1 is done"
run 1 as alice drover rollout resume R-1
says "rollout 'R-1' has ended" "try: drover rollout show R-1"

test_begin the_others_were_sent_after_the_soak_of_the_canary # id: G7
run 0 as alice drover log
says "wave 1 soaks until"
soaks=$(printf '%s\n' "$OUT" | grep -n 'wave 1 soaks until' | head -n 1 | cut -d: -f1)
sent=$(printf '%s\n' "$OUT" | grep -n 'R-1 production/[bc] .*on its way' | head -n 1 | cut -d: -f1)
[ -n "$sent" ] && [ "$soaks" -lt "$sent" ] || wrong "soaks in line '$soaks', sent in line '$sent'"

flow_end
