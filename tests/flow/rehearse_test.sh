#!/bin/bash
# A plan on a copy of one database, from the operator's machine: what it locks, whether its way back
# is one, and the same on a backup with its rows.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
CLUSTER_OPTIONS="-c log_statement=all -c log_line_prefix=%a:::" cluster_start main && database_make main app || exit 1
URL=$(cluster_url main app)
project_empty rehearsed || exit 1

write() { # FILE ID PARENT UP DOWN [SECTION OPTIONS]
    { revision_header "$2" "$3"; printf -- '-- drover:up%s\n%s\n\n-- drover:down\n%s\n' "${6:-}" "$4" "$5"; } >"revisions/$1"
}

schema() {
    "$PG_BIN/pg_dump" -s -h "$WORLD/pg-main" -U postgres app | grep -v -e '^--' -e '^\\' -e '^$'
}

write 1.sql one "" 'CREATE TABLE users (id integer PRIMARY KEY, email text, n integer);' 'DROP TABLE users;'
write 2.sql two one 'ALTER TABLE users ALTER COLUMN n TYPE bigint;
CREATE TABLE orders (id integer PRIMARY KEY, user_id integer REFERENCES users);' 'DROP TABLE orders;
ALTER TABLE users ALTER COLUMN n TYPE integer;'
write 3.sql three two 'CREATE INDEX CONCURRENTLY users_email ON users (email);' 'DROP INDEX users_email;' ' transaction=off'
run 0 drover upgrade one --url "$URL"
cluster_sql main app "INSERT INTO users SELECT i, 'user' || i, i FROM generate_series(1, 3000) i"
cluster_sql main app 'ANALYZE users'

test_begin tables_are_told_with_locks_rows_and_rewrites # id: G1, V7
before=$(schema)
: >"$WORLD/pg-main/log"
run 0 drover rehearse --url "$URL"
says "public.users   ACCESS EXCLUSIVE" "3,000" yes "SHARE UPDATE EXCLUSIVE" \
    "In all: 3 statements" "ACCESS EXCLUSIVE on public.users (3,000 rows" "rewritten)" "Up, down and up again give equal schemas" \
    "PostgreSQL 15"
says_not "one " # what is there is not run
same "$(schema)" "$before"
run_json 0 'd["ok"] and d["wentBack"] and [u["revision"] for u in d["units"]] == ["two", "three", "three", "two"]
    and d["units"][0]["tables"][0] == {"table": "public.users", "lock": "AccessExclusiveLock", "rows": 3000,
        "sizeBytes": d["units"][0]["tables"][0]["sizeBytes"], "isRewritten": True}
    and d["units"][0]["tables"][0]["sizeBytes"] > 100000' drover rehearse --url "$URL"

test_begin the_servers_of_the_database_saw_only_questions # id: O1
writes=$(grep -aE '^(drover|pg_dump)[^:]*:::LOG: +(statement|execute [^:]*): ' "$WORLD/pg-main/log" |
    sed -E 's/^[^:]*:::LOG: +(statement|execute [^:]*): //' |
    grep -aviE '^(SELECT|WITH|BEGIN|COMMIT|ROLLBACK|SET|SHOW|DECLARE|FETCH|CLOSE|COPY .* TO stdout|LOCK TABLE .* IN ACCESS SHARE MODE|PREPARE|EXECUTE|DISCARD|RESET)' |
    grep -aE '^[A-Z]' | head -n 5)
same "$writes" ""
[ "$(grep -ac 'pg_dump' "$WORLD/pg-main/log")" -gt 0 ] || wrong "the log has nothing of pg_dump: the test cannot fail"
grep -aE 'COPY public\.' "$WORLD/pg-main/log" && wrong "rows were read"

test_begin a_range_is_rehearsed
run 0 drover rehearse two --url "$URL"
says_not three
run 0 drover rehearse one:two --url "$URL"
says two
run 0 drover rehearse one --url "$URL"
says "Nothing to rehearse"

test_begin a_way_down_that_leaves_something_ends_with_3_and_names_it # id: V7
write 4.sql four three 'CREATE TABLE forgotten (id integer);
CREATE TABLE kept (id integer);' 'DROP TABLE kept;'
run 3 drover rehearse --url "$URL"
says "the way down does not give the schema from before" "forgotten"
says_not "table public.kept"
run_json 3 'not d["ok"] and d["stage"] == "down" and "forgotten" in d["differences"]' drover rehearse --url "$URL"

