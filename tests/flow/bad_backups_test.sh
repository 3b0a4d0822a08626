#!/bin/bash
# Backups that are none: each is found while the target gets ready, the refusal says what, why and what to type, nothing of
# the backup is left behind, and the plan has not run.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

# A pg_dump that does what the file `mode` says, beside the real programs.
mkdir -p "$WORLD/bin" && ln -s "$PG_BIN"/* "$WORLD/bin/" && rm "$WORLD/bin/pg_dump"
cat >"$WORLD/bin/pg_dump" <<EOF
#!/bin/bash
for word; do case \$word in --file=*) file=\${word#--file=} ;; --version) exec "$PG_BIN/pg_dump" --version ;; esac; done
case \$(cat "$WORLD/mode") in
empty) : >"\$file" ;;
truncated) "$PG_BIN/pg_dump" "\$@" && truncate -s -2000 "\$file" ;;
other) "$PG_BIN/pg_dump" "\${@//dbname=\'shop\'/dbname=\'other\'}" ;;
steady)
    head -c 300000 /dev/zero >"\$file"
    for ((i = 0; i < 200; i++)); do [ -e "$WORLD/go" ] && break; read -r -t 0.2 <> <(:) || true; done
    rm -f "\$file" && exec "$PG_BIN/pg_dump" "\$@" ;;
slow)
    touch "$WORLD/began"
    exec sleep 600 ;;
full) # somebody else's file takes the room
    head -c 100M /dev/zero >"\${file%/*}/filler" 2>/dev/null
    exec "$PG_BIN/pg_dump" "\$@" ;;
*) exec "$PG_BIN/pg_dump" "\$@" ;;
esac
EOF
chmod 755 "$WORLD/bin/pg_dump"
echo sound >mode

flow_backup_world restored
database_make main other || exit 1
mkdir -p backups
sed -i "1i pg_bindir = \"$WORLD/bin\"\nbackups = \"$WORLD/backups\"" agents/one/agent.conf
agent_start one || wrong "the agent did not start"

# refused MODE TEXT...: the target gets ready (again) and fails with the texts; nothing is left.
again="drover upgrade head"
refused() {
    echo "$1" >mode
    shift
    run 0 as alice $again
    again="drover rollout retry R-1"
    run 6 as alice drover rollout watch R-1 --timeout 60s
    run 0 as alice drover why staging/shop
    says "$@" "nothing was changed" "next: drover rollout retry R-1"
    rm -f backups/filler
    [ -z "$(ls -A backups)" ] || wrong "left behind: $(ls -A backups)"
    same "$(cluster_sql main shop "SELECT to_regclass('t_r1') IS NULL")" t
}

test_begin an_empty_one_is_found_though_its_tool_says_nothing # id: G1 G16
refused empty "backup-failed: backup failed: pg_restore --list ended with exit code 1: pg_restore: error: input file is too short"

test_begin a_truncated_one_is_found_before_anybody_relies_on_it # id: G1 G16
refused truncated "backup-failed: backup failed: pg_restore ended with exit code 1: pg_restore: error: could not read"

test_begin one_of_another_database_is_found_when_it_is_restored # id: G1 G16
refused other "backup-other: the restored copy has another "

test_begin one_that_does_not_restore_is_no_backup # id: G1 G16
cluster_sql main shop "CREATE FUNCTION fits(text) RETURNS bool LANGUAGE sql AS 'SELECT true';
    ALTER TABLE kept ADD CONSTRAINT fitting CHECK (fits(t)); CREATE OR REPLACE FUNCTION fits(text) RETURNS bool LANGUAGE sql AS 'SELECT false'" >/dev/null
refused sound "backup-failed: backup 'staging-shop-2" "cannot be restored: pg_restore: error: "
says_not "$(printf 1 | md5sum | cut -c1-32)" # rows stay on their host
cluster_sql main shop "ALTER TABLE kept DROP CONSTRAINT fitting" >/dev/null

# Real small disks where this may mount; elsewhere the agent may write no larger files than these.
test_begin a_disk_that_fills_up_meanwhile_leaves_no_half_of_a_backup # id: G1 G16
cluster_sql main shop "CREATE TABLE large AS SELECT i, sha256(i::text::bytea) || sha256((-i)::text::bytea) AS b FROM generate_series(1, 40000) AS i;
    ALTER TABLE large OWNER TO drover" >/dev/null
agent_stop one
if mount -t tmpfs -o size=40m tmpfs backups 2>/dev/null; then
    trap 'umount "$WORLD/backups"; flow_cleanup' EXIT
    agent_start one || wrong "the agent did not start"
    refused full "No space left on device"
    test_begin a_disk_that_is_nearly_full_is_noticed_before_the_dump # id: G1 G16
    mount -o remount,size=17m "$WORLD/backups" || wrong "the disk cannot be made smaller"
    refused sound "backup-space: backup failed: '$WORLD/backups' has 17.8 MB free, and " " MB may be needed"
    umount backups
    trap flow_cleanup EXIT
    agent_stop one
else
    (ulimit -f 1024 && agent_start one && cp run/one.pid run/small.pid)
    refused sound "pg_dump ended with signal 25"
    kill "$(cat run/one.pid)"
fi
agent_start one || wrong "the agent did not start"

test_begin with_the_cause_mended_the_same_rollout_goes_on
echo sound >mode
run 0 as alice drover rollout retry R-1
run 8 as alice drover rollout watch R-1 --timeout 60s
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 30s

test_begin who_waits_sees_how_far_it_is
echo steady >mode
script -qefc "DROVER_KEY=keys/alice.key DROVER_TRANSPORT=keys/alice.transport drover backup take staging/shop --timeout 90s" take.log >/dev/null 2>&1 </dev/null &
take=$!
wait_until 40 grep -qs "backup: 300.0 kB written of a database of .*/s" take.log || wrong "nothing is shown: $(cat -v take.log)"
touch go
wait $take || wrong "no backup was taken: $(cat -v take.log)"
run 0 grep "restored in " take.log

test_begin an_order_outlives_a_killed_agent
echo slow >mode
as alice drover backup take staging/shop --timeout 90s >take.log 2>&1 &
take=$!
wait_until 30 test -e began || wrong "no backup was begun"
agent_stop one KILL
echo sound >mode
agent_start one || wrong "the agent did not start"
wait $take || wrong "nobody answered: $(cat take.log)"
OUT=$(cat take.log)
says "staging/shop: restored in " "restored, kept until"
run 0 as alice drover backup verify staging/shop --timeout 30s

flow_end
