#!/bin/bash
# What goes wrong first in practice: keys, configurations, coordinators. Each refusal says what, why and what to type next,
# ends with its own exit code and leaves nothing half written.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
revision_file a >revisions/a.sql
people_make alice mallory || exit 1
as alice drover init --name shop --people keys/alice.pub --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.1.drv --quiet >/dev/null || exit 1
sqlite_make "$WORLD/staging.db"
agent_make lite staging "staging/app=sqlite:$WORLD/staging.db" || exit 1

# refused CODE TEXT... -- COMMAND...: ends with CODE, says each text, and what to type next.
refused() {
    local code=$1 texts=()
    shift
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    run "$code" "$@"
    says "error: " "try: " "${texts[@]}"
}

# ---- keys

test_begin a_wrong_passphrase
printf 'correct horse\n' | drover key new dora --dir keys --passphrase-fd 0 --quiet >/dev/null || wrong "no key was made"
cp trust/fleet.2.drv before
refused 4 "passphrase" "keys/dora.key" -- bash -c 'drover sign trust/fleet.2.drv --key keys/dora.key --passphrase-fd 3 3<<<wrong'
refused 1 "no terminal to ask" "--passphrase-fd" -- setsid -w drover sign trust/fleet.2.drv --key keys/dora.key
cmp -s trust/fleet.2.drv before || wrong "a refused signature changed the file"

test_begin the_right_passphrase_of_somebody_whom_the_root_does_not_name
refused 4 "belongs to nobody whom the root names" "alice" -- \
    bash -c 'drover sign trust/fleet.2.drv --key keys/dora.key --passphrase-fd 3 3<<<"correct horse"'
cmp -s trust/fleet.2.drv before || wrong "a refused signature changed the file"

test_begin a_key_that_others_may_read
cp keys/alice.key open.key && chmod 644 open.key
refused 4 "open.key" "chmod 600" -- as alice drover sign trust/fleet.2.drv --key open.key

test_begin a_truncated_key
head -c 100 keys/alice.key >cut.key && chmod 600 cut.key
refused 4 "cut.key" -- as alice drover sign trust/fleet.2.drv --key cut.key

test_begin a_key_of_the_wrong_kind
refused 4 "alice.transport" "transport key" -- as alice drover sign trust/fleet.2.drv --key keys/alice.transport
refused 4 "alice.key" "signing key" -- env DROVER_TRANSPORT=keys/alice.key drover ping
refused 4 "alice.pub" -- as alice drover sign trust/fleet.2.drv --key keys/alice.pub

test_begin a_key_that_is_not_there
refused 1 "keys/nobody.key" -- as alice drover sign trust/fleet.2.drv --key keys/nobody.key
refused 2 "no signing key is named" "drover key new" -- drover sign trust/fleet.2.drv

test_begin a_key_is_never_overwritten
cp keys/alice.key before
refused 1 "there is a file 'keys/alice.key' already" -- drover key new alice --dir keys --no-passphrase
cmp -s keys/alice.key before || wrong "the key was changed"
refused 2 "cannot be a person's name" -- drover key new 'Alice Smith' --dir keys --no-passphrase

test_begin an_agents_key_that_others_may_read
chmod 644 agents/lite/agent.key
refused_agent() { # CODE SED TEXT...
    local code=$1 change=$2
    shift 2
    sed "$change; s#@COORDINATOR@#tcp://127.0.0.1:1#; s#@ROOT@#$(sha256sum trust/root.1.drv | cut -d' ' -f1)#" agents/lite/agent.conf \
        >agents/lite/changed.conf
    run "$code" timeout 20 drover-agent --config agents/lite/changed.conf
    says "try: " "$@"
}
refused_agent 4 '' "agent.key" "chmod"
chmod 600 agents/lite/agent.key

# ---- configuration

changed() { # SED: drover.conf with a change
    sed "$1" drover.conf >changed.conf
}

test_begin an_unknown_key_in_drover_conf
changed '2a approvalz = "x"'
refused 2 "changed.conf:3" "approvalz" -- drover --config changed.conf history

test_begin an_open_string_in_drover_conf
changed '2s/"$//'
refused 2 "changed.conf:" -- drover --config changed.conf history

test_begin a_missing_configuration
refused 1 "nowhere.conf" -- drover --config nowhere.conf history
refused 1 "nowhere.conf" "DROVER_CONFIG" -- env DROVER_CONFIG=nowhere.conf drover history
refused 1 "nowhere.conf" -- drover-agent --config nowhere.conf

