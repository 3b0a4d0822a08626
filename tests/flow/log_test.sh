#!/bin/bash
# The log as a stranger checks it: an export, the first root's SHA-256, and nothing else. Whatever is changed in it is told
# with its entry.
. "$DROVER_SOURCE/tests/flow/lib.sh"
flow_rollout_world 2
stranger=$(mktemp -d /tmp/drover-test-XXXXXX) # no drover.conf is above it
trap 'status=$?; rm -rf "$stranger"; (exit $status); flow_cleanup' EXIT
export stranger

# change SCRIPT: a copy of the export in $stranger/changed.jsonl; in Python `entries` and `documents` are its lines, `of` gives
# the document that an entry names, `flip` a base64 text with one bit changed at a place (-1: the last byte).
change() {
    python3 -S - "$1" <<'PYTHON' || wrong "the export cannot be changed so: $1"
import base64, json, os, sys
rows = [json.loads(line) for line in open(os.environ["stranger"] + "/export.jsonl")]
entries = [r for r in rows if r["schema"] == "drover.v1.LogEntry"]
documents = [r for r in rows if r["schema"] == "drover.v1.Document"]
def of(entry):
    return next(d for d in documents if d["sha256"] == entry["document"])
def flip(text, at):
    data = bytearray(base64.b64decode(text + "=" * (-len(text) % 4)))
    data[at] ^= 1
    return base64.b64encode(bytes(data)).decode()
def last(kind, *words):
    return [e for e in entries if e["kind"] == kind and all(w in e["text"] + " " + e["subject"] for w in words)][-1]
e = None
exec(sys.argv[1])
if e is not None:
    open(os.environ["stranger"] + "/index", "w").write(str(e["index"]))
with open(os.environ["stranger"] + "/changed.jsonl", "w") as out:
    for row in entries + documents:
        out.write(json.dumps(row) + "\n")
PYTHON
}
# offline CODE FILE: verified in a folder with nothing but exports, by somebody without any key.
offline() {
    OUT=$(cd "$stranger" && HOME=$stranger drover log --verify --file "$2" --root-sha256 "$pin" 2>&1)
    CODE=$?
    [ $CODE = "$1" ] || wrong "verifying $2 ended with $CODE, not $1"
}

test_begin a_rollout_a_veto_and_a_next_root_are_in_the_log
flow_chain
run 0 as alice drover upgrade head
flow_staging R-1
flow_signoffs R-1
run 0 as carol drover veto R-1 -e production --note "not on a friday"
run 0 as alice drover veto lift R-1 -e production --yes
run 0 as bob drover veto lift R-1 -e production --yes
flow_production R-1
run 0 as alice drover root rotate --yes
run 0 as bob drover sign root --yes
says "in force"

test_begin the_coordinators_log_is_verified_with_every_signature
run 0 as alice drover log --verify
says "signatures verified: " "roots" "attestations" "entries verified, head "
run_json 0 'd["valid"] and d["signatures"] and d["gaps"] == [] and d["documents"]["approval"] == 2 and d["documents"]["root"] == 2' \
    as alice drover log --verify

test_begin an_export_is_verified_with_nothing_but_the_pinned_root # id: P6
pin=$(sha256sum trust/root.1.drv | cut -d' ' -f1)
as alice drover log --output jsonl --documents >"$stranger"/export.jsonl || wrong "no export"
offline 0 export.jsonl
says "signatures verified: 2 roots" "2 approvals" "entries verified, head "
run 2 env -C "$stranger" drover log --verify --file export.jsonl
says "no first root is pinned" "--root-sha256"
run 4 env -C "$stranger" drover log --verify --file export.jsonl --root-sha256 "$(printf '%064d' 7)"
says "the first root that is pinned is not there"
run 0 env -C "$stranger" drover log --compare export.jsonl --file export.jsonl
says "One log"

