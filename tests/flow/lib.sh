# Words for flow tests. A flow sources this file, says `test_begin NAME` before each case, and ends with `flow_end`.
# Cases print like cmocka's, so that one count serves all.

set -u
: "${DROVER_SOURCE:?}" "${DROVER_BUILD:?}"
# shellcheck source=deploy/world.sh
. "$DROVER_SOURCE/deploy/world.sh"

# Every server says what it was sent, and at the end each statement must be one that people approved (oracle O1).
export CLUSTER_OPTIONS="-c logging_collector=on -c log_destination=csvlog -c log_directory=logs -c log_statement=all \
    -c log_file_mode=0644 -c lc_messages=C"
export WORLD_CHECK="python3 -B $DROVER_SOURCE/tests/support/approved.py"

flow_case='' flow_bad=0 flow_failed=0 flow_cases=0
OUT='' CODE=0

flow_cleanup() {
    local status=$?
    trap - EXIT
    if [ $flow_failed != 0 ] || [ $status != 0 ]; then
        [ -z "${WORLD:-}" ] || tail -n 20 "$WORLD"/log/* 2>/dev/null
    fi
    world_end || status=1
    exit $status
}
trap flow_cleanup EXIT

flow_close() {
    [ -n "$flow_case" ] || return 0
    flow_cases=$((flow_cases + 1))
    if [ $flow_bad = 0 ]; then
        echo "[       OK ] $flow_case"
    else
        echo "[  FAILED  ] $flow_case"
        flow_failed=$((flow_failed + 1))
    fi
}

test_begin() {
    flow_close
    flow_case=$1 flow_bad=0
    echo "[ RUN      ] $1"
}

flow_end() {
    flow_close
    flow_case=
    echo "$((flow_cases - flow_failed)) passed, $flow_failed failed"
    [ $flow_failed = 0 ] && [ $flow_cases != 0 ]
    exit $?
}

wrong() {
    flow_bad=$((flow_bad + 1))
    echo "wrong: $1"
    printf '%s\n' "$OUT" | sed 's/^/    | /' | tail -n 40
}

# run EXPECTED-CODE COMMAND...: runs it; output of both kinds in $OUT, exit code in $CODE.
run() {
    local expected=$1
    shift
    OUT=$("$@" 2>&1 </dev/null)
    CODE=$?
    [ $CODE = "$expected" ] || wrong "'$*' ended with $CODE, not $expected"
}

# wait_until SECONDS COMMAND...: until the command is true; false when the time is over.
wait_until() {
    local left=$(($1 * 10))
    shift
    while ! "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        read -r -t 0.1 <> <(:) || true
    done
}

# says TEXT...: each text is in $OUT.
says() {
    local text
    for text in "$@"; do
        case "$OUT" in
        *"$text"*) ;;
        *) wrong "no '$text' in the output" ;;
        esac
    done
}

says_not() {
    case "$OUT" in
    *"$1"*) wrong "'$1' is in the output" ;;
    esac
}

# same A B: two texts are equal.
same() {
    [ "$1" = "$2" ] || wrong "'$1' is not '$2'"
}

# A project folder without coordinator in $WORLD/$1 with the masterplan chain.
project_direct() {
    mkdir -p "$WORLD/$1/revisions" && cd "$WORLD/$1" || return 1
    echo 'project = "masterplan"' >drover.conf
    cp "$DROVER_SOURCE"/deploy/chains/masterplan/revisions/*.sql revisions/
}

# A world with three people (two of three sign, one in staging), one droverd and an agent with a SQLite target in staging
# and in production, started. The chain is the first REVISIONS files of masterplan (default: all).
flow_rollout_world() { # [REVISIONS]
    local env
    world_begin "$DROVER_BUILD" || exit 1
    mkdir -p revisions
    ls "$DROVER_SOURCE"/deploy/chains/masterplan/revisions/*.sql | head -n "${1:-100}" | xargs -I{} cp {} revisions/
    people_make alice bob carol mallory || exit 1
    as alice drover init --name masterplan --people keys/alice.pub,keys/bob.pub,keys/carol.pub --threshold 2 \
        --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
    for env in staging production; do
        sqlite_make "$WORLD/$env.db" || exit 1
        agent_make $env-lite $env "$env/notes=sqlite:$WORLD/$env.db" >/dev/null || exit 1
    done
    for who in alice bob; do
        as $who drover sign trust/root.1.drv >/dev/null && as $who drover sign trust/fleet.3.drv >/dev/null || exit 1
    done
    coordinator_start && agent_start staging-lite && agent_start production-lite || exit 1
}

# Chain signed by two of three.
flow_chain() {
    as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null &&
        as bob drover approve chain --yes >/dev/null || wrong "the chain was not approved"
}

# Runs a rollout up to staging applied.
flow_staging() { # R-N
    run 8 as alice drover rollout watch "$1" --timeout 60s
    run 0 as carol drover approve "$1" -e staging --yes
    run 0 as carol drover rollout watch "$1" --until staging=applied --timeout 60s
}

flow_signoffs() { # R-N
    run 0 as bob drover checklist "$1" sign logs-reviewed --note read
    run 0 as carol drover checklist "$1" sign application-updated --note 2.4
}

flow_production() { # R-N [STATE]
    run 8 as alice drover rollout watch "$1" --timeout 60s
    run 0 as alice drover approve "$1" -e production --confirm production
    run 0 as bob drover approve "$1" -e production --confirm production
    run 0 as bob drover rollout watch "$1" --until "production=${2:-applied}" --timeout 60s
}

version_of() { # ENVIRONMENT
    drover current --url "sqlite:$WORLD/$1.db"
}

# flow_at OFFSET COMMAND...: the command under a clock that is that far away. flow_clock comes first: without its library the
# flow fails at once.
flow_clock() {
    CLOCK_LIBRARY=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null) && return 0
    echo "error: libfaketime is missing: deploy/install-packages test"
    return 1
}

flow_at() {
    local offset=$1
    shift
    # The sanitizers' library would have to come first.
    LD_PRELOAD=$CLOCK_LIBRARY FAKETIME=$offset FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 \
        ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 "$@"
}

# ---- one canary of three databases

# A project of alice alone with production/a, b and c (SQLite files of one agent) and a policy of one canary in policy.conf,
# not applied yet. The chain is one table, with what SQL adds.
flow_canary_world() { # [SQL]
    local name targets=()
    people_make alice
    as alice drover init --name shop --people keys/alice.pub --environments production --coordinator tcp://127.0.0.1:0 --quiet >/dev/null ||
        wrong "no project"
    mkdir -p revisions
    printf -- '-- drover:revision 1\n-- add users\n--\n-- Revision ID: r1\n-- Revises:\n-- Engine: sqlite\n\n-- drover:up\nCREATE TABLE users (id integer PRIMARY KEY);\n%s\n-- drover:down\nDROP TABLE users;\n' "${1:+$1
}" >revisions/r1.sql
    as alice drover sign trust/root.1.drv >/dev/null || wrong "the root was not signed"
    for name in a b c; do
        sqlite_make "$WORLD/$name.db"
        targets+=("production/$name=sqlite:$WORLD/$name.db")
    done
    SIGNER=alice agent_make one "production" "${targets[@]}" >/dev/null || wrong "no agent"
    as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
    as alice drover policy show -e production >policy.conf || wrong "no policy"
    sed -i 's/^\( *\)#* *canary_targets.*/\1canary_targets = 1/' policy.conf
    grep -q 'canary_targets = 1' policy.conf || sed -i 's/^environment.*{/&\n  canary_targets = 1/' policy.conf
}

