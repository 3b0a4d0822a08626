#!/bin/bash
# Drift: what somebody changes by hand in a target is told by its agent, object by object, once for each change and once
# more when it is gone; a signed tolerance makes it no drift, and one that is left has to be acknowledged.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice || exit 1
cluster_start main && database_make main app || exit 1
cluster_sql main app "GRANT CREATE ON DATABASE app TO drover; GRANT CREATE, USAGE ON SCHEMA public TO drover"
sqlite_make "$WORLD/lite.db" && sqlite_make "$WORLD/early.db" || exit 1
as alice drover init --name drift --people keys/alice.pub --threshold 1 --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
agent_make pg staging "staging/pg=$(cluster_url main app)" >/dev/null || exit 1
agent_make early staging "staging/lite=sqlite:$WORLD/early.db" >/dev/null || exit 1
agent_make lite production "production/lite=sqlite:$WORLD/lite.db" >/dev/null || exit 1
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.4.drv >/dev/null || exit 1

users_file() { # ID PARENT
    revision_header "$1" "$2"
    printf -- '-- drover:up\nCREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL);\n'
    printf -- 'CREATE INDEX users_email ON users (email);\n\n'
    printf -- '-- drover:verify "the table is there"\nSELECT count(*) >= 0 FROM users;\n\n-- drover:down\nDROP TABLE users;\n'
}
by_hand() { # TARGET SQL
    if [ "$1" = staging/pg ]; then
        cluster_sql main app "$2" >/dev/null
    else
        sqlite3 lite.db "$2"
    fi
}
to_production() { # R-N [OPTION...]
    local rollout=$1
    shift
    run 0 as alice drover checklist "$rollout" sign logs-reviewed --note read
    run 0 as alice drover checklist "$rollout" sign application-updated --note 2.4
    as alice drover rollout watch "$rollout" --until production=ready --timeout 60s >/dev/null
    run 0 as alice drover approve "$rollout" -e production --confirm production "$@"
    run 0 as alice drover rollout watch "$rollout" --until production=applied --timeout 60s
}
policy_with() { # SED-EXPRESSION
    as alice drover policy show | sed "$1" >policy.conf
    run 0 as alice drover policy apply policy.conf --yes
}
attested() { # TARGET: how many DRIFT documents of it there are
    as alice drover log --output jsonl | grep -c "DRIFT.*$1\|$1.*DRIFT"
}
users_file one '' >revisions/one.sql
coordinator_start && agent_start pg && agent_start early && agent_start lite || exit 1
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "no chain"

test_begin before_any_run_there_is_nothing_to_drift_from
run 0 as alice drover drift --now --timeout 60s
says "No drift in 3 targets"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 60s
to_production R-1
run 0 as alice drover drift --now --timeout 60s
says "No drift in 3 targets"

for target in staging/pg production/lite; do
    test_begin "a_column_added_by_hand_is_named_${target#*/}"
    by_hand $target "ALTER TABLE users ADD COLUMN nick text"
    run 3 as alice drover drift $target --now --timeout 60s
    says "$target differs from what its last run left" "added column users.nick"
    run_json 3 "d['targets'][0]['isDrift'] and d['targets'][0]['objects'] == ['added column users.nick'] and
d['targets'][0]['objectsCount'] == 1 and d['targets'][0]['hasAnswered']" as alice drover drift $target --now
    run 0 as alice drover status
    printf '%s\n' "$OUT" | grep -q "^$target .*drift [0-9]*s" || wrong "status says nothing of it"
    run_json 0 "[t['driftSince'] > 0 for t in d['targets'] if t['target'] == '$target'] == [True]" as alice drover status

    test_begin "an_index_dropped_by_hand_is_named_and_the_first_look_counts_${target#*/}"
    before=$(attested $target)
    by_hand $target "DROP INDEX users_email"
    run 3 as alice drover drift $target --now --timeout 60s
    says "added column users.nick" "removed index"
    same "$(attested $target)" $((before + 1))
    run 3 as alice drover drift $target --now --timeout 60s
    same "$(attested $target)" $((before + 1)) # nothing new: no further word

    test_begin "drift_that_is_undone_is_gone_${target#*/}"
    by_hand $target "CREATE INDEX users_email ON users (email)"
    by_hand $target "ALTER TABLE users DROP COLUMN nick"
    run 0 as alice drover drift $target --now --timeout 60s
    says "No drift in 1 target"
    same "$(attested $target)" $((before + 2))
    run 0 as alice drover status
    says_not "drift"
done
run 1 as alice drover drift nowhere/at-all
says "the fleet has no target like 'nowhere/at-all'"

test_begin an_agent_that_is_away_is_named
agent_stop lite
run 5 as alice drover drift --now --timeout 60s
says "'production/lite' has not answered, its agent is not connected"
agent_start lite || wrong "the agent does not start"

