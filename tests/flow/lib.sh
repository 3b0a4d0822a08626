# Words for flow tests. A flow sources this file, says `test_begin NAME` before each case, and ends with `flow_end`.
# Cases print like cmocka's, so that one count serves all.

set -u
: "${DROVER_SOURCE:?}" "${DROVER_BUILD:?}"
# shellcheck source=deploy/world.sh
. "$DROVER_SOURCE/deploy/world.sh"

flow_case='' flow_bad=0 flow_failed=0 flow_cases=0
OUT='' CODE=0

flow_cleanup() {
    local status=$?
    trap - EXIT
    if [ $flow_failed != 0 ] || [ $status != 0 ]; then
        [ -z "${WORLD:-}" ] || tail -n 20 "$WORLD"/log/* 2>/dev/null
    fi
    world_end
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
