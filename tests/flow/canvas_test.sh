#!/bin/bash
# The canvas chain on a real PostgreSQL: what its boxes ask for holds after the way up, nothing is left after the way down,
# and its two files as they were first written get no further than lint.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main && database_make main canvas || exit 1
url=$(cluster_url main canvas)
project_empty canvas || exit 1
cp "$DROVER_SOURCE"/deploy/chains/canvas/revisions/*.sql revisions/

sql() { cluster_sql main canvas "$1" 2>&1; }
schema() { "$PG_BIN/pg_dump" -s -h "$WORLD/pg-main" -U postgres -N drover canvas | grep -v -e '^--' -e '^\\' -e '^$'; }
# rejected SQL CONSTRAINT: the database refuses the statement by that constraint.
rejected() {
    OUT=$(sql "$1")
    says "\"$2\""
}

test_begin the_chain_has_no_finding # id: V14
run 0 drover lint
says "0 errors"
run 0 drover history
says "<base> -> 001_users_table" "001_users_table -> 002_canvas_tables" "002_canvas_tables -> 003_canvas_management" \
    "003_canvas_management -> 004_monthly_reviews (head)"

test_begin an_unquoted_reserved_word_is_refused_at_its_place # id: R15
mkdir -p "$WORLD/written/revisions" && cp revisions/*.sql "$WORLD/written/revisions/"
cp "$DROVER_SOURCE"/deploy/chains/canvas/as-written/*.sql "$WORLD/written/revisions/"
printf 'project = "canvas"\n' >"$WORLD/written/drover.conf"
cd "$WORLD/written" || exit 1
run 1 drover lint
says "--> revisions/002_canvas_tables.sql:60:45" "--> revisions/004_monthly_reviews.sql:46:50" \
    'syntax error at or near "order"' "^^^^^ reserved in PostgreSQL" 'help: write "order" in double quotes' "2 errors"
run 1 drover upgrade head --url "$url"
says "drover: error: revisions/002_canvas_tables.sql:60:45"
same "$(sql "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" 0
cd "$WORLD/canvas" || exit 1

test_begin up_runs_without_error # id: V1 V7 V17
run 0 drover current --url "$url"
same "$OUT" ""
run 0 drover upgrade head --url "$url"
says "Running upgrade  -> 001_users_table" "Running upgrade 003_canvas_management -> 004_monthly_reviews" "Now at 004_monthly_reviews"

test_begin tables_and_types_are_right # id: V2 V10 R4 R5
same "$(sql "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'public'")" \
    "attachments canvas_managers canvases commitments monthly_reviews proof_points theses users vbus"
same "$(sql "SELECT string_agg(typname, ' ' ORDER BY typname) FROM pg_type WHERE typtype = 'e'")" \
    "currently_testing_type lifecycle_lane proof_point_status testing_type"
same "$(sql "SELECT data_type FROM information_schema.columns WHERE table_name = 'monthly_reviews' AND column_name = 'created_at'")" \
    "timestamp with time zone"

sql "INSERT INTO users VALUES ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000002');
     INSERT INTO vbus (id, name, gm_id, updated_by) VALUES ('10000000-0000-0000-0000-000000000001', 'unit', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002');
     INSERT INTO canvases (id, vbu_id, lifecycle_lane) VALUES ('20000000-0000-0000-0000-000000000001', '10000000-0000-0000-0000-000000000001', 'build');
     INSERT INTO theses (id, canvas_id, \"order\", text) VALUES ('30000000-0000-0000-0000-000000000001', '20000000-0000-0000-0000-000000000001', 1, 'first');
     INSERT INTO monthly_reviews (id, canvas_id, review_date, created_by) VALUES ('40000000-0000-0000-0000-000000000001', '20000000-0000-0000-0000-000000000001', '2026-02-01', '00000000-0000-0000-0000-000000000001');
     INSERT INTO commitments (id, monthly_review_id, text, \"order\") VALUES (gen_random_uuid(), '40000000-0000-0000-0000-000000000001', 'first', 1)"

test_begin foreign_keys_restrict_cascade_and_set_null # id: V3 R6
rejected "DELETE FROM users WHERE id = '00000000-0000-0000-0000-000000000001'" vbus_gm_id_fkey
rejected "INSERT INTO theses (canvas_id, \"order\", text) VALUES (gen_random_uuid(), 1, 'x')" theses_canvas_id_fkey
sql "DELETE FROM users WHERE id = '00000000-0000-0000-0000-000000000002'"
same "$(sql "SELECT updated_by IS NULL FROM vbus")" t

test_begin check_and_unique_constraints_enforce_the_rules # id: V4 R7 R8
rejected "INSERT INTO theses (canvas_id, \"order\", text) VALUES ('20000000-0000-0000-0000-000000000001', 6, 'x')" ck_thesis_order_range
rejected "INSERT INTO theses (canvas_id, \"order\", text) VALUES ('20000000-0000-0000-0000-000000000001', 1, 'x')" uq_theses_canvas_order
rejected "INSERT INTO commitments VALUES (gen_random_uuid(), now(), now(), '40000000-0000-0000-0000-000000000001', 'x', 4)" ck_commitments_order_range
rejected "INSERT INTO monthly_reviews (id, canvas_id, review_date, created_by) VALUES (gen_random_uuid(), '20000000-0000-0000-0000-000000000001', '2026-02-01', '00000000-0000-0000-0000-000000000001')" uq_monthly_reviews_canvas_date
rejected "INSERT INTO attachments (filename, storage_path, content_type, size_bytes, uploaded_by) VALUES ('a', 'b', 'image/png', 1, '00000000-0000-0000-0000-000000000001')" ck_attachment_single_parent
rejected "INSERT INTO attachments (filename, storage_path, content_type, size_bytes, uploaded_by, monthly_review_id) VALUES ('a', 'b', 'text/html', 1, '00000000-0000-0000-0000-000000000001', gen_random_uuid())" ck_attachment_content_type
rejected "INSERT INTO canvases (vbu_id, lifecycle_lane) VALUES ('10000000-0000-0000-0000-000000000001', 'sell')" uq_canvases_vbu_id

test_begin every_index_is_there_and_valid # id: V5
same "$(sql "SELECT count(*) FILTER (WHERE indisvalid), count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 'ix\_%'")" "12|12"

test_begin deleting_the_unit_takes_everything_below_with_it # id: V3 R6
sql "DELETE FROM vbus"
same "$(sql "SELECT (SELECT count(*) FROM canvases) + (SELECT count(*) FROM theses) + (SELECT count(*) FROM monthly_reviews) + (SELECT count(*) FROM commitments)")" 0

test_begin one_step_down_and_up_gives_the_same_schema # id: V6 V8 V11
before=$(schema)
run 0 drover downgrade -1 --url "$url" --yes
says "data is lost: all reviews go" "Running downgrade 004_monthly_reviews -> 003_canvas_management"
same "$(sql "SELECT count(*) FROM pg_type WHERE typname = 'testing_type'")" 0
run 0 drover upgrade head --url "$url"
same "$(schema)" "$before"

test_begin down_drops_indexes_then_tables_then_types_children_first # id: R13
run 0 drover sql 001_users_table:002_canvas_tables --down
order=$(printf '%s\n' "$OUT" | awk '/^DROP/ { print $2 }' | uniq | tr '\n' ' ')
same "$order" "INDEX TABLE TYPE "
same "$(printf '%s\n' "$OUT" | awk '/^DROP TABLE/ { print $3 }' | tr '\n' ' ')" "attachments; proof_points; theses; canvases; vbus; "

test_begin base_leaves_nothing_and_head_is_reached_again # id: V6 V8
run 0 drover downgrade base --url "$url" --confirm canvas
same "$(sql "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" 0
same "$(sql "SELECT count(*) FROM pg_type WHERE typtype = 'e'")" 0
run 0 drover upgrade head --url "$url"
same "$(schema)" "$before"

test_begin a_revision_needs_what_it_is_built_on # id: R14
run 0 drover show 002_canvas_tables
says "Parent: 001_users_table"
run 0 drover upgrade 001_users_table --url "$(cluster_sql main postgres 'CREATE DATABASE other OWNER drover' && cluster_url main other)"
cluster_sql main other 'DROP TABLE users'
run 1 drover upgrade +1 --url "$(cluster_url main other)"
says "the users table exists" "try: "
run 0 drover current --url "$(cluster_url main other)"
same "$OUT" 001_users_table

flow_end
