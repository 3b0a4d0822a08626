#!/bin/bash
# drover test: every revision up, down and up again on databases that are thrown away.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p "$WORLD/tmp" && chmod 711 "$WORLD" "$WORLD/tmp"
export TMPDIR=$WORLD/tmp

# revision ID PARENT ENGINES HEADER UP DOWN: a file whose parts stand in fixed lines (up's body in line 11).
revision() {
    printf -- '-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises: %s\n-- Engine: %s\n-- %s\n\n\n%s\n%s\n\n%s\n%s\n' \
        "Change $1" "$1" "$2" "$3" "$4" '-- drover:up' "$5" '-- drover:down' "$6" >"revisions/$1.sql"
}

nothing_is_left() {
    same "$(ls -A "$TMPDIR")" ""
}

test_begin "a_chain_for_both_engines_passes_with_rows_in_its_tables" # id: V1 V6 V8 V9 R13
project_direct masterplan || exit 1
run 0 env -u DROVER_URL drover test --junit report.xml
says "20251022_1351  " "postgresql 15" "8 revisions, 8 passed, 0 failed, 0 skipped" "sqlite 3."
run 0 python3 -c "
import xml.etree.ElementTree as ET
suites = ET.parse('report.xml').getroot().findall('testsuite')
assert [s.get('name').split()[0] for s in suites] == ['postgresql', 'sqlite'], suites
assert all(s.get('failures') == '0' and int(s.get('tests')) > 8 for s in suites)
assert sum(int(s.get('tests')) for s in suites) == sum(len(s.findall('testcase')) for s in suites)"
nothing_is_left

test_begin "only_a_range_is_tested_and_what_it_stands_on_is_built"
run_json 0 "[r['id'] for r in d['engines'][0]['revisions']] == ['20251022_1350', '20251022_1351']" \
    drover test 20251022_1349:head --engine sqlite
nothing_is_left
run 0 drover revision -m "to be written" --rev-id draft
run 0 drover test -2:20251022_1351 --engine sqlite
says "2 revisions, 2 passed"
run 1 drover test -2:head --engine sqlite
says "revisions/draft_to_be_written.sql:" "section 'up' has no statement"
run 1 drover test --engine sqlite
says "drover test A:B tests a part of the chain"
rm revisions/draft_*.sql && run 0 drover check --write

test_begin "what_is_wrong_is_named_at_its_place_and_the_rest_is_still_tested" # id: V23
project_empty wrong
both="postgresql, sqlite"
revision a1 "" "$both" "Reversible: yes" "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL);" "DROP TABLE users;"
revision a2 a1 "$both" "Reversible: yes" "CREATE INDEX ix_email ON users (email);" "SELECT 1;"
revision a3 a2 "$both" "Reversible: yes" "CREATE TABLE t3 (id bigint PRIMARY KEY);" "DELETE FROM users WHERE id > 1; DROP TABLE t3;"
revision a4 a3 "$both" "Reversible: lossy, users go" "CREATE TABLE t4 (id bigint PRIMARY KEY);" "DELETE FROM users; DROP TABLE t4;"
revision a5 a4 "$both" "Reversible: yes" "SELECT 1;" "SELECT 1;"
revision a6 a4 "$both" "Reversible: yes" "CREATE INDEX ix6 ON t3 (nothing);" "DROP INDEX ix6;"
revision a7 a6 "$both" "Reversible: yes" "CREATE TABLE t7 (id bigint PRIMARY KEY);" "DROP TABLE t7;"
revision b1 a5 postgresql "Time budget: 10ms" "CREATE TABLE b1 (id int); SELECT pg_sleep(0.1);" "DROP TABLE b1;"
revision b2 b1 postgresql "Reversible: yes" "ALTER TABLE users ADD COLUMN nick text NOT NULL;" "ALTER TABLE users DROP COLUMN nick;"
revision b3 b2 postgresql "Reversible: yes" "CREATE TYPE mood AS ENUM ('a', 'b');" "DROP TYPE mood; DROP TABLE users CASCADE;"
printf -- '\n-- drover:verify "quick" max=20ms\nSELECT pg_sleep(0.2) IS NOT NULL;\n' >"$WORLD/run/verify"
revision b5 b2 "$both" "Reversible: yes" "ALTER TABLE users ADD COLUMN nick2 text;" "DELETE FROM users WHERE nick2 IS NOT NULL; ALTER TABLE users DROP COLUMN nick2;"
revision b4 b2 postgresql "Reversible: yes" "CREATE TABLE b4 (id int);$(cat "$WORLD/run/verify")" "DROP TABLE b4;"
run 1 drover test
for engine in postgresql sqlite; do
    says "revisions/a2.sql:13:1: error: a2, on $engine: the way down does not give the schema from before: 1 object differs" \
        "revisions/a3.sql:13:1: error: a3, on $engine: rows that were there before do not survive up and down" \
        "revisions/a4.sql:13:1: note: a4, on $engine: rows that were there before do not survive up and down, as it says" \
        "revisions/a5.sql:10:1: error: a5, on $engine: an empty revision" \
        "error: a6, on $engine:"
