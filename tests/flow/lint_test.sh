#!/bin/bash
# Revision files that must not get further than their author: what, where (file:line:column), and what to do about it.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
project_empty lint || exit 1

# refused_at FILE:LINE:COLUMN TEXT...: lint finds it there, says each text, names a help; an upgrade refuses it too.
refused_at() {
    local place=$1
    shift
    run 1 drover lint
    says "--> revisions/$place" "= help: " "$@"
    run 1 drover upgrade head --url sqlite:lint.db
    says "drover: error: " "try: "
    [ ! -e lint.db ] || wrong "a refused revision made a database"
    rm -f revisions/*
}

test_begin a_good_file_has_no_finding
revision_file a >revisions/a.sql
run 0 drover lint
same "$OUT" "0 errors, 0 warnings"
rm revisions/*

test_begin no_header
printf 'CREATE TABLE x (id int);\n' >revisions/a.sql
refused_at a.sql:1:1 "no header" "drover revision -m"

test_begin two_headers
{ revision_file a && revision_file b a; } >revisions/a.sql
refused_at a.sql:17:1 "a second header" "a file of its own"

test_begin a_header_line_given_twice
revision_file a | sed 's/^-- Reversible.*/&\n-- Revision ID: b/' >revisions/a.sql
refused_at a.sql:8:4 "'Revision ID' is given twice, first on line 4"

test_begin a_duplicate_id
revision_file a >revisions/a.sql
revision_file a >revisions/b.sql
refused_at b.sql:4:1 "revision id 'a' is used twice, first in 'revisions/a.sql'"

test_begin a_missing_parent # id: R14
{ cp "$DROVER_SOURCE"/deploy/chains/canvas/revisions/00[124]*.sql revisions/; }
run 1 drover lint
says "--> revisions/004_monthly_reviews.sql:5:1" "revises '003_canvas_management', which is not in the folder" \
    "help: add the file of '003_canvas_management'"
rm revisions/*

test_begin a_cycle
revision_file a b >revisions/a.sql
revision_file b a >revisions/b.sql
refused_at a.sql:5:1 "the revisions form a cycle: a -> b -> a"

test_begin two_heads
revision_file a >revisions/a.sql
revision_file b a >revisions/b.sql
revision_file c a >revisions/c.sql
run 1 drover upgrade head --url sqlite:lint.db
says "'b'" "'c'" "drover merge b c"
run 0 drover merge b c -m "join b and c" --rev-id m
says "Generating revisions/m_join_b_and_c.sql ...  done"
run 0 drover heads
same "$OUT" "m (head)"
run 0 drover upgrade head --url sqlite:lint.db
run 0 drover current --url sqlite:lint.db
same "$OUT" "m (head) (mergepoint)"
rm -f revisions/* lint.db*

test_begin a_missing_down
revision_file a | sed '/^-- drover:down/,$d' >revisions/a.sql
refused_at a.sql:4:1 "there is no down section" "-- drover:down none reason="

test_begin an_empty_down
revision_file a | sed '/^DROP/d' >revisions/a.sql
refused_at a.sql:15:1 "section 'down' has no statement"

test_begin an_empty_up # id: V23
revision_file a | sed '/^CREATE/d' >revisions/a.sql
refused_at a.sql:9:1 "section 'up' has no statement"

test_begin carriage_returns
revision_file a | sed 's/$/\r/' >revisions/a.sql
refused_at a.sql:1:21 "carriage return" "sed -i"

test_begin a_byte_order_mark
{ printf '\xef\xbb\xbf' && revision_file a; } >revisions/a.sql
refused_at a.sql:1:1 "byte order mark" "without BOM"

test_begin a_nul_byte
{ revision_file a && printf 'x\0y\n'; } >revisions/a.sql
refused_at a.sql:17:2 "NUL byte"

test_begin invalid_utf8
{ revision_file a && printf -- '-- \xff\n'; } >revisions/a.sql
refused_at a.sql:17:4 "not valid UTF-8: byte 0xff" "iconv"

test_begin bidirectional_controls
{ revision_file a && printf -- '-- \xe2\x80\xae\n'; } >revisions/a.sql
refused_at a.sql:17:4 "bidirectional control character"
says_not "$(printf '\xe2\x80\xae')"

test_begin a_file_of_33_megabytes
{ revision_file a && head -c 34603008 /dev/zero | tr '\0' ' '; } >revisions/a.sql
refused_at a.sql:1:1 "longer than a revision may be" "split it into several revisions"

test_begin a_statement_that_does_not_parse
revision_file a | sed 's/^CREATE TABLE/CREATE TABEL/' >revisions/a.sql
run 1 drover lint
says "--> revisions/a.sql:10:8" 'syntax error at or near "TABEL"' "        ^^^^^"
run 6 drover upgrade head --url sqlite:lint.db
says "drover: error: revisions/a.sql:10:8: " "TABEL" "nothing of the failed unit is there"
rm -f revisions/* lint.db*

for word in 'BEGIN;' 'COMMIT;' 'COPY t_a FROM STDIN;' '\d t_a' '\copy t_a from x.csv'; do
    test_begin "forbidden_${word//[^A-Za-z]/_}"
    revision_file a | WORD=$word perl -pe 's/^DROP/$ENV{WORD}\nDROP/' >revisions/a.sql
    refused_at a.sql:16:1 "forbidden-statement"
done

test_begin only_the_named_files_are_shown
revision_file a >revisions/a.sql
revision_file b a | sed '/^DROP/d' >revisions/b.sql
run 0 drover lint revisions/a.sql
same "$OUT" "0 errors, 0 warnings"
run 1 drover lint revisions/b.sql
says "revisions/b.sql:15:1"
run 1 drover lint revisions/c.sql
says "there is no file 'revisions/c.sql'"
run 2 drover lint drover.conf
says "does not lie in the project's folder" "try: drover lint FOLDER"
run_json 1 'd["errors"] == 1 and d["findings"][0]["line"] == 15' drover lint

test_begin findings_for_forges_and_test_runners
rm -f revisions/*
revision_file a | sed 's/bigint PRIMARY KEY/bigint PRIMARY KEY, status text/' >revisions/a.sql
run 0 drover lint
says "advice[missing-filter-index]" "--> revisions/a.sql:10:42" "0 errors, 0 warnings, 1 advice"
run 0 drover lint --format github
says "::notice file=revisions/a.sql,line=10,col=42,endColumn=48,title=missing-filter-index::"
run 0 drover lint --format junit
says '<testsuite name="drover lint" tests="1" failures="0"'
run 0 drover lint --format sarif
printf '%s' "$OUT" | python3 -S -c 'import json, sys
run = json.load(sys.stdin)["runs"][0]
assert run["results"][0]["ruleId"] == "missing-filter-index"' || wrong "no such SARIF"
run 0 drover lint --format gitlab
printf '%s' "$OUT" | python3 -S -c 'import json, sys
assert json.load(sys.stdin)[0]["location"]["lines"]["begin"] == 10' || wrong "no such report"
run 2 drover lint --format pdf
says "--format is text, json, github, gitlab, sarif or junit, not 'pdf'"

test_begin rules_are_listed_chosen_and_left_out
run 0 drover lint --rules
says "missing-fk-index" "unquoted-reserved-word" "prefer-text-field"
run_json 0 'len(d["rules"]) > 50 and all(r["summary"] for r in d["rules"])' drover lint --rules
run 0 drover lint --exclude missing-filter-index
same "$OUT" "0 errors, 0 warnings"
run 0 drover lint --rule no-verify,missing-fk-index
same "$OUT" "0 errors, 0 warnings"
run 2 drover lint --rule no-such-rule
says "there is no rule 'no-such-rule'" "try: drover lint --rules"

test_begin only_what_is_newer_than_a_revision_or_a_git_reference
revision_file b a | sed 's/bigint PRIMARY KEY/bigint PRIMARY KEY, state text/' >revisions/b.sql
run 0 drover lint --against a
says "revisions/b.sql:10:42" "0 errors, 0 warnings, 1 advice"
says_not "a.sql"
run 1 drover lint --against nothing
says "'nothing' is neither a revision of the folder nor a reference that git knows"
git init -q . && git add revisions/a.sql &&
    git -c user.name=alice -c user.email=alice@example.org commit -q -m a || wrong "git does not work"
run 0 drover lint --against HEAD
says "revisions/b.sql:10:42" "0 errors, 0 warnings, 1 advice"
says_not "a.sql"
echo "-- more" >>revisions/a.sql
run 1 drover lint --against HEAD
says "error[approved-revision-changed]" "--> revisions/a.sql:4:1" "drover revision -m"

flow_end
