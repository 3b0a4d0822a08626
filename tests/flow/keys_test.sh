#!/bin/bash
# The daily life of keys and people: one person grows to two of three, keys are replaced, people go, the root is renewed.
# Every step goes by files (trust/) or through a running coordinator, and the agent goes on working.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions && revision_file 001_orders >revisions/001_orders.sql


test_begin one_person_starts
run 0 drover init --name shop --person alice --keys keys --no-passphrase --coordinator tcp://127.0.0.1:0
for env in staging production; do
    sqlite_make "$WORLD/$env.db" || exit 1
    agent_make $env-lite $env "$env/notes=sqlite:$WORLD/$env.db" >/dev/null || exit 1
done
coordinator_start && agent_start staging-lite && agent_start production-lite || exit 1
run 0 drover submit
run 0 drover approve chain --yes
run 0 drover root show
says "Root:     1, from" "root 1 of 1, fleet 1 of 1, reviewers 1 of 1, production 1 of 1, staging 1 of 1" "alice: root, fleet"
run_json 0 "d['version'] == 1 and d['roles']['production'] == '1 of 1'" drover root show
run 0 drover people list
says "alice" "root, fleet, reviewers, production, staging"

test_begin changes_that_cannot_be_leave_no_file
run 2 drover root propose --yes
says "no change is named" "drover root rotate"
run 2 drover root rotate --expires 9999d --yes
says "--expires takes at most" "not '9999d'"
run 2 drover people remove alice --yes
says "nobody would be left in role 'root'" "drover people add"
[ ! -e trust/root.2.drv ] || wrong "a refused change left a file"

test_begin one_command_makes_two_of_three
for who in bob carol; do
    run 0 drover key new $who --dir keys --no-passphrase
done
run 2 drover people add keys/bob.pub --threshold 3
says "role 'root' would need 3 signatures of 2 people" "--threshold root=2"
[ ! -e trust/root.2.drv ] || wrong "a refused change left a file"
run 0 drover people add keys/bob.pub keys/carol.pub --threshold 2 --yes
says "+ bob: root, fleet, reviewers, production, staging" "~ root: 1 of 1 -> 2 of 3" "~ production: 1 of 1 -> 2 of 3" \
    "also signed, unchanged, so that it holds under this root: fleet 3" "also signed, unchanged" "chain 1" \
    "Signed: 1 of 1 for root 1, 1 of 2 for root 2" "bob is new"
says_not "staging: 1 of 1 -> 2 of 3"
run 1 drover people remove alice --yes
says "trust/root.2.drv waits for signatures already" "drover sign trust/root.2.drv" "--discard"
run 0 drover root show
says "Proposed: trust/root.2.drv waits"

test_begin the_new_one_signs_by_file_and_it_is_in_force
run 0 drover key new stranger --dir keys --no-passphrase
run 4 drover sign trust/root.2.drv --key keys/stranger.key
says "this key belongs to nobody whom the root names"
run 0 drover sign trust/root.2.drv --key keys/bob.key
says "3 people (alice, bob, carol)" "+ carol" "Signed: 1 of 1 for root 1, 2 of 2 for root 2" "Signed: 2 of 2, trust/fleet.3.drv" \
    "Signed: 2 of 2, trust/chain.1.drv" "Coordinator: 2 of 2 signatures, in force"
run 0 as bob drover status
says_not "is not signed by enough people"
run 0 as carol drover people list
says "carol"

test_begin the_agents_follow_and_a_rollout_takes_two_signatures
run 0 drover upgrade head
run 8 drover rollout watch R-1 --timeout 60s
run 0 drover approve R-1 -e staging --yes
run 0 drover rollout watch R-1 --until staging=applied --timeout 60s
run 0 as bob drover checklist R-1 sign logs-reviewed --note read
run 0 as carol drover checklist R-1 sign application-updated --note 1.0
run 8 drover rollout watch R-1 --timeout 60s
run 0 drover approve R-1 -e production --confirm production
says "Approved. 1 of 2"
run 0 as carol drover approve R-1 -e production --confirm production
run 0 drover rollout watch R-1 --until production=applied --timeout 60s

test_begin a_persons_key_is_replaced_through_the_coordinator
run 0 drover key new bob --dir newkeys --no-passphrase
run 2 drover people replace-key bob
says "--public-key FILE"
run 1 drover people replace-key dave --public-key newkeys/bob.pub
says "the root names no 'dave'"
run 2 drover people replace-key carol --public-key newkeys/bob.pub
says "is the public key of 'bob', not of 'carol'"
run 0 drover people replace-key bob --public-key newkeys/bob.pub --yes
says "~ bob: another signing key" "~ bob: another transport key" "Coordinator: 1 of"
rm -rf trust.carol && cp -r trust trust.before && rm trust/root.3.drv
run 0 as carol drover sign root --yes
says "~ bob: another signing key" "in force"
rm -rf keys/bob.* && cp newkeys/bob.* keys/
run 0 as bob drover status
says_not "is not signed by enough people"

test_begin somebody_leaves
run 0 drover people remove carol --yes
says "- carol" "~ root: 2 of 3 -> 2 of 2"
run 0 as bob drover sign root --yes
says "in force"
run 0 drover people list
says_not "carol"
OUT=$(as carol drover status 2>&1)
[ $? != 0 ] || wrong "carol still reaches the coordinator"

test_begin renewing_is_one_command_and_nothing_else_changes
run 0 drover root rotate --yes
says "nothing but its times"
run 0 as bob drover root sign --yes
says "in force"
run 0 drover root show
says "Root:     5, from"
run_json 0 "d['version'] == 5" drover root show

test_begin what_expires_soon_is_said_and_what_has_expired_is_renewed
run 0 drover root rotate --yes --expires 13d
run 0 as bob drover sign root --yes
run 0 drover status
says "note: root 6 expires in 1" "try: drover root rotate"
run 0 drover root rotate --yes --expires 4s
run 0 as bob drover sign root --yes
expired() { drover status 2>&1 | grep -q "root 7 expired"; }
wait_until 10 expired || wrong "root 7 does not expire"
run 0 drover root rotate --yes
run 0 as bob drover sign trust/root.8.drv
says "in force"
run 0 as bob drover status
says_not "expired"

flow_end
