#!/bin/bash
# Drift: what somebody changes by hand in a target is told by its agent, object by object, once for each change and once
# more when it is gone; a signed tolerance makes it no drift, and one that is left has to be acknowledged.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p revisions
people_make alice || exit 1
cluster_start main && database_make main app || exit 1
cluster_sql main app "GRANT CREATE ON DATABASE app TO drover; GRANT CREATE, USAGE ON SCHEMA public TO drover"
sqlite_make "$WORLD/lite.db" || exit 1
as alice drover init --name drift --people keys/alice.pub --threshold 1 --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
agent_make pg staging "staging/pg=$(cluster_url main app)" >/dev/null || exit 1
agent_make lite staging "staging/lite=sqlite:$WORLD/lite.db" >/dev/null || exit 1
as alice drover sign trust/root.1.drv >/dev/null && as alice drover sign trust/fleet.3.drv >/dev/null || exit 1

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
attested() { # TARGET: how many DRIFT documents of it there are
    as alice drover log --output jsonl | grep -c "DRIFT.*$1\|$1.*DRIFT"
}
users_file one '' >revisions/one.sql
coordinator_start && agent_start pg && agent_start lite || exit 1
as alice drover submit --quiet >/dev/null && as alice drover approve chain --yes >/dev/null || wrong "no chain"

test_begin before_any_run_there_is_nothing_to_drift_from
run 0 as alice drover drift --now --timeout 60s
says "No drift in 2 targets"
run 8 as alice drover upgrade head --wait --timeout 60s
run 0 as alice drover approve R-1 -e staging --yes
run 0 as alice drover rollout watch R-1 --until staging=applied --timeout 60s
run 0 as alice drover drift --now --timeout 60s
says "No drift in 2 targets"

for target in staging/pg staging/lite; do
    test_begin "a_column_added_by_hand_is_named_${target#staging/}"
    by_hand $target "ALTER TABLE users ADD COLUMN nick text"
    run 3 as alice drover drift $target --now --timeout 60s
    says "$target differs from what its last run left" "added column users.nick"
    run_json 3 "d['targets'][0]['isDrift'] and d['targets'][0]['objects'] == ['added column users.nick'] and
d['targets'][0]['objectsCount'] == 1 and d['targets'][0]['hasAnswered']" as alice drover drift $target --now
    run 0 as alice drover status
    printf '%s\n' "$OUT" | grep -q "^$target .*drift [0-9]*s" || wrong "status says nothing of it"
    run_json 0 "[t['driftSince'] > 0 for t in d['targets'] if t['target'] == '$target'] == [True]" as alice drover status

    test_begin "an_index_dropped_by_hand_is_named_and_the_first_look_counts_${target#staging/}"
    before=$(attested $target)
    by_hand $target "DROP INDEX users_email"
    run 3 as alice drover drift $target --now --timeout 60s
    says "added column users.nick" "removed index"
    same "$(attested $target)" $((before + 1))
    run 3 as alice drover drift $target --now --timeout 60s
    same "$(attested $target)" $((before + 1)) # nothing new: no further word

    test_begin "drift_that_is_undone_is_gone_${target#staging/}"
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
says "'staging/lite' has not answered, its agent is not connected"
agent_start lite || wrong "the agent does not start"

flow_end
