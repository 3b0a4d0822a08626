#!/bin/bash
# A rollout from SQL files to production, and every way in which it must not go there.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 6

test_begin ping_says_who_i_am
run 0 as alice drover ping
says "you are alice (person)"

test_begin a_stranger_is_refused_by_name
run 4 as mallory drover ping
says "try:"

test_begin nothing_is_rolled_out_before_the_chain_is_approved # id: V18
run 8 as alice drover upgrade head
says "is not in the approved chain" "drover submit"
run 0 as alice drover submit
says "Submitted 20251020_1548_bcacf97a17b8" "6 new"
run 0 as alice drover approve chain --yes
says "Signed. 1 of 2"
run 8 as alice drover upgrade head
says "is not in the approved chain"
run 0 as alice drover approve chain --yes
says "1 of 2"
run 0 as bob drover approve chain --yes
says "Signed. 2 of 2"
run 0 as alice drover submit
says "Nothing to submit"

test_begin a_rollout_is_made_and_staging_gets_ready # id: G1
run 0 as alice drover upgrade head
says "Rollout R-1  base -> 20251022_1349" "6 revisions, 2 targets"
run 8 as alice drover rollout watch R-1 --timeout 60s
says "Waiting for people in staging: 0 of 1"
run 0 as alice drover rollout show R-1
says "staging/notes" "ready"
run 0 as alice drover rollout list
says "R-1"
run 0 as alice drover why R-1
says "is waiting in staging" "waits: the approval has 0 of 1 signatures" "can sign" "next: drover approve R-1 -e staging"
run 0 as alice drover why production/notes
says "waits   production begins when staging is done" "next: drover approve R-1 -e staging"

test_begin a_second_rollout_on_busy_targets_is_refused
run 1 as alice drover upgrade head
says "R-1"

test_begin production_is_refused_before_staging # id: G2
run 8 as alice drover approve R-1 -e production --confirm production
says "[ ] staged" "nothing was signed"
same "$(version_of production)" ""

test_begin a_strangers_signature_counts_nothing
run 4 env DROVER_TRANSPORT="$WORLD/keys/carol.transport" DROVER_KEY="$WORLD/keys/mallory.key" \
    DROVER_TRUST="$WORLD/run/trust-mallory" drover approve R-1 -e staging --yes
same "$(version_of staging)" ""

test_begin staging_applies_with_one_signature # id: C1
run 0 as carol drover approve R-1 -e staging --yes
says "Approved. 1 of 1"
run 0 as carol drover rollout watch R-1 --until staging=applied --timeout 60s
same "$(version_of staging)" "20251022_1349 (head)"
same "$(version_of production)" ""

test_begin each_missing_sign_off_keeps_production_closed # id: G5 G6
run 8 as alice drover approve R-1 -e production --confirm production
says "[x] staged" "[ ] logs-reviewed" "[ ] application-updated"
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as alice drover why R-1
says "gate 'logs-reviewed' is closed" "next: drover checklist R-1 sign logs-reviewed -e production"
run 0 as bob drover checklist R-1 sign logs-reviewed --note read
run 8 as alice drover approve R-1 -e production --confirm production
says "[x] logs-reviewed" "[ ] application-updated"
run 1 as bob drover checklist R-1 sign no-such-item
says "logs-reviewed, application-updated"
run 0 as carol drover checklist R-1 sign application-updated --note 2.4
run 8 as alice drover rollout watch R-1 --timeout 60s

test_begin one_signature_of_two_does_not_start_production
run 2 as alice drover approve R-1 -e production
says "'production' must be typed"
run 2 as alice drover approve R-1 -e production --confirm staging
run 0 as alice drover approve R-1 -e production --confirm production
says "Approved. 1 of 2"
run 0 as alice drover approve R-1 -e production --confirm production
says "Approved. 1 of 2"
says_not "Changed since"
run 0 as alice drover rollout show R-1
says "approvals 1/2"
run 0 as alice drover why R-1
says "signatures: 1 of 2 in production; bob" "alice has" "next: drover approve R-1 -e production"
same "$(version_of production)" ""

test_begin two_people_start_production
run 0 as bob drover approve R-1 -e production --confirm production
says "Approved. 2 of 2"
run 0 as bob drover rollout watch R-1 --until production=applied --timeout 60s
same "$(version_of production)" "20251022_1349 (head)"
run 0 as bob drover why R-1
says "waits: afterwards, 'monitored'" "next: drover checklist R-1 sign monitored -e production"

