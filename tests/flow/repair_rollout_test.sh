#!/bin/bash
# A production target that stopped half-way, and the ways out of it that people approve.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 0

# A revision of two units; its second one stops where somebody has made its table by hand.
two_tables() { # ID PARENT
    revision_header "$1" "$2"
    printf -- '-- drover:up\nCREATE TABLE %s_a (id bigint PRIMARY KEY);\n\n' "$1"
    printf -- '-- drover:up\nCREATE TABLE %s_b (id bigint PRIMARY KEY);\n\n' "$1"
    printf -- '-- drover:down\nDROP TABLE IF EXISTS %s_b;\n\n-- drover:down\nDROP TABLE %s_a;\n' "$1" "$1"
}

on_production() { sqlite3 -cmd ".timeout 10000" "$WORLD/production.db" "$1"; }

# Rolls out ID up to production, where its second unit fails.
stop_half_way() { # ID PARENT ROLLOUT
    two_tables "$1" "$2" >"revisions/$1.sql"
    on_production "CREATE TABLE $1_b (id bigint PRIMARY KEY)"
    flow_chain
    run 0 as alice drover upgrade head
    says "Rollout $3"
    flow_staging "$3"
    flow_signoffs "$3"
    run 8 as alice drover rollout watch "$3" --timeout 60s
    approve "$3"
    run 0 as bob drover rollout watch "$3" --until production=held --timeout 60s
}

approve() { # ROLLOUT [FLAGS]
    run 0 as alice drover approve "$1" -e production --confirm production --timeout 60s --ack "${2:-drift}"
    run 0 as bob drover approve "$1" -e production --confirm production --ack "${2:-drift}"
}

# The newest signed word of production says that it is half done.
wait_partial() {
    local i
    for ((i = 0; i < 100; i++)); do
        as alice drover repair production/notes >/dev/null 2>&1
        [ $? = 7 ] && return 0
        read -r -t 0.1 -u 9 || true
    done
    wrong "production never told that it is half done"
}

revision_file one >revisions/one.sql

test_begin a_target_that_stopped_half_way_is_shown_from_what_its_agent_signed
on_production "CREATE TABLE t_extra (id bigint)"
stop_half_way two one R-1
wait_partial
run 7 as alice drover repair production/notes
says "production/notes needs repair" "revision two is half done, on its way up" "unit 1 of 2  done" "unit 2 of 2  not done" \
    "drover repair production/notes --resume" "drover stamp two -t production/notes"
run_json 7 "[u['state'] for u in d['units']] == ['done', 'open'] and d['target'] == 'production/notes'" \
    as alice drover repair production/notes
run 0 as alice drover repair staging/notes
says "nothing to repair"
run 1 as alice drover repair production/nothing
says "the fleet has no target 'production/nothing'"

test_begin reverse_waits_for_the_rollout_that_it_stopped_in
run 1 as alice drover repair production/notes --reverse
says "still part of rollout R-1" "drover rollout abort R-1"

test_begin resume_goes_on_in_the_same_rollout_after_a_new_approval
on_production "DROP TABLE two_b"
run 0 as alice drover repair production/notes --resume
says "prepares again in rollout R-1" "--ack partial"
run 8 as alice drover rollout watch R-1 --timeout 60s
run 8 as alice drover approve R-1 -e production --confirm production
says "flags that nobody accepted" "partial"
approve R-1 partial,drift
run 0 as bob drover rollout watch R-1 --until production=applied --timeout 60s
same "$(version_of production)" "two (head)"
run 0 as alice drover repair production/notes
says "nothing to repair"

