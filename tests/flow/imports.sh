# What import_test.sh and export_test.sh begin with: a cluster, and the chains of import_chains.py in $WORLD/chains.
export CLUSTER_OPTIONS='' WORLD_CHECK=''
world_begin "$DROVER_BUILD" || exit 1
cluster_start main || exit 1
python3 -B "$DROVER_SOURCE/tests/flow/import_chains.py" chains >/dev/null || exit 1

url() { echo "postgresql://postgres@/$1?host=$WORLD/pg-main"; }

# Schema and rows, without the ledger and Sqitch's.
dump() { # DATABASE
    "$PG_BIN/pg_dump" -h "$WORLD/pg-main" -U postgres -N drover -N sqitch "$1" | grep -v -e '^--' -e '^\\[a-z]*restrict' -e '^$'
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
