#!/bin/bash
# What deploy/README.md tells to do when something is lost: a laptop, an agent's disk, the coordinator's disk, k-1 keys, k keys.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 1
flow_chain

rollout_to_production() { # R-N: from submit to applied, signed by bob and carol
    run 0 as alice drover upgrade head
    run 8 as alice drover rollout watch "$1" --timeout 60s
    run 0 as carol drover approve "$1" -e staging --yes ${2:+--ack $2}
    run 0 as carol drover rollout watch "$1" --until staging=applied --timeout 60s
    flow_signoffs "$1"
    run 8 as alice drover rollout watch "$1" --timeout 60s
    run 0 as carol drover approve "$1" -e production --confirm production ${3:+--ack $3}
    run 0 as bob drover approve "$1" -e production --confirm production ${3:+--ack $3}
    run 0 as bob drover rollout watch "$1" --until production=applied --timeout 60s
}

test_begin everything_works_before
rollout_to_production R-1

test_begin a_laptop_is_lost # k-1 keys: the others go on and take the key out
rm keys/bob.*
run 0 drover key new bob --dir newkeys --no-passphrase
cp newkeys/bob.* keys/
run 0 as alice drover people replace-key bob --public-key keys/bob.pub --yes
run 0 as carol drover sign root --yes
says "~ bob: another signing key" "in force"
run 0 as bob drover status

test_begin an_agents_disk_is_lost
agent_stop production-lite
cp agents/production-lite/agent.conf production.conf
rm -rf agents/production-lite
run 0 drover-agent key new --dir agents/production-lite --name production-lite
cp production.conf agents/production-lite/agent.conf
run 0 as alice drover agent rekey production-lite --public-key agents/production-lite/agent.pub --yes
run 0 as carol drover sign fleet --yes
says "~ target production/notes: another signing key of its agent" "in force"
agent_start production-lite || wrong "the agent did not start with an empty state"
head=$(sed -n 's/^-- Revision ID: //p' revisions/*.sql)
revision_file 002_more "$head" >revisions/002_more.sql
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
run 0 as carol drover approve chain --yes
run 0 as alice drover upgrade head
flow_staging R-2
flow_signoffs R-2
run 8 as alice drover rollout watch R-2 --timeout 60s
run 8 as carol drover approve R-2 -e production --confirm production
says "flags that nobody accepted: foreign" "--ack foreign"
run 0 as carol drover approve R-2 -e production --confirm production --ack foreign
run 0 as bob drover approve R-2 -e production --confirm production --ack foreign
run 0 as bob drover rollout watch R-2 --until production=applied --timeout 60s

test_begin the_coordinators_disk_is_lost
coordinator_stop
rm -rf .drover/droverd
coordinator_start || wrong "droverd did not start with an empty state"
run 0 as alice drover status
run 0 as bob drover status
run 0 as alice drover root show
says "Root:     2"
run 0 as alice drover submit
revision_file 003_more 002_more >revisions/003_more.sql
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
run 0 as carol drover approve chain --yes
says "The chain is approved"
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as carol drover approve R-1 -e staging --yes
run 0 as carol drover rollout watch R-1 --until staging=applied --timeout 60s

test_begin as_many_keys_as_the_root_needs_are_lost # a new project takes the databases over, with their ledgers
flow_signoffs R-1
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as carol drover approve R-1 -e production --confirm production
run 0 as bob drover approve R-1 -e production --confirm production
run 0 as bob drover rollout watch R-1 --until production=applied --timeout 60s
agent_stop staging-lite && agent_stop production-lite && coordinator_stop
mkdir -p again/run again/log && cp -r revisions agents again/ && cd again || exit 1
run 0 drover init --name masterplan --person alice --keys keys --no-passphrase --coordinator tcp://127.0.0.1:0
for env in staging production; do
    conf=agents/$env-lite/agent.conf
    rm -rf "agents/$env-lite/state"
    sed -i "s#^coordinator = .*#coordinator = \"@COORDINATOR@\"#; s#^root_sha256 = .*#root_sha256 = \"@ROOT@\"#; s#^root = .*#root = \"$PWD/trust/root.1.drv\"#" $conf
    sed -i "s#^coordinator_key = .*#$(grep '^coordinator_key' drover.conf)#" $conf
    run 0 drover agent add $env-lite -e $env --public-key agents/$env-lite/agent.pub --target "$env/notes=sqlite"
done
coordinator_start && agent_start staging-lite && agent_start production-lite || wrong "the new world did not start"
revision_file 004_more 003_more >revisions/004_more.sql
run 0 drover submit
run 0 drover approve chain --yes
run 0 drover upgrade head
run 8 drover rollout watch R-1 --timeout 60s
run 8 drover approve R-1 -e staging --yes
says "flags that nobody accepted: new-epoch"
run 0 drover approve R-1 -e staging --yes --ack new-epoch
run 0 drover rollout watch R-1 --until staging=applied --timeout 60s
run 0 drover checklist R-1 sign logs-reviewed --note read
run 0 drover checklist R-1 sign application-updated --note 2.5
run 8 drover rollout watch R-1 --timeout 60s
run 0 drover approve R-1 -e production --confirm production --ack new-epoch
run 0 drover rollout watch R-1 --until production=applied --timeout 60s
run 0 drover current --url "sqlite:$WORLD/production.db"
says "004_more (head)"
cp "$WORLD/again/run/"*.pid "$WORLD/run/"

flow_end
