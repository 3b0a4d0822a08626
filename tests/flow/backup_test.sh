#!/bin/bash
# Backups as people live with them: taken and restored before a gate opens, listed, tested, found bad, kept, and removed
# when their time is over and not before.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_clock || exit 1
world_begin "$DROVER_BUILD" || exit 1

field() { printf '%s' "$OUT" | python3 -S -c "import json, sys; print(json.load(sys.stdin)$1)"; }
agent() { drover-agent backup "$1" --config "$WORLD/agents/one/agent.conf" "${@:2}"; }

people_make alice
as alice drover init --name shop --people keys/alice.pub --environments staging --coordinator tcp://127.0.0.1:0 \
    --quiet >/dev/null
mkdir -p revisions
revision_file r1 >revisions/r1.sql
as alice drover sign trust/root.1.drv >/dev/null
cluster_start main || exit 1
database_make main shop
cluster_sql main shop "CREATE TABLE kept (i int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 300); ALTER TABLE kept OWNER TO drover" >/dev/null
cluster_sql main shop "CREATE TABLE aside (i int); ALTER TABLE aside OWNER TO drover" >/dev/null
cluster_sql main shop "CREATE ROLE auditor; GRANT SELECT ON kept TO auditor" >/dev/null
sqlite_make "$WORLD/a.db"
SIGNER=alice agent_make one staging "staging/shop=$(cluster_url main shop)" "staging/lite=sqlite:$WORLD/a.db" >/dev/null
as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
coordinator_start || exit 1
as alice drover policy show | sed 's/restore = "listed"/restore = "queried"/
    s/tolerances = .*/tolerances = { "table aside" }/' >policy.conf
run 0 as alice drover policy apply policy.conf --yes
run 0 as alice drover submit
run 0 as alice drover approve chain --yes
printf 'backup = "directory"\nbackup_jobs = 2\nbackup_compress = "gzip:3"\n' | cat - agents/one/agent.conf >agents/one/new.conf
mv agents/one/new.conf agents/one/agent.conf
agent_start one || wrong "the agent did not start"

test_begin a_gate_that_asks_for_queried_is_opened_by_a_restored_backup # id: G1
run 8 as alice drover upgrade head --wait --timeout 30s
run_json 0 "len(d['backups']) == 2 and all(b['restoreLevel'] == 'queried' for b in d['backups'])" as alice drover backup list
run_json 0 "'300 rows of 2 tables read' in d['backups'][0]['detail'] and 'as many as in the backup' in d['backups'][0]['detail']" \
    as alice drover backup list staging/shop
run 0 as alice drover backup list
says "staging/shop" "staging/lite" "queried" "KEPT UNTIL"
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 30s

test_begin backups_are_taken_read_again_and_restored_on_demand # id: G1
run 1 as alice drover backup list nowhere/x
says "the fleet has no target 'nowhere/x'"
run 0 as alice drover backup take staging/shop --timeout 30s
says "restored in " "queried, kept until"
run 0 as alice drover backup verify staging/shop --timeout 30s
says "size, digest and contents are as recorded"
run 0 as alice drover backup restore-test staging/lite --timeout 30s
says "schema and history as recorded"
grep -q "^tolerate table aside\$" agents/one/state/backups/staging-shop-*.from || wrong "what was tolerated is not noted"
run 0 agent restore-test --target staging/shop
says "schema and history as recorded"
case $(ls agents/one/state/backups) in *.dir*) ;; *) wrong "no folder" ;; esac
run 1 as alice drover backup take staging/nowhere
says "the fleet has no target 'staging/nowhere'"
run 2 as alice drover backup verify staging/shop --backup xyz
says "--backup takes a digest"

test_begin a_backup_that_was_changed_is_found_and_opens_no_gate # id: G1, G16
run_json 0 "len(d['backups']) == 2" as alice drover backup list staging/shop
newest=$(field "['backups'][0]['location']")
printf x | dd of="$newest/toc.dat" bs=1 seek=500 conv=notrunc status=none
run 1 as alice drover backup restore-test staging/shop --timeout 30s
says "is not what was recorded" "drover backup take staging/shop"
run_json 0 "d['backups'][0]['restoreLevel'] == 'bad' and d['backups'][0]['code'] == 'backup-changed'" as alice drover backup list staging/shop
run 1 agent verify --target staging/shop
says "is not what was recorded"
: >"$newest/toc.dat"
run 1 agent verify --target staging/shop
run 0 as alice drover backup take staging/shop --timeout 30s

test_begin a_dump_never_overlaps_the_schema_changes_of_its_target
run 0 as alice drover downgrade -1 --message back
run 8 as alice drover rollout watch R-2 --timeout 30s
as alice drover backup take staging/shop --timeout 30s >"$WORLD/take.log" 2>&1 &
take=$!
run 0 as alice drover approve R-2 -e staging --confirm staging --yes
run 0 as alice drover rollout watch R-2 --until staging=reverted --timeout 30s
wait $take || wrong "no backup was taken: $(cat "$WORLD/take.log")"
OUT=$(cat "$WORLD"/pg-main/data/logs/*.csv | python3 -S -c '
import csv, sys
csv.field_size_limit(1 << 26)
dumps, ddl = {}, []
for row in csv.reader(sys.stdin):
    if row[22] == "pg_dump" or row[22] == "drover-backup":
        first, last = dumps.get(row[5], (row[0], row[0]))
        dumps[row[5]] = (min(first, row[0]), max(last, row[0]))
    elif "TABLE t_r1" in row[13] and "statement:" in row[13] or "TABLE t_r1" in row[13] and "execute" in row[13]:
        ddl.append(row[0])
inside = [at for at in ddl for first, last in dumps.values() if first <= at <= last]
print(len(dumps) >= 4, len(ddl) >= 2, inside)')
same "$OUT" "True True []"

test_begin a_backup_stays_for_thirty_days_and_goes_on_the_next # id: G8
run_json 0 "len(d['backups']) > 2" as alice drover backup list staging/shop
oldest=$(field "['backups'][-1]['location']") digest=$(field "['backups'][-1]['sha256']")
run 1 as alice drover backup prune staging/shop --backup "$digest" --timeout 30s
says "is kept until 20"
run 0 as alice drover backup prune staging/shop --timeout 30s
says "0 backups removed"
run 0 flow_at +29d agent prune --target staging/shop
says "0 backups removed"
[ -e "$oldest" ] || wrong "it went before its time"
run 0 agent list
says "$oldest" "kept until 20"
run 0 flow_at +31d agent list
says "(over)"
run 0 flow_at +31d agent prune --target staging/shop
says "backups removed"
[ ! -e "$oldest" ] && [ ! -e "$oldest.note" ] && [ ! -e "$oldest.keep" ] || wrong "it is still there"
[ "$(ls "$WORLD"/agents/one/state/backups/staging-shop-*Z.dir -d 2>/dev/null | wc -l)" -le 1 ] || wrong "more than the newest stayed"

flow_end
