#!/bin/bash
# Direct mode on one database, without a coordinator: what a person who knows Alembic types first.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main && database_make main app || exit 1

schema_of() { # URL-KIND
    if [ "$1" = sqlite ]; then
        sqlite3 app.db "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'drover%' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    else
        "$PG_BIN/pg_dump" -s -h "$WORLD/pg-main" -U postgres -N drover app | grep -v -e '^--' -e '^\\' -e '^$'
    fi
}

walk() { # KIND URL
    local kind=$1 url=$2 before after insert
    project_direct "$kind" || exit 1

    test_begin "current_says_nothing_at_base_$kind" # id: C7
    if [ "$kind" = sqlite ]; then
        run 1 drover current --url "$url" # a slip of the finger is no empty database
        says "there is no database file 'app.db'" "drover upgrade head --url sqlite:app.db"
        sqlite3 app.db VACUUM
    fi
    run 0 drover current --url "$url"
    same "$OUT" ""

    test_begin "heads_and_history_are_alembics_$kind" # id: C8 C10 R2 R3
    run 0 drover heads
    same "$OUT" "20251022_1351 (head)"
    run 0 drover history
    says "<base> -> 20251020_1548_bcacf97a17b8, Add masterplan schema with discovery documents" \
        "20251022_1350 -> 20251022_1351 (head), Modify discovery_documents.user_id to UUID FK"
    same "$(printf '%s\n' "$OUT" | wc -l)" 8
    same "$(printf '%s\n' "$OUT" | head -n 1 | cut -d' ' -f3)" 20251022_1351

    test_begin "history_verbose_shows_purpose_and_rollback_$kind" # id: C9 R12
    run 0 drover history --verbose
    says "Parent: 20251022_1349" "Purpose: enforce" "Rollback: user_id becomes varchar(100) again"

    test_begin "upgrade_one_step_$kind" # id: C2
    run 0 drover upgrade +1 --url "$url"
    says "Running upgrade  -> 20251020_1548_bcacf97a17b8, Add masterplan schema" "Now at 20251020_1548_bcacf97a17b8"

    test_begin "upgrade_to_an_id_$kind" # id: C3
    run 0 drover upgrade 20251022_1348 --url "$url"
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1348"
    run 3 drover current --check-heads --url "$url"

    test_begin "upgrade_head_$kind" # id: C1 V1 V13 SC-010
    run 0 drover upgrade head --url "$url"
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1351 (head)"
    run 0 drover current --check-heads --url "$url"

    test_begin "upgrade_again_is_idempotent_and_says_so_$kind" # id: V12
    run 0 drover upgrade head --url "$url"
    says "Nothing to do: already at 20251022_1351"

    test_begin "downgrade_one_and_up_again_gives_the_same_schema_$kind" # id: C4 V11
    before=$(schema_of "$kind")
    run 0 drover downgrade -1 --url "$url" --yes
    says "Running downgrade 20251022_1351 -> 20251022_1350"
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1350"
    run 0 drover upgrade head --url "$url"
    after=$(schema_of "$kind")
    same "$before" "$after"

    test_begin "downgrade_to_an_id_$kind" # id: C5
    run 0 drover downgrade 20251022_1347 --url "$url" --yes
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1347"

    test_begin "downgrade_asks_first_$kind"
    run 2 drover downgrade -1 --url "$url"
    says "nobody can be asked here" "--yes"
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1347"

    test_begin "downgrade_counts_first_what_goes_and_a_dry_run_does_too_$kind"
    insert="INSERT INTO users (user_id, email, username, password_hash) VALUES ('6f1c2c0e-8f5b-4d5e-9a57-0d7f4c3b2a10', 'a', 'a', 'a')"
    if [ "$kind" = sqlite ]; then
        sqlite3 app.db "$insert"
    else
        cluster_sql main app "$insert"
    fi
    run 0 drover downgrade base --dry-run --url "$url"
    says "WARNING" "DATA IS LOST" "1 row of users" "0 rows of masterplans" "Would run downgrade 20251022_1347" "Dry run: nothing was changed"
    run_json 0 'any(x["column"] and x["known"] for x in d["losses"]) and any(x["table"] == "users" for x in d["losses"])' \
        drover downgrade base --dry-run --url "$url"
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1347"

    test_begin "downgrade_base_warns_and_leaves_nothing_$kind" # id: C6 V6 V8
    run 2 drover downgrade base --url "$url" --yes
    says "1 row of users" "must be typed" "--confirm=app"
    run 2 drover downgrade base --url "$url" --yes --confirm other
    run 0 drover current --url "$url"
    same "$OUT" "20251022_1347"
    run 0 drover downgrade base --url "$url" --confirm "$([ "$kind" = sqlite ] && echo app.db || echo app)"
    says "WARNING" "drops all tables" "DATA IS LOST" "1 row of users"
    run 0 drover current --url "$url"
    same "$OUT" ""
    if [ "$kind" = sqlite ]; then
        same "$(schema_of sqlite)" ""
    else
        same "$(cluster_sql main app "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" 0
    fi

    test_begin "output_json_is_json_$kind"
    run 0 drover upgrade head --url "$url" --output json --quiet
    printf '%s' "$OUT" | python3 -c 'import json,sys; d = json.load(sys.stdin); assert d["done"] and d["heads"] == ["20251022_1351"]' ||
        wrong "not the JSON that was wanted"
    cd "$WORLD" || exit 1
}

