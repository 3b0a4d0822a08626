#!/bin/bash
# A world with one rollout that waits for an approval in staging. Prints its folder, lives until standard input ends.
. "$DROVER_SOURCE/deploy/world.sh"
world_begin "$DROVER_BUILD" || exit 1
trap world_end EXIT
{
    mkdir -p revisions
    cp $(ls "$DROVER_SOURCE"/deploy/chains/masterplan/revisions/*.sql | head -n 2) revisions/
    people_make alice bob carol &&
        as alice drover init --name masterplan --people keys/alice.pub,keys/bob.pub,keys/carol.pub --threshold 2 \
            --coordinator tcp://127.0.0.1:0 --quiet || exit 1
    for env in staging production; do
        sqlite_make "$WORLD/$env.db" && agent_make $env-lite $env "$env/notes=sqlite:$WORLD/$env.db" || exit 1
    done
    for who in alice bob; do
        as $who drover sign trust/root.1.drv && as $who drover sign trust/fleet.3.drv || exit 1
    done
    coordinator_start && agent_start staging-lite && agent_start production-lite || exit 1
    as alice drover submit --quiet && as alice drover approve chain --yes && as bob drover approve chain --yes &&
        as alice drover upgrade head || exit 1
    as alice drover rollout watch R-1 --timeout 60s
    [ $? = 8 ] # it waits for people
} >>log/setup 2>&1 </dev/null || { cat log/setup >&2; exit 1; }
echo "$WORLD"
read -r _
