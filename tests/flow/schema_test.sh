#!/bin/bash
# An author says what the schema should be; drover writes the revision that leads there, proves it, and says what differs.
. "$DROVER_SOURCE/tests/flow/lib.sh"
# Nothing here is anybody's database: no statement needs an approval.
export CLUSTER_OPTIONS='' WORLD_CHECK=true
world_begin "$DROVER_BUILD" || exit 1
cluster_start one || exit 1
export DROVER_SCRATCH_URL="postgresql://postgres@/postgres?host=$WORLD/pg-one"
project_empty schema || exit 1

cat >one.sql <<'SQL'
\restrict token
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.users (id bigserial PRIMARY KEY, name text NOT NULL, mood public.mood DEFAULT 'good');
ALTER TABLE public.users OWNER TO somebody;
CREATE TABLE public.quotas (user_id bigint PRIMARY KEY REFERENCES public.users ON DELETE CASCADE, n int CHECK (n > 0));
CREATE INDEX ix_users_name ON public.users (name);
COMMENT ON TABLE public.users IS 'people';
SQL
sed -e "s/'bad'/'bad', 'ugly'/; s/ name text/ full_name text/; s/(name)/(full_name)/; s/n int/n bigint/" one.sql >two.sql

test_begin autogenerate_writes_a_revision_that_is_proved # id: C11
run 0 drover revision --autogenerate -m "first tables" --desired one.sql --rev-id first
says "Generating revisions/first_first_tables.sql ...  done" "Proved: up makes what one.sql has" "Always review"
run 0 drover show first --sql
says "CREATE TABLE users (" "CREATE TYPE mood AS ENUM" "COMMENT ON TABLE users IS 'people'" "DROP TABLE users;" \
    "to_regclass('users') IS NOT NULL"
run 0 drover lint
run 0 drover revision --autogenerate -m "nothing" --desired one.sql
says "No difference: the chain makes what one.sql has; nothing was written."
same "$(ls revisions/*.sql | wc -l)" 1

test_begin check_tells_the_difference # id: C11
run 0 drover check --desired one.sql
says "the chain makes what one.sql has"
run 3 drover check --desired two.sql
says "not in the chain: column public.users.full_name" "only in the chain: column public.users.name" \
    "try: drover revision --autogenerate"
echo 'desired = "one.sql"' >>drover.conf
run 0 drover check

test_begin a_rename_is_marked_and_a_loss_declared
run 0 drover revision --autogenerate -m "second" --desired two.sql --rev-id second
says "Proved:" "may have been renamed to users.full_name; then: --rename users.name=users.full_name"
run 0 drover show second --sql
says "Destructive: the data of column users.name" "Reversible: lossy" "-- rename? if column users.name" \
    "ADD VALUE 'ugly' AFTER 'bad'" "transaction=off" "ALTER COLUMN n TYPE bigint"
run 0 drover lint
rm revisions/second* && drover check --write >/dev/null

test_begin a_rename_that_is_said_keeps_the_data
run 0 drover revision --autogenerate -m "second" --desired two.sql --rev-id second --rename users.name=users.full_name
says "Proved:"
run 0 drover show second --sql
says "ALTER TABLE users RENAME COLUMN name TO full_name" "ALTER TABLE users RENAME COLUMN full_name TO name"
says_not "Destructive"
run 1 drover revision --autogenerate -m "third" --desired one.sql --rename users.id=users.no
says "cannot have been renamed" "try: --rename"

test_begin a_desired_schema_may_be_a_database_and_the_chain_makes_it # id: C21
database_make one app || exit 1
run 0 drover upgrade head --url "$(cluster_url one app)"
run 0 drover schema diff head "$(cluster_url one app)"
same "$OUT" ""
cluster_sql one app "ALTER TABLE users ADD COLUMN seen timestamptz" || wrong "no column"
run 3 drover schema diff head "$(cluster_url one app)"
says "+ column public.users.seen: timestamp with time zone"
run_json 3 'd["changes"][0]["change"] == "added"' drover schema diff head "$(cluster_url one app)"
run_json 0 'd["differs"] and d["proved"] and d["left"] == []' drover revision --autogenerate -m seen --desired "$(cluster_url one app)"

test_begin what_psql_shows_is_shown # id: C21
run 0 drover schema show --url "$(cluster_url one app)"
says "users" "quotas" "ix_users_name"
run 0 drover schema show users --url "$(cluster_url one app)"
says "full_name" "not null" "nextval('users_id_seq'::regclass)" "users_pkey PRIMARY KEY (id)" "Referenced by:" "quotas"
run 0 drover schema show --url "$(cluster_url one app)" --kind index
says "ix_users_name"
run 1 drover schema show nobody --url "$(cluster_url one app)"
says "has no 'nobody'"
run 2 drover schema show one.sql
says "'one.sql' is a file" "try: drover schema show --from one.sql"
run 1 drover schema show head --from one.sql
says "one.sql has no 'head'" "try: --from head"
run 2 drover schema show --kind tables --from one.sql
says "there is no kind 'tables'" "table, column"
run_json 0 'any(o["kind"] == "table" for o in d["objects"])' drover schema show --from one.sql

test_begin a_desired_file_may_make_schemas_whose_names_begin_alike
printf '%s\n' 'CREATE SCHEMA app;' 'CREATE SCHEMA app_more;' 'CREATE TABLE app_more.t (id int);' 'CREATE TABLE app.u (id int);' >alike.sql
run 0 drover schema show --from alike.sql --schema app
says "u"

