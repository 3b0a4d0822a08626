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
test_begin a_rollout_without_a_next_step_fails
for answer in "echo nothing" "echo next: drover dance R-1" "echo next: drover rollout dance; exit 3" \
    "echo next: sudo make me a sandwich"; do
    cat >"$programs/drover" <<END
#!/bin/sh
case "\$1 \$2" in
"rollout show" | "why R-1") $answer ;;
*) exec $DROVER_BUILD/drover "\$@" ;;
esac
END
    chmod +x "$programs/drover"
    plays 1 <<'END'
## A case
target staging/a sqlite
host $ echo 'Rollout R-1  base -> r1'
host $ echo never
END
    says "wrong: scenario.flow:3:" "R-1"
done

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
