#!/bin/bash
# Alembic's chains that need more than `alembic upgrade --sql`: SQLite's batches, and what cannot be run at all.
. "$DROVER_SOURCE/tests/flow/lib.sh"
WORLD_CHECK='' # Alembic sends this server statements of its own
world_begin "$DROVER_BUILD" || exit 1
cluster_start main || exit 1
HOST=$WORLD/pg-main
DROVER_SCRATCH_URL="postgresql://postgres@/postgres?host=$HOST"
export DROVER_SCRATCH_URL PYTHONDONTWRITEBYTECODE=1
command -v alembic >/dev/null || wrong "there is no alembic: deploy/install-packages test"

url() { echo "postgresql://postgres@/$1?host=$HOST"; }
fresh() { cluster_sql main postgres "CREATE DATABASE $1"; }
environment() { # FOLDER URL CHAIN: and a project beside it
    python3 "$DROVER_SOURCE/tests/support/alembic_chain.py" "$WORLD/$1" "$2" "$3" && cd "$WORLD/$1" || exit 1
    printf 'project = "app"\nversion_table = "alembic"\n' >drover.conf
}
schema_of() { "$PG_BIN/pg_dump" -s -h "$HOST" -U postgres -N drover -T alembic_version "$1" | grep -v -e '^--' -e '^\\' -e '^$'; }
rows_of() { "$PG_BIN/pg_dump" -a --inserts -h "$HOST" -U postgres -N drover -T alembic_version "$1" | grep '^INSERT\|setval' |
    sed "s/'20[0-9-]* [0-9:.+]*'/now/"; }
table_says() { same "$(cluster_sql main "$1" 'SELECT version_num FROM alembic_version ORDER BY 1' | paste -sd' ')" "$2"; }
# What `alembic current` prints, in one line.
alembic_says() { same "$(alembic current 2>/dev/null | sort | paste -sd' ')" "$1"; }

fresh empty || exit 1

test_begin "sqlite_with_batch_operations_and_bound_values"
environment lite "sqlite:///theirs.db" sqlite
run 0 drover import alembic .
says "Imported 4 migrations of alembic" "4 converted, 0 need hand work" "op.batch_alter_table()"
alembic upgrade head >/dev/null 2>&1 || wrong "alembic upgrade head failed"
sqlite3 ours.db VACUUM
run 0 drover upgrade head --url sqlite:ours.db
dump() { sqlite3 "$1" "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'drover%' AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version' ORDER BY name" 'SELECT * FROM notes'; }
same "$(dump ours.db)" "$(dump theirs.db)"
run 0 drover stamp head --url sqlite:theirs.db
sed -i 's#^sqlalchemy.url.*#sqlalchemy.url = sqlite:///ours.db#' alembic.ini
alembic_says "n4 (head)"
run 0 drover downgrade n2 --url sqlite:ours.db --yes --confirm ours.db
alembic_says n2
alembic upgrade n3 >/dev/null 2>&1 || wrong "alembic could not go on"
run 1 drover upgrade head --url sqlite:ours.db
says "alembic_version says 'n3', drover's ledger says 'n2'"
run 0 drover stamp n3 --url sqlite:ours.db
run 0 drover upgrade head --url sqlite:ours.db
alembic_says "n4 (head)"
run 0 drover downgrade base --url sqlite:ours.db --yes --confirm ours.db
alembic_says ""
alembic upgrade head >/dev/null 2>&1 || wrong "alembic could not begin again"

test_begin "one_missing_import_leaves_the_others_whole"
environment broken "postgresql://localhost/none" broken
run 3 drover import alembic .
says "app.py" "the SQL of upgrade() is missing: ImportError: ModuleNotFoundError: No module named 'the_application'" \
    "notes.py" "it has no 'revision = ...'" "cut.py:1" "a string is not closed" "there is no way back" \
    "Imported 3 migrations of alembic into 'revisions': 2 converted, 1 needs hand work"
run 0 drover history
says "good -> app (empty), needs the application" "app -> refuses (head), no way back"
run 0 cat revisions/good*.sql
says "CREATE TABLE good (id int);"
run 1 drover upgrade head --url "$(url empty)" # the file that needs hand work is refused
says "app_needs_the_application.sql"

test_begin "without_alembic_there_are_headers_and_a_list"
rm -r revisions
run 3 drover import alembic . --command /nowhere/python3
says "Alembic cannot be run, so there are only headers" "--command PATH" "the SQL of upgrade() and downgrade() is missing"
run 0 drover heads
same "$OUT" "refuses (head) (empty)"
rm -r revisions
sed -i '1i import the_application' migrations/env.py
run 3 drover import alembic .
says "No module named 'the_application'"

test_begin "faults_of_contract_migrations_come_over_as_they_are" # id: R15
environment faults "postgresql://localhost/none" faults
run 3 drover import alembic . --out all
says "002.py, SQL of upgrade():3" 'syntax error at or near "order": write "order" in double quotes'
same "$(grep -c 'CREATE TYPE lifecycle_lane' all/002_canvas_*.sql)" 2
grep -q 'CHECK (order BETWEEN 1 AND 5)' all/002_canvas_*.sql || wrong "the CHECK is not as it was"

flow_end
