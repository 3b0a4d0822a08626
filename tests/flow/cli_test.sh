#!/bin/bash
# What every command of drover keeps: JSON that programs can read, quiet that is quiet, questions that can be answered
# without a terminal, keys with a passphrase, and Ctrl-C that leaves a true state.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 2
as alice drover submit --quiet >/dev/null

test_begin json_of_what_needs_no_coordinator
run_json 0 '[r["id"] for r in d["revisions"]] == ["20251022_1003_93ad2d77767b", "20251020_1548_bcacf97a17b8"]' drover history
run_json 0 True drover history --verbose
run_json 0 'd["revisions"][0]["isHead"]' drover heads
run_json 0 'd["revisions"] == []' drover branches
run_json 0 '"-- drover:up" in d["revisions"][0]["sql"]' drover show head --sql
run_json 0 'len(d["revisions"]) == 2 and "CREATE TABLE" in d["revisions"][0]["sql"]' drover sql base:head --engine sqlite
run_json 0 'd["errors"] == 0' drover lint
run_json 0 'd["sqlcheck"][0].startswith("drover-sqlcheck ")' drover version
run_json 0 'd["name"] == "alice"' drover key show keys/alice.pub
run_json 0 'd["isSecret"] and not d["asksPassphrase"]' drover key show keys/alice.key
run_json 0 'len(d["ed25519"]) == 64' drover key new dave --dir keys --no-passphrase
run_json 0 'd["document"] == "root" and d["signatures"] == 2 and d["complete"] and len(d["rootSha256"]) == 64' as carol drover sign trust/root.1.drv
mkdir other && cd other && run_json 0 'd["complete"] and len(d["rootSha256"]) == 64' drover init --no-passphrase
run_json 0 'd["path"] == "revisions/x_add_x.sql"' drover revision -m "Add x" --rev-id x
cd "$WORLD" || exit 1

test_begin json_of_direct_mode
sqlite3 one.db VACUUM
run_json 0 'd["heads"] == []' drover current --url sqlite:one.db
run_json 0 'd["direction"] == "up" and len(d["revisions"]) == 2' drover upgrade head --url sqlite:one.db --dry-run
run_json 0 'd["done"] and d["heads"] == ["20251020_1548_bcacf97a17b8"] and len(d["units"]) == 1' drover upgrade +1 --url sqlite:one.db
run_json 0 True drover upgrade +1 --url sqlite:one.db
run_json 0 'd["done"] and d["units"] == []' drover upgrade head --url sqlite:one.db
run_json 0 'd["heads"] == [{"id": "20251022_1003_93ad2d77767b", "isHead": True}]' drover current --url sqlite:one.db --verbose
run_json 0 'd["heads"] == []' drover downgrade base --url sqlite:one.db --yes

test_begin json_of_what_the_coordinator_answers
run_json 0 'd["caller"] == "alice"' as alice drover ping
run_json 0 'd["added"] == 0 and len(d["revisions"]) == 2' as alice drover submit
run_json 0 'd["signatures"] == 1 and d["needed"] == 2 and not d["complete"]' as alice drover approve chain --yes
run_json 0 'd["complete"]' as bob drover approve chain --yes
run_json 0 'd["revisions"] == 0' as bob drover approve chain --yes
run_json 0 'd["revisions"] == []' as alice drover submit --dry-run
run_json 0 True as alice drover rollout list
run_json 0 'd["targets"] == ["production/notes", "staging/notes"]' as alice drover upgrade head --dry-run
run_json 0 'd["id"] == "R-1" and d["targets"] == 2' as alice drover upgrade head
run_json 8 'd["id"] == "R-1" and d["stages"][0]["targets"][0]["state"] == "ready"' as alice drover rollout watch R-1 --timeout 60s
run_json 0 True as alice drover rollout show R-1
run_json 0 'd["gates"][0] == {"environment": "staging", "item": "backup", "open": True, "after": False, "text": d["gates"][0]["text"], "next": ""}' as alice drover checklist R-1
run_json 0 True as alice drover status
run_json 0 'all(t["isKnown"] for t in d["targets"])' as alice drover current
run_json 0 '[r["state"] for r in d["revisions"]] == ["pending", "pending"]' as alice drover history -t production/notes
run 1 as alice drover history -t production/none
says "the fleet has no target 'production/none'" "drover status shows all"
run_json 0 True as alice drover agents
run_json 0 'd["entries"][0]["index"] == "1"' as alice drover log
run_json 0 True as alice drover log --verify
run_json 0 True as alice drover rpc list
run_json 0 True as alice drover rpc call Health/Check
run_json 0 'd["complete"] and d["signatures"] == 1' as carol drover approve R-1 -e staging --yes
run_json 0 True as carol drover rollout watch R-1 --until staging=applied --timeout 60s
run_json 0 '[r["state"] for r in d["revisions"]] == ["current", "applied"]' as carol drover history --target staging/notes
run_json 0 'd["item"] == "logs-reviewed" and len(d["seen_sha256"]) == 64' as bob drover checklist R-1 sign logs-reviewed --note read
run_json 0 True as bob drover rollout pause R-1
run_json 0 True as bob drover rollout resume R-1
run_json 0 True as bob drover rollout abort R-1