# flow_backup_world LEVEL [SERVER-OPTIONS]: alice's database staging/shop on a private cluster, whose backups have to be
# proved as far as LEVEL; the chain is approved, and agent one is there and not started.
flow_backup_world() {
    people_make alice
    as alice drover init --name shop --people keys/alice.pub --environments staging --coordinator tcp://127.0.0.1:0 --quiet >/dev/null
    mkdir -p revisions
    revision_file r1 >revisions/r1.sql
    as alice drover sign trust/root.1.drv >/dev/null
    cluster_start main "${2:-}" && database_make main shop || exit 1
    cluster_sql main shop "CREATE TABLE kept AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) AS i; ALTER TABLE kept OWNER TO drover" >/dev/null
    SIGNER=alice agent_make one staging "staging/shop=$(cluster_url main shop)" >/dev/null
    as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
    coordinator_start || exit 1
    as alice drover policy show | sed "s/restore = \"listed\"/restore = \"$1\"/" >policy.conf
    run 0 as alice drover policy apply policy.conf --yes
    run 0 as alice drover submit
    run 0 as alice drover approve chain --yes
}

# ---- revision files

# revision_header ID [PARENT]: a header. revision_file ID [PARENT]: a whole file that lint has nothing to say about.
revision_header() {
    printf -- '-- drover:revision 1\n-- Make t_%s\n--\n-- Revision ID: %s\n-- Revises: %s\n' "$1" "$1" "${2:-}"
    printf -- '-- Engine: postgresql,sqlite\n-- Reversible: yes\n\n'
}

revision_file() {
    revision_header "$1" "${2:-}"
    printf -- '-- drover:up\nCREATE TABLE t_%s (id bigint PRIMARY KEY);\n\n' "$1"
    printf -- '-- drover:verify "the table is there"\nSELECT count(*) >= 0 FROM t_%s;\n\n' "$1"
    printf -- '-- drover:down\nDROP TABLE t_%s;\n' "$1"
}

# A project without coordinator and without revisions in $WORLD/$1.
project_empty() {
    mkdir -p "$WORLD/$1/revisions" && cd "$WORLD/$1" || return 1
    printf 'project = "%s"\n' "$1" >drover.conf
}

# ---- JSON

# run_json EXPECTED-CODE EXPRESSION COMMAND...: standard output alone is one JSON document with a schema, and as `d` in
# Python it makes the expression true. It is left in $OUT.
run_json() {
    local expected=$1 expression=$2
    shift 2
    OUT=$("$@" --output json 2>"$WORLD/run/stderr" </dev/null)
    CODE=$?
    [ $CODE = "$expected" ] || wrong "'$*' ended with $CODE, not $expected: $(cat "$WORLD/run/stderr")"
    printf '%s' "$OUT" | python3 -S -c "import json, sys
d = json.load(sys.stdin)
sys.exit(0 if d['schema'].startswith('drover.v1.') and ($expression) else 1)" 2>/dev/null ||
        wrong "'$*' printed no such document: $expression"
}
