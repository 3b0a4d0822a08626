#!/bin/bash
# A chain goes out as an Alembic environment, and from Alembic to a tested chain in five minutes, as README.md has it.
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

fresh theirs && fresh ours && fresh five || exit 1
environment app "$(url theirs)" postgresql

test_begin "an_export_is_an_environment_that_builds_the_same" # id: R1
run 0 drover import alembic . --quiet
run 0 drover export alembic out
says "Exported 32 revisions to 'out' for alembic"
cd out || exit 1
DATABASE_URL=$(url theirs) alembic upgrade heads >/dev/null 2>&1 || wrong "alembic upgrade heads failed"
cd ..
run 0 drover stamp heads --url "$(url theirs)" # it believes only an equal fingerprint
run 0 drover upgrade heads --url "$(url ours)"
same "$(schema_of theirs)" "$(schema_of ours)"
same "$(rows_of theirs)" "$(rows_of ours)"

test_begin "and_comes_back_as_it_was" # id: R1 R2
run 0 drover import alembic out --out back
says "Imported 32 migrations" "32 converted, 0 need hand work"
graph() { grep -hE '^-- (Revision ID|Revises|Branch labels|Depends on|Create Date):' "$1"/*.sql | sort; }
same "$(graph back)" "$(graph revisions)"
(cd out && DATABASE_URL=$(url theirs) alembic downgrade guard_18 >/dev/null 2>&1) || wrong "alembic downgrade failed"

test_begin "sqlite_goes_out_and_back_too"
environment lite "sqlite:///theirs.db" sqlite
run 0 drover import alembic . --quiet
run 0 drover export alembic out --engine sqlite
(cd out && DATABASE_URL="sqlite:///$PWD/../out.db" alembic upgrade head >/dev/null 2>&1) || wrong "alembic upgrade head failed"
run 0 drover stamp head --url sqlite:out.db
run 0 drover import alembic out --out back
same "$(grep -h -A3 'CREATE TRIGGER' back/n3*.sql)" "$(grep -h -A3 'CREATE TRIGGER' revisions/n3*.sql)"

test_begin "from_alembic_in_five_minutes" # id: R1 R15 V1 V6 C7 C13
environment five "$(url five)" faults
rm drover.conf
run 0 drover init --from alembic.ini --no-passphrase
run 3 drover import alembic .
says "syntax error at or near \"order\""
run 1 drover lint
says "error[duplicate-object]: type lifecycle_lane exists already" "revisions/002_canvas_canvases.sql:13:1" \
    "error[unquoted-reserved-word]: syntax error at or near \"order\"" "revisions/002_canvas_canvases.sql:19:35"
sed -i -e 13d -e 's/CHECK (order /CHECK ("order" /' revisions/002_canvas_canvases.sql
run 0 drover lint
run 0 drover test
says "2 revisions, 2 passed, 0 failed"
run 0 drover check --write
run 0 drover check
echo 'version_table = "alembic"' >>drover.conf
alembic upgrade 001 >/dev/null 2>&1 || wrong "alembic upgrade failed" # where production is: the second could never run
run 0 drover import alembic . --dry-run --url "$(url five)"
says "2 more of them are there already" "'alembic_version' of alembic says that 1 of 2 are applied" "next: drover stamp 001"
run 0 drover stamp 001
run 0 drover upgrade head --dry-run
run 0 drover upgrade head
run 0 drover current
same "$OUT" "002_canvas (head)"
alembic_says "002_canvas (head)"
run 0 drover downgrade -1 --yes
alembic_says 001

test_begin "what_alembic_got_since_is_imported_too"
cat >migrations/versions/003_widgets.py <<'EOF'
"""widgets"""
from alembic import op
revision, down_revision = "003", "002_canvas"
def upgrade(): op.execute("CREATE TABLE widgets (id bigint PRIMARY KEY)")
def downgrade(): op.execute("DROP TABLE widgets")
EOF
before=$(cat revisions/002_canvas_canvases.sql)
run 1 drover import alembic .
says "'001' is a revision already" "try: --new"
run 3 drover import alembic . --new # Alembic reads it, but no literal says it
says "hand work" "003_widgets.py" "it has upgrade(), but no line 'revision"
sed -i 's/^revision, .*/revision = "003"\ndown_revision = "002_canvas"/' migrations/versions/003_widgets.py
run 0 drover import alembic . --new
says "Imported 1 migration of alembic" "1 converted" "2 more of them are there already"
same "$(cat revisions/002_canvas_canvases.sql)" "$before"
run 0 drover check
run 0 drover heads
same "$OUT" "003 (head)"

flow_end
