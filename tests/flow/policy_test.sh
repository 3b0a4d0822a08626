#!/bin/bash
# Policies, freezes, vetoes and the inbox, with three people of whom two sign, and real agents.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 1

test_begin policies_are_text_that_reads_back_as_it_was
run 0 as alice drover policy show
says 'environment "staging" {' 'rank = 1' 'gate "staged:staging" { min_targets = 1 soak = "0s" }' 'gate "signoff:logs-reviewed"' \
    'gate "backup" { restore = "listed" max_age = "6h" keep = "30d" }' 'approval_max = "4h"'
printf '%s\n' "$OUT" >policy.conf
run 0 as alice drover policy check policy.conf
says "The policies can work."
run 0 as alice drover policy apply policy.conf --yes
says "Nothing to do: these are the fleet's policies already"
EDITOR='' VISUAL='' run 2 as alice drover policy edit
says "nobody is here to edit" "drover policy show > FILE"
run 1 as alice drover policy show -e nowhere
says "the fleet has no environment 'nowhere'"

test_begin policies_that_cannot_work_are_refused
sed 's/gate "staged:staging" { min_targets = 1/gate "staged:staging" { min_targets = 7/' policy.conf >bad.conf
run 1 as alice drover policy check bad.conf
says "production: a gate wants 7 targets of 'staging', which has 1" "cannot work"
sed 's/gate "staged:staging"/gate "staged:qa"/' policy.conf >bad.conf
run 1 as alice drover policy apply bad.conf --yes
says "waits for environment 'qa', which the fleet does not have"
sed 's/rank = 2/rank = 1/' policy.conf >bad.conf
run 1 as alice drover policy check bad.conf
says "has rank 1, like 'production'" "does not come before it"
sed 's/prove = true/prove = false/' policy.conf >bad.conf
run 1 as alice drover policy check bad.conf
says "wants the rollback proof of 'staging', which has prove = false"
sed 's/canary_targets = 0/canary_targets = 1/' policy.conf >bad.conf
run 1 as alice drover policy check bad.conf
says "canary_targets is 1 of 1 targets"
sed 's/rank = 1/rank = one/' policy.conf >bad.conf
run 2 as alice drover policy check bad.conf
says "bad.conf:" "'rank' is a whole number"
sed 's/gate "backup"/gate "prayer"/' policy.conf >bad.conf
run 2 as alice drover policy check bad.conf
says "there is no gate 'prayer'" "backup, staged:ENV"

test_begin a_change_is_shown_and_takes_two_signatures
sed 's/author_may_not_approve = false/author_may_not_approve = true/; s/gate "signoff:application-updated" { }/gate "signoff:release-noted" { }/' \
    policy.conf >new.conf
EDITOR="cp new.conf" run 0 as alice drover policy edit --yes
says '+ policy production: author_may_not_approve = true' '- policy production: gate "signoff:application-updated" { }' \
    '+ policy production: gate "signoff:release-noted" { }' "1 of 2"
EDITOR="false" run 130 as alice drover policy edit --yes
says "nothing was signed: the editor 'false' ended with 1" "your text is kept in"
run_json 0 "any(w['kind'] == 'fleet' and w['try'].startswith('drover sign fleet.') and w['signatures'] == 1 for w in d['waiting'])" as bob drover inbox
run 0 as alice drover inbox
says_not "drover sign fleet.4"
run 0 as bob drover sign fleet.4 --yes
says '+ policy production: author_may_not_approve = true' "in force"
run 0 as bob drover inbox
says "Nothing waits for bob."

test_begin the_inbox_follows_a_rollout
run 0 as alice drover submit
run 0 as carol drover inbox
says "1 submitted revision" "0 of 2" "drover approve chain"
run 0 as alice drover approve chain --yes
run 0 as alice drover inbox
says "Nothing waits for alice."
run_json 0 "[w['try'] for w in d['waiting']] == ['drover approve chain']" as bob drover inbox
run 0 as bob drover approve chain --yes
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as carol drover inbox
says "drover approve R-1 -e staging" "R-1 in staging, 1 target ready"
says_not "monitored"
run 8 as carol drover checklist R-1 sign monitored --note early
says "'monitored' is signed afterwards: nothing of R-1 has run in 'production' yet" "drover rollout watch R-1"
flow_staging R-1
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as carol drover inbox
says "drover checklist R-1 sign logs-reviewed" "drover checklist R-1 sign release-noted"

