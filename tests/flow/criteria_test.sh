#!/bin/bash
# The ten success criteria of a small application's database, each proved on a real PostgreSQL that speaks SSL, and once
# more as the verify sections of its chain, whose report is the validation report.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main || exit 1
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout "$WORLD/run/key" -out "$WORLD/run/crt" 2>/dev/null || exit 1
cp "$WORLD/run/key" "$WORLD/pg-main/data/server.key" && cp "$WORLD/run/crt" "$WORLD/pg-main/data/server.crt" || exit 1
chmod 600 "$WORLD/pg-main/data/server.key"
[ "$(id -u)" != 0 ] || chown "$(pg_user)" "$WORLD/pg-main/data/server.key" "$WORLD/pg-main/data/server.crt"
port=$(python3 -S -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
cluster_stop main && cluster_start main "-c ssl=on -c listen_addresses=127.0.0.1 -c port=$port" || exit 1
export PGPORT=$port
database_make main todo || exit 1
project_empty todo || exit 1
cp "$DROVER_SOURCE"/tests/chains/todo/revisions/*.sql revisions/
url="postgresql://drover@127.0.0.1:$port/todo?sslmode=require"
scratch="postgresql://postgres@127.0.0.1:$port/postgres?sslmode=require"

sql() { cluster_sql main todo "$1" 2>&1; }
rejected() { # SQL CONSTRAINT
    OUT=$(sql "$1")
    says "\"$2\""
}
rows() { sql "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM $1 t"; }
# report FILE EXPRESSION: of its cases, `passed` and `failed` are the sets of ids of criteria, `failures` the messages.
report() {
    OUT=$(cat "$1")
    python3 -S -c "
import re, sys
import xml.etree.ElementTree as ET
passed, failed, failures = set(), set(), []
for case in ET.parse('$1').getroot().iter('testcase'):
    ids = re.findall(r'^SC-\d+', case.get('name'))
    bad = case.findall('failure')
    (failed if bad else passed).update(ids)
    failures += [f.get('message') for f in bad]
sys.exit(0 if ($2) else 1)" || wrong "the report is another one: $2"
}

test_begin the_test_database_is_never_the_main_one # id: V9
DROVER_URL=$url DATABASE_URL=$url run 0 drover test --scratch "$scratch"
same "$(sql "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'drover')")" 0
same "$(sql "SELECT count(*) FROM pg_database WHERE datname LIKE 'drover%'")" 0

test_begin the_report_covers_every_criterion # id: V19 SC-001 SC-002 SC-003 SC-004 SC-005 SC-006 SC-007 SC-008 SC-009 SC-010
run 0 drover test -e production --scratch "$scratch" --junit validation.xml
report validation.xml "passed == {'SC-%03d' % n for n in range(1, 11)} and not failed"

test_begin a_deviation_is_recorded_with_its_criterion # id: V19 SC-009
mkdir -p "$WORLD/worse/revisions" && cp drover.conf "$WORLD/worse/" && cp revisions/*.sql "$WORLD/worse/revisions/"
cd "$WORLD/worse" || exit 1
sed -i 's/^CREATE INDEX ix_tasks_user_created.*/CREATE INDEX ix_tasks_user_created ON tasks (created_at DESC);/' revisions/20260126*.sql
run 1 drover test --scratch "$scratch" --junit validation.xml
report validation.xml "failed == {'SC-009'} and any('SC-009' in m for m in failures)"
cd "$WORLD/todo" || exit 1

test_begin the_migration_takes_less_than_thirty_seconds # id: SC-010 V1
SECONDS=0
run 0 drover upgrade head --url "$url"
[ $SECONDS -lt 30 ] || wrong "it took $SECONDS s"
run 0 drover current --url "$url"
same "$OUT" "20260126_newest_first (head)"

test_begin the_schema_is_as_the_models_say # id: SC-001 V2 V10
same "$(sql "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'public'")" \
    "conversations messages tasks users"
same "$(sql "SELECT string_agg(column_name || ' ' || udt_name || coalesce('(' || character_maximum_length || ')', ''), ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'tasks'")" \
    "id uuid, user_id uuid, title varchar(200), description varchar(1000), completed bool, created_at timestamptz, updated_at timestamptz"
same "$(sql "SELECT count(*) FROM information_schema.columns WHERE table_name = 'messages' AND column_name = 'updated_at'")" 0

test_begin foreign_keys_are_enforced # id: SC-002 V3
rejected "INSERT INTO tasks (user_id, title) VALUES (gen_random_uuid(), 'x')" tasks_user_id_fkey
rejected "INSERT INTO messages (conversation_id, role, content) VALUES (gen_random_uuid(), 'user', 'x')" messages_conversation_id_fkey
rejected "INSERT INTO conversations (user_id) VALUES (gen_random_uuid())" conversations_user_id_fkey

test_begin a_query_over_ten_thousand_rows_stays_under_fifty_milliseconds # id: SC-003
same "$(sql "SELECT count(*) FROM tasks")" 10000
newest="SELECT * FROM tasks WHERE user_id = (SELECT id FROM users WHERE email = 'sample-3@example.org') ORDER BY created_at DESC LIMIT 20"
took=$(sql "EXPLAIN (ANALYZE, FORMAT json) $newest" | python3 -S -c "import json, sys; print(json.load(sys.stdin)[0]['Execution Time'])")
python3 -S -c "import sys; sys.exit(0 if $took < 50 else 1)" || wrong "it took $took ms"

test_begin the_optimiser_uses_the_indexes # id: SC-009 V5
OUT=$(sql "EXPLAIN $newest")
says "Index Scan using ix_tasks_user_created"
OUT=$(sql "EXPLAIN SELECT * FROM messages WHERE conversation_id = '00000000-0000-0000-0000-000000000000'")
says "ix_messages_conversation_id"

test_begin sessions_are_encrypted # id: SC-004 C22 V16
same "$(sql "SHOW ssl")" on
cat >revisions/probe.sql <<'SQL'
-- drover:revision 1
-- See how this session came
--
-- Revision ID: probe
-- Revises: 20260126_newest_first
-- Engine: postgresql
-- Reversible: yes

-- drover:up
CREATE TABLE probe AS SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid();

-- drover:down
DROP TABLE probe;
SQL
run 0 drover upgrade head --url "$url"
OUT=$(sql "SELECT ssl, version FROM probe")
says "t|TLSv1."
run 0 drover downgrade -1 --url "$url" --yes --confirm todo
rm revisions/probe.sql

test_begin back_and_forth_loses_no_row # id: SC-005 V11
before="$(rows users) $(rows tasks) $(rows conversations) $(rows messages)"
run 0 drover downgrade -1 --url "$url" --yes
same "$(sql "SELECT to_regclass('ix_tasks_user_created') IS NULL")" t
run 0 drover upgrade head --url "$url"
same "$(rows users) $(rows tasks) $(rows conversations) $(rows messages)" "$before"

test_begin times_are_filled_by_themselves # id: SC-007
OUT=$(sql "INSERT INTO users (email) VALUES ('carol@example.org') RETURNING created_at > now() - interval '1 minute'
    AND created_at <= clock_timestamp()")
same "$OUT" t
same "$(sql "INSERT INTO tasks (user_id, title) SELECT id, 'buy bread' FROM users WHERE email = 'carol@example.org' RETURNING created_at = updated_at AND created_at = now()")" t
same "$(sql "UPDATE tasks SET completed = true WHERE title = 'buy bread' RETURNING updated_at > created_at")" t

test_begin deleting_a_conversation_takes_its_messages # id: SC-008
same "$(sql "WITH gone AS (DELETE FROM conversations WHERE user_id = (SELECT id FROM users WHERE email = 'sample-9@example.org') RETURNING id) SELECT count(*) FROM gone")" 1
same "$(sql "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM conversations c WHERE c.id = conversation_id)) FROM messages")" "9800|0"

test_begin twenty_sessions_read_the_version_while_an_upgrade_runs # id: SC-006
sed -e 's/ID: 20260126_newest_first/ID: slow/; s/^-- Revises: .*/-- Revises: 20260126_newest_first/; /drover:verify/,$d' \
    -e 's/^CREATE INDEX .*/ALTER TABLE tasks ADD COLUMN note text; SELECT pg_sleep(600);/' revisions/20260126*.sql >revisions/slow.sql
printf -- '-- drover:down\nALTER TABLE tasks DROP COLUMN note;\n' >>revisions/slow.sql
drover upgrade head --url "$url" >"$WORLD/run/upgrade" 2>&1 &
upgrade=$!
sleeps() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(600)%'")" = 1 ]; }
wait_until 60 sleeps || wrong "the upgrade did not come that far"
readers=()
for n in $(seq 20); do
    drover current --url "$url" >"$WORLD/run/reader.$n" 2>&1 &
    readers+=($!)
done
for reader in "${readers[@]}"; do
    wait "$reader" || wrong "a reader failed"
done
same "$(cat "$WORLD"/run/reader.* | sort | uniq -c | tr -s ' ')" " 20 20260126_newest_first"
sleeps || wrong "the upgrade was over before they read"
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND pid <> pg_backend_pid()" >/dev/null
wait $upgrade
same $? 6
same "$(sql "SELECT count(*) FROM information_schema.columns WHERE table_name = 'tasks' AND column_name = 'note'")" 0

flow_end
