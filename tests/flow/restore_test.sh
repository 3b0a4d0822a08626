#!/bin/bash
# A coordinator that was put back to yesterday's copy: people and agents notice, and give it what they still have.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

revision() { # NUMBER PARENT
    printf -- '-- drover:revision 1\n-- table t%d\n--\n-- Revision ID: r%d\n-- Revises:%s\n-- Engine: sqlite\n\n-- drover:up\nCREATE TABLE t%d (id integer PRIMARY KEY);\n\n-- drover:down\nDROP TABLE t%d;\n' \
        "$1" "$1" "$2" "$1" "$1" >"revisions/r$1.sql"
}

test_begin yesterday_a_copy_was_taken
people_make alice
as alice drover init --name shop --people keys/alice.pub --environments production --coordinator tcp://127.0.0.1:0 --quiet >/dev/null ||
    wrong "no project"
mkdir -p revisions
revision 1 ""
as alice drover sign trust/root.1.drv >/dev/null || wrong "the root was not signed"
sqlite_make "$WORLD/a.db"
SIGNER=alice agent_make one production "production/a=sqlite:$WORLD/a.db" >/dev/null || wrong "no agent"
as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
coordinator_start || wrong "droverd did not start"
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
agent_start one || wrong "the agent did not start"
run 0 as alice drover agents
state=$(sed -n 's/^state = "\(.*\)"/\1/p' droverd.conf)
coordinator_stop
cp -a "$state" yesterday

test_begin today_a_revision_ran_and_another_was_approved
coordinator_start || wrong "droverd did not start again"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-1 -e production --confirm production --yes
run 0 as alice drover rollout watch R-1 --until production=applied --timeout 60s
revision 2 " r1"
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
run 0 as alice drover log -o jsonl
printf '%s\n' "$OUT" >today.jsonl
run 0 as alice drover log --verify --hashes --file today.jsonl
says "entries verified, head "
head=${OUT##* }

test_begin the_copy_is_noticed_by_people
coordinator_stop
rm -rf "$state"
cp -a yesterday "$state"
coordinator_start || wrong "droverd did not start on the copy"
run 0 as alice drover status
says "it was put back to an older copy, or replaced" "the coordinator held older documents than you: it was given yours"
says_not "was not accepted"

test_begin the_two_logs_part_where_the_copy_was_taken
run 3 as alice drover log --compare today.jsonl
says "the two logs part: entry "
run 3 as alice drover log --compare "$head"
says "this log ends at entry"
run 0 as alice drover log --compare today.jsonl --file today.jsonl
says "One log: the same up to entry"
sed '3s/"text":"/&x/' today.jsonl >forged.jsonl
run 4 as alice drover log --compare forged.jsonl
says "forged.jsonl:3:1: log entry 3 was changed: its hash is another"
tail -n +3 today.jsonl >part.jsonl
run 0 as alice drover log --compare part.jsonl --file today.jsonl
run 1 as alice drover log --verify --file /dev/null
says "'/dev/null' holds no entry of a log"
run 2 as alice drover log --compare 3:abcd
says "'3:abcd' is no head of a log, and no file" "INDEX:HASH"

test_begin the_agent_notices_and_sends_again_what_it_signed # id: P6
for ((i = 0; i < 300; i++)); do
    OUT=$(as alice drover current production/a 2>/dev/null)
    [ "$OUT" != r1 ] || break
    read -r -t 0.1 -u 9 || true
done
same "$OUT" r1
run 0 as alice drover log
says "agent saw entry " "of another log: this coordinator was put back, forked or replaced" "APPLIED at r1"
grep -q "does not continue what was seen" log/agent-one* || wrong "the agent says nothing"

test_begin the_new_log_is_accepted_by_hand_and_the_work_goes_on
run 0 as alice drover log --verify --accept
run 0 as alice drover status
says_not "put back"
run 0 as alice drover submit
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-1 -e production --confirm production --yes
run 0 as alice drover rollout watch R-1 --until production=applied --timeout 60s
run 0 as alice drover current production/a
same "$OUT" "r2 (head)"

flow_end
