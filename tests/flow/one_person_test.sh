#!/bin/bash
# P8: one person, one key. From an empty folder to a revision in production, by the commands that the README names.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir shop && cd shop || exit 1
began=$SECONDS

test_begin init_makes_a_project_with_one_key
run 0 drover init --no-passphrase --person alice --coordinator tcp://127.0.0.1:0
says "Project shop: drover.conf, droverd.conf, revisions/, trust/" "alice, 1 of 1" "next: drover revision -m"
same "$(stat -c %a .drover/keys/alice.key)" 600
run 1 drover init --no-passphrase
says "there is a 'drover.conf' here already"
run 0 drover lint
same "$OUT" "0 errors, 0 warnings"

test_begin a_revision_is_written_and_checked # id: C12
run 0 drover revision -m "Add users" --rev-id 001_users --engine sqlite
says "Generating revisions/001_users_add_users.sql ...  done"
run 1 drover lint
says "section 'up' has no statement"
sed -i -e 's/^-- drover:up/&\nCREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);/' \
    -e 's/^-- drover:verify.*/-- drover:verify "the table is there"\nSELECT count(*) = 0 FROM users;/' \
    -e 's/^-- drover:down/&\nDROP TABLE users;/' revisions/001_users_add_users.sql
run 0 drover lint
same "$OUT" "0 errors, 0 warnings"

test_begin it_runs_on_one_database_at_once # id: C1 C4
run 0 drover upgrade head --url sqlite:app.db --dry-run
says "Would run upgrade  -> 001_users, Add users" "Dry run: nothing was changed"
[ ! -e app.db ] || wrong "a dry run made a database"
run 0 drover upgrade head --url sqlite:app.db
says "Running upgrade  -> 001_users, Add users" "Now at 001_users"
run 0 drover stamp head --url sqlite:app.db
says "Nothing to do: already at 001_users"
run 0 env DROVER_URL=sqlite:app.db drover current
same "$OUT" "001_users (head)"
run 0 drover downgrade -1 --url sqlite:app.db --yes
run 0 drover current --url sqlite:app.db
same "$OUT" ""

# The world's helpers look for these in $WORLD.
ln -s ../run run && ln -s ../log log
test_begin the_coordinator_starts_with_what_init_wrote
coordinator_start || wrong "droverd did not start"
run 0 drover ping
says "you are alice (person)"
run 0 drover status
says "No target. next: drover agent add"

test_begin agents_are_added_while_it_runs
for env in staging production; do
    sqlite_make "$PWD/$env.db"
    run 0 drover-agent key new --dir "agents/$env" --name "$env-1"
    run 0 drover agent add "$env-1" -e $env --public-key "agents/$env/agent.pub" --target "$env/app=sqlite:$env.db" \
        --conf "agents/$env/agent.conf"
    says "Agent $env-1 added" "1 of 1 signatures, in force" "next: drover-agent check --config agents/$env/agent.conf"
    same "$(stat -c %a "agents/$env/agent.conf")" 600
    run 0 drover-agent check --config "agents/$env/agent.conf"
    agent_start $env || wrong "the agent of $env did not start"
done
same "$(sed -n 's/^fleet = //p' droverd.conf)" '"trust/fleet.3.drv"'
run 0 drover agents
says "staging-1" "production-1" "connected"

test_begin the_chain_is_approved_by_the_one_person
run 0 drover submit
says "1 new. next: drover approve chain"
run 0 drover approve chain --yes
says "Signed. 1 of 1. The chain is approved. next: drover upgrade head"

test_begin staging_first
run 0 drover upgrade head --dry-run
says "On target production/app" "On target staging/app" "Would run upgrade  -> 001_users"

test_begin lint_knows_what_was_approved
run 0 drover lint
same "$OUT" "0 errors, 0 warnings"
cp revisions/001_users_add_users.sql kept.sql
echo "-- more" >>revisions/001_users_add_users.sql
run 1 drover lint
says "error[approved-revision-changed]" "--> revisions/001_users_add_users.sql:4:1" "drover revision -m"
mv kept.sql revisions/001_users_add_users.sql

test_begin staging_goes_first
run 8 drover upgrade head --wait --timeout 60s
says "Rollout R-1  base -> 001_users" "Waiting for people in staging: 0 of 1 signatures" "next: drover approve R-1 -e staging"
run 0 drover approve R-1 -e staging --yes
says "Approved. 1 of 1. It starts now."
run 0 drover rollout watch R-1 --until staging=applied --timeout 60s
run 0 drover current staging/app
same "$OUT" "001_users (head)"
run 0 drover current
says "production/app  base" "staging/app  001_users (head)"

test_begin then_production # id: G5 G6
run 0 drover checklist R-1 sign logs-reviewed --note "no error in staging"
run 0 drover checklist R-1 sign application-updated
run 8 drover rollout watch R-1 --timeout 60s
run 2 drover approve R-1 -e production
says "'production' must be typed" "--confirm=production"
run 0 drover approve R-1 -e production --confirm production
says "signed by alice: no error in staging" "You sign for production: rollout R-1" "target production/app, wave 1, ready" "Approved. 1 of 1"
run 0 drover rollout watch R-1 --until production=applied --timeout 60s
run 0 drover status
same "$(printf '%s\n' "$OUT" | grep -c '001_users (head)')" 2
run 0 drover upgrade head
same "$OUT" "Nothing to do: every target is there already"
run 0 drover log --verify
says "entries verified"

test_begin what_waits_and_what_is_in_the_way_is_said
run 0 drover inbox
says "drover checklist R-1 sign monitored"
run 0 drover why production/app
says "production/app is in no rollout" "agent   production-1, connected"
run 0 drover downgrade -1
says "Rollout R-2  001_users -> base"
run 0 drover freeze add production --note "month's end"
run 0 drover why production/app
says "stopped alice froze production: month's end" "next: drover freeze lift production"
run 0 drover freeze lift production
run 0 drover rollout abort R-2

test_begin all_of_it_took_less_than_a_minute
[ $((SECONDS - began)) -lt 60 ] || wrong "it took $((SECONDS - began)) s"

flow_end
