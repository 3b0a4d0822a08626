# A small world of real parts in one temporary folder: PostgreSQL clusters, droverd, agents, people's keys.
# Sourced by deploy/demo and by the flow tests; bash. Every function works inside $WORLD, which world_end removes.
#
#   world_begin BINDIR      makes $WORLD, puts BINDIR first in PATH
#   cluster_start NAME      a private PostgreSQL 15 cluster (socket only), as an unprivileged user; cluster_url NAME DB
#   database_make NAME DB..., sqlite_make FILE   empty databases
#   people_make NAME...     keys/NAME.key, .transport, .pub, without passphrase
#   as NAME COMMAND...      runs a command as that person
#   agent_make NAME ENV TARGET=URL...   keys, configuration and fleet entry of an agent (before coordinator_start)
#   coordinator_start       droverd on a free port; notes it in drover.conf and in the agents' files
#   agent_start NAME        drover-agent in the background; agent_stop NAME [SIGNAL]
#   world_end               stops everything and removes $WORLD; not 0 when WORLD_CHECK WORLD, if set, finds something
#
# CLUSTER_OPTIONS: settings of every cluster, as `-c NAME=VALUE`.

set -u
PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}

world_begin() {
    WORLD=$(mktemp -d "${TMPDIR:-/tmp}/drover-world.XXXXXX")
    export WORLD DROVER_BINDIR=$1 PATH=$1:$PATH
    unset DROVER_URL DATABASE_URL DROVER_CONFIG
    chmod 711 "$WORLD"
    mkdir -p "$WORLD/run" "$WORLD/log"
    cd "$WORLD" || return 1
}

# Whoever runs PostgreSQL: it refuses root.
pg_user() {
    if [ "$(id -u)" != 0 ]; then id -un; elif id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

as_pg_user() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid="$(pg_user)" --regid="$(id -g "$(pg_user)")" --clear-groups -- "$@"; else "$@"; fi
}

