#!/bin/bash
# A revision that stopped half-way on one database, and every safe way out of it.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main || exit 1

# "two" has three units: its second one fails as long as `a` has a row.
chain() {
    project_empty "$1" || exit 1
    revision_file one >revisions/one.sql
    {
        revision_header two one
        printf -- '-- drover:up\nCREATE TABLE b (id bigint PRIMARY KEY);\n\n'
        printf -- '-- drover:up\nINSERT INTO t_one (id) SELECT id FROM t_one;\n\n'
        printf -- '-- drover:up\nCREATE TABLE c (id bigint PRIMARY KEY);\n\n'
        printf -- '-- drover:down\nDROP TABLE IF EXISTS c;\n\n-- drover:down\nDROP TABLE b;\n'
    } >revisions/two.sql
}

sql() { # KIND DATABASE STATEMENT
    if [ "$1" = sqlite ]; then sqlite3 "$2.db" "$3"; else cluster_sql main "$2" "SET ROLE drover; SET search_path = public; $3"; fi
}

# A fresh database that stopped after the first unit of "two".
half() { # KIND NAME
    if [ "$1" = sqlite ]; then
        url=sqlite:$2.db
    else
        database_make main "$2" && url=$(cluster_url main "$2")
    fi
    run 0 drover upgrade one --url "$url" --quiet
    sql "$1" "$2" "INSERT INTO t_one VALUES (1)"
    run 6 drover upgrade head --url "$url"
}