done
says "+ index public.users.ix_email: CREATE INDEX" "2 of 3 rows of public.users are gone" "+ index ix_email:" \
    "revisions/b1.sql:10:1: error: b1, on postgresql: the way up took" "over its time budget of 10ms" \
    "revisions/b2.sql:11:1: error: b2, on postgresql: with rows in the tables:" "contains null values" \
    "error: b3, on postgresql: the way down does not give the schema from before" "- table public.users" \
    "error: b5, on postgresql: rows that were there before do not survive" "1 of 4 rows of public.users is gone" \
    "note: 'b5' is not tested on sqlite: what it stands on is not for it" \
    "verify 'quick' of revision 'b4' failed: it took" \
    "postgresql 15" "12 revisions, 2 passed, 9 failed, 1 skipped" "7 revisions, 2 passed, 4 failed, 1 skipped"
says_not "error: a7"
nothing_is_left

test_begin "programs_get_json_and_quiet_tells_only_what_failed"
run_json 1 "d['failed'] == 4 and d['skipped'] == 1 and d['engines'][0]['engine'] == 'sqlite' and
    [f['kind'] for f in d['engines'][0]['revisions'][1]['findings']] == ['schema'] and
    d['engines'][0]['revisions'][1]['findings'][0]['line'] == 13" drover test --engine sqlite
run 0 drover test :a1 --engine sqlite --quiet
same "$OUT" ""

test_begin "merges_and_branches_are_walked_in_order"
project_empty branches
revision root "" sqlite "Reversible: yes" "CREATE TABLE root (id integer PRIMARY KEY);" "DROP TABLE root;"
revision left root sqlite "Reversible: yes" "CREATE TABLE l (id integer PRIMARY KEY, root_id integer NOT NULL REFERENCES root (id));" "DROP TABLE l;"
revision right root sqlite "Reversible: yes" "ALTER TABLE root ADD COLUMN note text;" "ALTER TABLE root DROP COLUMN note;"
revision join "left, right" sqlite "Reversible: yes" "CREATE INDEX ix_note ON root (note);" "DROP INDEX ix_note;"
run_json 0 "d['passed'] == 4 and d['engines'][0]['revisions'][0]['id'] == 'root' and
    d['engines'][0]['revisions'][3]['id'] == 'join'" drover test

test_begin "wrong_words_are_usage_errors"
run 2 drover test --engine oracle
says "unknown engine 'oracle'" "--engine postgresql, sqlite"
run 1 drover test --engine postgresql --scratch sqlite:x.db
says "no revision of the range is for that engine"
cp ../wrong/revisions/a1.sql revisions/ && rm revisions/root.sql revisions/left.sql revisions/right.sql revisions/join.sql
run 2 drover test --scratch sqlite:x.db
says "--scratch names no PostgreSQL server"
run 5 drover test --scratch "postgresql://postgres@/postgres?host=$WORLD/nowhere"
PG_BIN=/nonexistent run 1 drover test
says "no initdb and postgres in '/nonexistent' (PG_BIN)"
run 1 drover test nothing:head
says "nothing"
nothing_is_left

test_begin "roles_of_the_private_server_are_named"
project_empty roles
revision a1 "" postgresql "Reversible: yes" "CREATE TABLE a1 (id int); GRANT SELECT ON a1 TO \"the reader\";" "DROP TABLE a1;"
run 1 drover test
says 'role "the reader" does not exist'
run 0 drover test --roles "app,the reader"
run 2 drover test --roles app --scratch postgresql:///postgres
says "--roles is for the private server"
cd ../branches || exit 1

test_begin "an_interrupted_test_leaves_nothing_behind"
revision slow a1 postgresql "Reversible: yes" "CREATE TABLE slow (id int); SELECT pg_sleep(600);" "DROP TABLE slow;"
drover test >"$WORLD/run/interrupted" 2>&1 &
pid=$!
slow_runs() {
    local folder
    folder=$(find "$TMPDIR" -maxdepth 1 -name 'drover-cluster-*')
    [ "$("$PG_BIN/psql" -X -A -t -h "$folder" -U postgres -c \
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(600)%'" 2>&1)" = 1 ]
}
wait_until 60 slow_runs || wrong "the slow statement never ran"
kill -INT $pid
wait $pid
same $? 130
nothing_is_left

test_begin "a_killed_test_takes_its_server_along"
drover test --engine postgresql >"$WORLD/run/killed" 2>&1 &
pid=$!
wait_until 60 slow_runs || wrong "the slow statement never ran"
kill -KILL $pid
wait $pid 2>/dev/null
no_cluster() { [ -z "$(find "$TMPDIR" -maxdepth 1 -name 'drover-cluster-*')" ]; }
wait_until 60 no_cluster || wrong "the server's folder is left"
! pgrep -f "$TMPDIR/drover-cluster" >/dev/null || wrong "the server still runs"

flow_end