cluster_start() {
    local dir=$WORLD/pg-$1
    if [ ! -d "$dir/data" ]; then
        mkdir -p "$dir"
        [ "$(id -u)" != 0 ] || chown "$(pg_user)" "$dir"
        (cd "$dir" && as_pg_user "$PG_BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync) \
            >"$WORLD/log/initdb-$1" 2>&1 || return 1
    fi
    (cd "$dir" && as_pg_user "$PG_BIN/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" \
        -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off -c max_connections=40 -c shared_buffers=16MB ${CLUSTER_OPTIONS:-} ${2:-}" \
        start) >/dev/null 2>&1 || { cat "$dir/log" >&2; return 1; }
}

cluster_stop() { # NAME [MODE]
    (cd "$WORLD/pg-$1" && as_pg_user "$PG_BIN/pg_ctl" -D "$WORLD/pg-$1/data" -m "${2:-fast}" -w stop) >/dev/null 2>&1
}

# The role that agents use owns its database and is no superuser.
database_make() { # CLUSTER DATABASE...
    local cluster=$1 name
    local -a commands=(-c "DO \$\$ BEGIN CREATE ROLE drover LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$")
    shift
    for name in "$@"; do commands+=(-c "CREATE DATABASE $name OWNER drover"); done
    "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$WORLD/pg-$cluster" -U postgres -d postgres "${commands[@]}"
}

# An empty SQLite database: an agent refuses to serve a file that is not there.
sqlite_make() { # FILE
    sqlite3 "$1" VACUUM
}

cluster_sql() { # CLUSTER DATABASE SQL
    "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$WORLD/pg-$1" -U postgres -d "$2" -c "$3"
}

cluster_url() { # CLUSTER DATABASE
    echo "postgresql://drover@/$2?host=$WORLD/pg-$1"
}

people_make() {
    local name
    for name in "$@"; do
        drover key new "$name" --dir keys --no-passphrase --quiet >/dev/null || return 1
    done
}

as() {
    local name=$1
    shift
    DROVER_PERSON=$name DROVER_KEY=$WORLD/keys/$name.key DROVER_TRANSPORT=$WORLD/keys/$name.transport \
        DROVER_TRUST=$WORLD/run/trust-$name "$@"
}

agent_make() { # NAME ENVIRONMENT TARGET=URL...
    local name=$1 environment=$2 target url kind
    shift 2
    drover-agent key new --dir "agents/$name" --name "$name" >/dev/null || return 1
    local -a targets=()
    {
        echo "agent = \"$name\""
        echo "environment = \"$environment\""
        echo "coordinator = \"@COORDINATOR@\""
        echo "coordinator_key = \"$(sed -n 's/^coordinator_key = "\(.*\)"/\1/p' drover.conf)\""
        echo "root = \"$WORLD/trust/root.1.drv\""
        echo "root_sha256 = \"@ROOT@\""
        echo "state = \"state\""
        echo "key = \"agent.key\""
        echo "transport_key = \"agent.transport\""
        for target in "$@"; do
            url=${target#*=}
            echo "target \"${target%%=*}\" { url = \"$url\" }"
        done
    } >"agents/$name/agent.conf"
    for target in "$@"; do
        url=${target#*=}
        case $url in
        sqlite:*) kind=sqlite ;;
        *)
            kind=${url%%\?*}
            kind=postgresql:${kind##*/}
            ;;
        esac
        targets+=(--target "${target%%=*}=$kind")
    done
    as "${SIGNER:-alice}" drover agent add "$name" -e "$environment" --public-key "agents/$name/agent.pub" "${targets[@]}" --quiet
}

# Waits for the line that a daemon writes to descriptor 3 when it is ready.
wait_ready() { # FILE PID
    local i
    for ((i = 0; i < 600; i++)); do
        [ -s "$1" ] && return 0
        kill -0 "$2" 2>/dev/null || return 1
        read -r -t 0.05 -u 9 || true
    done
    return 1
}

coordinator_start() {
    local newest
    newest=$(ls trust/fleet.*.drv | sort -t. -k2 -n | tail -n 1)
    sed -i "s#^fleet = .*#fleet = \"$newest\"#" droverd.conf
    rm -f run/droverd.ready
    [ ! -f run/port ] || sed -i "s#^listen = .*#listen = \"tcp://127.0.0.1:$(cat run/port)\"#" droverd.conf
    droverd --config droverd.conf --ready-fd 3 3>run/droverd.ready >>log/droverd 2>&1 9>&- &
    echo $! >run/droverd.pid
    wait_ready run/droverd.ready "$(cat run/droverd.pid)" || { cat log/droverd >&2; return 1; }
    sed 's/^ready //' run/droverd.ready >run/port
    sed -i "s#^coordinator = .*#coordinator = \"tcp://127.0.0.1:$(cat run/port)\"#" drover.conf
}

coordinator_stop() { # [SIGNAL]
    kill "-${1:-TERM}" "$(cat run/droverd.pid)" 2>/dev/null
    wait "$(cat run/droverd.pid)" 2>/dev/null
}

agent_start() { # NAME
    agent_begin "$1" && agent_wait "$1"
}

# The two halves of agent_start, for several at once.
agent_begin() { # NAME
    local dir=agents/$1
    sed -i "s#@COORDINATOR@#tcp://127.0.0.1:$(cat run/port)#; s#@ROOT@#$(sha256sum trust/root.1.drv | cut -d' ' -f1)#" "$dir/agent.conf"
    rm -f "run/$1.ready"
    drover-agent --config "$dir/agent.conf" --ready-fd 3 3>"run/$1.ready" >>"log/agent-$1" 2>&1 9>&- &
    echo $! >"run/$1.pid"
}

agent_wait() { # NAME
    wait_ready "run/$1.ready" "$(cat "run/$1.pid")" || { cat "log/agent-$1" >&2; return 1; }
}

agent_stop() { # NAME [SIGNAL]
    kill "-${2:-TERM}" "$(cat "run/$1.pid")" 2>/dev/null
    wait "$(cat "run/$1.pid")" 2>/dev/null
}

world_end() {
    local file pid status=0
    [ -n "${WORLD:-}" ] && [ -d "$WORLD" ] || return 0
    for file in "$WORLD"/run/*.pid; do
        [ -f "$file" ] && kill -TERM "$(cat "$file")" 2>/dev/null
    done
    # Also what was started a moment before an interrupt, and is in no file yet.
    for pid in $(jobs -p); do
        kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    for file in "$WORLD"/run/*.pid; do
        [ -f "$file" ] && wait "$(cat "$file")" 2>/dev/null
    done
    for file in "$WORLD"/pg-*; do
        [ -d "$file/data" ] && cluster_stop "${file##*/pg-}" immediate
    done
    [ -z "${WORLD_CHECK:-}" ] || $WORLD_CHECK "$WORLD" || status=1
    cd / && rm -rf "$WORLD"
    WORLD=
    return $status
}

# A pipe that nobody writes to: `read -t` on it waits without starting a process.
world_fifo=$(mktemp -u) && mkfifo "$world_fifo" && exec 9<>"$world_fifo" && rm -f "$world_fifo"
