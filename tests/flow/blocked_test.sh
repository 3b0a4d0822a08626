#!/bin/bash
# A unit in PostgreSQL waits for a lock that an application holds: everybody who looks sees who it is, and once that session
# is gone the run ends well.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice || exit 1
cluster_start main && database_make main app || exit 1
as alice drover init --name blocked --people keys/alice.pub --threshold 1 --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
agent_make lone staging "staging/app=$(cluster_url main app)" >/dev/null || exit 1
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.2.drv >/dev/null || exit 1

on_app() { cluster_sql main app "$1"; }

on_app "CREATE TABLE busy (id int); ALTER TABLE busy OWNER TO drover; GRANT CREATE, USAGE ON SCHEMA public TO drover; GRANT CREATE ON DATABASE app TO drover"
{
    revision_header one | sed 's/postgresql,sqlite/postgresql/'
    printf -- '-- drover:up lock_timeout=120s\nALTER TABLE busy ADD COLUMN x int;\n\n-- drover:down\nALTER TABLE busy DROP COLUMN x;\n'
} >revisions/one.sql
coordinator_start && agent_start lone || exit 1
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || exit 1

test_begin who_blocks_a_unit_is_named_by_every_command_that_looks # id: P4
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-1 --timeout 60s
PGAPPNAME=night-report "$PG_BIN/psql" -X -q -h "$WORLD/pg-main" -U postgres -d app >/dev/null 2>&1 9>&- <<'SQL' &
BEGIN; LOCK TABLE busy; SELECT pg_sleep(3600), 'secret';
SQL
holder=$!
has_lock() { [ "$(on_app "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'night-report' AND query LIKE '%pg_sleep%'")" = 1 ]; }
wait_until 30 has_lock || wrong "the application has no lock"
pid=$(on_app "SELECT pid FROM pg_stat_activity WHERE application_name = 'night-report'")
run 0 as alice drover approve R-1 -e staging --yes --ack no-backup,drift
tells() { as alice drover status 2>/dev/null | grep -q "waits for a lock, .*pid $pid ($1)${2:-}"; }
wait_until 30 tells "night-report, GRANT pg_read_all_stats shows more" || wrong "status never told of the lock"
on_app "GRANT pg_read_all_stats TO drover"
wait_until 30 tells "night-report, [0-9]* s" ": SELECT pg_sleep" || wrong "the grant shows nothing more"
for command in "drover status" "drover why staging/app" "drover rollout show R-1"; do
    run 0 as alice $command
    says "unit 1 of 1" "waits for a lock" "waits for pid $pid (night-report, " ": SELECT pg_sleep(?), ?"
    says_not secret
    [[ $OUT =~ "waits for a lock, "[0-9] ]] || wrong "no time of the unit"
    [[ $OUT =~ "night-report, "[0-9]+" s)" ]] || wrong "no age of the blocker's transaction"
done

test_begin once_the_blocker_is_gone_the_run_ends_well # id: P4
on_app "SELECT pg_terminate_backend($pid)" >/dev/null
wait $holder 2>/dev/null
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 60s
same "$(on_app "SELECT count(*) FROM information_schema.columns WHERE table_name = 'busy' AND column_name = 'x'")" 1
run 0 as alice drover status
says_not night-report

flow_end
