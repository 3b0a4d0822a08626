#!/bin/bash
# A rollout is watched: as a tree on a terminal, as lines and objects elsewhere, and by a hook.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 2
flow_chain
agent_stop staging-lite
run 0 as alice drover upgrade head

test_begin a_terminal_shows_the_tree_and_ctrl_c_leaves_it_clean_and_the_rollout_running
run 0 as alice python3 -B "$DROVER_SOURCE/tests/flow/watch_pty.py" drover rollout watch R-1
says "Rollout: R-1  base -> 20251022_1003" "staging/notes" "preparing" "agent 'staging-lite' is away since" \
    "next:  drover agents" "rollout 'R-1' goes on without being watched" "exit 130"
run 0 as alice drover rollout show R-1
says "preparing"

test_begin who_is_away_since_when_is_told_of_the_rollout
run 0 as alice drover why R-1
says "staging/notes (preparing): agent 'staging-lite' is away since" "next: drover agents"
run_json 0 'd["schema"] == "drover.v1.WhyRollout" and d["targets"][0]["agentSeen"] > 0 and not d["targets"][0]["connected"]' \
    as alice drover why R-1

test_begin each_change_is_an_object_and_reaches_the_hook
cat >hook.sh <<'END'
#!/bin/sh
{ printf '%s ' "$1"; cat; echo; } >>hook.out
END
chmod +x hook.sh
as alice drover rollout watch R-1 --until production=ready --timeout 90s --output jsonl --hook ./hook.sh -- "two words" \
    >watch.jsonl 2>watch.err &
watcher=$!
agent_start staging-lite
wait_until 30 grep -qs ready watch.jsonl
run 0 as carol drover approve R-1 -e staging --yes
wait $watcher
same "$?" 0
same "$(cat watch.err)" ""
OUT=$(cat watch.jsonl)
python3 - watch.jsonl hook.out <<'END' || wrong "objects and hook do not fit"
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
assert all(one["schema"] == "drover.v1.RolloutChange" and one["rollout"] == "R-1" for one in seen)
staging = [one["to"] for one in seen if one["target"] == "staging/notes"]
assert staging[0] == "preparing" and staging[-1] == "applied" and "ready" in staging, staging
assert [one["from"] for one in seen if one["target"] == "staging/notes"][0] == ""
assert {one["kind"] for one in seen} == {"rollout", "environment", "target"}
hook = [line.split(" ", 2) for line in open(sys.argv[2])]
assert all(words[:2] == ["two", "words"] for words in hook)
told = [json.loads(words[2]) for words in hook]
assert told == [one for one in seen if one["from"] not in ("", one["to"])], "not each change of a state, once and in order"
END

test_begin a_hook_that_fails_is_told_once_and_changes_nothing
run 8 as alice drover rollout watch R-1 --hook /bin/false
says "Waiting for people in production"
printf '#!/bin/sh\nexit 9\n' >bad.sh && chmod +x bad.sh
as alice drover rollout watch R-1 --until production=applied --timeout 90s --hook ./bad.sh >watch.out 2>&1 &
watcher=$!
flow_signoffs R-1
run 0 as alice drover approve R-1 -e production --confirm production
run 0 as bob drover approve R-1 -e production --confirm production
wait $watcher
same "$?" 0
OUT=$(cat watch.out)
same "$(grep -c 'the hook failed' watch.out)" 1
says "'./bad.sh' ended with 9" "did not reach the hook" "production/notes"
run 2 as alice drover rollout watch R-1 extra
says "'extra' is one too many" "--hook COMMAND"

flow_end
