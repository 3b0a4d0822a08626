#!/bin/bash
# A report of a rollout: one page with its evidence, which a stranger checks without any server.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 2
flow_chain
run 0 as alice drover upgrade head -m "<script>alert('message')</script> & \"more\""
flow_staging R-1
run 0 as bob drover checklist R-1 sign logs-reviewed --note "<script>alert('note')</script>"

test_begin the_text_tells_who_signed_what_and_what_was_proved # id: G5
run 0 as alice drover report R-1
says "approval of staging" "signed by carol (key" "sign-off of production, logs-reviewed" "signed by bob (key" \
    "proved: the signatures of" "not proved: that the log is the one that others saw"

test_begin the_page_carries_everything_and_nothing_of_it_is_run
run 0 as alice drover report R-1 --html r1.html
says "drover report --verify r1.html"
OUT=$(cat r1.html)
says "Rollout R-1" "staging/notes" "carol (key" "logs-reviewed" "CREATE TABLE" "&lt;script&gt;" "Content-Security-Policy"
says_not "<script" "src=" "href=" "http://" "https://" "url("
run 1 as alice drover report R-99
run 2 as alice drover report staging
run 2 as alice drover report

test_begin a_stranger_checks_it_without_any_server_from_the_pinned_root
root=$(sed -n 's/.*root_sha256 *= *"\{0,1\}\([0-9a-f]*\).*/\1/p' drover.conf)
coordinator_stop
mkdir stranger && cd stranger || exit 1
run 0 drover report --verify ../r1.html --root-sha256 "$root"
says "rollout R-1" "proved: the page says what they say, byte for byte"
run_json 0 'd["valid"] and d["rollout"] == "R-1" and d["documents"] > 5' drover report --verify ../r1.html --root-sha256 "$root"
run 4 drover report --verify ../r1.html --root-sha256 "$(printf '%064d' 7)"
cd "$WORLD" || exit 1

test_begin a_byte_that_was_changed_is_found_wherever_it_stands
# spread over the page, and the places that matter: a name, a state, a digest, the SQL, the evidence
python3 - r1.html >offsets <<'END'
import sys
page = open(sys.argv[1], "rb").read()
begin = page.index(b'id="drover-evidence">')
offsets = {len(page) * k // 12 for k in range(1, 12)}
offsets |= {page.index(word) for word in (b"carol (key", b"<h1>Rollout", b"CREATE TABLE", b"SHA-256 <code>", b"&lt;script")}
offsets |= {begin + 40, page.index(b"\nE ", begin) + 60, page.index(b"\nD ", begin) + 200, page.index(b"\nB ", begin) + 90}
print(*sorted(offsets))
END
# shellcheck disable=SC2013
for at in $(cat offsets); do
    python3 - r1.html bad.html "$at" <<'END'
import sys
page = bytearray(open(sys.argv[1], "rb").read())
page[int(sys.argv[3])] = ord("x") if page[int(sys.argv[3])] != ord("x") else ord("y")
open(sys.argv[2], "wb").write(page)
END
    OUT=$(drover report --verify bad.html --root-sha256 "$root" 2>&1) && wrong "the byte at $at was changed, and nobody noticed"
done
head -c 20000 r1.html >bad.html
run 1 drover report --verify bad.html --root-sha256 "$root"
says "or it was cut off"

flow_end
