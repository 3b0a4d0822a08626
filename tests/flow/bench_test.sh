#!/bin/bash
# The bench's machinery on tiny chains: every part of it runs and its figures are there. None is judged: speed is
# not what this machine can promise.
. "$DROVER_SOURCE/tests/flow/lib.sh"
# No agent is here, so nothing is approved, and what the server logs is not looked at.
unset WORLD_CHECK CLUSTER_OPTIONS
world_begin "$DROVER_BUILD" || exit 1
bench=$DROVER_SOURCE/tests/bench
cluster_start main && cluster_sql main postgres "CREATE ROLE drover LOGIN" || exit 1

test_begin "floors_apply_what_is_missing_and_take_it_back"
run 0 "$bench/floors" "$WORLD/floors"
for engine in postgresql sqlite; do
    run 0 python3 -B "$bench/chains.py" realistic $engine "chain-$engine"
done
cluster_sql main postgres "CREATE DATABASE plain OWNER drover"
for way in "floor_pg $(cluster_url main plain) chain-postgresql/plain" "floor_sqlite plain.db chain-sqlite/plain"; do
    read -r floor place folder <<<"$way"
    run 0 "floors/$floor" apply "$place" "$folder"
    run 0 "floors/$floor" status "$place" "$folder"
    says "8 of 8 applied"
    run 0 "floors/$floor" apply "$place" "$folder"
    run 0 "floors/$floor" down "$place" "$folder"
    run 0 "floors/$floor" status "$place" "$folder"
    says "0 of 8 applied"
done
run 0 floors/floor_pg apply "$(cluster_url main plain)" chain-postgresql/plain --count
says "round trips: 11"

test_begin "a_floor_fails_where_a_statement_fails"
mkdir broken && echo 'SELECT 1 / 0;' >broken/0001_x.up.sql
run 1 floors/floor_pg apply "$(cluster_url main plain)" broken
says "division by zero"

test_begin "bench_measures_every_row_and_reports_them"
run 0 python3 -B "$bench/migrate.py" --tiny --programs "$DROVER_BUILD" --floors "$WORLD/floors" --cache "$WORLD/none" \
    --socket "$WORLD/pg-main" --out migrate.json
printf 'clean release build\t130\ts\t<=\t120\n' >other
printf 'before\n<!-- bench -->\nstale row\n<!-- /bench -->\nafter\n' >readme
run 0 python3 -B "$bench/report.py" migrate.json other results.json ratios.svg readme
says "apply 8 revisions, PostgreSQL: round trips" "downgrade 8 revisions, PostgreSQL: wall" "8 CREATEs, dear flush" \
    "apply 8 revisions, SQLite: CPU" "at most 120 s" "of 16 rows fall short"
says_not "did not run"
# Round trips: one a revision, and at most 15 beside.
run 0 python3 -c 'import json; print(*[r["verdict"] for r in json.load(open("results.json"))["table"] if "round trips" in r["what"] and r["wanted"]])'
same "$OUT" "ok ok"
run 0 python3 -c 'import json; t = json.load(open("results.json"))["migrate"][0]["tools"]; print(t["floor"]["trips"], t["drover"]["pairs"])'
same "$OUT" "11 1"
run 0 grep -c '<circle' ratios.svg
run 0 sed -n '1,4p;$p' readme
says "before" "| what | drover" "after"
run 0 cat readme
says "| clean release build | 130 s | – | – | at most 120 s | **falls short** |"
says_not "stale row"

test_begin "lint_is_measured_on_a_chain_of_its_own"
run 0 python3 -B "$bench/lint" "$DROVER_BUILD" --quick --files 20 --cache "$WORLD/none"
says "lint of 20 files" "squawk-cli is not installed"

test_begin "import_is_measured_against_alembic"
run 0 python3 -B "$bench/import" "$DROVER_BUILD" --quick --revisions 5
says "import of 5 revisions of Alembic" "in alembic's time"
flow_end