test_begin what_no_statement_is_known_for_is_left_for_hand_work
{ cat two.sql && echo 'CREATE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int);' &&
    echo 'CREATE TABLE public.more (id int);'; } >three.sql
rm -f revisions/*_seen.sql && drover check --write >/dev/null
run 3 drover revision --autogenerate -m "more" --desired three.sql
says "Left for hand work, up: aggregate public.total(integer) is not made"

test_begin other_schemas_extensions_and_new_labels_in_one_transaction # id: C11
project_empty whole || exit 1
cat >one.sql <<'SQL'
CREATE SCHEMA billing;
CREATE EXTENSION hstore SCHEMA billing;
CREATE TYPE billing.mood AS ENUM ('x');
CREATE TABLE billing.accounts (id int PRIMARY KEY, more billing.hstore, owner text);
CREATE TABLE users (id int PRIMARY KEY, account int REFERENCES billing.accounts, mood billing.mood);
CREATE FUNCTION billing.f(m billing.mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW billing.v AS SELECT u.mood, a.owner FROM users u JOIN billing.accounts a ON a.id = u.account;
CREATE POLICY p ON billing.accounts USING (owner = current_user);
GRANT SELECT ON billing.v TO somebody;
SQL
sed -e "s/('x')/('w', 'x')/; s/id int/id bigint/; s/account int/account bigint/; s/RETURNS int/RETURNS bigint/" \
    -e "s/current_user/'me'/; /GRANT/d" one.sql >two.sql
unset DROVER_SCRATCH_URL # a private server, in which missing roles are made
run 0 drover revision --autogenerate -m "one" --desired one.sql --rev-id one
says "Proved:"
run 0 drover revision --autogenerate -m "two" --desired two.sql --rev-id two
says "Proved:"
run 0 drover show two --sql
says "-- drover:up \"part 1\" transaction=off" "ADD VALUE 'w' BEFORE 'x'" "CREATE VIEW billing.v"
same "$(grep -c '^-- drover:up' revisions/two_two.sql)" 2
run 0 drover lint
export DROVER_SCRATCH_URL="postgresql://postgres@/postgres?host=$WORLD/pg-one"

test_begin a_rename_is_asked_for_at_a_terminal
project_empty asked || exit 1
echo 'CREATE TABLE users (id int PRIMARY KEY, name text);' >one.sql
echo 'CREATE TABLE users (id int PRIMARY KEY, full_name text);' >two.sql
run 0 drover revision --autogenerate -m "one" --desired one.sql --rev-id one
OUT=$(echo y | script -qec "drover revision --autogenerate -m two --desired two.sql --rev-id two" /dev/null)
says "was column users.name renamed to users.full_name? [y/N]" "Proved:"
run 0 drover show two --sql
says "RENAME COLUMN name TO full_name"

test_begin a_wrong_statement_is_named_and_nothing_is_written
cd ../schema || exit 1
printf 'CREATE TABLE a (id int);\n\nCREATE TABLE b (id wrong);\n' >bad.sql
count=$(ls revisions | wc -l)
run 6 drover revision --autogenerate -m "bad" --desired bad.sql
says "bad.sql:3:1" "wrong"
same "$(ls revisions | wc -l)" "$count"
run 2 drover revision --autogenerate -m "none" --config /dev/null
mkdir ../none && cd ../none && printf 'project = "none"\n' >drover.conf
run 2 drover revision --autogenerate -m "none"
says "--desired schema.sql"

test_begin a_diagram_in_every_format
cd ../schema || exit 1
run 0 drover schema er --from one.sql
says "erDiagram" "users ||--o{ quotas" "bigint id PK"
run 0 drover schema er --from one.sql --format dot
says "digraph schema" "->"
run 2 drover schema er one.sql
says "try: drover schema er --from one.sql"
run 1 drover schema er 'nothing*' --from one.sql
says "one.sql has no table 'nothing*'"
run_er=$(drover schema er --from one.sql --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["keys"][0]["references"])')
same "$run_er" users
if command -v dot >/dev/null; then
    run 0 drover schema er --from one.sql --format svg
    says "<svg"
else
    run 1 drover schema er --from one.sql --format svg
    says "'dot' cannot be started" "try: install graphviz"
fi

test_begin the_same_on_sqlite # id: C11, C21
project_empty lite || exit 1
echo 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE INDEX i ON users (name);' >one.sql
run 0 drover revision --autogenerate -m "first" --desired one.sql --engine sqlite --rev-id first
says "Proved:"
run 0 drover upgrade head --url sqlite:app.db
sqlite3 app.db "INSERT INTO users (name) VALUES ('alice')"
echo "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), age INT); CREATE INDEX i ON users (name);" >two.sql
run 0 drover revision --autogenerate -m "second" --desired two.sql --rev-id second
says "Proved:"
run 0 drover lint
run 0 drover upgrade head --url sqlite:app.db
same "$(sqlite3 app.db 'SELECT name FROM users')" alice
run 0 drover check --desired sqlite:app.db
run 0 drover schema show --url sqlite:app.db --sql
says "CREATE INDEX i ON users (name);"
run 0 drover schema show users --url sqlite:app.db
says "age" "not null"
flow_end
