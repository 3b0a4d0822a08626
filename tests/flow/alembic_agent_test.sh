#!/bin/bash
# A target that keeps alembic_version: its agent changes the table with every revision that it runs.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 3
agent_stop staging-lite
sed -i 's/{ url = \(.*\) }/{ url = \1 version_table = "alembic" }/' agents/staging-lite/agent.conf
agent_start staging-lite || exit 1
flow_chain

test_begin "an_agent_keeps_alembic_version" # id: V13
run 0 as alice drover upgrade head
flow_staging R-1
head=$(version_of staging | sed 's/ .*//')
same "$(sqlite3 staging.db 'SELECT version_num FROM alembic_version')" "$head"
same "$(sqlite3 production.db "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")" 0

test_begin "a_version_table_that_is_none_is_refused"
sed -i 's/version_table = "alembic"/version_table = "flyway"/' agents/staging-lite/agent.conf
run 1 drover-agent check --config agents/staging-lite/agent.conf
says "version_table 'flyway' of target 'staging/notes' is none that drover keeps"

flow_end
