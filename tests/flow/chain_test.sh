#!/bin/bash
# A chain while it is being written: empty revisions, edit, the sum, and what a pipeline asks of it.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
project_empty chain || exit 1

fill() { # ID FILE
    sed -i "s/^-- drover:up$/&\nCREATE TABLE t_$1 (id bigint PRIMARY KEY);/; s/^-- drover:verify.*/&\nSELECT count(*) = 0 FROM t_$1;/
        s/^-- drover:down$/&\nDROP TABLE t_$1;/" "$2"
}
repository() {
    git -C "$WORLD/chain" -c user.name=alice -c user.email=alice@example.com -c commit.gpgsign=false "$@"
}

test_begin an_empty_revision_hides_nothing_and_runs_nowhere # id: C12 V23
run 0 drover revision -m "add users" --rev-id a --engine sqlite
says "Generating revisions/a_add_users.sql ...  done"
run 0 drover revision -m "add orders" --rev-id b
run 0 drover history
same "$OUT" "a -> b (head) (empty), add orders
<base> -> a (empty), add users"
run 0 drover heads
same "$OUT" "b (head) (empty)"
run 0 drover show a
says "Rev: a (empty)" "Path: revisions/a_add_users.sql" "    add users"
run 1 drover lint
says "revisions/a_add_users.sql:10:1" "section 'up' has no statement"
run 1 drover upgrade head --url sqlite:app.db
says "revisions/a_add_users.sql:10:1: section 'up' has no statement"
[ ! -e app.db ] || wrong "a refused upgrade made a database"
run 1 drover sql base:head
run 3 drover check
says "a is empty: revisions/a_add_users.sql:10:1" "b is empty"
fill a revisions/a_add_users.sql
sed -i '/^-- drover:down/,$d' revisions/b_add_orders.sql
run 0 drover heads
same "$OUT" "b (head) (empty)"
fill b revisions/b_add_orders.sql
run 0 drover history
same "$OUT" "a -> b (head) (unfinished), add orders
<base> -> a, add users"
printf -- '-- drover:down\nDROP TABLE t_b;\n' >>revisions/b_add_orders.sql
run 0 drover lint

test_begin the_sum_tells_what_changed # id: V14
run 3 drover check
says "FAIL  sum     written since: a in revisions/a_add_users.sql" "try: drover check --write"
run 0 drover check --write
says "ok    chain   2 revisions" "ok    heads   one head: b" "ok    sum     every file is as noted in revisions/revisions.sum"
sed -i 's/^CREATE/-- by hand\n&/' revisions/a_add_users.sql
run 3 drover check --sum
says "comments changed: a in revisions/a_add_users.sql"
sed -i 's/bigint/integer/' revisions/b_add_orders.sql
run 3 drover check --sum
says "changed: b in revisions/b_add_orders.sql"
run_json 3 'not d["ok"] and len([c for c in d["checks"] if not c["ok"]]) == 2' drover check
run 0 drover check --heads
run 0 drover lint
says "warning[sum-differs]: the file is not what revisions.sum notes" "--> revisions/b_add_orders.sql:1:1" "0 errors, 2 warnings"
run 0 drover lint --exclude sum-differs
says "0 errors, 0 warnings"
run 0 drover check --write
mv revisions/b_add_orders.sql .
run 3 drover check
says "missing: b"
mv b_add_orders.sql revisions/
EDITOR='sed -i s/orders/bills/' run 0 drover edit head
run 0 drover check
run 0 drover history
says "add bills"
EDITOR=false run 130 drover edit head
run 2 env -u EDITOR -u VISUAL drover edit head
says "set EDITOR"
EDITOR=true run 0 drover revision -m "more" --rev-id c --edit
rm revisions/c_more.sql && run 0 drover check --write

test_begin two_branches_conflict_in_git_and_the_merge_is_named
repository init -q . && repository add -A && repository commit -qm "the chain" || wrong "no repository"
repository branch -M main && repository checkout -qb side
run 0 drover revision -m "on the side" --rev-id s
fill s revisions/s_on_the_side.sql && drover check --write -q >/dev/null && repository add -A && repository commit -qm side
repository checkout -q main
run 0 drover revision -m "on main" --rev-id m
fill m revisions/m_on_main.sql && drover check --write -q >/dev/null && repository add -A && repository commit -qm main
run 1 repository merge -q side
says "CONFLICT" "revisions.sum"
run 3 drover check
says "FAIL  heads   the chain has two heads, 'm' and 's'" "drover merge m s" "two branches added revisions: git left a conflict"
run 0 drover merge --rev-id j -m "join them"
says "it was left as it is"
run 0 drover check --write
run 0 drover heads
same "$OUT" "j (head)"

