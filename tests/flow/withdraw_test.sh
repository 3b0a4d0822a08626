#!/bin/bash
# A revision that failed on staging is withdrawn by the reviewers: agents refuse it on the way up and let it go down, the
# folder passes it by, and a new revision takes its place, all the way to production.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice bob carol || exit 1
as alice drover init --name shop --people keys/alice.pub,keys/bob.pub,keys/carol.pub --threshold 2 \
    --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
for env in staging production; do
    sqlite_make "$WORLD/$env.db" || exit 1
    agent_make $env-lite $env "$env/shop=sqlite:$WORLD/$env.db" >/dev/null || exit 1
done
for who in alice bob; do
    as $who drover sign trust/root.1.drv >/dev/null && as $who drover sign trust/fleet.3.drv >/dev/null || exit 1
done
coordinator_start && agent_start staging-lite && agent_start production-lite || exit 1

new() { # ID PARENT: submitted and signed in
    revision_file "$1" "$2" | sed 's/postgresql,sqlite/sqlite/' >"revisions/$1.sql"
    [ "${3:-}" = '' ] || sed -i "s/^SELECT count.*/$3/" "revisions/$1.sql"
    as alice drover check --write >/dev/null
    flow_chain
}
to_staging() { # R-N STATE
    run 8 as alice drover rollout watch "$1" --timeout 60s
    run 0 as carol drover approve "$1" -e staging --yes
    as carol drover rollout watch "$1" --until "staging=$2" --timeout 60s >/dev/null
}

new one ''
run 0 as alice drover upgrade head
to_staging R-1 applied
flow_signoffs R-1
flow_production R-1
new two one 'SELECT 1 = 0;'

test_begin a_revision_fails_on_staging
run 0 as alice drover upgrade head
says "Rollout R-2  one -> two"
to_staging R-2 failed
run 0 as alice drover why staging/shop
says "staging/shop is failed"

test_begin it_is_withdrawn_by_the_signatures_of_the_reviewers
run 2 as alice drover withdraw two
says "a withdrawal needs a reason"
run 1 as alice drover withdraw one -m "no"
says "revision 'two' stands on 'one'" "drover withdraw two -m WHY first, or both at once"
run 4 as alice drover withdraw nothing -m "no"
says "'nothing' names no revision of the approved chain"
run 0 as alice drover withdraw two -m "its check cannot hold" --yes
says "two" "withdrawn: its check cannot hold" "Signed. 1 of 2. It waits for another reviewer: drover approve chain"
[ ! -e revisions/revisions.withdrawn ] || wrong "noted before it is in force"
run 0 as bob drover inbox
says "drover approve chain"
run 0 as bob drover approve chain --yes
says "Another reviewer withdraws a revision:" "Signed. 2 of 2. The revision is withdrawn." "Noted in revisions/revisions.withdrawn: commit it"
run 0 as alice drover withdraw two
says "two is withdrawn already: its check cannot hold"
same "$(grep -c '^two ' revisions/revisions.withdrawn)" 1

test_begin the_folder_shows_it_and_passes_it_by
run 0 as alice drover history
says "two (withdrawn)" "one (head)"
run 0 as alice drover heads
says "one (head)"
run 0 as alice drover check
says "2 revisions, every parent is there, 1 of them withdrawn" "one head: one"
run 0 as alice drover graph
says "two (withdrawn)"
run 0 as alice drover upgrade head
says "Nothing to do"
run 4 as alice drover upgrade two
says "revision 'two' was withdrawn: its check cannot hold"
run_json 0 "[r.get('withdrawn') for r in d['revisions'] if r['id'] == 'two'] == ['its check cannot hold']" as alice drover history

test_begin an_agent_refuses_it_on_the_way_up
run 0 as alice drover rollout retry R-2
as alice drover rollout watch R-2 --until staging=refused --timeout 60s >/dev/null
run 0 as alice drover why staging/shop
says "withdrawn"
run 0 as alice drover rollout abort R-2

test_begin another_revision_takes_its_place
run 0 as alice drover revision -m "Two again" --rev-id three --engine sqlite
grep -q '^-- Revises: one' revisions/three*.sql || wrong "it does not stand on the one before"
rm revisions/three*.sql
new three one
run 0 as alice drover upgrade head
says "Rollout R-3  one -> three"
to_staging R-3 applied
flow_signoffs R-3
flow_production R-3
same "$(version_of production)" "three (head)"

test_begin a_target_that_has_a_withdrawn_one_goes_down_first
new four three
run 0 as alice drover upgrade head -e staging
to_staging R-4 applied
run 0 as alice drover withdraw four -m "too slow" --yes
run 0 as bob drover approve chain --yes
says "A target that has it: drover downgrade three -t TARGET"
new five three
run 4 as alice drover upgrade head
says "'staging/shop' has revision 'four', which was withdrawn (too slow) and has to go down first" \
    "drover downgrade three -t staging/shop"
run 0 as alice drover downgrade three -t staging/shop -e staging
to_staging R-5 reverted
same "$(version_of staging)" "three"
run 0 as alice drover upgrade head
to_staging R-6 applied
same "$(version_of staging)" "five (head)"

test_begin several_go_in_one_version_of_the_chain
new six five
new seven six
run 1 as alice drover withdraw six -m "no"
says "revision 'seven' stands on 'six'"
run 0 as alice drover withdraw six seven -m "superseded" --yes
says "- seven" "- six" "their ids are never used again" "Signed. 1 of 2"
run_json 0 "d['complete'] and d['revisions'] == ['seven', 'six']" as bob drover approve chain --yes --output json
run 0 as alice drover withdraw six seven
says "six is withdrawn already: superseded" "seven is withdrawn already: superseded"
run 0 as alice drover heads
says "five (head)"
run 0 as alice drover check
says "4 of them withdrawn"

test_begin what_something_depends_on_is_not_taken_back_before_it
run 0 as alice drover rollout abort R-6
revision_file eight '' | sed 's/postgresql,sqlite/sqlite/; s/^-- Revises:.*/&\n-- Branch labels: billing\n-- Depends on: five/' >revisions/eight.sql
as alice drover check --write >/dev/null
flow_chain
run 0 as alice drover upgrade billing@head -e staging
says "Rollout R-7"
to_staging R-7 applied
run 1 as alice drover rollout undo R-6 -e staging
says "'staging/shop' has revision 'eight' by now, which depends on 'five'" "undo the rollout that brought it first"
run 0 as alice drover rollout undo R-7 -e staging
to_staging R-8 reverted
run 0 as alice drover rollout undo R-6 -e staging --dry-run
says "Would run downgrade five -> three"

test_begin its_text_is_not_changed_under_its_id
echo '-- more' >>revisions/four.sql
run 4 as alice drover history
says "revision 'four' was withdrawn, and says something else now"
run 4 as alice drover upgrade head --url sqlite:other.db
[ ! -e other.db ] || wrong "it ran"

flow_end
