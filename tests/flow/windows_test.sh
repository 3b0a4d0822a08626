#!/bin/bash
# Outside of its window an agent does not begin, though a coordinator whose clock is ahead sends it the run: it says what,
# why and when, and people see that with what to type.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_clock || exit 1
world_begin "$DROVER_BUILD" || exit 1

has_users() { [ "$(sqlite3 -cmd '.timeout 10000' "$WORLD/a.db" "SELECT count(*) FROM sqlite_schema WHERE name = 'users'")" = 1 ]; }

test_begin a_policy_with_a_window_in_two_hours
flow_canary_world
sed -i '/canary_targets/d' policy.conf
opens=$(date -u -d '+2 hours' +%Y-%m-%dT%H:00:00Z)
sed -i "s/^environment.*{/&\n    windows = {\"daily $(date -u -d '+2 hours' +%H):00-$(date -u -d '+4 hours' +%H):00 UTC\"}/" policy.conf
run 0 as alice drover policy apply policy.conf --yes
flow_at +3h coordinator_start || wrong "droverd did not start"
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
agent_start one || wrong "the agent did not start"
run 8 as alice drover upgrade head -t production/a --wait --timeout 60s
run 0 as alice drover approve R-1 -e production --confirm production --yes

test_begin the_agent_refuses_and_says_when_the_window_opens
refused() {
    as alice drover log | grep -q 'REFUSED outside-window'
}
wait_until 40 refused || wrong "the agent did not refuse"
has_users && wrong "it ran outside of its window"
run 0 as alice drover log
says "REFUSED outside-window: no window of 'production' is open; the next one opens at $opens"

test_begin people_see_what_is_waited_for_and_what_to_type
run 0 as alice drover why production/a
says "is approved" "no window of 'production' is open; the next one opens at $opens" "next: drover rollout watch R-1"
run 0 as alice drover why R-1
says "waits:" "no window of 'production' is open; the next one opens at $opens" "next: drover rollout watch R-1"
run 0 as alice drover policy show -e production
says "windows = "

test_begin it_begins_when_the_agents_own_clock_is_in_the_window
agent_stop one
flow_at +3h agent_start one || wrong "the agent did not start"
run 0 as alice drover rollout watch R-1 --timeout 100s
has_users || wrong "it did not run in its window"

flow_end