test_begin what_others_have_is_not_changed
repository add -A && repository commit -qm merged
run 0 drover check --base HEAD
says "ok    base    no revision changed since HEAD"
run 0 drover revision -m "one more" --rev-id n
run 0 drover check --base HEAD
sed -i 's/^CREATE/-- a word\n&/' revisions/a_add_users.sql
sed -i 's/integer/bigint/' revisions/b_add_orders.sql
rm revisions/n_*
run 3 drover check --base HEAD
says "comments changed since HEAD: revisions/a_add_users.sql" "changed since HEAD: revisions/b_add_orders.sql"
run 1 drover check --base nothing
says "git cannot tell" "what --base can name"
run 2 drover check --base=--output=x
repository checkout -q revisions

test_begin a_project_without_a_sum_keeps_working
rm revisions/revisions.sum
run 0 drover check
says "there is no revisions/revisions.sum" "drover check --write makes one"
run 3 drover check --sum
run 0 drover revision -m "one more" --rev-id n
[ ! -e revisions/revisions.sum ] || wrong "a sum was made that nobody asked for"

test_begin the_graph_is_drawn # id: R3 V14
project_empty graph || exit 1
add() { # ID WORDS...: a revision for SQLite with a table
    local id=$1
    shift
    run 0 drover revision --rev-id "$id" -m "make $id" --engine sqlite "$@"
    fill "$id" revisions/"$id"_*
}
add a && add b && add c --branch-label left && add d --head b --splice --branch-label right && add e --head d --depends-on c
run 0 drover merge --rev-id m -m "join \"both\""
add z --head base
run 0 drover graph
same "$OUT" "*  z (head), make z
*    m (left, right) (head) (mergepoint), join \"both\"
|-.
| *  e (right), make e (depends on c)
| *  d (right), make d
* |  c (left), make c
|-'
*    b (branchpoint), make b
*  a, make a"
run 0 drover graph --format mermaid -r c:m
same "$OUT" 'flowchart BT
    r5["m (left, right) (head)<br/>join #quot;both#quot;"]
    r2 --> r5
    r2["c (left)<br/>make c"]'
run 0 drover graph --format dot
says '"b" -> "c";' '"c" -> "e" [style=dashed];' 'label="m (left, right) (head)\njoin \"both\""'
drover graph --format svg | python3 -c 'import sys, xml.dom.minidom as dom
svg = dom.parse(sys.stdin)
assert len(svg.getElementsByTagName("circle")) == 7, "nodes"
assert len(svg.getElementsByTagName("path")) == 7, "lines"' || wrong "this is no picture of the graph"
run_json 0 'd["revisions"][4]["dependsOn"] == [] and len(d["revisions"]) == 7' drover graph
run 2 drover graph --format png

test_begin the_sql_of_a_range_is_what_runs # id: R13
run 0 drover sql a:c
same "$OUT" "-- Running upgrade a -> b, make b
BEGIN;
CREATE TABLE t_b (id bigint PRIMARY KEY);
COMMIT;

-- Running upgrade b -> c, make c
BEGIN;
CREATE TABLE t_c (id bigint PRIMARY KEY);
COMMIT;"
down=$(drover sql c:a)
same "$(drover sql a:c --down)" "$down"
same "$(printf '%s\n' "$down" | grep -c '^DROP TABLE t_[bc];$')" 2
drover sql base:heads | sqlite3 sql.db || wrong "sqlite3 did not take it"
drover upgrade heads --url sqlite:run.db >/dev/null || wrong "it did not run"
same "$(sqlite3 run.db "SELECT name, sql FROM sqlite_schema WHERE name LIKE 't\_%' ESCAPE '\' ORDER BY 1")" \
    "$(sqlite3 sql.db "SELECT name, sql FROM sqlite_schema WHERE name LIKE 't\_%' ESCAPE '\' ORDER BY 1")"
sed -i 's/^DROP TABLE t_z;/& -- the last word/' revisions/z_*
drover sql heads:base | sqlite3 sql.db || wrong "sqlite3 did not take the way down"
same "$(sqlite3 sql.db 'SELECT count(*) FROM sqlite_schema')" 0
run 0 drover downgrade e --url sqlite:run.db --yes
run 0 drover current --url sqlite:run.db
same "$(printf '%s\n' "$OUT" | sed 's/ .*//' | sort | tr '\n' ' ')" "c e z "
run 0 drover show current --url sqlite:run.db
says "Rev: c" "Rev: e" "Rev: z (head)"
run 0 drover sql current:heads --url sqlite:run.db
printf '%s\n' "$OUT" | grep -v '^note' | sqlite3 run.db || wrong "what is missing was not what is printed"
run 2 drover show current
says "this asks a database, and none is named"
run 2 drover sql head
says "drover sql base:head"

test_begin words_of_other_tools
run 0 drover new "one more" --rev-id n --head z --engine sqlite
says "Generating revisions/n_one_more.sql ...  done"
fill n revisions/n_one_more.sql
run 1 drover up --url sqlite:up.db
says "multiple" "heads"
run 0 drover up n --url sqlite:up.db
run 0 drover down --url sqlite:up.db --yes
says "Running downgrade n -> z"
export DROVER_URL=sqlite:up.db
run 0 drover info
same "$(printf '%s\n' "$OUT" | grep -c pending)" 7
says "z         current"
unset DROVER_URL
flow_end
