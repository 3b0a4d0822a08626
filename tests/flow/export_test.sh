#!/bin/bash
# The chain goes out as files of other tools and comes back; Debian's own sqitch is asked too.
. "$DROVER_SOURCE/tests/flow/lib.sh"
. "$DROVER_SOURCE/tests/flow/imports.sh"

test_begin psql_builds_the_reference
cluster_sql main postgres 'CREATE DATABASE ref'
run 0 psql_run ref chains/psql/*.up.sql
dump ref >ref.dump
run 0 drover import sqitch chains/sqitch --out chain

# What upgrade and downgrade run, and the graph.
texts() { # FOLDER
    drover history --verbose | grep -E '^(Rev|Parent|Branches|Merges|Depends)' || true
    drover sql base:head
    drover sql base:head --down
}

test_begin what_is_exported_comes_back_as_it_was
for format in plain dbmate sqitch; do
    project_empty "out-$format"
    cp "$WORLD"/chain/*.sql revisions/
    run 0 drover export "$format" "exported"
    texts >before.txt
    rm revisions/*
    run 0 drover import "$format" exported
    texts >after.txt
    cmp -s before.txt after.txt || wrong "$format: $(diff before.txt after.txt | head -n 20)"
    cd "$WORLD" || exit 1
done

# Debian's own sqitch on a new database.
sqitch_run() { # FOLDER DATABASE COMMAND...
    local folder=$1 database=$2
    shift 2
    (cd "$folder" && PGHOST=$WORLD/pg-main PGUSER=postgres PATH=$PG_BIN:$PATH SQITCH_FULLNAME=Alice \
        SQITCH_EMAIL=alice@example.com sqitch "$@" --target "db:pg:$database")
}

test_begin sqitch_itself_builds_the_same_and_is_taken_over
cluster_sql main postgres 'CREATE DATABASE real'
run 0 sqitch_run chains/sqitch real deploy --verify
run 0 drover import sqitch chains/sqitch --out nowhere --dry-run --url "$(url real)"
says '34 of 34' 'drover stamp procedure --url'
same_dump real ref

test_begin sqitch_itself_runs_what_was_exported
cluster_sql main postgres 'CREATE DATABASE again'
run 0 sqitch_run out-sqitch/exported again deploy --verify
same_dump again ref

test_begin branches_and_dependencies_come_back
project_empty graph
revision_file a >revisions/a.sql
revision_file b a | sed 's/^-- Engine/-- Branch labels: left\n&/' >revisions/b.sql
revision_file c a | sed 's/^-- Engine/-- Depends on: b\n&/' >revisions/c.sql
revision_file d 'b, c' >revisions/d.sql
drover history --verbose | grep -v '^Path' >before.txt
for format in plain dbmate sqitch; do
    run 0 drover export "$format" "$format"
    mkdir "in-$format" && (cd "in-$format" && echo 'project = "p"' >drover.conf) || exit 1
    run 0 drover import "$format" "$format" --out "in-$format/revisions"
    (cd "in-$format" && drover history --verbose | grep -v '^Path') >after.txt
    grep -E '^(Rev|Parent|Branch)' before.txt >b.txt && grep -E '^(Rev|Parent|Branch)' after.txt >a.txt
    cmp -s b.txt a.txt || wrong "$format: $(diff b.txt a.txt | head -n 20)"
done
cd "$WORLD" || exit 1

test_begin what_a_format_cannot_hold_is_said
project_direct held
run 0 drover export dbmate out --dry-run
says 'a preflight has no place in dbmate' 'a remedy has no place' 'a verify section has no place'
[ ! -e out ] || wrong "a dry run wrote something"

flow_end