test_begin a_veto_stops_a_rollout_and_two_people_take_it_back
run 0 as bob drover checklist R-1 sign logs-reviewed --note read
run 0 as carol drover checklist R-1 sign release-noted --note 2.4
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as carol drover veto R-1 -e production --note "month's end"
says "Vetoed: R-1 in production" "drover veto lift R-1 -e production"
run 0 as bob drover freeze list
says "veto" "holds" "carol" "month's end"
OUT=$(as bob drover approve R-1 -e production --confirm production 2>&1)
[ $? != 0 ] || wrong "a vetoed rollout was approved"
says "carol vetoed this in production: month's end" "drover veto lift R-1 -e production"
run 0 as bob drover inbox
says "R-1 in production, 1 target ready; carol vetoed this" "drover veto lift R-1 -e production"
says_not "drover approve R-1 -e production"
run 8 as bob drover rollout watch R-1 --timeout 60s
says "Stopped: carol vetoed this in production: month's end" "next: drover veto lift R-1 -e production"
target=$(as bob drover status -e production -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["targets"][0]["target"])')
run 0 as bob drover why "$target"
says "stopped carol vetoed this in production" "next: drover veto lift R-1 -e production"
run 0 as bob drover veto lift R-1 -e production
says "1 of 2. It waits for another approver"
run 0 as bob drover veto lift R-1 -e production
says "1 of 2"
run 0 as carol drover inbox
says "lift" "veto of carol in production"
run 0 as carol drover veto lift R-1 -e production
says "Lifted: R-1, 2 of 2 signatures"
run 0 as bob drover freeze list
says "lifted"

test_begin a_freeze_holds_an_environment_until_two_lift_it
run 1 as carol drover freeze add nowhere
says "there is no environment 'nowhere'" "production, staging"
run 4 as carol env DROVER_KEY="$WORLD/keys/mallory.key" drover freeze add production
says "nobody of the people has signed this" "drover people list"
run 0 as carol drover freeze add production --note "audit" --expires 30d
says "Frozen: production" "drover freeze lift production"
OUT=$(as bob drover approve R-1 -e production --confirm production 2>&1)
[ $? != 0 ] || wrong "a frozen environment took an approval"
says "carol froze production: audit"
run_json 0 "d['stop'] == 'carol froze production: audit' and d['next'] == 'drover freeze lift production'" as bob drover why "$target"
run 0 as bob drover freeze lift production
run 0 as alice drover freeze lift production
says "Lifted: production, 2 of 2 signatures"
run 1 as alice drover freeze lift production
says "nothing holds 'production'"
run 4 as alice drover approve R-1 -e production --confirm production
says "was written by alice, whose signature does not count in 'production'"
run 0 as bob drover approve R-1 -e production --confirm production
run 0 as carol drover approve R-1 -e production --confirm production
run 0 as bob drover rollout watch R-1 --until production=applied --timeout 60s

test_begin an_agent_gets_new_keys_and_another_retires
run 0 as alice drover fleet show
says "staging/notes" "production/notes" "active"
run 0 drover-agent key new --dir newagent --name production-lite
run 2 as alice drover agent rekey production-lite
says "drover-agent key new --dir NEWFOLDER --name production-lite"
run 0 as alice drover agent rekey production-lite --public-key newagent/agent.pub --yes
says "~ target production/notes: another signing key of its agent"
run 0 as bob drover sign fleet --yes
says "in force"
agent_stop production-lite
cp newagent/agent.* agents/production-lite/
agent_start production-lite || wrong "the agent did not start with its new key"
run 1 as alice drover agent retire nobody --yes
says "the fleet has no agent 'nobody'"
run 0 as alice drover agent retire staging-lite --yes
says "~ target staging/notes: retired"
run 0 as bob drover sign fleet --yes
run 0 as bob drover fleet show
says "retired"
run 0 as alice drover fleet renew --yes
says "nothing but its times"

flow_end