test_begin jsonl_has_one_document_a_line
OUT=$(as alice drover log --output jsonl)
printf '%s\n' "$OUT" | python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert len(lines) > 10 and all(line["schema"] == "drover.v1.LogEntry" for line in lines)' || wrong "not one document a line"
OUT=$(as alice drover rollout watch R-1 --output jsonl 2>&1)
printf '%s\n' "$OUT" | python3 -c 'import json, sys
assert all(json.loads(line)["schema"] == "drover.v1.RolloutChange" for line in sys.stdin)' || wrong "not one document a line"

test_begin an_error_leaves_standard_output_empty
for command in "rollout show R-99" "current --url mysql://x" "history --rev-range a:b:c" "approve R-1 -e production --confirm production"; do
    # shellcheck disable=SC2086
    OUT=$(as alice drover $command --output json 2>/dev/null)
    same "$OUT" ""
done

test_begin quiet_has_no_progress_on_standard_error
OUT=$(drover revision -m "Add y" --rev-id y --quiet 2>&1 >/dev/null)
same "$OUT" ""
rm -f revisions/y_*
OUT=$(drover downgrade base --url sqlite:one.db --quiet --yes 2>&1 >/dev/null)
same "$OUT" ""

test_begin a_reader_that_has_enough_is_no_error
OUT=$( (as alice drover log; true) 2>&1 >/dev/full | cat)
says "standard output cannot be written"
OUT=$({ as alice drover log | head -n 1 >/dev/null; } 2>&1)
same "$OUT" ""

test_begin help_of_every_command
OUT=$(drover --help)
commands=$(printf '%s\n' "$OUT" | sed -n '/^Author/,/^Options/s/^  \([a-z]*\( [a-z][a-z-]*\)\{0,1\}\)\( .*\)\{0,1\}$/\1/p')
[ "$(printf '%s\n' "$commands" | wc -l)" -gt 25 ] || wrong "these are not all commands: $commands"
while read -r first second; do
    # shellcheck disable=SC2086
    run 0 drover $first ${second:-} --help
    says "drover $first" "Examples:" "Usage: drover $first" "Every command:"
done <<<"$(printf '%s\n' "$commands" | grep -v ' [A-Z]')"
run 0 drover help rollout show
says "drover rollout show: "
run 0 drover rollout --help
says "drover rollout COMMAND --help tells more, with examples."
says "drover rollout watch R-N" "drover rollout abort R-N"
run 2 drover rollout
says "'drover rollout' needs another word: list, show, watch"
run 2 drover upgrad
says "try: drover upgrade --help"
for word in upgrade downgrade 'remedy head'; do
    run 2 drover $word head --url sqlite:a.db -t production/orders
    says "--url names one database, so --target cannot be given too"
done

test_begin keys_with_a_passphrase_from_a_descriptor
printf 'correct horse\nmore\n' | drover key new erin --dir keys --passphrase-fd 0 >/dev/null 2>&1 || wrong "no key was made"
run_json 0 'd["asksPassphrase"]' drover key show keys/erin.key
mkdir erin && cd erin || exit 1
run 0 bash -c 'drover init --person erin --coordinator tcp://127.0.0.1:0 --passphrase-fd 3 3<<<"correct horse"'
run 0 bash -c 'drover sign trust/fleet.1.drv --passphrase-fd 3 3<<<"correct horse"'
says "Signed: 1 of 1"
cd "$WORLD" || exit 1

test_begin the_way_down_asks_and_no_is_an_answer
drover upgrade head --url sqlite:one.db >/dev/null
OUT=$(printf 'n\n' | script -qec "drover downgrade -1 --url sqlite:one.db" /dev/null 2>&1)
says "Run the way down of these revisions? [y/N]" "nothing was done"
run 0 drover current --url sqlite:one.db
same "$OUT" "20251022_1003_93ad2d77767b (head)"
OUT=$(printf 'y\n' | script -qec "drover downgrade -1 --url sqlite:one.db" /dev/null 2>&1)
says "Now at 20251020_1548_bcacf97a17b8"

test_begin ctrl_c_during_an_upgrade_leaves_a_true_state
cluster_start main && database_make main app || exit 1
url=$(cluster_url main app)
project_empty slow || exit 1
revision_file a >revisions/a.sql
revision_file b a | sed 's/^CREATE.*/&\nSELECT pg_sleep(60);/; s/^-- Engine.*/-- Engine: postgresql/' >revisions/b.sql
env --default-signal=INT drover upgrade head --url "$url" >out 2>&1 &
pid=$!
for ((i = 0; i < 600; i++)); do
    [ "$(cluster_sql main app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")" = 0 ] || break
    read -r -t 0.05 -u 9 || true
done
kill -INT $pid
wait $pid
same $? 130
OUT=$(cat out)
says "Running upgrade a -> b" "drover: error: " "try: "
run 0 drover current --url "$url"
same "$OUT" a
same "$(cluster_sql main app "SELECT to_regclass('t_b') IS NULL")" t
same "$(cluster_sql main app "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid() AND state = 'active'")" 0

test_begin a_failing_statement_is_shown_at_its_place
sed -i 's/^SELECT pg_sleep.*/SELECT 1 \/ 0;/' revisions/b.sql
run 6 drover upgrade head --url "$url"
says "drover: error: revisions/b.sql:11:" "division by zero" "nothing of the failed unit is there"
run 0 drover current --url "$url"
same "$OUT" a

flow_end
