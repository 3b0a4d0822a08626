#!/bin/bash
# What an import cannot do by itself: it is named with its place, the file is refused until somebody mended it, and
# nothing appears half.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
project_empty hand || exit 1

# hand FORMAT FOLDER PLACE TEXT...: exit 3, the place and each text are told, and nobody can run it as it is.
hand() {
    local format=$1 folder=$2 place=$3
    shift 3
    rm -rf revisions && mkdir revisions
    run 3 drover import "$format" "$folder"
    says "hand work  $place" "$@"
    run 1 drover lint
}

up() { # FILE: standard input as a migration of golang-migrate
    rm -rf m && mkdir -p m
    cat >"m/$1.up.sql"
}

test_begin commands_of_psql
up 1_a <<<'\i other.sql'
hand golang-migrate m m/1_a.up.sql:1 "a command of psql's"
up 1_a <<<$'CREATE TABLE a (id int);\nSELECT 1 \\gexec'
hand golang-migrate m m/1_a.up.sql:2 "a command of psql's"
up 1_a <<<$'\\set ON_ERROR_STOP on\n\\echo hello\nCREATE TABLE a (id int);'
rm -rf revisions
run 0 drover import golang-migrate m
says "'\\set ON_ERROR_STOP on' was taken out: it is psql's own" "'\\echo hello' was taken out"

test_begin statements_that_no_revision_holds
up 1_a <<<$'CREATE TABLE a (id int);\nSAVEPOINT s;\nROLLBACK TO s;'
hand golang-migrate m m/1_a.up.sql:2 "SAVEPOINT cannot stand in a revision" "m/1_a.up.sql:3" "ROLLBACK cannot stand"
up 1_a <<<'CREATE DATABASE other;'
hand golang-migrate m m/1_a.up.sql:1 "CREATE DATABASE cannot stand in a revision"
up 1_a <<<$'COPY a FROM stdin WITH (FORMAT csv);\n1,2\n\\.\n'
hand golang-migrate m m/1_a.up.sql:1 "options of its own"
up 1_a <<<$'SET search_path = app;\nCREATE INDEX CONCURRENTLY i ON t (a);'
hand golang-migrate m m/1_a.up.sql:2 "search_path is set in another section"
up 1_a <<<'CREATE SUBSCRIPTION s CONNECTION $$dbname=x$$ PUBLICATION p;'
hand golang-migrate m m/1_a.up.sql:1 "cannot tell whether it was done"
up 1_a <<<'CREATE INDEX CONCURRENTLY ON t (a);'
hand golang-migrate m m/1_a.up.sql:1 "needs a name"
up 1_a <<<'CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);'
hand golang-migrate m m/1_a.up.sql:1 "remove IF NOT EXISTS"
up 1_a <<<'CREATE TABLE `a` (id int) ENGINE=InnoDB;'
hand golang-migrate m m/1_a.up.sql:1 "syntax error"
up 1_a <<<"SELECT 'never closed;"
hand golang-migrate m m/1_a.up.sql:1 "unterminated string"
up 1_a <<<$'SELECT \'a\xe2\x80\x8db\';'
hand golang-migrate m 1_a.sql:11 "zero-width"
up 1_a <<<$'-- drover:up\nSELECT 1;'
run 3 drover import golang-migrate m --out other
says "hand work"

test_begin programs_and_variables_of_the_tools
rm -rf m && mkdir m
printf 'package x\n' >m/00001_move.go
printf -- '-- +goose ENVSUB ON\n-- +goose Up\nCREATE TABLE ${NAME} (id int);\n' >m/00002_env.sql
hand goose m m/00001_move.go "a program in Go" "m/00002_env.sql:3" "variables of the environment"
rm -rf m && mkdir m
printf 'CREATE TABLE ${table} (id int);\n' >m/V1__a.sql
printf 'class V2__b {}\n' >m/V2__b.java
hand flyway m m/V2__b.java "a program" "m/V1__a.sql:1" 'the placeholder ${table}'
rm -rf m && mkdir m
printf -- '--liquibase formatted sql\n--changeset a:1 context:test\n--preconditions onFail:HALT\nSELECT 1 FROM ${t};\n' >m/a.sql
printf '<x/>\n' >m/root.xml
hand liquibase-sql m m/a.sql:2 "runs only in a context" "m/a.sql:3" "preconditions are Liquibase's own" "m/a.sql:4" "m/root.xml"
rm -rf m && mkdir -p m/deploy
printf '%%syntax-version=1.0.0\n%%project=x\n\na 2024-01-01T00:00:00Z A <a@b.c> # a\n' >m/sqitch.plan
hand sqitch m m/sqitch.plan:4 "there is no script deploy/a.sql"