test_begin values_of_drover_conf_that_cannot_be
changed 's/^coordinator_key = .*/coordinator_key = "abc"/'
refused 2 "'coordinator_key'" "64 hex digits" -- as alice drover --config changed.conf ping
changed 's#^coordinator = .*#coordinator = "http://x"#'
refused 2 "http://x" -- as alice drover --config changed.conf ping
changed '/^root_sha256/d'
refused 2 "'root_sha256' is not set" -- as alice drover --config changed.conf ping
changed 's/^root_sha256 = "./root_sha256 = "0/; s/^root_sha256 = "0\(.\)/root_sha256 = "00/'
refused 4 "another is pinned" -- env DROVER_TRUST="$WORLD/run/other" DROVER_KEY=keys/alice.key DROVER_TRANSPORT=keys/alice.transport \
    drover --config changed.conf ping

test_begin an_agents_configuration_that_cannot_be
refused_agent 2 '1a colour = "red"' "changed.conf:2" "colour"
refused_agent 2 's/^environment = .*//' "environment"
refused_agent 2 's#^coordinator = .*#coordinator = "http://x"#' "http://x"
refused_agent 2 's#url = ".*"#url = "mysql://x/y"#' "target 'staging/app' names no database" "postgresql://"
refused_agent 4 's/^root_sha256 = .*/root_sha256 = "00000000000000000000000000000000000000000000000000000000000000aa"/' "root"

test_begin a_state_folder_that_cannot_be_written
refused_agent 4 's#^state = .*#state = "/sys/drover"#' "/sys/drover"
sed 's#^state = .*#state = "/sys/drover"#' droverd.conf >changed.conf
refused 1 "/sys/drover" -- droverd --config changed.conf

test_begin an_address_that_is_none_makes_no_project
mkdir none && cd none || exit 1
refused 2 "'127.0.0.1' is no address of a coordinator" -- drover init --no-passphrase --coordinator 127.0.0.1
refused 2 "cannot be the name of a project" -- drover init --no-passphrase --name 'My Shop'
refused 2 "--threshold takes a number from 1 to 1" -- drover init --no-passphrase --threshold 2
refused 1 "nobody.pub" "NAME.pub" -- drover init --people nobody.pub
same "$(ls -A)" ""
: >trust
refused 1 "trust" -- drover init --no-passphrase
same "$(find . -type f)" "./trust"
cd "$WORLD" || exit 1

# ---- coordinator

test_begin the_coordinator_is_down
sed -i 's#^coordinator = .*#coordinator = "tcp://127.0.0.1:1"#' drover.conf
refused 5 "nothing listens on 'tcp://127.0.0.1:1'" "droverd --config droverd.conf starts it" -- as alice drover status
refused 5 "--url URL works on one database without it" -- as alice drover upgrade head

test_begin what_needs_no_coordinator_works_without_it
run 0 as alice drover history
run 1 as alice drover current --url sqlite:x.db
says "there is no database file 'x.db'"
[ ! -e x.db ] || wrong "a question made a database"

coordinator_start && agent_start lite || exit 1
run 0 as alice drover submit
run 0 as alice drover approve chain --yes

test_begin a_caller_whose_key_nobody_knows
refused 4 "nobody has the transport key" "drover agent add" -- as mallory drover status

test_begin a_port_in_use
sed "s#^listen = .*#listen = \"tcp://127.0.0.1:$(cat run/port)\"#; s#^state = .*#state = \"state-2\"#" droverd.conf >changed.conf
refused 1 "$(cat run/port)" -- droverd --config changed.conf

test_begin a_coordinator_with_another_key
changed "s/^coordinator_key = .*/coordinator_key = \"$(printf '07%.0s' {1..32})\"/"
refused 4 "key" -- as alice drover --config changed.conf status

test_begin a_coordinator_of_another_cluster
mkdir other && cd other || exit 1
drover init --name other --no-passphrase --person alice --quiet >/dev/null || wrong "no other project"
key=$(sed -n 's/^coordinator_key = "\(.*\)"/\1/p' ../drover.conf)
sed -i "s#^coordinator = .*#coordinator = \"tcp://127.0.0.1:$(cat ../run/port)\"#; s/^coordinator_key = .*/coordinator_key = \"$key\"/" drover.conf
cp ../keys/alice.transport .drover/keys/alice.transport
refused 4 "cluster" -- drover status
cd "$WORLD" || exit 1

