#!/bin/bash
# The player of scenarios itself: whatever a scenario says wrongly makes it fail, and it says which line.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1

# plays EXPECTED-CODE: plays the scenario on standard input; its words are in $OUT.
plays() {
    cat >scenario.flow
    run "$1" env DROVER_BUILD="${programs:-$DROVER_BUILD}" bash "$DROVER_SOURCE/tests/flow/play" scenario.flow
}

test_begin what_is_as_the_scenario_says_passes
plays 0 <<'END'
# Words for readers.
## Lines, their order and the exit code
host $ printf 'one  two\nthree\nfour [x] (y) * end\n'
    one two
    th...
    ...[x] (y) * e...
    ! five
host $ echo all; exit 3
    exactly
    all
    exit 3
flag there on
host $ test -e there
END
says "[       OK ] lines_their_order_and_the_exit_code" "1 passed, 0 failed"

test_begin every_kind_of_wrong_line_fails
wrongs=0
while IFS='|' read -r -u 7 command block message; do
    plays 1 < <(printf '## A case\n\nhost $ %s\n%b' "$command" "$block")
    says "wrong: scenario.flow:3:" "$message" "0 passed, 1 failed"
    wrongs=$((wrongs + 1))
done 7<<'END'
echo one|    two\n|no line 'two'
echo one; echo two|    two\n    one\n|no line 'one' behind 'two'
echo one|    one\n    one\n|no line 'one' behind 'one'
echo one; echo two|    exactly\n    one\n|there is the line 'two'
echo one|    exactly\n|there is the line 'one'
echo one|    ! on\n|there is 'on'
echo one|    o...two\n|no line 'o...two'
echo a*c|    a?c\n|no line 'a?c'
exit 4|    exit 5\n|it ended with 4, not 5
exit 4||it ended with 4, not 0
true|    exit 1\n|it ended with 0, not 1
false|    within 1s\n|it ended with 1, not 0
END
same $wrongs 12

test_begin what_becomes_true_in_time_passes
plays 0 <<'END'
## A case
host $ echo x >>count; wc -l <count
    3
    within 20s
END

test_begin what_is_no_step_fails
for step in "jump" "advance 3 weeks" "nobody \$ true" "given the moon is full" "flag x maybe" "revision" \
    "sql staging/none: SELECT 1" "kill cat" "policy nowhere: rank = 1"; do
    plays 1 < <(printf '## A case\ntarget staging/a sqlite\n\n%s\n' "$step")
    says "wrong: scenario.flow:4:"
done

test_begin a_case_that_failed_ends_the_scenario
plays 1 <<'END'
## First
host $ false
## Second
host $ echo never seen
END
says_not second
says "0 passed, 1 failed"

test_begin a_scenario_without_a_case_fails
plays 1 <<'END'
host $ true
END

# Programs that answer badly instead of drover's own.
programs=$WORLD/programs
mkdir -p "$programs"
cp "$DROVER_BUILD/drover-agent" "$DROVER_BUILD/droverd" "$DROVER_BUILD/drover-sqlcheck" "$programs"
# answering MESSAGE ROLLOUT [TARGET]: a scenario fails with the message when `why` answers so.
answering() {
    cat >"$programs/drover" <<END
#!/bin/sh
case "\$1 \$2" in
"why R-1") printf '$2' ;;
"why staging/a") printf '${3:-}' ;;
*) exec $DROVER_BUILD/drover "\$@" ;;
esac
END
    chmod +x "$programs/drover"
    plays 1 <<'END'
## A case
target staging/a sqlite
host $ echo 'Rollout R-1  base -> r1'
host $ true && echo never
END
    says "wrong: scenario.flow:3:" "$1"
}
good='R-1  base -> r1 is running in staging\nwaits: its turn\n  staging/a (sent): its turn\nnext: drover rollout watch R-1\n'

test_begin a_rollout_without_an_answer_fails
answering "'drover why R-1' names no state" 'nothing\n'
answering "'drover why R-1' names no state" "${good/running/confused}"
answering "'drover why R-1' names no state" "${good/R-1  base/R-2  base}"
answering "'drover why R-1' does not say what is waited for" "${good/waits: its turn/waits: }"
answering "'drover why R-1' does not say what comes next" "${good/drover rollout watch R-1/sudo make me a sandwich}"
answering "'drover dance R-1' is no command" "${good/rollout watch R-1/dance R-1}"
answering "'drover why R-1' does not say since when" "${good/waits: its turn/waits: unknown}"

test_begin a_target_without_an_answer_fails
answering "'drover why staging/a' names no state" "$good" 'nothing\n'
answering "'drover why staging/a' does not say what comes next" "$good" 'staging/a is sent for 3s: on its way\n'
answering "'drover dance' is no command" "$good" 'staging/a is sent for 3s: on its way\nnext: drover dance\n'

test_begin simulated_time_is_seen_by_drover_and_not_by_others
plays 0 <<'END'
## A case
target staging/a sqlite
host $ date +%s >now
advance 30 days
alice $ drover freeze add staging --note x --expires 1h
alice $ drover freeze list --output json | python3 -c "import json, re, sys; print('in', (max(int(n) for n in re.findall(r'\b\d{10}\b', sys.stdin.read())) - int(open('now').read())) // 86400, 'days')"
    in 30 days
host $ echo $(( ($(date +%s) - $(cat now)) / 86400 ))
    exactly
    0
END

flow_end
