#!/bin/bash
# Backups by a configured command: the example for pgBackRest, on a private cluster, through a rollout and by hand.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

# pgBackRest and the restored cluster run as whoever runs PostgreSQL; a restore writes a whole cluster, durable: to memory,
# where there is room.
scratch=$WORLD/scratch
[ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -gt 300000 ] 2>/dev/null && scratch=$(mktemp -d /dev/shm/drover-pgbackrest.XXXXXX)
mkdir -p "$scratch" "$WORLD/repo"
[ "$(id -u)" != 0 ] || chown "$(pg_user)" "$scratch" "$WORLD/repo"
trap 'rm -rf "$scratch"; flow_cleanup' EXIT
cat >pgbackrest.conf <<EOF
[global]
repo1-path=$WORLD/repo
repo1-bundle=y
log-path=$WORLD/repo
lock-path=$WORLD/repo
log-level-file=off
start-fast=y
process-max=2
[main]
pg1-path=$WORLD/pg-main/data
pg1-socket-path=$WORLD/pg-main
pg1-user=postgres
EOF
chmod 755 . && chmod 644 pgbackrest.conf
# The file of the example, where its user may read it.
cp "$DROVER_SOURCE/deploy/backup-pgbackrest" "$WORLD/backup-pgbackrest" && chmod 755 "$WORLD/backup-pgbackrest"
words="\"$WORLD/as-postgres\", \"$WORLD/backup-pgbackrest\", \"--stanza=main\", \"--config=$WORLD/pgbackrest.conf\""
words="$words, \"--repo-path=$WORLD/repo\", \"--scratch=$scratch\", \"--bindir=$PG_BIN\""
{
    echo '#!/bin/sh'
    [ "$(id -u)" = 0 ] && echo "exec setpriv --reuid=$(pg_user) --regid=$(id -g "$(pg_user)") --clear-groups -- \"\$@\"" || echo 'exec "$@"'
} >as-postgres && chmod 755 as-postgres
rest() { (cd / && as_pg_user pgbackrest "--config=$WORLD/pgbackrest.conf" --stanza=main "$@"); }
agent() { drover-agent backup "$1" --config "$WORLD/agents/one/agent.conf" "${@:2}"; }

flow_backup_world queried "-c archive_mode=on -c wal_level=replica \
    -c \"archive_command=pgbackrest --config=$WORLD/pgbackrest.conf --stanza=main archive-push %p\""
{
    echo 'backup = "command"'
    echo "backup_command = {$words, \"take\"}"
    echo "backup_verify_command = {$words, \"verify\"}"
    echo "backup_restore_command = {$words, \"restore\"}"
    echo "backup_prune_command = {$words, \"prune\"}"
    cat agents/one/agent.conf
} >agents/one/new.conf
mv agents/one/new.conf agents/one/agent.conf
agent_start one || wrong "the agent did not start"

test_begin a_command_that_cannot_make_one_keeps_the_rollout_back_and_says_why
run 0 as alice drover upgrade head
run 6 as alice drover rollout watch R-1 --timeout 60s
run 0 as alice drover why staging/shop
says "the backup command ended with exit code 1: pgbackrest backup: ERROR: " "next: drover rollout retry R-1"
[ "$(ls agents/one/state/backups 2>/dev/null | wc -l)" = 0 ] || wrong "something was left: $(ls agents/one/state/backups)"

test_begin a_rollout_stands_on_a_backup_of_pgbackrest_that_was_restored_and_read # id: G1
run 0 rest stanza-create
run 0 as alice drover rollout retry R-1
run 8 as alice drover rollout watch R-1 --timeout 60s
run_json 0 "len(d['backups']) == 1 and d['backups'][0]['restoreLevel'] == 'queried' and d['backups'][0]['tool'] == 'command pgBackRest 2.' + d['backups'][0]['tool'].rpartition('.')[2]" \
    as alice drover backup list staging/shop
says "by the command: restored in " "all rows of database 'shop' read" "Z.command"
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 30s

test_begin its_commands_verify_it_and_find_it_broken # id: G1, G16
run 0 as alice drover backup verify staging/shop --timeout 30s
says "the verify command says that it is good" "queried, kept until"
run 0 as alice drover backup restore-test staging/shop --timeout 60s
says "restored in " "all rows of database 'shop' read" "queried, kept until"
OUT=$(drover-agent check --config agents/one/agent.conf 2>&1)
says "backup_command" "backup_prune_command" "as-postgres"
says_not "pg_dump"
broken=$(ls -S "$WORLD"/repo/backup/main/*F/bundle/* | head -n 1)
printf xxxxxxxx | dd of="$broken" bs=1 seek=200000 conv=notrunc status=none
run 1 as alice drover backup verify staging/shop --timeout 30s
says "the verify command ended with exit code 1: pgbackrest verify: backup: " "status: invalid"
run_json 0 "d['backups'][0]['restoreLevel'] == 'bad'" as alice drover backup list staging/shop
mv "$WORLD/repo/backup/main" "$WORLD/repo/backup/away"
run 1 agent verify --target staging/shop
says "is gone: nothing is at '$WORLD/repo/backup/main/"
mv "$WORLD/repo/backup/away" "$WORLD/repo/backup/main"

test_begin pruning_asks_pgbackrest_and_only_when_the_time_is_over # id: G8
run 0 agent prune --target staging/shop
says "0 backups removed"
first=$(ls agents/one/state/backups/*.command)
run 0 as alice drover policy show
printf '%s\n' "$OUT" | sed 's/restore = "queried"/restore = "listed"/' >policy.conf
run 0 as alice drover policy apply policy.conf --yes
run 0 as alice drover backup take staging/shop --timeout 60s
says "by the command: full backup of a cluster of "
echo 1700000000 >"$first.keep" # its time is over
run 0 agent prune --target staging/shop
says "1 backup removed"
[ ! -e "$first" ] || wrong "its evidence is still there"
run 0 rest info
[ "$(printf '%s\n' "$OUT" | grep -c 'full backup:')" = 1 ] || wrong "pgBackRest still has both"

flow_end