test_begin unknown_names_are_told_with_what_to_type
refused 1 "R-99" "drover rollout list" -- as alice drover rollout show R-99
refused 1 "R-99" -- as alice drover approve R-99 -e staging --yes
refused 1 "R-99" -- as alice drover rollout watch R-99
refused 1 "'zzz'" "drover history" -- as alice drover upgrade zzz
refused 1 "'zzz'" "drover history" -- as alice drover show zzz
refused 1 "no target 'production/nope'" "drover status" -- as alice drover upgrade head --target production/nope
refused 1 "no target in 'nowhere'" -- as alice drover upgrade head -e nowhere
refused 1 "no such target: 'production/nope'" -- as alice drover current production/nope
refused 2 "'frobnicate' is no command" -- drover frobnicate
refused 2 "unknown option '--frobnicate'" "drover status --help" -- drover status --frobnicate
refused 2 "option '--url' needs a value" -- drover current --url
refused 2 "'drover show' needs REVISION" -- drover show
refused 2 "does not take 'b'" -- drover show a b

test_begin an_agent_that_cannot_be_added
run 0 drover-agent key new --dir x --name x
sed "s/ x ed25519/ y ed25519/" x/agent.pub >y.pub
sed "s/ lite ed25519/ x ed25519/" agents/lite/agent.pub >lite-as-x.pub
refused 1 "no environment 'moon'" "staging" -- as alice drover agent add x -e moon --public-key x/agent.pub --target moon/x=sqlite
refused 2 "is no target of environment 'staging'" -- as alice drover agent add x -e staging --public-key x/agent.pub --target x=sqlite
refused 2 "'oracle' names no engine" -- as alice drover agent add x -e staging --public-key x/agent.pub --target staging/x=oracle
refused 1 "'staging/app' is in the fleet already" -- as alice drover agent add x -e staging --public-key x/agent.pub --target staging/app=sqlite
refused 2 "'y.pub' is the public key of 'y', not of 'x'" "drover-agent key new" -- as alice drover agent add x -e staging --public-key y.pub --target staging/x=sqlite
refused 2 "is the public key of 'y', not of 'lite'" "drover-agent key new" -- as alice drover agent rekey lite --public-key y.pub --yes
refused 1 "this is the key of agent 'lite' already" "drover-agent key new" -- as alice drover agent add x -e staging --public-key lite-as-x.pub --target staging/x=sqlite
says_not "added"
refused 1 "serves environment 'staging' already" -- as alice drover agent add lite -e production --public-key agents/lite/agent.pub --target production/x=sqlite
refused 1 "agent.pub" -- as alice drover agent add x -e staging --public-key no/agent.pub --target staging/x=sqlite
same "$(ls trust)" "$(printf 'fleet.1.drv\nfleet.2.drv\nroot.1.drv')"

run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-1 --timeout 60s
refused 1 "does not go to 'nowhere'" "drover rollout show R-1" -- as alice drover checklist R-1 -e nowhere

test_begin ctrl_c_leaves_a_watch_and_says_how_to_come_back
as alice exec env --default-signal=INT drover rollout watch R-1 --until staging=applied --timeout 60s >run/watch 2>&1 &
watcher=$!
for ((i = 0; i < 100; i++)); do
    [ -s run/watch ] && break
    read -r -t 0.05 -u 9 || true
done
kill -INT $watcher
wait $watcher
same $? 130
OUT=$(cat run/watch)
says "rollout 'R-1' goes on without being watched" "try: drover rollout watch R-1"

test_begin a_coordinator_that_is_restarted_during_a_watch
as alice exec env --default-signal=INT drover rollout watch R-1 --until staging=applied --timeout 60s >run/watch 2>&1 &
watcher=$!
coordinator_stop KILL
coordinator_start || wrong "droverd did not come back"
run 0 as alice drover approve R-1 -e staging --yes --timeout 20s
wait $watcher || wrong "the watch ended with $?: $(cat run/watch)"
OUT=$(cat run/watch)
says "staging/app" "applied"

test_begin state_folders_of_a_newer_version
agent_stop lite && coordinator_stop
sqlite3 "$(find .drover/droverd -name '*.db' | head -n 1)" 'PRAGMA user_version = 99'
refused 1 "newer" -- droverd --config droverd.conf
sqlite3 "$(find agents/lite/state -maxdepth 1 -name '*.db' | head -n 1)" "UPDATE meta SET value = 99 WHERE key = 'version'"
run 1 timeout 20 drover-agent --config agents/lite/agent.conf
says "version 99" "try: "

flow_end