test_begin status_shows_what_agents_signed # id: C7 M8
run 0 as alice drover status
same "$(printf '%s\n' "$OUT" | grep -c '20251022_1349 (head)')" 2
run 0 as alice drover status --output json
printf '%s' "$OUT" | python3 -c '
import json, sys
rows = json.load(sys.stdin)["targets"]
assert len(rows) == 2 and all(r["heads"] == ["20251022_1349"] and r["pending"] == 0 and r["connected"] for r in rows), rows' ||
    wrong "not the JSON that was wanted"

test_begin direct_mode_keeps_its_hands_off_an_agents_database
run 4 drover downgrade -1 --url "sqlite:$WORLD/production.db" --yes
says "agent"
same "$(version_of production)" "20251022_1349 (head)"

test_begin the_log_verifies_and_a_changed_entry_is_found
run 0 as alice drover log --verify
says "entries verified"
as alice drover log --output jsonl --documents >export.jsonl
run 0 drover log --verify --file export.jsonl
sed -i '3s/"text": *"[^"]*"/"text":"nothing happened"/; 3s/"subject": *"[^"]*"/"subject":"nothing"/' export.jsonl
run 4 drover log --verify --file export.jsonl
says "export.jsonl:3"

test_begin the_way_back_goes_through_the_same_gates # id: C4
run 0 as alice drover downgrade -1
says "Rollout R-2  20251022_1349 -> 20251022_1348"
run 8 as alice drover rollout watch R-2 --timeout 60s
run 0 as carol drover approve R-2 -e staging --yes
says "no data is lost: what goes is empty"
run 0 as carol drover rollout watch R-2 --until staging=reverted --timeout 60s
same "$(version_of staging)" "20251022_1348"
same "$(version_of production)" "20251022_1349 (head)"
flow_signoffs R-2
flow_production R-2 reverted
same "$(version_of production)" "20251022_1348"

test_begin why_tells_a_targets_state_and_what_to_type_next
target=$(as alice drover status --output json 2>/dev/null | python3 -c 'import json,sys; print([t["target"] for t in json.load(sys.stdin)["targets"] if t["environment"] == "production"][0])')
run 0 as alice drover why "$target"
says "$target is" "agent "
run_json 0 'd["target"].startswith("production/") and d["progress"] is None' as alice drover why "$target"
run 1 as alice drover why production/nope
says "no target 'production/nope'" "drover status"

test_begin an_unknown_rollout_and_an_unknown_target_are_named
run 1 as alice drover rollout show R-99
says "R-99" "try:"
run 1 as alice drover upgrade head --target 'production/nope'
says "try:"

test_begin a_revision_whose_parents_are_not_its_files_is_not_signed # id: A17
cat >revisions/20251023_0900_extra.sql <<'SQL'
-- drover:revision 1
-- add extra
-- Revision ID: 20251023_0900
-- Revises: 20251022_1349
-- drover:up
CREATE TABLE extra (id integer PRIMARY KEY);
-- drover:down
DROP TABLE extra;
SQL
python3 - revisions/20251020_1548*.sql revisions/20251023_0900_extra.sql >calls <<'PY'
import base64, hashlib, json, struct, sys

def digest(name, file, parents):
    parts = b"drover/revision.v1\0" + name.encode() + b"\0" + hashlib.sha256(file).digest()
    return hashlib.sha256(parts + struct.pack(">I", len(parents)) + b"".join(parents)).digest()

def text(data):
    return base64.b64encode(data).decode()

first, extra = (open(path, "rb").read() for path in sys.argv[1:])
root = digest("20251020_1548_bcacf97a17b8", first, [])
sha = hashlib.sha256(extra).digest()
row = {"id": "20251023_0900", "message": "add extra", "file_name": "extra.sql", "file_size": len(extra),
       "digest": text(digest("20251023_0900", extra, [root])), "file_sha256": text(sha), "parents": [text(root)],
       "parent_ids": ["20251022_1349"]}
print(json.dumps({"sha256": text(sha), "offset": 0, "total": len(extra), "bytes": text(extra)}))
print(json.dumps({"project": "masterplan", "revisions": [row]}))
PY
run 0 as alice drover rpc call Documents/PutBlob "$(sed -n 1p calls)"
run 0 as alice drover rpc call Operator/Submit "$(sed -n 2p calls)"
run 1 as bob drover approve chain --yes
says "not those that its file names" "do not sign"

flow_end
