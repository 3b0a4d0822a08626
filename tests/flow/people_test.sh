#!/bin/bash
# Three people, each with an own copy of the project and own keys, as the README tells it: init, sign, agents, rollout.
# What they share travels as files (a git repository in practice); two of three must sign, in staging one is enough.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main && database_make main orders_staging && database_make main orders || exit 1
mkdir -p shared/revisions && revision_file 001_orders >shared/revisions/001_orders.sql

# at PERSON COMMAND...: in that person's copy, with that person's keys.
at() {
    local who=$1
    shift
    (cd "$WORLD/$who/orders" && DROVER_KEY=../keys/$who.key DROVER_TRANSPORT=../keys/$who.transport "$@")
}
# push PERSON, pull PERSON: what git would carry; .drover is ignored by the project's .gitignore.
push() { (cd "$WORLD/$1/orders" && tar -c --exclude=.drover .) | tar -x -C "$WORLD/shared"; }
pull() { mkdir -p "$WORLD/$1/orders" && tar -c -C "$WORLD/shared" . | tar -x -C "$WORLD/$1/orders"; }

test_begin each_makes_keys_and_gives_away_the_public_line
for who in alice bob carol; do
    mkdir "$who" && cd "$who" || exit 1
    run 0 drover key new $who --dir keys --no-passphrase
    says "keys/$who.key" "keys/$who.pub" "drover-public-key 1 $who ed25519:"
    cp keys/$who.pub "$WORLD/" && cd "$WORLD" || exit 1
done

test_begin one_starts_the_project_and_nothing_is_signed_yet
pull alice
cd alice/orders || exit 1
run 0 drover init --people "$WORLD/alice.pub,$WORLD/bob.pub,$WORLD/carol.pub" --threshold 2 --coordinator tcp://127.0.0.1:0
says "Signers: 3 people, 2 must sign (staging: 1)" "drover sign trust/root.1.drv"
cd "$WORLD" || exit 1
run 2 at alice drover status
says "'root_sha256' is not set" "drover sign trust/root.1.drv"

test_begin two_sign_the_root_each_on_an_own_copy
run 0 at alice drover sign trust/root.1.drv
says "3 people (alice, bob, carol), root 2, fleet 2, reviewers 2, production 2, staging 1" "Signed: 1 of 2"
push alice && pull bob
run 0 at bob drover sign trust/root.1.drv
says "Signed: 2 of 2" "Root complete, SHA-256" "noted root_sha256 in drover.conf"
push bob && pull alice && pull carol
same "$(cat bob/orders/drover.conf)" "$(cat carol/orders/drover.conf)"
run 0 at carol drover sign trust/root.1.drv
says "it had enough signatures already"

test_begin the_one_who_adds_an_agent_hands_back_its_configuration
number=1
for env in staging production; do
    host=$WORLD/host-$env number=$((number + 1))
    [ $env = staging ] && database=orders_staging || database=orders
    run 0 drover-agent key new --dir "$host" --name orders-$env
    run 0 at alice drover agent add orders-$env -e $env --public-key "$host/agent.pub" \
        --target "$env/orders=$(cluster_url main $database)" --conf "$host/agent.conf"
    says "Agent orders-$env added: trust/fleet.$number.drv" "noted in droverd.conf: fleet = \"trust/fleet.$number.drv\""
done
run 0 at alice drover sign trust/fleet.3.drv
says "target production/orders, agent orders-production, postgresql" "Signed: 1 of 2"
push alice && pull bob
run 0 at bob drover sign trust/fleet.3.drv
says "Signed: 2 of 2"
push bob
[ -z "$(grep -rl "$WORLD/pg-main" shared)" ] || wrong "the address of a database left its host"

test_begin the_coordinator_and_the_agents_start
mkdir -p coordinator/.drover/keys coordinator/run coordinator/log agents
cp -r shared/trust shared/drover.conf shared/droverd.conf coordinator/
cp alice/orders/.drover/keys/coordinator.transport coordinator/.drover/keys/
(cd coordinator && coordinator_start) || wrong "droverd did not start"
cp coordinator/run/droverd.pid run/ && cp coordinator/run/port run/ && ln -s shared/trust trust
for env in staging production; do
    mv "host-$env" "agents/orders-$env"
    sed -i "s#^coordinator = .*#coordinator = \"tcp://127.0.0.1:$(cat run/port)\"#" "agents/orders-$env/agent.conf"
    agent_start orders-$env || wrong "the agent of $env did not start"
    run 0 drover-agent check --config "agents/orders-$env/agent.conf"
done
cp coordinator/drover.conf shared/ && pull alice && pull bob && pull carol

test_begin reviewers_then_staging_then_production # id: G2 G5 G6
run 0 at alice drover lint
run 0 at alice drover submit
run 0 at alice drover approve chain --yes
says "Signed. 1 of 2. It waits for another reviewer"
run 0 at bob drover approve chain --yes
says "The chain is approved"
run 0 at carol drover upgrade head
says "Rollout R-1" "1 revision, 2 targets"
run 8 at carol drover rollout watch R-1 --timeout 60s
run 0 at carol drover approve R-1 -e staging --yes
run 0 at carol drover rollout watch R-1 --until staging=applied --timeout 60s
run 0 at bob drover checklist R-1 sign logs-reviewed --note read
run 0 at carol drover checklist R-1 sign application-updated
run 8 at carol drover rollout watch R-1 --timeout 60s
run 0 at carol drover approve R-1 -e production --confirm production
says "Approved. 1 of 2. It waits for another signature."
run 0 at bob drover approve R-1 -e production --confirm production
says "signed by bob: read" "signed by carol" "Approved. 2 of 2"
run 0 at bob drover rollout watch R-1 --until production=applied --timeout 60s
same "$(cluster_sql main orders "SELECT to_regclass('t_001_orders') IS NOT NULL")" t

test_begin who_lacks_a_revision_does_not_sign_it
revision_file 002_more 001_orders >alice/orders/revisions/002_more.sql
run 0 at alice drover submit
run 0 at alice drover approve chain --yes
run 0 at bob drover approve chain --yes
run 0 at alice drover upgrade head
run 8 at alice drover rollout watch R-2 --timeout 60s
run 1 at carol drover approve R-2 -e staging --yes
says "'002_more', which is not in your folder" "git pull"
push alice && pull carol
echo '-- changed' >>carol/orders/revisions/002_more.sql
run 4 at carol drover approve R-2 -e staging --yes
says "is not what your own files compile to"
pull carol
run 0 at carol drover approve R-2 -e staging --yes
run 0 at carol drover rollout watch R-2 --until staging=applied --timeout 60s

flow_end
