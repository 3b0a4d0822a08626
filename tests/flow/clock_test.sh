#!/bin/bash
# Whole programs under a clock that is wrong: an agent whose host is hours ahead, or behind what it has seen, and a
# person whose machine is years ahead. Nothing runs, and each says what is wrong.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_clock || exit 1
world_begin "$DROVER_BUILD" || exit 1

applied() { [ "$(sqlite3 "$WORLD/a.db" "SELECT count(*) FROM sqlite_schema WHERE name = 't1'")" = 1 ]; }

people_make alice
as alice drover init --name shop --people keys/alice.pub --environments staging --coordinator tcp://127.0.0.1:0 \
    --quiet >/dev/null
mkdir -p revisions
printf -- '-- drover:revision 1\n-- table t1\n--\n-- Revision ID: r1\n-- Revises:\n-- Engine: sqlite\n\n-- drover:up\nCREATE TABLE t1 (id integer PRIMARY KEY);\n\n-- drover:down\nDROP TABLE t1;\n' >revisions/r1.sql
as alice drover sign trust/root.1.drv >/dev/null
sqlite_make "$WORLD/a.db"
SIGNER=alice agent_make one staging "staging/a=sqlite:$WORLD/a.db" >/dev/null
as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
coordinator_start || exit 1

test_begin a_person_whose_clock_is_years_ahead_is_told_that_the_root_has_expired # id: K07
run 0 as alice drover submit
run 4 flow_at +12y as alice drover approve chain --yes
says "expired"
run 0 as alice drover approve chain --yes

test_begin a_backup_from_the_future_opens_no_gate # id: K07
flow_at +5h agent_start one || wrong "the agent did not start"
run 8 as alice drover upgrade head --wait --timeout 60s
run 8 as alice drover approve R-1 -e staging --yes
says "the backup was taken in the future: set the clock of the agent's host right"
agent_stop one
run 0 as alice drover rollout abort R-1

test_begin an_agent_hours_ahead_refuses_an_approval_that_is_over_there # id: K07
agent_start one || wrong "the agent did not start"
run 8 as alice drover upgrade head --wait --timeout 60s
agent_stop one
run 0 as alice drover approve R-2 -e staging --yes
flow_at +5h agent_start one || wrong "the agent did not start"
run 6 as alice drover rollout watch R-2 --timeout 60s
says "the approval expired at "
applied && wrong "it ran after the approval's end"
agent_stop one

test_begin an_agent_that_has_seen_a_later_signature_does_nothing # id: K07
run 0 as alice drover rollout abort R-2
agent_start one || wrong "the agent did not start"
run 8 as alice drover upgrade head --wait --timeout 60s
agent_stop one
run 0 as alice drover approve R-3 -e staging --yes
flow_at -1d agent_start one || wrong "the agent did not start"
run 6 as alice drover rollout watch R-3 --timeout 60s
says "this host's clock says "
applied && wrong "it ran while the clock stands before what the agent has seen"
agent_stop one

test_begin with_the_right_clock_it_runs
run 0 as alice drover rollout abort R-3
agent_start one || wrong "the agent did not start"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-4 -e staging --yes
run 0 as alice drover rollout watch R-4 --until staging=applied --timeout 60s
applied || wrong "nothing ran"

flow_end
