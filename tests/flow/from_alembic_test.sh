#!/bin/bash
# A project beside an Alembic environment: what its ini says, which address is taken from where, and how it is shown.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
mkdir -p backend/migrations/versions shop && cd shop || exit 1
cat >../backend/alembic.ini <<'EOF'
# comment
[alembic]
script_location = %(here)s/migrations
sqlalchemy.url = postgresql+psycopg2://app:s%%40cret@db.example:5433/shop?sslmode=require
[loggers]
keys = root
EOF
echo 'url = os.environ.get("ALEMBIC_DB_URL") or os.getenv("SHOP_DATABASE_URL", default); os.environ["HOME"]' >../backend/migrations/env.py

test_begin init_finds_database_and_folder # id: V15 V16
run 0 drover init --no-passphrase --from ../backend/alembic.ini
says "Alembic: migrations in $WORLD/backend/migrations/versions" \
    "database postgresql+psycopg2://app@db.example:5433/shop?sslmode=require (url of drover.conf)" \
    "its password was not copied" "env.py looks at ALEMBIC_DB_URL: so does drover" \
    "env.py looks at SHOP_DATABASE_URL: give drover the same as DROVER_URL" "drover import alembic ../backend/alembic.ini"
says_not HOME
grep -q 's@cret\|s%40cret' drover.conf && wrong "the password was copied"
grep -q '^url = "postgresql+psycopg2://app@db.example:5433/shop?sslmode=require"$' drover.conf || wrong "$(cat drover.conf)"
run 1 drover init --from ../backend/alembic.ini --no-passphrase
says "there is a 'drover.conf' here already"
run 1 drover init --from nowhere.ini
says "'nowhere.ini' is not there"

test_begin an_address_that_is_none_is_said
mkdir ../other && cd ../other || exit 1
sed 's#^sqlalchemy.url.*#sqlalchemy.url = driver://user:pass@localhost/dbname#' ../backend/alembic.ini >../backend/other.ini
run 0 drover init --no-passphrase --from ../backend/other.ini
says "sqlalchemy.url names no database"
grep -q '^url' drover.conf && wrong "an address was written that is none"
cd ../shop || exit 1

test_begin each_setting_says_where_it_comes_from # id: C15 C16 V15
run 0 drover config show --origin
says "drover.conf:2" "# default" "# not set"
run 0 env DATABASE_URL=postgresql://u:secret@one/x drover config show --origin
says "postgresql://u:***@one/x" "# DATABASE_URL"
says_not secret
run 0 env DATABASE_URL=postgresql://one/x ALEMBIC_DB_URL=postgresql://two/x drover config show --origin
says "postgresql://two/x" "# ALEMBIC_DB_URL"
run 0 env DROVER_URL=postgresql://three/x ALEMBIC_DB_URL=postgresql://two/x DROVER_PERSON=bob drover config show --origin
says "postgresql://three/x" "# DROVER_URL" "# DROVER_PERSON"
run_json 0 '{s["name"]: s["origin"] for s in d["settings"]}["revisions"] == "drover.conf:3"' drover config show

test_begin the_address_is_the_first_of_flag_variables_and_file # id: C7 C15 C16 V15
for name in flag drover alembic database file; do sqlite3 $name.db VACUUM; done
printf 'project = "shop"\nurl = "sqlite:file.db"\n' >drover.conf
shown() { env "$@" drover current -v | sed -n 1p; }
same "$(DROVER_URL=sqlite:drover.db drover current -v --url sqlite:flag.db | sed -n 1p)" "Current revision(s) for sqlite:flag.db:"
same "$(DROVER_URL=sqlite:drover.db shown ALEMBIC_DB_URL=sqlite:alembic.db)" "Current revision(s) for sqlite:drover.db:"
same "$(shown ALEMBIC_DB_URL=sqlite:alembic.db DATABASE_URL=sqlite:database.db)" "Current revision(s) for sqlite:alembic.db:"
same "$(shown DATABASE_URL=sqlite:database.db)" "Current revision(s) for sqlite:database.db:"
same "$(shown DATABASE_URL=)" "Current revision(s) for sqlite:file.db:"
flow_end