walk sqlite sqlite:app.db
walk postgresql "$(cluster_url main app)"

test_begin the_type_change_leaves_a_uuid_a_key_and_an_index # id: R9
cd "$WORLD/postgresql" || exit 1
url=$(cluster_url main app)
run 0 drover upgrade head --url "$url"
same "$(cluster_sql main app "SELECT data_type FROM information_schema.columns WHERE table_name = 'masterplans' AND column_name = 'user_id'")" uuid
same "$(cluster_sql main app "SELECT count(*) FROM pg_constraint WHERE conrelid = 'masterplans'::regclass AND contype = 'f' AND confrelid = 'users'::regclass")" 1
same "$(cluster_sql main app "SELECT bool_and(indisvalid) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = 'masterplans'::regclass AND a.attname = 'user_id'")" t

test_begin rows_that_are_no_uuid_stop_the_cast_before_it_begins # id: T2 R10
cd "$WORLD/postgresql" && database_make main bad
url=$(cluster_url main bad)
run 0 drover upgrade 20251022_1349 --url "$url"
cluster_sql main bad "INSERT INTO discovery_documents (user_id, title) VALUES ('not-a-uuid', 'x');
    INSERT INTO masterplans (discovery_id, user_id, name) SELECT discovery_id, 'not-a-uuid', 'y' FROM discovery_documents"
run 1 drover upgrade head --url "$url"
says "every user_id is a UUID" "not-a-uuid"
run 0 drover current --url "$url"
same "$OUT" "20251022_1349"

test_begin a_fresh_start_and_mended_data_are_the_two_ways_past_it # id: R11
run 0 drover history --verbose
says "Caution: fails where user_id holds something else than the UUID of a user"
cluster_sql main postgres "CREATE DATABASE fresh TEMPLATE bad OWNER drover"
run 0 drover downgrade base --url "$(cluster_url main fresh)" --confirm fresh
run 0 drover upgrade head --url "$(cluster_url main fresh)"
says "Now at 20251022_1351"
cluster_sql main bad "INSERT INTO users (user_id, email, username, password_hash) VALUES ('6f1c2c0e-8f5b-4d5e-9a57-0d7f4c3b2a10', 'a', 'a', 'a');
    UPDATE masterplans SET user_id = '6f1c2c0e-8f5b-4d5e-9a57-0d7f4c3b2a10'; UPDATE discovery_documents SET user_id = '6F1C2C0E-8F5B-4D5E-9A57-0D7F4C3B2A10'"
run 0 drover upgrade head --url "$url"
says "Now at 20251022_1351"
same "$(cluster_sql main bad "SELECT count(*) FROM masterplans JOIN discovery_documents USING (user_id)")" 1

test_begin database_url_from_the_environment # id: C15 C16 V15
run 0 env DATABASE_URL="$(cluster_url main app)" drover current
same "$OUT" "20251022_1351 (head)"

test_begin the_servers_words_are_shown_in_full_to_who_sits_at_the_database
mkdir -p "$WORLD/words/revisions" && cd "$WORLD/words" && echo 'project = "words"' >drover.conf
cat >revisions/w1.sql <<'SQL'
-- drover:revision 1
-- cast what cannot be cast
-- Revision ID: w1
-- Revises:
-- drover:up
CREATE TABLE w (v text);
INSERT INTO w VALUES ('not-a-number');
ALTER TABLE w ALTER v TYPE integer USING v::integer;
-- drover:down
DROP TABLE w;
SQL
database_make main words
run 6 drover upgrade head --url "$(cluster_url main words)"
says 'invalid input syntax for type integer: "not-a-number"' "w1.sql:8"
cd "$WORLD/postgresql" || exit 1

test_begin an_unknown_revision_is_named_with_what_to_type
run 1 drover upgrade 99999 --url "$url"
says "99999" "try:"

test_begin an_ambiguous_prefix_lists_the_candidates
run 1 drover upgrade 2025102 --url "$url"
says "20251020_1548_bcacf97a17b8" "20251022_1346"

test_begin a_bad_url_says_what_it_may_be
run 1 drover current --url mysql://x/y
says "names no database that drover knows" "sqlite:"

test_begin a_server_that_is_down_is_unreachable
run 5 drover current --url "postgresql:///x?host=$WORLD/nowhere"
says "try:"

test_begin a_wrong_database_is_named
run 1 drover current --url "$(cluster_url main no_such_db)"
says "no_such_db"

test_begin an_empty_folder_says_drover_init
mkdir -p "$WORLD/empty" && cd "$WORLD/empty" || exit 1
run 1 drover history
says "drover init"
run 1 drover status
says "drover init"

flow_end