test_begin reworked_changes_and_tags_of_sqitch
rm -rf m revisions && mkdir -p m/deploy m/revert
printf '%%syntax-version=1.0.0\n%%project=x\n\nviews 2024-01-01T00:00:00Z A <a@b.c> # first\\nand more\n@v1.0 2024-01-01T00:00:00Z A <a@b.c>
users [views @v1.0 !old] 2024-01-02T00:00:00Z A <a@b.c> # users\nviews [views@v1.0 users] 2024-01-03T00:00:00Z A <a@b.c> # second\n' >m/sqitch.plan
printf 'CREATE VIEW v AS SELECT 1 AS a;\n' | tee m/deploy/views@v1.0.sql >m/revert/views.sql
printf 'CREATE OR REPLACE VIEW v AS SELECT 1 AS a, 2 AS b;\n' >m/deploy/views.sql
printf 'CREATE TABLE users (id int);\n' >m/deploy/users.sql
printf 'left over\n' >m/deploy/gone.sql
run 0 drover import sqitch m
says "the conflict with 'old' is not kept" "m/deploy/gone.sql" "no change of sqitch.plan has this name"
run 0 drover history --verbose
says "Rev: views (head)" "Parent: users" "Rev: views.v1.0" "Sqitch tags: @v1.0" "and more"
same "$(grep -l 'SELECT 1 AS a;' revisions/*.sql | wc -l)" 2
grep -q '^-- Depends on: views.v1.0, users$' revisions/views_second.sql || wrong "no dependencies: $(cat revisions/views_second.sql)"
printf 'a [b] 2024-01-01T00:00:00Z A <a@b.c> # a\n' >m/sqitch.plan
run 1 drover import sqitch m --out other
says "m/sqitch.plan:1:1" "'a' requires 'b', which is not before it"

test_begin what_is_mended_by_hand_is_accepted
up 1_a <<<$'SAVEPOINT s;\nCREATE TABLE a (id int);'
hand golang-migrate m m/1_a.up.sql:1 "SAVEPOINT"
sed -i '/SAVEPOINT/d' revisions/1_a.sql
run 0 drover lint

test_begin changes_without_hand_work_are_told
rm -rf m revisions && mkdir m
printf '\xef\xbb\xbfCREATE TABLE a (id int);\r\n' >m/1_a.up.sql
: >m/2_b.up.sql
printf 'read me\n' >m/README.md
run 0 drover import golang-migrate m
says "byte order mark" "CR LF" "m/2_b.up.sql" "holds SELECT 1" "left out" "m/README.md"
run_json 0 "d['converted'] == 2 and d['hand_work'] == 0 and len(d['revisions']) == 2 and
    [n['kind'] for n in d['notes']].count('left-out') == 1" drover import golang-migrate m --out json

test_begin sets_are_said_again_in_every_section
up 1_a <<<$'SET lock_timeout = 5000;\nCREATE TYPE t AS ENUM (\'a\');\nALTER TYPE t ADD VALUE \'b\';\nCREATE TABLE c (t t);'
rm -rf revisions
run 0 drover import golang-migrate m
same "$(grep -c 'SET lock_timeout = 5000;' revisions/1_a.sql)" 2
same "$(grep -c '^-- drover:up transaction=off$' revisions/1_a.sql)" 1

test_begin files_for_several_databases_are_chosen_by_engine
rm -rf m revisions && mkdir -p m/mysql
printf -- '-- migrate:up\nCREATE TABLE a (id int);\n' >m/1_a.sql
printf -- '-- migrate:up\nCREATE TABLE b (id serial);\n' >m/2_b.postgres.sql
printf -- '-- migrate:up\nCREATE TABLE b (id integer PRIMARY KEY);\n' >m/2_b.sqlite.sql
printf -- '-- migrate:up\nCREATE TABLE b (id int) ENGINE=x;\n' >m/mysql/2_b.sql
run 2 drover import dbmate m
says "for one database only: " mysql postgresql sqlite "--engine"
run 0 drover import dbmate m --engine sqlite
says "2_b.postgres.sql" "it is for postgresql, not for sqlite" "m/mysql/2_b.sql"
run 0 drover upgrade head --url sqlite:a.db
same "$(sqlite3 a.db "SELECT sql FROM sqlite_schema WHERE name = 'b'")" "CREATE TABLE b (id integer PRIMARY KEY)"

test_begin a_sqlite_table_leads_to_the_stamp
sqlite3 tool.db "CREATE TABLE schema_migrations (version varchar(128)); INSERT INTO schema_migrations VALUES ('1')"
run 0 drover import dbmate m --engine sqlite --out x --dry-run --url sqlite:tool.db
says "1 of 2 are applied" "drover stamp 1 --url 'sqlite:tool.db'"
run 2 drover import dbmate m --engine postgresql --out x --dry-run --url sqlite:tool.db
says "--engine sqlite"

test_begin nothing_appears_half
rm -rf revisions m && mkdir -p m revisions
printf 'CREATE TABLE a (id int);\n' >m/1_a.up.sql
revision_file 1 >revisions/x.sql
run 1 drover import golang-migrate m
says "'1' is a revision already" "--out DIR"
same "$(ls -A revisions)" x.sql
run 0 drover import golang-migrate m --dry-run
says "Would import 0 migrations" "1 more of them is there already"
run 0 drover import golang-migrate m --dry-run --out new
[ ! -e new ] || wrong "a dry run wrote something"
printf 'x' >m/01_b.up.sql
run 1 drover import golang-migrate m --out new
says "have one version"
[ ! -e new ] || wrong "a refused import wrote something"
mkdir new && printf 'mine' >new/1_a.sql
rm m/01_b.up.sql
run 1 drover import golang-migrate m --out new
same "$(cat new/1_a.sql)" mine
same "$(ls -A new)" 1_a.sql

test_begin slips_are_answered_with_what_to_type
run 2 drover import rails m
says "'rails' is no format that drover reads" "dbmate, golang-migrate"
run 1 drover import dbmate nowhere
says "nowhere"
mkdir empty
run 1 drover import dbmate empty
says "holds no migration of dbmate" "create_users.sql"
run 1 drover import sqitch empty
says "no sqitch.plan"
run 2 drover import dbmate m --engine mysql
says "--engine postgresql"
run 2 drover export goose out
says "plain, "
flow_end