test_begin a_revision_that_fails_is_told_with_its_line
write 4.sql four three 'CREATE TABLE fine (id integer);
ALTER TABLE nowhere ADD COLUMN n integer;' 'DROP TABLE fine;'
run 6 drover rehearse --url "$URL"
says "revisions/4.sql:" nowhere "on the copy, on the way up"
rm revisions/4.sql
same "$(schema)" "$before"

test_begin an_extension_that_is_missing_here_is_named
run 0 drover heads
cluster_sql main app "UPDATE pg_extension SET extname = 'not_here' WHERE extname = 'plpgsql'"
run 1 drover rehearse --url "$URL"
says "lacks the target's extension 'not_here'"
cluster_sql main app "UPDATE pg_extension SET extname = 'plpgsql' WHERE extname = 'not_here'"

# What people do by hand with a backup of production: restore, upgrade, check, roll back, compare.
test_begin a_backup_is_restored_upgraded_and_rolled_back # id: G1, G3
"$PG_BIN/pg_dump" -Fc -h "$WORLD/pg-main" -U postgres -f app.dump app || exit 1
run 0 drover rehearse --from-backup app.dump
says "Rehearsed on a copy of the backup app.dump" "Up, down and up again give equal schemas" "3,000" yes
run_json 0 'd["fromBackup"] and d["units"][0]["tables"][0]["rows"] == 3000' drover rehearse --from-backup app.dump two
write 4.sql four three 'ALTER TABLE users ADD CONSTRAINT low CHECK (id < 100);' 'ALTER TABLE users DROP CONSTRAINT low;'
run 0 drover rehearse --url "$URL" # without rows nothing is in its way
run 6 drover rehearse --from-backup app.dump
says low "revisions/4.sql:"
rm revisions/4.sql

test_begin a_folder_is_a_backup_too_and_pg_restore_is_found_beside_the_server # id: G1, G3
"$PG_BIN/pg_dump" -Fd -j 2 -h "$WORLD/pg-main" -U postgres -f app.dir app || exit 1
# A PATH without PostgreSQL's client programs, as on a host with Debian's server alone.
mkdir -p bare && ln -sf "$DROVER_BUILD"/drover* /usr/bin/env bare/
mv app.dir "a folder" && ln -s "a folder" app.dir
run_json 0 'd["fromBackup"] and d["units"][0]["tables"][0]["rows"] == 3000' \
    env -u PG_BIN PATH="$PWD/bare" drover rehearse --from-backup app.dir two
rm -f "a folder/toc.dat"
run 1 drover rehearse --from-backup app.dir
says "'app.dir' is no backup that can be restored" "a folder of pg_dump -Fd"

test_begin what_is_no_backup_is_refused
echo 'CREATE TABLE a ();' >script.sql
run 1 drover rehearse --from-backup script.sql
says "no backup that can be restored" "pg_dump -Fc"
run 1 drover rehearse --from-backup nothing.dump
says "there is no backup 'nothing.dump'"
head -c 2000 app.dump >cut.dump
run 1 drover rehearse --from-backup cut.dump
says cut.dump

test_begin sqlite_goes_the_same_way # id: V7
rm revisions/*
revision_file one >revisions/1.sql
revision_file two one >revisions/2.sql
write 3.sql three two 'DROP INDEX IF EXISTS i; CREATE INDEX i ON t_one (id);' 'DROP INDEX i;'
run 0 drover upgrade one --url sqlite:app.db
sqlite3 app.db 'INSERT INTO t_one VALUES (1), (2), (3)'
run 0 drover rehearse --url sqlite:app.db
says t_one EXCLUSIVE "Up, down and up again give equal schemas"
cp app.db backup.db
run_json 0 '[t for u in d["units"] for t in u["tables"] if t["table"] == "t_one"][0]["rows"] == 3' drover rehearse --from-backup backup.db
run 0 drover current --url sqlite:app.db
says one

test_begin a_backup_with_its_rows_is_copied_beside_it_and_not_into_memory # id: V7
run 0 env TMPDIR="$PWD/nowhere" drover rehearse --from-backup backup.db
says "Up, down and up again give equal schemas"
run 1 bash -c 'ls -A | grep restore'

flow_end
