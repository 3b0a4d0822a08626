#!/bin/bash
# A first schema that an application used to make by itself, as a chain on both engines: a new project's database comes from
# the chain, with all its foreign keys and the one-to-one state.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main && database_make main projects || exit 1
project_empty projects || exit 1
cp "$DROVER_SOURCE"/tests/chains/projects/revisions/*.sql revisions/

keys="approvals.change_request_id>change_requests
approvals.task_id>tasks
artifacts.project_id>projects
artifacts.run_id>runs
artifacts.task_id>tasks
change_requests.task_id>tasks
control_state.project_id>projects
runs.task_id>tasks
task_versions.task_id>tasks
tasks.project_id>projects"

# ask KIND SQL: of that engine's database.
ask() {
    if [ "$1" = sqlite ]; then
        sqlite3 data/project_1.db "PRAGMA foreign_keys = ON; $2" 2>&1
    else
        cluster_sql main projects "$2" 2>&1
    fi
}

key_list() {
    if [ "$1" = sqlite ]; then
        ask sqlite "SELECT t.name || '.' || k.\"from\" || '>' || k.\"table\" FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) k WHERE t.type = 'table' AND t.name NOT LIKE 'drover%' ORDER BY 1"
    else
        ask postgresql "SELECT k.conrelid::regclass || '.' || a.attname || '>' || k.confrelid::regclass FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY 1"
    fi
}

tables_of() {
    if [ "$1" = sqlite ]; then
        ask sqlite "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'drover%' AND name NOT LIKE 'sqlite%' ORDER BY name)"
    else
        ask postgresql "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    fi
}

walk() { # KIND URL
    local kind=$1 url=$2 before

    test_begin "a_new_project_comes_from_the_chain_$kind" # id: V20 C3
    same "$(tables_of "$kind")" ""
    run 0 drover upgrade e6e5369fb4d1 --url "$url"
    says "Running upgrade  -> e6e5369fb4d1, Complete initial schema"
    same "$(tables_of "$kind")" "approvals artifacts change_requests control_state projects runs task_versions tasks"
    run 0 drover current --url "$url"
    same "$OUT" e6e5369fb4d1
    run 0 drover upgrade head --url "$url"

    test_begin "ten_foreign_keys_are_there_and_enforced_$kind" # id: V21 V3
    same "$(key_list "$kind")" "$keys"
    OUT=$(ask "$kind" "INSERT INTO tasks (project_id, title, phase) VALUES (17, 'x', 'CODER')")
    case $kind in
    sqlite) says "FOREIGN KEY constraint failed" ;;
    *) says "tasks_project_id_fkey" ;;
    esac

    test_begin "a_project_has_one_control_state_$kind" # id: V22 V4
    OUT=$(ask "$kind" "INSERT INTO projects (name) VALUES ('first'); INSERT INTO control_state (project_id) SELECT id FROM projects")
    same "$OUT" ""
    OUT=$(ask "$kind" "INSERT INTO control_state (project_id) SELECT id FROM projects")
    case $kind in
    sqlite) says "UNIQUE constraint failed: control_state.project_id" ;;
    *) says "control_state_project_id_key" ;;
    esac

    test_begin "states_and_times_are_the_engines_own_way_of_the_same_$kind" # id: R4 R5
    OUT=$(ask "$kind" "INSERT INTO tasks (project_id, title, phase) SELECT id, 'first', 'CODER' FROM projects; INSERT INTO tasks (project_id, title, phase) SELECT id, 'second', 'PAINTER' FROM projects")
    case $kind in
    sqlite) says "CHECK constraint failed" ;;
    *) says 'invalid input value for enum phasetype: "PAINTER"' ;;
    esac
    ask "$kind" "INSERT INTO tasks (project_id, title, phase) SELECT id, 'third', 'CODER' FROM projects"
    same "$(ask "$kind" "SELECT count(*) FROM tasks WHERE status = 'PENDING' AND created_at IS NOT NULL AND updated_at IS NOT NULL AND title = 'third'")" 1

    test_begin "down_takes_children_first_and_leaves_nothing_$kind" # id: V8 R13
    before=$(key_list "$kind")
    case $kind in
    sqlite) run 0 drover downgrade base --url "$url" --confirm project_1.db ;;
    *) run 0 drover downgrade base --url "$url" --confirm projects ;;
    esac
    same "$(tables_of "$kind")" ""
    run 0 drover upgrade head --url "$url"
    same "$(key_list "$kind")" "$before"
}

mkdir data
walk sqlite "sqlite:$PWD/data/project_1.db"
walk postgresql "$(cluster_url main projects)"

test_begin "an_application_s_own_test_suite_may_ask_for_the_round_trip" # id: C23
cat >test_migrations.py <<'PY'
import json
import subprocess
import unittest


class Migrations(unittest.TestCase):
    def test_every_revision_goes_up_down_and_up(self):
        out = subprocess.run(["drover", "test", "--output", "json"], capture_output=True, text=True, check=True).stdout
        report = json.loads(out)
        self.assertEqual((report["passed"], report["failed"], report["skipped"]), (4, 0, 0))
        self.assertEqual({e["engine"] for e in report["engines"]}, {"postgresql", "sqlite"})


unittest.main()
PY
run 0 python3 -S test_migrations.py
says "OK"

flow_end
