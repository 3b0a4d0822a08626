#!/bin/bash
# droverd by itself: what it refuses to start with, how it says that it is ready, and how it ends.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
people_make alice || exit 1
mkdir -p revisions
as alice drover init --name shop --people keys/alice.pub --threshold 1 --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
for file in root.1 fleet.1; do as alice drover sign "trust/$file.drv" >/dev/null; done

# conf NAME SED...: a changed copy of the configuration.
conf() {
    local name=$1
    shift
    sed "$@" droverd.conf >"$name.conf"
}

test_begin help_and_version_need_no_file
run 0 droverd --help
says "--check-config" "Examples:" "SIGHUP"
run 0 droverd --version
says "droverd 0."
run 2 droverd
says "--config"
run 2 droverd --frobnicate

test_begin the_configuration_is_checked_with_file_and_line
run 0 droverd --config droverd.conf --check-config
says "droverd.conf: ok"
conf unknown '1a approvalz = "x"'
run 2 droverd --config unknown.conf --check-config
says "unknown.conf:2" "approvalz"
run 1 droverd --config nowhere.conf
says "nowhere.conf"
conf badurl 's#^listen = .*#listen = "http://127.0.0.1"#'
run 2 droverd --config badurl.conf
says "http://127.0.0.1" "try:"

test_begin a_state_folder_that_cannot_be_used_is_named
: >file
conf folder 's#^state = .*#state = "file/state"#'
run 1 droverd --config folder.conf
says "file/state" "try:"

test_begin a_key_that_others_may_read_is_refused
key=$(sed -n 's/^transport_key = "\(.*\)"/\1/p' droverd.conf)
cp "$key" open.transport && chmod 0644 open.transport
conf open 's#^transport_key = .*#transport_key = "open.transport"#'
run 4 droverd --config open.conf
says "open.transport" "chmod"
head -c 40 "$key" >cut.transport && chmod 0600 cut.transport
conf cut 's#^transport_key = .*#transport_key = "cut.transport"#; s#^state = .*#state = "state-cut"#'
run 4 droverd --config cut.conf
says "cut.transport"
cp keys/alice.key signing.transport && chmod 0600 signing.transport
conf signing 's#^transport_key = .*#transport_key = "signing.transport"#; s#^state = .*#state = "state-signing"#'
run 4 droverd --config signing.conf
says "signing.transport"

test_begin a_root_that_is_not_the_pinned_one_is_refused
conf pin -e "1a root_sha256 = \"$(printf 0%.0s {1..64})\"" -e 's#^state = .*#state = "state-pin"#'
run 4 droverd --config pin.conf
says "try:"

test_begin it_says_ready_and_answers
coordinator_start || wrong "droverd did not start"
same "$(sed 's/ [0-9]*$//' run/droverd.ready)" ready
run 0 as alice drover ping
says "you are alice (person)"

test_begin a_second_one_on_the_same_folder_is_refused
run 1 droverd --config droverd.conf
says "another droverd"

test_begin a_port_in_use_is_named
conf port "s#^listen = .*#listen = \"tcp://127.0.0.1:$(cat run/port)\"#; s#^state = .*#state = \"state-port\"#"
run 1 droverd --config port.conf
says "$(cat run/port)"

test_begin sighup_takes_up_a_newer_fleet
drover-agent key new --dir agents/a --name a >/dev/null
as alice drover agent add a -e staging --public-key agents/a/agent.pub --target staging/x=sqlite:x.db --quiet >/dev/null 2>&1
cp "$(ls trust/fleet.*.drv | sort -t. -k2 -n | tail -n 1)" "$(sed -n 's/^fleet = "\(.*\)"/\1/p' droverd.conf)"
kill -HUP "$(cat run/droverd.pid)"
for _ in {1..100}; do
    OUT=$(as alice drover agents 2>&1)
    case $OUT in *"a      staging"*) break ;; esac
done
says "a      staging"

test_begin sigterm_ends_it_cleanly
pid=$(cat run/droverd.pid)
kill -TERM "$pid"
wait "$pid"
same $? 0
run 5 as alice drover ping

test_begin a_newer_state_is_refused
sqlite3 .drover/droverd/drover.db 'PRAGMA user_version = 99' >/dev/null
run 1 droverd --config droverd.conf
says "version 99" "try:"
sqlite3 .drover/droverd/drover.db 'PRAGMA user_version = 1' >/dev/null

test_begin a_changed_log_is_shouted_about_and_does_not_stop_it
sqlite3 .drover/droverd/drover.db "UPDATE log SET text = 'nothing' WHERE idx = 1"
coordinator_start || wrong "droverd did not start"
case $(cat log/droverd) in
*"the event log was changed"*) ;;
*) wrong "nothing in its log" ;;
esac
OUT=$(as alice drover log 2>&1)
says "alarm"
flow_end
