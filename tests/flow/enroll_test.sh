#!/bin/bash
# An agent that nobody knows yet says who it is; a person compares the words and lets it in.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions && revision_file 001_orders >revisions/001_orders.sql
drover init --name shop --person alice --keys keys --no-passphrase --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
sqlite_make "$WORLD/staging.db" && coordinator_start || exit 1

# A host that got root.1.drv and the coordinator's key by hand.
host_make() { # DIRECTORY
    drover-agent key new --dir "$1" --name staging-lite >/dev/null || return 1
    printf 'agent = "staging-lite"\nenvironment = "staging"\ncoordinator = "tcp://127.0.0.1:%s"\n' "$(cat run/port)" >"$1/agent.conf"
    printf 'coordinator_key = "%s"\nroot = "%s/trust/root.1.drv"\nroot_sha256 = "%s"\n' \
        "$(sed -n 's/^coordinator_key = "\(.*\)"/\1/p' drover.conf)" "$WORLD" "$(sha256sum trust/root.1.drv | cut -d' ' -f1)" >>"$1/agent.conf"
    printf 'state = "state"\nkey = "agent.key"\ntransport_key = "agent.transport"\n' >>"$1/agent.conf"
    printf 'target "staging/notes" {\n    url = "sqlite:%s/staging.db"\n}\n' "$WORLD" >>"$1/agent.conf"
}
words_of() { # DIRECTORY: what its owner reads on the host
    drover-agent check --config "$1/agent.conf" 2>&1 | grep -oE '([a-z]{5}-){5}[a-z]{5}' | head -n 1
}

test_begin an_unknown_agent_offers_its_key
host_make agents/staging-lite || exit 1
agent_start staging-lite
offered() { drover agent list 2>&1 | grep -q "staging-lite"; }
wait_until 20 offered || wrong "no offer arrived"
run 0 drover agent list
says "OFFERED" "offered" "$(words_of agents/staging-lite)" "drover agent approve staging-lite"
run_json 0 "d['offers'][0]['agent'] == 'staging-lite'" drover agent list

test_begin it_is_let_in_only_by_the_words_of_its_own_key
run 1 drover agent approve nobody -e staging --target staging/notes=sqlite
says "no agent 'nobody' has offered a key"
run 2 drover agent approve staging-lite -e staging --target staging/notes=sqlite --confirm babab-babab-babab-babab-babab-babab --yes
run 2 drover agent approve staging-lite --confirm "$(words_of agents/staging-lite)" --yes
says "the fleet has no target of agent 'staging-lite' yet"
[ ! -e trust/fleet.2.drv ] || wrong "a refused approval left a file"
run 0 drover agent approve staging-lite -e staging --target staging/notes=sqlite --confirm "$(words_of agents/staging-lite)" --yes
says "+ target staging/notes, agent staging-lite, sqlite" "in force"
connected() { drover agent list --output json | grep -q '"connected": true'; }
wait_until 30 connected || wrong "the agent was not let in"

test_begin a_second_host_with_another_key_is_not_the_same_agent
host_make agents/thief || exit 1
cp agents/thief/agent.conf agents/thief.conf
agent_start thief
other() { drover agent list 2>&1 | grep -q "other-key"; }
wait_until 20 other || wrong "the other key was not noticed"
agent_stop thief

flow_end
