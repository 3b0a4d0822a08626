#!/bin/bash
# What is refused before anybody approves, each with its code and with what mends it; and a run that is told to stop from
# outside ends in a state that is true.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice || exit 1
cluster_start main && database_make main app && database_make main elsewhere || exit 1
as alice drover init --name ready --people keys/alice.pub --threshold 1 --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
agent_make lone staging "staging/app=$(cluster_url main app)" >/dev/null || exit 1
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.2.drv >/dev/null || exit 1
conf=agents/lone/agent.conf

on_app() { cluster_sql main app "$1"; }

again() { # the agent with its configuration as it is now
    agent_stop lone
    agent_start lone || wrong "the agent does not start"
    run 0 as alice drover rollout retry "$1" -t staging/app
}

wait_for() { # STATE TEXT...
    local state=$1
    shift
    run 0 as alice drover rollout watch R-1 --until "staging=$state" --timeout 60s
    run 0 as alice drover rollout show R-1
    says "$@"
}

{
    revision_header one
    printf -- '-- drover:up\nCREATE TABLE a (id bigint PRIMARY KEY);\n\n'
    printf -- '-- drover:preflight "nothing is in the way" expect=empty\n'
    printf -- "SELECT relname FROM pg_class WHERE relname = 'in_the_way';\n\n"
    printf -- '-- drover:verify "the table is there"\nSELECT count(*) >= 0 FROM a;\n\n-- drover:down\nDROP TABLE a;\n'
} >revisions/one.sql
sed -i 's/postgresql,sqlite/postgresql/' revisions/one.sql
on_app "ALTER DATABASE app OWNER TO postgres"
coordinator_start && agent_start lone || exit 1

test_begin a_role_without_rights_is_refused_with_the_grant_that_helps
flow_chain_of_one() {
    as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "the chain was not approved"
}
flow_chain_of_one
run 0 as alice drover upgrade head
wait_for refused "db-privilege" "GRANT CREATE ON DATABASE"
on_app "GRANT CREATE ON DATABASE app TO drover"
run 0 as alice drover rollout retry R-1
wait_for refused "db-privilege" "may not create in schema 'public': GRANT CREATE"
on_app "GRANT CREATE, USAGE ON SCHEMA public TO drover"
on_app "CREATE TABLE in_the_way (); ALTER TABLE in_the_way OWNER TO drover"
run 0 as alice drover rollout retry R-1
wait_for failed "nothing is in the way"

test_begin a_prepare_that_fails_leaves_no_backup_behind # id: G1
same "$(ls -A agents/lone/state/backups)" ""
on_app "DROP TABLE in_the_way"
run 0 as alice drover rollout retry R-1
wait_for ready "ready"
same "$(ls agents/lone/state/backups | sed 's/.*Z//' | tr '\n' ' ')" ".dump .dump.from .dump.keep .dump.note "

test_begin a_pg_dump_that_is_too_old_is_refused # id: S15
mkdir -p old
for tool in pg_dump pg_restore; do
    printf '#!/bin/sh\necho "%s (PostgreSQL) 9.6.24"\n' $tool >old/$tool && chmod +x old/$tool
done
echo "pg_bindir = \"$WORLD/old\"" >>"$conf"
again R-1
wait_for refused "backup-tool"
sed -i '/^pg_bindir/d' "$conf"