walk() { # KIND
    local kind=$1 url difference
    chain "$kind"

    test_begin "upgrade_that_stops_half_way_says_so_$kind"
    half "$kind" shown
    says "a revision is half done" "drover repair --url"

    test_begin "half_done_revision_is_shown_with_the_ways_out_$kind"
    run 7 drover repair --url "$url"
    says "revision two is half done, on its way up" "unit 1 of 3  done" "CREATE TABLE b" "unit 2 of 3  not done" \
        "--resume" "--reverse" "drover stamp two --url" "drover stamp one --url"
    run_json 7 "d['needed'] and [u['state'] for u in d['units']] == ['done', 'open', 'open'] and \
        all(w['offered'] for w in d['ways'])" drover repair --url "$url"
    run 2 drover repair --url "$url" --resume --reverse
    run 7 drover repair --url "$url"

    test_begin "resume_does_only_what_is_missing_$kind"
    sql "$kind" shown "DELETE FROM t_one"
    run 0 drover repair --url "$url" --resume
    run 0 drover current --url "$url"
    same "$OUT" "two (head)"
    run 0 drover repair --url "$url"
    says "nothing to repair"
    run_json 0 "not d['needed'] and d['ways'] == []" drover repair --url "$url"

    test_begin "reverse_asks_and_takes_what_is_done_back_$kind"
    half "$kind" back
    run 2 drover repair --url "$url" --reverse
    says "nobody can be asked here"
    run 0 drover repair --url "$url" --reverse --yes
    run 0 drover current --url "$url"
    same "$OUT" "one"
    run 0 drover repair --url "$url"

    test_begin "stamp_believes_a_finish_by_hand_only_when_the_schema_shows_it_$kind" # id: C14 T3
    half "$kind" finished
    run 3 drover stamp two --url "$url"
    says "nothing was recorded" "table c" "--accept-difference"
    run 7 drover repair --url "$url"
    sql "$kind" finished "CREATE TABLE c (id bigint PRIMARY KEY)"
    run 0 drover stamp two --url "$url"
    says "The schema matches two" "Running stamp one -> two"
    run 0 drover current --url "$url" --verify
    same "$OUT" "two (head)"

    test_begin "stamp_believes_an_undoing_by_hand_only_when_the_schema_shows_it_$kind" # id: C14 T3
    half "$kind" undone
    run 3 drover stamp one --url "$url"
    sql "$kind" undone "DROP TABLE b"
    run 0 drover stamp one --url "$url"
    says "Running stamp two -> one"
    run 0 drover current --url "$url" --verify
    same "$OUT" "one"

    test_begin "difference_is_accepted_by_its_name_and_by_no_other_$kind"
    half "$kind" named
    run 3 drover stamp two --url "$url"
    difference=${OUT##*--accept-difference }
    difference=${difference%% *}
    run_json 3 "not d['matches'] and d['difference'] == '$difference' and d['objects'] > 0" drover stamp two --url "$url"
    sql "$kind" named "CREATE TABLE d (id bigint)"
    run 3 drover stamp two --url "$url" --accept-difference "$difference"
    says "another one than the one that was accepted"
    sql "$kind" named "DROP TABLE d"
    run 0 drover stamp two --url "$url" --accept-difference "$difference"
    run 0 drover current --url "$url"
    same "$OUT" "two (head)"

    test_begin "stamp_adopts_a_database_that_has_the_schema_already_$kind" # id: C13 T1 T4
    if [ "$kind" = sqlite ]; then url=sqlite:adopt.db; else database_make main adopt && url=$(cluster_url main adopt); fi
    sql "$kind" adopt "CREATE TABLE t_one (id bigint PRIMARY KEY)"
    run 6 drover upgrade one --url "$url"
    says "already exists"
    run 0 drover stamp one --url "$url"
    run 0 drover upgrade head --url "$url"
    run 0 drover stamp head --url "$url"
    says "Nothing to do"

    test_begin "no_scratch_database_is_left_$kind"
    if [ "$kind" = sqlite ]; then
        same "$(find "${TMPDIR:-/tmp}" "${TMPDIR:-/dev/shm}" -maxdepth 1 -name 'drover-scratch-*' -user "$(id -un)" -newer "$WORLD/$kind/drover.conf" 2>/dev/null)" ""
    else
        same "$(cluster_sql main postgres "SELECT count(*) FROM pg_database WHERE datname LIKE 'drover_scratch%'")" 0
    fi
    cd "$WORLD" || exit 1
}

walk sqlite
database_make main first && cluster_sql main postgres "ALTER ROLE drover CREATEDB" || exit 1
walk postgresql

test_begin a_role_that_may_not_create_a_database_names_an_empty_one
cd "$WORLD/postgresql" || exit 1
database_make main owned && database_make main empty && cluster_sql main postgres "ALTER ROLE drover NOCREATEDB"
url=$(cluster_url main owned) empty=$(cluster_url main empty)
cluster_sql main owned "CREATE TABLE t_one (id bigint PRIMARY KEY)"
run 4 drover stamp one --url "$url"
says "--scratch URL"
run 0 drover stamp one --url "$url" --scratch "$empty"
run 1 drover stamp base --url "$url" --scratch "$empty"
says "not empty"

test_begin a_remedy_runs_only_when_it_is_asked_for
mkdir -p "$WORLD/remedy/revisions" && cd "$WORLD/remedy" || exit 1
echo 'project = "remedy"' >drover.conf
revision_file one >revisions/one.sql
{
    revision_header two one
    printf -- '-- drover:preflight "no negative id" expect=empty\nSELECT id FROM t_one WHERE id < 0;\n\n'
    printf -- '-- drover:remedy "drop them" for="no negative id"\nDELETE FROM t_one WHERE id < 0;\n\n'
    printf -- '-- drover:up\nCREATE TABLE b (id bigint PRIMARY KEY);\n\n-- drover:down\nDROP TABLE b;\n'
} >revisions/two.sql
run 0 drover upgrade one --url sqlite:app.db
sqlite3 app.db "INSERT INTO t_one VALUES (-1), (2)"
run 1 drover upgrade head --url sqlite:app.db
run 1 drover remedy two "drop all" --url sqlite:app.db --yes
says "has no remedy 'drop all'" 'drover remedy two "drop them"'
run 2 drover remedy two "drop them" --url sqlite:app.db
says "nobody can be asked here"
same "$(sqlite3 app.db "SELECT count(*) FROM t_one")" 2
run 0 drover remedy two "drop them" --url sqlite:app.db --yes
same "$(sqlite3 app.db "SELECT group_concat(id) FROM t_one")" 2
run 0 drover upgrade head --url sqlite:app.db

flow_end