test_begin reverse_is_a_rollout_of_its_own_that_staging_has_shown
stop_half_way three two R-2
wait_partial
run 0 as alice drover rollout abort R-2
run 0 as alice drover downgrade two -e staging
run 8 as alice drover rollout watch R-3 --timeout 60s
run 0 as carol drover approve R-3 -e staging --yes
run 2 as carol drover rollout watch R-3 --until staging=applied --timeout 60s
says "rollout 'R-3' goes down: nothing there will be 'applied'" "--until staging=reverted"
run 2 as carol drover rollout watch R-3 --until stagin=reverted --timeout 60s
says "rollout 'R-3' has no target in 'stagin'"
run 0 as carol drover rollout watch R-3 --until staging=reverted --timeout 60s
run 0 as alice drover repair production/notes --reverse
says "Rollout R-4  three -> two"
flow_signoffs R-4
approve R-4 partial
run 0 as bob drover rollout watch R-4 --until production=reverted --timeout 60s
same "$(version_of production)" "two"
same "$(on_production "SELECT count(*) FROM sqlite_schema WHERE name = 'three_a'")" 0
run 0 as alice drover repair production/notes

test_begin stamp_of_what_a_person_finished_needs_the_schema_that_staging_shows # id: C14
on_production "DROP TABLE t_extra; CREATE TABLE three_b (id bigint PRIMARY KEY)"
run 0 as alice drover upgrade head
flow_staging R-5
flow_signoffs R-5
run 8 as alice drover rollout watch R-5 --timeout 60s
approve R-5
run 0 as bob drover rollout watch R-5 --until production=held --timeout 60s
wait_partial
run 1 as alice drover stamp three -t production/notes
says "R-5" "drover rollout abort R-5"
run 0 as alice drover rollout abort R-5
run 0 as alice drover stamp three -t production/notes
says "Rollout R-6"
flow_signoffs R-6
run 8 as alice drover rollout watch R-6 --timeout 60s
run 8 as alice drover approve R-6 -e production --confirm production
says "nobody accepted: partial"
approve R-6 partial
run 0 as bob drover rollout watch R-6 --until production=applied --timeout 60s
same "$(version_of production)" "three (head)"
run 0 as alice drover repair production/notes

test_begin stamp_of_another_schema_needs_people_who_accept_the_difference # id: C14
on_production "CREATE TABLE t_extra (id bigint)"
stop_half_way four three R-7
wait_partial
run 0 as alice drover rollout abort R-7
on_production "DROP TABLE four_a; DROP TABLE four_b"
run 0 as alice drover stamp three -t production/notes
says "Rollout R-8  four -> three"
flow_signoffs R-8
run 8 as alice drover rollout watch R-8 --timeout 60s
run 8 as alice drover approve R-8 -e production --confirm production --ack partial,drift
says "flags that nobody accepted: difference"
run 0 as alice drover approve R-8 -e production --confirm production --ack partial,drift,difference
says "UNSTAMP" "schema: difference "
run 0 as bob drover approve R-8 -e production --confirm production --ack partial,drift,difference
run 0 as bob drover rollout watch R-8 --until production=reverted --timeout 60s
same "$(version_of production)" "three"
run 0 as alice drover repair production/notes

test_begin a_remedy_is_a_rollout_that_people_approve # id: R10
{
    revision_header five four
    printf -- '-- drover:preflight "no negative id" expect=empty\nSELECT id FROM t_one WHERE id < 0;\n\n'
    printf -- '-- drover:remedy "drop them" for="no negative id"\nDELETE FROM t_one WHERE id < 0;\n\n'
    printf -- '-- drover:up\nCREATE TABLE five_a (id bigint PRIMARY KEY);\n\n-- drover:down\nDROP TABLE five_a;\n'
} >revisions/five.sql
flow_chain
on_production "INSERT INTO t_one VALUES (-1), (2)"
run 1 as alice drover remedy five "drop all" -t production/notes
says 'drover remedy five "drop them"'
run 0 as alice drover remedy five "drop them" -t production/notes
says "Rollout R-9"
flow_signoffs R-9
run 0 as alice drover approve R-9 -e production --confirm production --timeout 60s
says 'REMEDY drop them'
run 0 as bob drover approve R-9 -e production --confirm production
run 0 as bob drover rollout watch R-9 --until production=applied --timeout 60s
same "$(on_production "SELECT group_concat(id) FROM t_one")" 2
same "$(version_of production)" "three"

flow_end
