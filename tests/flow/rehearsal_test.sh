#!/bin/bash
# Rehearsals by agents: staging asks for one before READY. What fails on the copy, or does not come back, is stopped there, and the
# target never sees it.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
CLUSTER_OPTIONS="-c log_statement=all -c log_line_prefix=%a:::" cluster_start main && database_make main app || exit 1
URL=$(cluster_url main app)

write() { # FILE ID PARENT UP DOWN
    { revision_header "$2" "$3"; printf -- '-- drover:up\n%s\n\n-- drover:down\n%s\n' "$4" "$5"; } >"revisions/$1"
}

folders() { # that a rehearsal makes, anywhere below the world's folder for such
    find "$WORLD/tmp" -mindepth 1 -maxdepth 1 -name 'drover-cluster-*' | wc -l
}

people_make alice
as alice drover init --name shop --people keys/alice.pub --environments staging --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
mkdir -p revisions "$WORLD/tmp"
chmod 755 "$WORLD" && chmod 1777 "$WORLD/tmp"
export TMPDIR=$WORLD/tmp
write 1.sql r1 "" 'CREATE TABLE users (id integer PRIMARY KEY, n integer);' 'DROP TABLE users;'
as alice drover sign trust/root.1.drv >/dev/null || exit 1
sqlite_make "$WORLD/small.db"
SIGNER=alice agent_make one staging "staging/app=$URL" "staging/small=sqlite:$WORLD/small.db" >/dev/null || exit 1
as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
as alice drover policy show -e staging >policy.conf || exit 1
sed -i '/rehearse/d; s/^ *environment.*{/&\n    rehearse = true/' policy.conf
run 0 as alice drover policy apply policy.conf --yes
coordinator_start || exit 1
chain() {
    run 0 as alice drover submit
    run 0 as alice drover approve chain --yes
}
chain
agent_start one || exit 1

test_begin staging_rehearses_before_it_is_ready # id: G1, G4
run 8 as alice drover upgrade head --wait --timeout 90s
run 0 as alice drover rollout watch R-1 --until staging=ready --timeout 60s
kinds=$(grep -ao '"target":"staging/app","kind":"[A-Z]*"' "$WORLD/log/agent-one" | grep -o '[A-Z]*"$' | tr -d '"\n')
case $kinds in *REHEARSEDBACKUPREADY*) ;; *) wrong "attested: $kinds" ;; esac
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 60s

test_begin the_approver_sees_locks_rows_and_rewrites
cluster_sql main app 'INSERT INTO users SELECT i, i FROM generate_series(1, 2000) i'
cluster_sql main app 'ANALYZE users'
write 2.sql r2 r1 'CREATE TABLE more (id integer PRIMARY KEY);
CREATE INDEX users_n ON users (n);' 'DROP INDEX users_n;
DROP TABLE more;'
chain
: >"$WORLD/pg-main/log"
run 8 as alice drover upgrade head --wait --timeout 90s
run 0 as alice drover rollout watch R-2 --until staging=ready --timeout 60s
cp "$WORLD/pg-main/log" "$WORLD/run/questions"

test_begin the_targets_server_saw_questions_only # id: O1
[ "$(grep -ac "LOCK TABLE" "$WORLD/run/questions")" -gt 0 ] || wrong "no rehearsal is in the log: the test cannot fail"
writes=$(sed -nE 's/^[^:]*:::LOG: +(statement|execute [^:]*): //p' "$WORLD/run/questions" |
    grep -aiE '^(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|TRUNCATE|GRANT|COPY .* FROM)' | head -n 3)
same "$writes" ""
run 0 as alice drover approve R-2 -e staging --yes
says "rehearsed: 2 statements" "SHARE on public.users (2,000 rows" "EXCLUSIVE on users"
run 0 as alice drover rollout watch R-2 --until staging=applied --timeout 60s

test_begin a_way_down_that_leaves_something_is_stopped_before_ready # id: G3, V7
write 3.sql r3 r2 'CREATE TABLE kept (id integer);
CREATE TABLE forgotten (id integer);' 'DROP TABLE kept;'
chain
run 6 as alice drover upgrade head --wait --timeout 90s
run 0 as alice drover rollout show R-3
says rehearsal-differs forgotten
says_not "waits for the approval"
run 0 as alice drover why staging/app
says rehearsal-differs forgotten
same "$(cluster_sql main app "SELECT to_regclass('kept') IS NULL")" t

test_begin a_revision_that_fails_on_the_copy_is_stopped_before_ready # id: G4
run 0 as alice drover rollout abort R-3 --yes
write 4.sql r4 r3 'CREATE TABLE fine (id integer);

-- drover:verify "never true"
SELECT count(*) = 1 FROM fine;' 'DROP TABLE fine;'
chain
run 6 as alice drover upgrade head --wait --timeout 90s
says rehearsal-failed "never true"
same "$(cluster_sql main app "SELECT to_regclass('kept') IS NULL")" t

test_begin kill_of_an_agent_in_a_rehearsal_leaves_no_server_and_no_folder
run 0 as alice drover rollout retry R-4
has_server() { pgrep -f "postgres -D $WORLD/tmp/drover-cluster-" >/dev/null; }
is_gone() { [ "$(folders)" = 0 ] && ! has_server; }
wait_until 30 has_server || wrong "there was no rehearsal"
agent_stop one KILL
wait_until 30 is_gone || wrong "left behind: $(ls "$WORLD/tmp") $(pgrep -af "$WORLD/tmp/drover-cluster-")"

flow_end
