#!/bin/bash
# The demo's story, whole, with real daemons: both engines, and SQLite alone.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

leftovers() {
    find "$WORLD/tmp" -mindepth 1 -maxdepth 1
    pgrep -f "$WORLD/tmp/" || true
}
nothing_left() { [ -z "$(leftovers)" ]; }
mkdir -p "$WORLD/tmp" && chmod 777 "$WORLD/tmp"

test_begin demo_tells_its_story_on_both_engines # id: G1 G2 G5 G6
run 0 env TMPDIR="$WORLD/tmp" "$DROVER_SOURCE/deploy/demo" --bindir "$DROVER_BUILD"
same "$(printf '%s\n' "$OUT" | tail -n 1)" "demo: ok"
says "(exit code 8)" "closed; nothing was signed" "Approved. 2 of 2" "entries verified"
says "waits for wave 1" "UNIQUE constraint failed" "production/notes-c is failed" "R-3  20251023_0900 -> 20251022_1351" \
    "(exit code 6)" "production/masterplan" "reverted as approved"
same "$(leftovers)" ""

test_begin two_demos_run_side_by_side_on_sqlite_alone
TMPDIR="$WORLD/tmp" PG_BIN=/nowhere "$DROVER_SOURCE/deploy/demo" --engine sqlite --bindir "$DROVER_BUILD" >one 2>&1 &
one=$!
TMPDIR="$WORLD/tmp" PG_BIN=/nowhere "$DROVER_SOURCE/deploy/demo" --engine sqlite --bindir "$DROVER_BUILD" >two 2>&1 &
two=$!
wait $one && wait $two || wrong "one of them failed"
same "$(tail -q -n 1 one two)" "$(printf 'demo: ok\ndemo: ok')"
same "$(leftovers)" ""

test_begin ctrl_c_leaves_no_process_and_no_folder
TMPDIR="$WORLD/tmp" setsid env --default-signal=INT "$DROVER_SOURCE/deploy/demo" --engine sqlite --bindir "$DROVER_BUILD" >one 2>&1 &
one=$!
wait_until 120 grep -q 'approve chain' one || wrong "it never came to the chain: $(tail -n 5 one)"
kill -INT -$one
wait $one
code=$?
[ $code = 130 ] || wrong "it ended with $code, not 130: $(tail -n 5 one)"
wait_until 60 nothing_left || same "$(leftovers)" ""

test_begin demo_refuses_an_unknown_engine
run 2 "$DROVER_SOURCE/deploy/demo" --engine oracle
says "--engine is both, postgresql or sqlite"

flow_end
