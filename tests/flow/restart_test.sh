#!/bin/bash
# Coordinator and agents are killed and restarted at every stage of a rollout; nothing is lost and nothing runs twice.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 3

bounce() { # WHAT: kill -9 and start again
    case $1 in
    droverd)
        coordinator_stop KILL
        coordinator_start || wrong "droverd did not come back"
        ;;
    *)
        agent_stop "$1" KILL
        agent_start "$1" || wrong "$1 did not come back"
        ;;
    esac
}

ledger_rows() {
    sqlite3 "$WORLD/$1.db" "SELECT count(*) FROM drover_ledger"
}

test_begin after_submit
run 0 as alice drover submit
bounce droverd
run 0 as alice drover approve chain --yes
says "1 of 2"
bounce droverd
run 0 as bob drover approve chain --yes
says "2 of 2"

test_begin after_the_rollout_was_made
run 0 as alice drover upgrade head
bounce droverd
bounce staging-lite
run 8 as alice drover rollout watch R-1 --timeout 60s

test_begin an_open_ready_survives_a_restart_of_its_agent
bounce staging-lite
run 0 as carol drover approve R-1 -e staging --yes
bounce droverd
run 0 as carol drover rollout watch R-1 --until staging=applied --timeout 60s
same "$(version_of staging)" "20251022_1346 (head)"
rows=$(ledger_rows staging)

test_begin an_approval_that_was_consumed_is_not_run_again
bounce staging-lite
bounce droverd
flow_signoffs R-1
same "$(ledger_rows staging)" "$rows"

test_begin an_agent_that_was_away_gets_the_approval_when_it_is_back
run 8 as alice drover rollout watch R-1 --timeout 60s
agent_stop production-lite KILL
run 0 as alice drover approve R-1 -e production --confirm production
run 0 as bob drover approve R-1 -e production --confirm production
same "$(version_of production)" ""
agent_start production-lite || wrong "production-lite did not come back"
run 0 as bob drover rollout watch R-1 --until production=applied --timeout 60s
same "$(version_of production)" "20251022_1346 (head)"
same "$(ledger_rows production)" 3

test_begin the_log_is_whole_after_all_of_it # P6
bounce droverd
run 0 as alice drover log --verify
says "entries verified"
run 0 as alice drover status
same "$(printf '%s\n' "$OUT" | grep -c '20251022_1346 (head)')" 2

flow_end