test_begin an_agent_that_is_told_to_stop_leaves_no_half_dump
{
    printf '#!/bin/sh\n[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 99.1"; exit; }\n'
    printf 'for a; do case $a in --file=*) echo half >"${a#--file=}" ;; esac; done\nexec sleep 600\n'
} >old/pg_dump
echo "pg_bindir = \"$WORLD/old\"" >>"$conf"
agent_stop lone
agent_start lone || wrong "the agent does not start"
run 124 as alice drover backup take staging/app --timeout 2s
half() { grep -qs half agents/lone/state/backups/*.partial; }
wait_until 30 half || wrong "no dump was begun"
agent_stop lone
half && wrong "half a dump stayed"
sed -i '/^pg_bindir/d' "$conf"

test_begin another_database_is_refused # id: S18
sed -i 's#@/app?#@/elsewhere?#' "$conf"
again R-1
wait_for refused "database-identity"
sed -i 's#@/elsewhere?#@/app?#' "$conf"

test_begin a_refused_target_gets_ready_once_the_cause_is_gone
again R-1
wait_for ready "ready"
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 60s

# ---- told to stop from outside

long_revision() { # ID PARENT
    revision_header "$1" "$2" | sed 's/postgresql,sqlite/postgresql/'
    printf -- '-- drover:up\nCREATE TABLE %s_a (id bigint PRIMARY KEY);\n\n' "$1"
    printf -- '-- drover:up\nCREATE TABLE %s_b (id bigint PRIMARY KEY);\nSELECT pg_sleep(600) FROM gate;\n\n' "$1"
    printf -- '-- drover:up\nCREATE TABLE %s_c (id bigint PRIMARY KEY);\n\n' "$1"
    printf -- '-- drover:down\nDROP TABLE IF EXISTS %s_c, %s_b;\n\n-- drover:down\nDROP TABLE %s_a;\n' "$1" "$1" "$1"
}

# Waits until the long statement runs in the server.
wait_sleeping() {
    local i
    for ((i = 0; i < 300; i++)); do
        [ "$(on_app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")" = 1 ] && return 0
        read -r -t 0.1 -u 9 || true
    done
    wrong "the long statement never ran"
}

tables() { on_app "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname LIKE '$1%'"; }

test_begin pause_lets_what_runs_end_and_starts_nothing_more
on_app "CREATE TABLE gate (id int); ALTER TABLE gate OWNER TO drover; INSERT INTO gate VALUES (1)"
long_revision two one >revisions/two.sql
flow_chain_of_one
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-2 --timeout 60s
run 0 as alice drover approve R-2 -e staging --yes --ack drift
wait_sleeping
run 0 as alice drover rollout pause R-2
run 0 as alice drover rollout show R-2
says "running"
wait_sleeping

test_begin abort_while_a_unit_runs_cancels_it_and_tells_what_is_there # id: C2
run 0 as alice drover rollout abort R-2
run 0 as alice drover rollout watch R-2 --until staging=held --timeout 60s
run 0 as alice drover rollout show R-2
says "interrupted"
same "$(tables two)" "two_a"
same "$(on_app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'")" 0
same "$(on_app "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" 0
for ((i = 0; i < 100; i++)); do
    as alice drover repair staging/app >/dev/null 2>&1
    [ $? = 7 ] && break
    read -r -t 0.1 -u 9 || true
done
run 7 as alice drover repair staging/app
says "unit 1 of 3  done" "unit 2 of 3  not done" "unit 3 of 3  not done"

test_begin what_was_cancelled_is_gone_on_with
on_app "TRUNCATE gate"
run 0 as alice drover repair staging/app --resume
says "Rollout R-3"
run 0 as alice drover approve R-3 -e staging --yes --ack partial,drift --timeout 60s
run 0 as alice drover rollout watch R-3 --until staging=applied --timeout 60s
same "$(tables two)" "two_a,two_b,two_c"
run 0 as alice drover repair staging/app

test_begin a_statement_that_waits_for_a_lock_is_cancelled_too
on_app "CREATE TABLE busy (id int); ALTER TABLE busy OWNER TO drover"
{
    revision_header three two | sed 's/postgresql,sqlite/postgresql/'
    printf -- '-- drover:up lock_timeout=60s\nALTER TABLE busy ADD COLUMN x int;\n\n-- drover:down\nALTER TABLE busy DROP COLUMN x;\n'
} >revisions/three.sql
flow_chain_of_one
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-4 --timeout 60s
"$PG_BIN/psql" -X -q -h "$WORLD/pg-main" -U postgres -d app >/dev/null 2>&1 9>&- <<'SQL' &
BEGIN; LOCK TABLE busy; SELECT pg_sleep(3600);
SQL
holder=$!
for ((i = 0; i < 300; i++)); do
    [ "$(on_app "SELECT count(*) FROM pg_locks WHERE relation = 'busy'::regclass AND mode = 'AccessExclusiveLock' AND granted")" = 1 ] && break
    read -r -t 0.1 -u 9 || true
done
run 0 as alice drover approve R-4 -e staging --yes --ack drift
for ((i = 0; i < 300; i++)); do
    [ "$(on_app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE busy%' AND wait_event_type = 'Lock'")" = 1 ] && break
    read -r -t 0.1 -u 9 || true
done
run 0 as alice drover rollout abort R-4
run 0 as alice drover rollout watch R-4 --until staging=failed --timeout 60s
run 0 as alice drover rollout show R-4
says "interrupted"
same "$(on_app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE busy%' AND wait_event_type = 'Lock'")" 0
run 0 as alice drover repair staging/app
says "nothing to repair"
on_app "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()" >/dev/null
wait $holder 2>/dev/null

flow_end
