#!/bin/bash
# Chains of other tools become revisions: a database that drover builds of them is the one that psql builds of the same
# statements, also after the ways back, and what cannot be taken over is named.
. "$DROVER_SOURCE/tests/flow/lib.sh"
export CLUSTER_OPTIONS='' WORLD_CHECK=''
world_begin "$DROVER_BUILD" || exit 1
cluster_start main || exit 1
python3 -B "$DROVER_SOURCE/tests/flow/import_chains.py" chains >/dev/null || exit 1
FORMATS='dbmate golang-migrate goose flyway sqitch diesel sqlx liquibase-sql'

url() { echo "postgresql://postgres@/$1?host=$WORLD/pg-main"; }

# Schema and rows, without the ledger.
dump() { # DATABASE
    "$PG_BIN/pg_dump" -h "$WORLD/pg-main" -U postgres -N drover "$1" | grep -v -e '^--' -e '^\\[a-z]*restrict' -e '^$'
}

psql_run() { # DATABASE FILE...
    local database=$1 file
    shift
    set -- "${@/#/-f}"
    "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$WORLD/pg-main" -U postgres -d "$database" -o /dev/null "$@"
}

same_dump() { # DATABASE REFERENCE
    dump "$1" >"$WORLD/$1.dump"
    cmp -s "$WORLD/$1.dump" "$WORLD/$2.dump" ||
        wrong "$1 differs from $2: $(diff "$WORLD/$1.dump" "$WORLD/$2.dump" | head -n 20)"
}

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
    same_dump "$name" "$back"
    cd "$WORLD" || exit 1
}
for format in $FORMATS; do
    chain_of "$format"
done

flow_end
