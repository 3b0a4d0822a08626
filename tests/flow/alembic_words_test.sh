#!/bin/bash
# The same graph made twice, with Debian's alembic and with drover, by the same words: branches, merges, labels,
# dependencies and several bases. What both print of it is compared line by line.
. "$DROVER_SOURCE/tests/flow/lib.sh"
command -v alembic >/dev/null || {
    echo "error: alembic is missing; as root, type: deploy/install-packages test" >&2
    exit 1
}
world_begin "$DROVER_BUILD" || exit 1
project_empty words || exit 1
mkdir -p alembic/m/versions
printf '[alembic]\nscript_location = m\nsqlalchemy.url = sqlite:///a.db\n' >alembic/alembic.ini
cat >alembic/m/script.py.mako <<'EOF'
"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}

"""
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
def upgrade(): pass
def downgrade(): pass
EOF
cat >alembic/m/env.py <<'EOF'
from alembic import context
from sqlalchemy import create_engine
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
EOF
touch app.db

theirs() { (cd alembic && alembic "$@" 2>/dev/null); }
ours() { drover "$@" 2>/dev/null; }

# make ID WORDS...: `revision` (or what stands first) with the same words in both.
make() {
    local id=$1 what=revision
    shift
    case $1 in merge) what=merge && shift ;; esac
    theirs $what --rev-id "$id" "$@" >/dev/null || wrong "alembic made no $id"
    ours $what --rev-id "$id" "$@" >out || wrong "drover made no $id"
    grep -q "^Generating revisions/${id}_[a-z_]*\.sql \.\.\.  done$" out || wrong "'$(cat out)' is not as alembic says it"
    [ "$what" = merge ] || fill "$id"
}

fill() {
    sed -i "s/^-- drover:up$/&\nCREATE TABLE t_$1 (id bigint);/; s/^-- drover:verify.*/&\nSELECT count(*) = 0 FROM t_$1;/
        s/^-- drover:down$/&\nDROP TABLE t_$1;/; s/^-- Engine: .*/-- Engine: sqlite/" revisions/"$1"_*.sql
}

# Neither has an order of branches that people could rely on (alembic takes the folder's), so lines are sorted; blanks at
# the end of a line, the path and what only one of the two has are left out. alembic's labels are a set in no order.
plain() {
    sed -e 's/ *$//' -e '/^Path: /d' -e '/^    \(Digest\|Engine\|Reversible\|Create Date\|Branch labels\|Depends on\):/d' \
        -e 's/(right, left)/(left, right)/' -e 's/^Branch names: right, left/Branch names: left, right/' \
        -e 's/^\(Branches into: \)\(.*\), \(.*\)$/\1\3 \2/' -e '/^Branches into:/s/d1 c1/c1 d1/'
}
alike() { # WORDS...: both say the same
    same "$(ours "$@" | plain | sort)" "$(theirs "$@" | plain | sort)"
}
alike_exactly() {
    same "$(ours "$@" | plain)" "$(theirs "$@" | plain)"
}

test_begin one_line_of_revisions # id: C8 C10 C12 R2
make 001_users -m "add users"
make e6e5369fb4d1 -m "control state"
make 20251020_1548_bcacf97a17b8 -m "masterplan schema"
alike_exactly history
alike_exactly heads
alike_exactly branches
alike_exactly show head
alike_exactly show 001_users
alike_exactly show e6e5
alike_exactly history -r 001_users:e6e5
alike_exactly history -r e6e5:
alike_exactly history -r :e6e5

test_begin verbose_history # id: C9
alike_exactly history --verbose
alike_exactly heads --verbose

test_begin branches_labels_dependencies_and_bases # id: R3 V14
make c1 -m "left one" --branch-label left
make c2 -m "left two" --head left@head
make d1 -m "right one" --head 2025 --splice --branch-label right
make d2 -m "right two" --head right@head --depends-on c1
make y1 -m "another base" --head base --branch-label why
alike history
alike heads
alike branches
for id in 2025 c1 c2 d1 d2 y1; do alike_exactly show $id; done

test_begin what_revision_refuses_is_refused_by_both
run 1 drover revision -m x
says "multiple heads are present; please specify the head revision on which the new revision should be based, or perform a merge"
run 1 drover revision -m x --head e6e5
says "revision e6e5369fb4d1 is not a head revision; please specify --splice to create a new branch from this revision"
run 1 drover revision -m x --head why@head --branch-label left
says "branch label 'left' is taken by revision 'c1'"
run 1 drover revision -m x --head y1 --depends-on nothing
says "can't locate revision identified by 'nothing'"
run 2 drover revision -m x --head y1 --rev-id a-b
run 1 drover revision -m x --head y1 --rev-id c1
run 1 drover merge c1 d1 -m x
says "revision c1 is not a head revision"
same "$(ls revisions/*.sql | wc -l)" 8

test_begin a_merge_and_a_line_that_depends_on_it
make m1 merge c2 d2 -m "join left and right"
make e1 -m "after" --head m1
make z1 -m "third base" --head base --branch-label other
make z2 -m "needs all" --head other@head --depends-on e1
alike history
alike heads
alike branches
for id in m1 e1 z1 z2; do alike show $id; done
alike history -r c1:e1
alike history -r 2025:d2
alike history -r :left@head
run 2 drover history -r c2:d2
says "requested range 'c2:d2' does not refer to ancestor/descendant revisions along the same branch"

test_begin current_of_several_heads # id: C7 C10
for to in 001_users c2 d1 e1 y1 other@head; do
    theirs upgrade $to >/dev/null || wrong "alembic did not upgrade to $to"
    ours upgrade $to --url sqlite:app.db >/dev/null || wrong "drover did not upgrade to $to"
    same "$(ours current --url sqlite:app.db | sort)" "$(theirs current | sort)"
    same "$(ours history -i --url sqlite:app.db | plain | sort)" "$(theirs history -i | plain | sort)"
done
same "$(ours current -v --url sqlite:app.db | sed -n 1p)" "Current revision(s) for sqlite:app.db:"
run 0 drover current --check-heads --url sqlite:app.db
run 0 drover history --url sqlite:app.db
same "$(printf '%s\n' "$OUT" | grep -c -e applied -e current)" 12

test_begin the_version_tables_statements_are_alembics
table() { grep -E "^(INSERT|UPDATE|DELETE|CREATE TABLE alembic|    version_num|    CONSTRAINT)" | sed 's/ *$//'; }
same "$(ours sql base:c2 --alembic-table | table)" "$(theirs upgrade c2 --sql | table)"
rows() { { cat && echo 'SELECT version_num FROM alembic_version ORDER BY 1;'; } | sqlite3 :memory: | tr '\n' ' '; }
for to in d2 m1 z2 heads; do # in another order, to the same rows
    same "$(ours sql base:$to --alembic-table | rows)" "$(theirs upgrade $to --sql | rows)"
done
same "$(ours sql base:heads --alembic-table | rows)" "y1 z2 "
same "$({ ours sql base:heads --alembic-table && ours sql heads:c1 --alembic-table; } | rows)" "c1 "
same "$(ours sql 2025:001_users --alembic-table | table)" "$(theirs downgrade 20251020_1548_bcacf97a17b8:001_users --sql | table)"
same "$(ours sql base:e1 | table)" ""
echo 'version_table = "alembic"' >>drover.conf
same "$(ours sql 001_users:e6e5 | table)" \
    "UPDATE alembic_version SET version_num='e6e5369fb4d1' WHERE alembic_version.version_num = '001_users';"

test_begin sql_prints_all_of_it_or_nothing
long=123456789012345678901234567890123
run 0 drover revision -m "long" --rev-id $long --head e1
fill $long
run 1 drover sql base:heads
says "_long.sql:" "has 33 characters, and alembic_version holds 32"
same "$(ours sql base:heads)" ""
sed -i '/version_table/d' drover.conf
sed -i '/^-- drover:down/,$d' revisions/c2_*.sql
echo '-- drover:down none reason="kept"' >>revisions/c2_*.sql
run 1 drover sql e1:base
says "revision 'c2' has no way down: kept"
same "$(ours sql e1:base)" ""
flow_end