test_begin drift_on_staging_pauses_the_rollout_before_production
revision_file two one >revisions/two.sql
as alice drover check --write >/dev/null
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "no chain"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-2 -e staging --yes
run 0 as alice drover rollout watch R-2 --until staging=applied --timeout 60s
by_hand staging/pg "ALTER TABLE users ADD COLUMN nick text"
run 3 as alice drover drift staging/pg --now --timeout 60s
run_json 0 "d['is_paused'] and 'added column users.nick' in d['pause_reason']" as alice drover rollout show R-2
run 0 as alice drover log --rollout R-2
says "pause: somebody changed 'staging/pg' since: added column users.nick"

run 0 as alice drover why staging/pg
says "somebody changed what the last run left" "added column users.nick"
run_json 0 "d['drift']['objects'] == ['added column users.nick']" as alice drover why staging/pg

test_begin what_a_signed_tolerance_names_is_no_drift
run 2 as alice drover drift staging/pg --tolerate --as-revision
says "not both"
run 1 as alice drover drift production/lite --tolerate --yes
says "nothing is to be accepted"
run 0 as alice drover drift staging/pg --tolerate --yes
says "staging/pg differs:" "added column users.nick" "+ policy staging: tolerances = {" '"column users.nick"' "all targets of 'staging'" "in force"
run 0 as alice drover drift staging/pg --now --timeout 60s
says "No drift in 1 target"
by_hand staging/pg "ALTER TABLE users ADD COLUMN other text"
run 3 as alice drover drift staging/pg --now --timeout 60s
says "added column users.other"
says_not "users.nick"
by_hand staging/pg "ALTER TABLE users DROP COLUMN other"
by_hand staging/pg "ALTER TABLE users DROP COLUMN nick"
run 0 as alice drover drift staging/pg --now --timeout 60s
run 0 as alice drover rollout resume R-2

test_begin an_approval_shows_what_differs_and_has_to_accept_it
by_hand production/lite "CREATE INDEX quick_fix ON users (email, id)"
run 0 as alice drover rollout retry R-2 -t production/lite
as alice drover rollout watch R-2 --until production=ready --timeout 60s >/dev/null
run 3 as alice drover drift production/lite --now --timeout 60s
run 0 as alice drover checklist R-2 sign logs-reviewed --note read
run 0 as alice drover checklist R-2 sign application-updated --note 2.5
run 8 as alice drover approve R-2 -e production --confirm production
says "drift on production/lite" "added index quick_fix" "drover approve R-2 -e production --ack drift"
to_production R-2 --ack drift
run 0 as alice drover drift --now --timeout 60s
says "No drift in 3 targets"

test_begin an_agent_looks_at_the_interval_of_the_policy_and_is_silent_when_all_is_as_it_was
is_drift() { [ "$(as alice drover drift production/lite >/dev/null 2>&1; echo $?)" = "$1" ]; }
states() { as alice drover log --output jsonl | grep -c "STATE.*$1\\|$1.*STATE"; }
policy_with 's/^ *refuse_drift = .*/&\n    drift_every = "1s"/'
by_hand production/lite "CREATE INDEX seen ON users (id, email)"
wait_until 60 is_drift 3 || wrong "nobody noticed"
run 3 as alice drover drift production/lite
says "added index seen"
run 2 as alice drover drift production/lite --as-revision -m "see users"
says "drover drift production/lite --as-revision -m MESSAGE --desired URL"
run 0 as alice drover drift production/lite --as-revision -m "see users" --rev-id seen --desired sqlite:lite.db
says "added index seen" "Generating" "Proved: up makes what" "drover stamp head -t production/lite"
grep -q "CREATE INDEX seen ON users" revisions/seen*.sql || wrong "the revision does not make it: $(cat revisions/seen*.sql)"
run 1 as alice drover drift production/lite --as-revision -m again --desired sqlite:lite.db
says "'production/lite' does not have revision 'seen', which the new one would stand on" "drover upgrade head -t production/lite"
rm -f revisions/seen*.sql
as alice drover check --write >/dev/null
before=$(states production/lite)
by_hand production/lite "DROP INDEX seen"
wait_until 60 is_drift 0 || wrong "nobody noticed that it is gone"
[ "$(states production/lite)" -le $((before + 2)) ] || wrong "looks that found nothing new were told"
policy_with '/drift_every = /d'

test_begin a_policy_can_refuse_all_drift
policy_with 's/refuse_drift = false/refuse_drift = true/'
by_hand production/lite "DROP INDEX quick_fix"
revision_file three two >revisions/three.sql
as alice drover check --write >/dev/null
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "no chain"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-3 -e staging --yes
run 0 as alice drover rollout watch R-3 --until staging=applied --timeout 60s
as alice drover rollout watch R-3 --until production=ready --timeout 60s >/dev/null
run 0 as alice drover checklist R-3 sign logs-reviewed --note read
run 0 as alice drover checklist R-3 sign application-updated --note 2.6
as alice drover approve R-3 -e production --confirm production --ack drift >/dev/null 2>&1
as alice drover rollout watch R-3 --until production=refused --timeout 60s >/dev/null
run 0 as alice drover rollout show R-3
says "the policy refuses drift"

flow_end
