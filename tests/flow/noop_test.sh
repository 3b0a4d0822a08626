#!/bin/bash
# A long chain with nothing to do: no child process, no file of the chain read twice for it, and every change noticed.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
export XDG_CACHE_HOME=$WORLD/cache
mkdir -p "$WORLD/long/revisions" && cd "$WORLD/long" || exit 1
echo 'project = "long"' >drover.conf
url=sqlite:$WORLD/long/app.db

revision() { # NUMBER PARENT
    printf -- '-- drover:revision 1\n-- table t%s\n--\n-- Revision ID: r%s\n-- Revises:%s\n-- Engine: sqlite\n\n-- drover:up\nCREATE TABLE t%s (id integer);\n\n-- drover:down\nDROP TABLE t%s;\n' \
        "$1" "$1" "${2:+ $2}" "$1" "$1" >"revisions/r$1.sql"
}
parent=
for ((i = 101; i <= 170; i++)); do
    revision $i "$parent"
    parent=r$i
done

test_begin "nothing_to_do_starts_no_child"
run 0 drover upgrade head --url "$url"
says "Now at r170"
run 0 env DROVER_BINDIR=/nonexistent drover upgrade head --url "$url"
same "$OUT" "Nothing to do: already at r170"
run 0 env DROVER_BINDIR=/nonexistent drover current --url "$url"
same "$OUT" "r170 (head)"
run 0 test -n "$(ls "$WORLD"/cache/drover/*.note)"

test_begin "new_revision_is_seen"
revision 171 r170
run 0 drover current --url "$url"
same "$OUT" "r170"
run 3 drover current --check-heads --url "$url"
run 0 drover upgrade head --url "$url"
says "Running upgrade r170 -> r171" "Now at r171"

test_begin "bad_file_is_seen"
run 0 drover upgrade head --url "$url"
echo 'DROP' >revisions/r172.sql
run 1 drover upgrade head --url "$url"
says "r172.sql"
rm revisions/r172.sql
run 0 drover upgrade heads --url "$url"
same "$OUT" "Nothing to do: already at r171"

test_begin "cache_that_cannot_be_written_changes_nothing"
run 0 env XDG_CACHE_HOME=/dev/null/x drover upgrade head --url "$url"
same "$OUT" "Nothing to do: already at r171"
run 0 env -u XDG_CACHE_HOME -u HOME drover current --url "$url"
same "$OUT" "r171 (head)"

flow_end
