# The steps of tests/flow/play that make and change a world; sourced by it. Each step_NAME gets the rest of its line.

people=(alice) signatures=1 environments=(staging production) first_person=alice
targets=() confs=() policies=() servers=() engines=() last_revision='' world_state=none coordinator_up=no
declare -A agent_of agents_up database_of server_of

# ---- the world, as the lines say

step_people() { read -ra people <<<"$1" && first_person=${people[0]}; }
step_signatures() { signatures=$1; }
step_environments() { read -ra environments <<<"$1"; }
step_configure() { confs+=("$1"); }

world_has_person() { [[ " ${people[*]} " == *" $1 "* ]]; }

# target NAME ENGINE [on SERVER] [by AGENT]
step_target() {
    local -a words
    read -ra words <<<"$1"
    local name=${words[0]} engine=${words[1]} server=main agent=${words[0]%%/*} i
    for ((i = 2; i + 1 < ${#words[@]}; i += 2)); do
        case ${words[i]} in
        on) server=${words[i + 1]} ;;
        by) agent=${words[i + 1]} ;;
        *) fault="'on SERVER' or 'by AGENT', not '${words[i]}'" && return 1 ;;
        esac
    done
    case $engine in
    sqlite) database_of[$name]=$WORLD/${name//\//-}.db && server_of[$name]='' ;;
    postgresql) database_of[$name]=${name//[\/-]/_} && server_of[$name]=$server ;;
    *) fault="sqlite or postgresql, not '$engine'" && return 1 ;;
    esac
    [[ " ${engines[*]} " == *" $engine "* ]] || engines+=("$engine")
    [[ " ${servers[*]} " == *" $server "* ]] || [ $engine = sqlite ] || servers+=("$server")
    targets+=("$name") agent_of[$name]=$agent
}

url_of() { # TARGET
    if [ -z "${server_of[$1]}" ]; then echo "sqlite:${database_of[$1]}"; else cluster_url "${server_of[$1]}" "${database_of[$1]}"; fi
}

target_sql() { # PATTERN SQL
    local target any=no
    for target in "${targets[@]}"; do
        # shellcheck disable=SC2053
        [[ $target == $1 ]] || continue
        any=yes
        if [ -z "${server_of[$target]}" ]; then
            sqlite3 -cmd '.timeout 10000' "${database_of[$target]}" "$2"
        else
            cluster_sql "${server_of[$target]}" "${database_of[$target]}" "$2"
        fi || return 1
    done
    [ $any = yes ] || { echo "there is no target '$1'"; return 1; }
}

# revision ID "TITLE", then indented sections: WORD [(OPTIONS)] SQL
step_revision() {
    local id=${1%% *} title section options rest
    title=${1#*\"} title=${title%\"}
    [[ $1 == [a-z0-9_]*' "'*'"' ]] || { fault="revision ID \"TITLE\""; return 1; }
    {
        printf -- '-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises: %s\n-- Engine: %s\n' "$title" "$id" \
            "$last_revision" "$(IFS=, && echo "${engines[*]}")"
        while next_line && [[ $line == [[:blank:]]*[![:blank:]]* ]]; do
            squeeze "$line"
            section=${squeezed%% *} rest=${squeezed#* }
            case $section in
            Destructive: | Breaking: | Reversible: | Phase:)
                printf -- '-- %s\n' "$squeezed"
                continue
                ;;
            esac
            if [ "${rest:0:1}" = '(' ]; then
                options=${rest%%)*} rest=${rest#*)}
                section+=" ${options#(}" rest=${rest# }
            fi
            [ "${section%% *}" != verify ] || section="verify \"it is there\"${section#verify}"
            printf -- '\n-- drover:%s\n%s\n' "$section" "$rest"
        done
        pushed=yes
    } >"revisions/$id.sql"
    last_revision=$id
}

step_policy() {
    policies+=("$1")
    [ $world_state = none ] || policies_apply
}

# Takes the lines of `policies` into the fleet's text, and has them signed.
policies_apply() {
    local who
    [ ${#policies[@]} != 0 ] || return 0
    as "$first_person" drover policy show >run/policy.conf || { fault="no policy is shown"; return 1; }
    python3 -S "$DROVER_SOURCE/tests/flow/play_policy.py" run/policy.conf "${policies[@]}" >run/policy.new || { fault="no such policy"; return 1; }
    OUT=$(as "$first_person" drover policy apply run/policy.new --yes 2>&1) || { fault="the policy was refused"; return 1; }
    policies=()
    for who in "${people[@]:1:signatures-1}"; do
        OUT=$(as "$who" drover sign "$(newest_fleet)" --yes 2>&1) || { fault="$who could not sign the policy"; return 1; }
    done
}

newest_fleet() { find trust -name 'fleet.*.drv' | sort -t. -k2 -n | tail -n 1; }

# ---- building it, at the first step that needs it

# Without people and targets in the scenario there is only an empty folder.
world_build() {
    local who server target agent pid
    [ $world_state = none ] && [ ${#targets[@]} != 0 ] || return 0
    world_state=up
    local -a starting=() databases=()
    for server in "${servers[@]}"; do
        cluster_start "$server" 8<&- &
        starting+=($!)
    done
    people_make "${people[@]}" || broken "no keys"
    as "$first_person" drover init --name shop --people "$(printf ',keys/%s.pub' "${people[@]}" | cut -c2-)" --threshold "$signatures" \
        --environments "$(IFS=, && echo "${environments[*]}")" --coordinator tcp://127.0.0.1:0 --quiet >log/init 2>&1 || broken "no project"
    for pid in "${starting[@]}"; do wait "$pid" || broken "a server did not start"; done
    for server in "${servers[@]}"; do
        databases=()
        for target in "${targets[@]}"; do
            [ "${server_of[$target]}" != "$server" ] || databases+=("${database_of[$target]}")
        done
        [ ${#databases[@]} = 0 ] || database_make "$server" "${databases[@]}" || broken "no databases on '$server'"
    done
    for target in "${targets[@]}"; do
        [ -n "${server_of[$target]}" ] || sqlite_make "${database_of[$target]}" || broken "no database for $target"
    done
    for agent in $(printf '%s\n' "${agent_of[@]}" | sort -u); do agent_add "$agent" || broken "no agent '$agent'"; done
    as "$first_person" drover sign trust/root.1.drv >/dev/null || broken "the root was not signed"
    sign_fleet && policies_apply || broken "${fault:-the fleet was not signed}"
    for who in "${people[@]:1:signatures-1}"; do
        as "$who" drover sign trust/root.1.drv >/dev/null && as "$who" drover sign "$(newest_fleet)" >/dev/null 2>&1 || broken "$who could not sign"
    done
    coordinator_start || broken "droverd did not start"
    coordinator_up=yes
    for agent in "${!agents_up[@]}"; do agent_begin "$agent"; done
    for agent in "${!agents_up[@]}"; do agent_wait "$agent" || broken "agent '$agent' did not start"; done
}

sign_fleet() { as "$first_person" drover sign "$(newest_fleet)" --quiet >/dev/null 2>&1 || true; }

agent_add() { # NAME
    local target environment line
    local -a served=()
    for target in "${targets[@]}"; do
        [ "${agent_of[$target]}" != "$1" ] || served+=("$target=$(url_of "$target")")
        [ "${agent_of[$target]}" != "$1" ] || environment=${target%%/*}
    done
    SIGNER=$first_person agent_make "$1" "$environment" "${served[@]}" >/dev/null || return 1
    for line in "${confs[@]}"; do
        [ "${line%% *}" != "$1" ] || echo "${line#* }" >>"agents/$1/agent.conf"
    done
    agents_up[$1]=yes
}

# ---- time

# From here on drover's programs read their clock through libfaketime, moved by what stands in run/clock.
simulate_time() {
    local program
    flow_clock || return 1
    mkdir -p "$WORLD/bin"
    time_offset=0
    echo +0 >"$WORLD/run/clock"
    for program in drover droverd drover-agent; do
        # Deadlines are measured by the monotonic clock, which stays true, and is not mistaken for the other in waits of
        # threads; files have their true times. The sanitizers' library would have to come first.
        cat >"$WORLD/bin/$program" <<END
#!/bin/sh
export LD_PRELOAD=$CLOCK_LIBRARY FAKETIME_TIMESTAMP_FILE=$WORLD/run/clock FAKETIME_NO_CACHE=1 NO_FAKE_STAT=1
export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0 ASAN_OPTIONS=\${ASAN_OPTIONS:-}:verify_asan_link_order=0
exec $DROVER_BUILD/$program "\$@"
END
        chmod +x "$WORLD/bin/$program"
    done
    PATH=$WORLD/bin:$PATH
}

step_advance() {
    local n=${1%% *}
    case ${1#* } in
    second*) ;;
    minute*) n=$((n * 60)) ;;
    hour*) n=$((n * 3600)) ;;
    day*) n=$((n * 86400)) ;;
    *) fault="seconds, minutes, hours or days" && return 1 ;;
    esac
    world_build
    time_offset=$((time_offset + n))
    echo "+$time_offset" >run/clock.new && mv run/clock.new run/clock
}

# ---- daemons, files

step_kill() { daemon KILL "$1"; }
step_stop() { daemon TERM "$1"; }
step_start() { daemon START "$1"; }

daemon() { # WHAT, then "coordinator" or "agent NAME"
    world_build
    case "$1 $2" in
    'START coordinator') coordinator_start && coordinator_up=yes ;;
    *' coordinator')
        coordinator_up=no
        coordinator_stop "$1"
        true
        ;;
    'START agent '*) agent_start "${2#agent }" ;;
    *' agent '*)
        [ -f "run/${2#agent }.pid" ] || { fault="there is no agent '${2#agent }'"; return 1; }
        agent_stop "${2#agent }" "$1"
        true
        ;;
    *) fault="the coordinator, or an agent" && return 1 ;;
    esac
}

# backup of TARGET is truncated, empty, gone
step_backup() {
    local -a words
    read -ra words <<<"$1"
    local name=${words[1]:-} file
    file=$(find "agents/${agent_of[$name]:-}" -type f -path '*backup*' -name "${name//\//?}*" \( -name '*.sqlite' -o -name '*.dump' \) -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
    [ -n "$file" ] || { fault="'$name' has no backup file"; return 1; }
    chmod u+w "$file"
    case ${words[3]:-} in
    truncated) truncate -s $(($(stat -c %s "$file") / 2)) "$file" ;;
    empty) truncate -s 0 "$file" ;;
    gone) rm -f "$file" ;;
    *) fault="truncated, empty or gone" && return 1 ;;
    esac
}

step_flag() {
    case ${1#* } in
    on) touch "$WORLD/${1%% *}" ;;
    off) rm -f "$WORLD/${1%% *}" ;;
    *) fault="on or off" && return 1 ;;
    esac
}

# ---- given: what other scenarios show in detail

quietly() { # PERSON COMMAND...
    local who=$1
    shift
    OUT=$(as "$who" "$@" 2>&1 </dev/null 8<&-)
    CODE=$?
    [ $CODE = 0 ] || { fault="'$who \$ $*' ended with $CODE"; return 1; }
}

step_given() {
    local -a words
    read -ra words <<<"$1"
    world_build
    case "$1" in
    'the chain is approved') given_chain ;;
    'the checklist of '*' is signed') given_checklist "${words[3]}" ;;
    R-*' is '*' in '*) given_state "${words[0]}" "${words[2]}" "${words[4]}" ;;
    *) fault="'$1' cannot be given" && return 1 ;;
    esac
}

given_chain() {
    local who
    quietly "$first_person" drover submit || return 1
    for who in "${people[@]:0:signatures}"; do quietly "$who" drover approve chain --yes || return 1; done
}

given_checklist() { # R-N
    local item
    for item in logs-reviewed application-updated; do
        quietly "$first_person" drover checklist "$1" sign $item --note "as given" || return 1
    done
}

given_state() { # R-N STATE ENVIRONMENT
    local who n=$signatures
    quietly "$first_person" drover rollout watch "$1" --until "$3=ready" --timeout 60s || return 1
    [ "$2" != ready ] || return 0
    [ "$3" != staging ] || n=1
    for who in "${people[@]:0:n}"; do
        # What time opens may take a moment to be shown.
        wait_until 20 quietly "$who" drover approve "$1" -e "$3" --yes --confirm "$3" || return 1
    done
    [ "$2" != approved ] || return 0
    quietly "$first_person" drover rollout watch "$1" --until "$3=$2" --timeout 60s
}
