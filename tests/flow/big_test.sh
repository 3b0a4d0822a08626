#!/bin/bash
# One revision of 20 MB: drover keeps one copy of it, and little beside. Under 64 MiB of memory, the parser's process
# counted by itself; a sanitizer's own memory comes on top.
. "$DROVER_SOURCE/tests/flow/lib.sh"
# No agent is here, so nothing is approved, and what the server logs is not looked at.
unset WORLD_CHECK CLUSTER_OPTIONS
world_begin "$DROVER_BUILD" || exit 1
bench=$DROVER_SOURCE/tests/bench
cluster_start main && database_make main app || exit 1
gcc -O2 "$bench/timed.c" -o timed || exit 1

limit=$((64 * 1024))
! grep -q libasan "$DROVER_BUILD/drover" || limit=$((96 * 1024))
# Freed memory that the sanitizer keeps for its reports is not drover's.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:malloc_context_size=0

for engine in sqlite postgresql; do
    test_begin "revision_of_20_mb_needs_little_memory_on_$engine"
    run 0 python3 -B "$bench/chains.py" big-100000 $engine "$engine" drover
    url=sqlite:$WORLD/app.db
    [ $engine = sqlite ] || url=$(cluster_url main app)
    cd "$WORLD/$engine/drover" || exit 1
    run 0 test "$(cat revisions/*.sql | wc -c)" -gt 20000000
    run 0 "$WORLD/timed" "$WORLD/result" drover upgrade head --url "$url"
    run 0 cat "$WORLD/result"
    read -r _ _ _ peak status <<<"$OUT"
    same "$status" 0
    run 0 drover current --url "$url"
    same "$OUT" "r0001 (head)"
    run 0 test "$peak" -lt "$limit"
    run 0 test "$peak" -gt 20000 # otherwise nothing was measured
    cd "$WORLD" || exit 1
done
flow_end
