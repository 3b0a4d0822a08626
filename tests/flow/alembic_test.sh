#!/bin/bash
# Alembic's chains in drover: imported, run, kept in step with alembic_version, and given back. With Debian's Alembic.
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

fresh theirs && fresh ours || exit 1
environment app "$(url theirs)" postgresql

test_begin "a_real_chain_is_imported_whole" # id: R1 R2 R3 R4 R5 R6 R7 R8 R9 R13
run 0 drover import alembic .
says "Imported 32 migrations of alembic into 'revisions': 32 converted, 0 need hand work" \
    "lie.py:13" "the docstring says 'Revises: 1975ea83b712', down_revision says 'bom_21': down_revision counts" \
    "guarded.py" "upgrade() was recorded on an empty database"
same "$(find revisions -name '*.sql' | wc -l)" 32
run 0 drover heads
same "$OUT" "deep_32 (reporting, audit) (head)"
run 0 drover history
says "rep2, side1 -> m1 (reporting) (mergepoint), merge both" "<base> (m1) -> audit_base (audit), audit stands alone"
run 0 drover show audit_2
says "Also depends on: rep1"
run 0 cat revisions/abc_*.sql
says "-- drover:up transaction=off
ALTER TYPE task_state ADD VALUE IF NOT EXISTS 'blocked' BEFORE 'done';"
same "$(grep -lE '^(BEGIN|COMMIT)|alembic_version' revisions/*.sql | grep -v words_29)" ""

test_begin "import_builds_what_alembic_upgrade_builds" # id: R1 V2 V6
alembic upgrade heads >/dev/null 2>&1 || wrong "alembic upgrade heads failed"
run 0 drover upgrade heads --url "$(url ours)"
same "$(schema_of ours)" "$(schema_of theirs)"
same "$(rows_of ours)" "$(rows_of theirs)"
run 0 drover stamp heads --url "$(url theirs)" # it believes only an equal fingerprint
run 0 drover current --url "$(url theirs)"
same "$OUT" "deep_32 (head)"

test_begin "and_takes_it_down_to_nothing" # id: V6 R13
run 0 drover downgrade base --url "$(url theirs)" --yes --confirm theirs
same "$(schema_of theirs)" "$(fresh empty && schema_of empty)"
table_says theirs ""

test_begin "alembic_current_is_right_after_every_step" # id: V13 C7
sed -i "s#^sqlalchemy.url.*#sqlalchemy.url = $(url ours)#" alembic.ini
export DROVER_URL
DROVER_URL=$(url ours)
alembic_says "deep_32 (head)"
run 0 drover downgrade guard_18 --yes --confirm ours
alembic_says guard_18
run 0 drover upgrade +1
alembic_says uni_19
run 0 drover downgrade m2 --yes
alembic_says "m2 (mergepoint)"
run 0 drover downgrade -1 --yes
alembic_says "a13 audit_2"
table_says ours "a13 audit_2"
run 0 drover downgrade m1 --yes # and what depends on it
alembic_says "m1 (mergepoint)"
run 0 drover upgrade audit_2 # which stands on m1, and alone says so
alembic_says "audit_2 m1 (mergepoint)"
table_says ours "audit_2"

test_begin "a_chain_is_given_back_and_taken_over_half_way" # id: C13 C14
alembic upgrade a13 >/dev/null 2>&1 || wrong "alembic could not go on"
run 1 drover upgrade heads
says "alembic_version says 'a13', 'audit_2', drover's ledger says 'audit_2': alembic has moved this database meanwhile" \
    "drover stamp a13"
run 0 drover current
says "note: alembic_version says 'a13', 'audit_2'"
run 0 drover stamp a13
run 0 drover upgrade m2
alembic_says "m2 (mergepoint)"
alembic downgrade m1 >/dev/null 2>&1 || wrong "alembic could not go back"
table_says ours "audit_2"
run 0 drover stamp m1
run 0 drover upgrade heads
alembic_says "deep_32 (head)"
alembic downgrade -1 >/dev/null 2>&1 || wrong "alembic could not go back"
run 1 drover upgrade heads # nothing to do by the ledger: it is said all the same
says "alembic has moved this database meanwhile"
alembic upgrade heads >/dev/null 2>&1
run 0 drover upgrade heads
says "Nothing to do: already at deep_32"

test_begin "an_id_that_alembic_version_cannot_hold_is_refused_early"
cp revisions/deep_32_*.sql "$WORLD/kept.sql"
sed -e 's/^-- Revision ID: .*/-- Revision ID: 20251022_1349_create_conversations_messages/' -e 's/^-- Revises: .*/-- Revises: deep_32/' \
    "$WORLD/kept.sql" >revisions/long.sql
run 1 drover upgrade head
says "the id '20251022_1349_create_conversations_messages' has 43 characters, and alembic_version holds 32" "revisions/long.sql:6"
rm revisions/long.sql
unset DROVER_URL

flow_end
