#!/bin/bash
# Chains of other tools become revisions: a database that drover builds of them is the one that psql builds of the same
# statements, also after the ways back, and what cannot be taken over is named.
. "$DROVER_SOURCE/tests/flow/lib.sh"
. "$DROVER_SOURCE/tests/flow/imports.sh"
FORMATS='dbmate golang-migrate goose flyway sqitch diesel sqlx liquibase-sql'

test_begin psql_builds_the_references
for size in '' -big; do
    cluster_sql main postgres "CREATE DATABASE ref${size//-/_}"
    run 0 psql_run "ref${size//-/_}" chains/psql$size/*.up.sql
    dump "ref${size//-/_}" >"ref${size//-/_}.dump"
    cluster_sql main postgres "CREATE DATABASE back${size//-/_} TEMPLATE ref${size//-/_}"
    # shellcheck disable=SC2046
    run 0 psql_run "back${size//-/_}" $(printf '%s\n' chains/psql$size/*.down.sql | sort -r | grep -v '/02\.')
    dump "back${size//-/_}" >"back${size//-/_}.dump"
done
cluster_sql main postgres "CREATE DATABASE ref_flyway TEMPLATE ref"
run 0 psql_run ref_flyway chains/flyway/beforeMigrate.sql chains/flyway/R__a_earlier.sql chains/flyway/R__b_again.sql \
    chains/flyway/afterMigrate__views.sql
dump ref_flyway >ref_flyway.dump
cluster_sql main postgres "CREATE DATABASE back_flyway TEMPLATE ref_flyway" # what is run again has no way back there
# shellcheck disable=SC2046
run 0 psql_run back_flyway $(printf '%s\n' chains/psql/*.down.sql | sort -r | grep -v '/02\.')
dump back_flyway >back_flyway.dump

chain_of() { # FORMAT
    local format=$1 name=${1//-/_} up=ref back=back
    case $format in dbmate) up=ref_big back=back_big ;; flyway) up=ref_flyway back=back_flyway ;; esac
    project_empty "$format" || exit 1

    test_begin "a_chain_of_${name}_is_imported_whole"
    run 0 drover import "$format" "$WORLD/chains/$format" --engine postgresql
    says "0 need hand work"
    run 0 drover heads

    test_begin "drover_builds_of_${name}_what_psql_builds"
    cluster_sql main postgres "CREATE DATABASE $name"
    run 0 drover upgrade head --url "$(url "$name")" --quiet
    same_dump "$name" $up

    test_begin "the_ways_back_of_${name}_work_where_they_worked"
    local second
    second=$(drover history --output json | python3 -S -c "import json, sys
print(next(r['id'] for r in json.load(sys.stdin)['revisions'] if r['message'] == 'create accounts'))")
    run 0 drover downgrade "$second" --url "$(url "$name")" --confirm "$name" --quiet
    same_dump "$name" "$back"
    run 6 drover downgrade -1 --url "$(url "$name")" --yes
    says 'no_such_table' 'does not exist'
    [ "$format" != goose ] || same_dump "$name" "$back"
    cd "$WORLD" || exit 1
}
for format in $FORMATS; do
    chain_of "$format"
done

# ---- what the tool's own table says

# applied_says FORMAT CODE SQL TEXT...: with that table in a database, an import by --url says each text.
applied_says() {
    local format=$1 code=$2 sql=$3
    shift 3
    cluster_sql main postgres "DROP DATABASE IF EXISTS applied" 2>/dev/null
    cluster_sql main postgres "CREATE DATABASE applied"
    cluster_sql main applied "$sql"
    run "$code" drover import "$format" "$WORLD/chains/$format" --engine postgresql --dry-run --url "$(url applied)"
    says "$@"
}

test_begin applied_state_becomes_a_stamp_to_type
applied_says dbmate 0 'CREATE SCHEMA app; CREATE TABLE app.schema_migrations (version varchar(128) PRIMARY KEY);
    INSERT INTO app.schema_migrations VALUES ($$20240101000000$$), ($$20240102000000$$)' \
    'says that 2 of 34 are applied' "next: drover stamp 20240102000000 --url '$(url applied)'"
applied_says golang-migrate 0 'CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (121, false)' \
    '11 of 34' 'drover stamp 121 --url'
applied_says goose 0 'CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp DEFAULT now());
    INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false)' \
    '1 of 34' 'drover stamp 00001 --url'
applied_says diesel 0 'CREATE TABLE __diesel_schema_migrations (version varchar(50), run_on timestamp);
    INSERT INTO __diesel_schema_migrations VALUES ($$00000000000000$$), ($$20240101000000$$)' '1 of 34' 'drover stamp 20240101000000'
applied_says sqitch 0 'CREATE SCHEMA sqitch; CREATE TABLE sqitch.changes (change text, committed_at timestamptz, planned_at timestamptz);
    INSERT INTO sqitch.changes VALUES ($$create-people$$, now(), now())' '1 of 34' 'drover stamp create_people'
applied_says liquibase-sql 0 'CREATE TABLE databasechangelog (id text, author text, filename text, orderexecuted int, exectype text);
    CREATE TABLE databasechangeloglock (id int, locked boolean);
    INSERT INTO databasechangelog VALUES ($$1$$, $$alice$$, $$x$$, 1, $$EXECUTED$$)' '1 of 34' 'drover stamp 01_changes.1'

FLYWAY_TABLE='CREATE TABLE flyway_schema_history (installed_rank int, version text, description text, type text, script text,
    checksum int, success boolean);'
test_begin what_keeps_a_database_from_a_stamp_is_named
applied_says golang-migrate 3 'CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (3, true)' \
    "'3' is half-way: it is marked dirty"
says_not 'drover stamp'
applied_says dbmate 3 'CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES ($$20240102000000$$), ($$19990101000000$$)' \
    "'20240102000000' is applied, but '20240101000000' before it is not" "'19990101000000' is applied, but its file is not in"
applied_says flyway 0 "$FLYWAY_TABLE INSERT INTO flyway_schema_history VALUES (1, '1', '', 'SQL', '', 1, true), (2, '1.1', '', 'SQL', '', NULL, true)" \
    '3 of 38' 'is another file now than when it was applied' 'drover stamp 1.1'
applied_says flyway 3 "$FLYWAY_TABLE INSERT INTO flyway_schema_history VALUES (1, '1', '', 'SQL', '', NULL, false)" "'1' is half-way: it failed"
applied_says sqlx 3 'CREATE TABLE _sqlx_migrations (version bigint, success boolean); INSERT INTO _sqlx_migrations VALUES (1, false)' "'1' is half-way"
applied_says liquibase-sql 3 'CREATE TABLE databasechangelog (id text, author text, orderexecuted int, exectype text);
    CREATE TABLE databasechangeloglock (id int, locked boolean); INSERT INTO databasechangeloglock VALUES (1, true)' 'the lock of Liquibase is held'
applied_says goose 0 'SELECT 1' "has no table 'goose_db_version'"
applied_says goose 1 'CREATE TABLE goose_db_version (x int)' "is not the one that goose makes"

test_begin a_stamped_database_goes_on_with_drover
project_empty stamped
run 0 drover import golang-migrate "$WORLD/chains/golang-migrate"
cluster_sql main postgres 'CREATE DATABASE stamped'
run 0 psql_run stamped ../chains/psql/0[1-3].up.sql
run 0 drover stamp 3 --url "$(url stamped)"
run 0 drover upgrade head --url "$(url stamped)" --quiet
same_dump stamped ref
cd "$WORLD" || exit 1

flow_end
