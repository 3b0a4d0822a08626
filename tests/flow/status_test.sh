#!/bin/bash
# Status keeps what it verified: the second look takes it from the person's own folder, a folder that is damaged or open to
# others is as none, and a key that was taken away speaks no more.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice || exit 1
as alice drover init --name kept --people keys/alice.pub --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
for name in one two; do
    sqlite_make "$WORLD/$name.db" && agent_make $name staging "staging/$name=sqlite:$WORLD/$name.db" >/dev/null || exit 1
done
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.3.drv >/dev/null || exit 1
revision_header first >revisions/first.sql
printf -- '-- drover:up\nCREATE TABLE a (id integer PRIMARY KEY);\n\n-- drover:down\nDROP TABLE a;\n' >>revisions/first.sql
sed -i 's/postgresql,sqlite/sqlite/' revisions/first.sql
state=$(sed -n 's/^state = "\(.*\)"/\1/p' droverd.conf)
coordinator_start && agent_start one && agent_start two || exit 1
said() { [ "$(as alice drover status --output json 2>/dev/null | grep -c '"state": "ok"')" = 2 ]; }
wait_until 20 said || exit 1
coordinator_stop && cp -r "$state" state.old
coordinator_start || exit 1
connected() { [ "$(as alice drover status --output json 2>/dev/null | grep -c '"connected": true')" = 2 ]; }
wait_until 20 connected || exit 1 # an agent that is away is not waited for
kept=run/trust-alice/words

state_of() { # TARGET: its version and state
    as alice drover status --output json | python3 -c 'import json, sys
for t in json.load(sys.stdin)["targets"]:
    if t["target"] == sys.argv[1]:
        print(",".join(t["heads"]) or "base", t["state"], t["signedAt"] > 0)' "$1"
}

test_begin what_was_verified_is_kept_and_shown_again
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "the chain was not approved"
run 0 as alice drover upgrade head
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --timeout 60s
same "$(state_of staging/one)" "first ok True"
[ "$(stat -c %a $kept)" = 600 ] || wrong "the kept words are open to others"
agent_stop one
agent_stop two
run 0 as alice drover status
before=$(stat -c %i $kept)
run 0 as alice drover status
says "staging/one" "first (head)" "ok"
[ "$(stat -c %i $kept)" = "$before" ] || wrong "what was kept was written again, though nothing was new"

test_begin a_damaged_or_open_file_is_read_anew_from_the_coordinator
for harm in "truncate -s 100 $kept" "chmod 660 $kept" "printf x >>$kept" "sed -i s/first/worse/g $kept" "ln -sf /dev/null $kept"; do
    eval "$harm"
    same "$(state_of staging/two)" "first ok True"
    [ -f $kept ] && [ "$(stat -c %a $kept)" = 600 ] && [ "$(stat -c %s $kept)" -gt 200 ] || wrong "not mended after: $harm"
done
rm -f $kept
same "$(state_of staging/two)" "first ok True"

test_begin a_coordinator_that_was_put_back_is_read_anew
coordinator_stop
mv "$state" state.new && cp -r state.old "$state"
coordinator_start || exit 1
same "$(state_of staging/one)" "base ok True"
coordinator_stop
rm -r "$state" && mv state.new "$state"
coordinator_start || exit 1
same "$(state_of staging/one)" "first ok True"

test_begin a_key_that_was_taken_away_speaks_no_more
drover-agent key new --dir agents/again --name one >/dev/null
run 0 as alice drover agent rekey one --public-key agents/again/agent.pub --yes
run 0 as alice drover sign trust/fleet.4.drv
same "$(state_of staging/one)" "base never seen False"
same "$(state_of staging/two)" "first ok True"
flow_end