test_begin an_export_without_documents_proves_hashes_only
as alice drover log --output jsonl >"$stranger"/bare.jsonl
offline 2 bare.jsonl
says "no document is there" "--hashes"
run 0 env -C "$stranger" drover log --verify --hashes --file bare.jsonl
says "entries verified, head "
run 2 as alice drover log --documents
says "drover log -o jsonl --documents"

told() { # WORD...: the entry that was changed, by its number
    says "entry $(cat "$stranger/index"), " "$@"
}
test_begin one_changed_hash_is_told
change 'e = entries[4]; e["hash"] = flip(e["hash"], 0)'
offline 4 changed.jsonl
told "its hash is another" "changed.jsonl:5"

test_begin one_changed_word_is_told
change 'e = last("attestation", "APPLIED"); e["text"] = "FAILED at base"'
offline 4 changed.jsonl
told "its hash is another"

test_begin two_swapped_entries_are_told
change 'entries[6], entries[7] = entries[7], entries[6]; e = entries[6]'
offline 4 changed.jsonl
told "stands where 7 belongs"

test_begin one_changed_byte_of_a_document_is_told
change 'e = last("attestation", "APPLIED", "production"); d = of(e); d["envelope"] = flip(d["envelope"], 60)'
offline 4 changed.jsonl
told "attestation" "production/notes" "its document is not the one that it names"
change 'e = last("document", "approval", "staging"); d = of(e); d["parts"][0] = flip(d["parts"][0], -1)'
offline 4 changed.jsonl
told "document 'R-1 staging'"

test_begin a_changed_signature_is_told
change 'e = last("attestation", "READY", "production"); d = of(e); d["envelope"] = flip(d["envelope"], -1)'
offline 4 changed.jsonl
told "no agent of the fleet signed this attestation"
change 'e = last("trust", "chain"); d = of(e); d["envelope"] = flip(d["envelope"], -1)
e = next(x for x in entries if x["document"] == e["document"] and "2 of 2" in x["text"])'
offline 4 changed.jsonl
told "1 of the 2 signatures that it speaks of are valid"
change 'e = last("document", "signoff", "production"); d = of(e); d["envelope"] = flip(d["envelope"], -1)'
offline 4 changed.jsonl

test_begin another_agents_signature_under_an_attestation_is_told
change 'e = last("attestation", "APPLIED", "production"); d, o = of(e), of(last("attestation", "APPLIED", "staging"))
raw, other = base64.b64decode(d["envelope"]), base64.b64decode(o["envelope"])
d["envelope"] = base64.b64encode(raw[:-97] + other[-97:]).decode()'
offline 4 changed.jsonl
told "no agent of the fleet signed this attestation"

test_begin a_document_that_was_left_out_is_a_gap
change 'e = last("attestation", "BACKUP", "production"); documents.remove(of(e))'
offline 3 changed.jsonl
says "gap at entry $(cat "$stranger/index"), attestation" "its document is not there" "agent production-lite, epoch " "not in the log" \
    "2 gaps"
run_json 3 'd["valid"] and len(d["gaps"]) == 2 and d["gaps"][1]["agent"] == "production-lite" and d["gaps"][1]["missing"]' \
    env -C "$stranger" drover log --verify --file changed.jsonl --root-sha256 "$pin"

test_begin a_fleet_that_was_left_out_ends_the_check
change 'e = next(x for x in entries if x["kind"] in ("trust", "document") and x["subject"] in ("fleet", "trust") and "fleet" in x["text"]); documents.remove(of(e))'
offline 4 changed.jsonl
told "nothing behind it can be checked"

test_begin the_first_wrong_entry_is_told_in_json
change 'e = entries[4]; e["hash"] = flip(e["hash"], 0); x = entries[9]; x["hash"] = flip(x["hash"], 0)'
run_json 4 'not d["valid"] and d["bad"]["index"] == 5 and d["bad"]["kind"] and "hash" in d["bad"]["why"]' \
    env -C "$stranger" drover log --verify --file changed.jsonl --root-sha256 "$pin"

flow_end
