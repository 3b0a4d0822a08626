#!/bin/bash
# What the rehearsal said is what is there: a run's schema is compared with the one that its rehearsal ended with, object by object.
. "$DROVER_SOURCE/tests/flow/lib.sh"
world_begin "$DROVER_BUILD" || exit 1
cluster_start main && database_make main app || exit 1
URL=$(cluster_url main app)

write() { # FILE ID PARENT UP DOWN
    { revision_header "$2" "$3"; printf -- '-- drover:up\n%s\n\n-- drover:down\n%s\n' "$4" "$5"; } |
        sed 's/^-- Engine: .*/-- Engine: postgresql/' >"revisions/$1"
}

chain() {
    run 0 as alice drover submit
    run 0 as alice drover approve chain --yes
}

apply() { # ROLLOUT
    run 0 as alice drover approve "$1" -e staging --yes
    run 0 as alice drover rollout watch "$1" --until staging=applied --timeout 60s
}

people_make alice
as alice drover init --name shop --people keys/alice.pub --environments staging --coordinator tcp://127.0.0.1:0 --quiet >/dev/null || exit 1
mkdir -p revisions "$WORLD/tmp"
chmod 755 "$WORLD" && chmod 1777 "$WORLD/tmp"
export TMPDIR=$WORLD/tmp
write 1.sql r1 "" 'CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);
CREATE INDEX users_email ON users (email);' 'DROP TABLE users;'
as alice drover sign trust/root.1.drv >/dev/null || exit 1
SIGNER=alice agent_make one staging "staging/app=$URL" >/dev/null || exit 1
as alice drover sign trust/fleet.2.drv --quiet >/dev/null 2>&1
as alice drover policy show -e staging >policy.conf || exit 1
coordinator_start || exit 1
agent_start one || exit 1

test_begin a_gate_that_nobody_could_open_is_refused
sed '/rehearse/d; s/^ *environment.*{/&\n    gate "verified" { }/' policy.conf >bad.conf
run 1 as alice drover policy check bad.conf
says "a gate waits for rehearsals, and rehearse = false"
sed '/rehearse/d; s/^ *environment.*{/&\n    rehearse = true\n    gate "verified" { }/' policy.conf >good.conf
run 0 as alice drover policy check good.conf --explain
says "the same schema as its rehearsal ended with"
run 0 as alice drover policy apply good.conf --yes
run 0 as alice drover policy show -e staging
says 'gate "verified" { after = true }'

test_begin a_schema_that_is_as_rehearsed_is_proved # id: G4
chain
run 8 as alice drover upgrade head --wait --timeout 90s
run 0 as alice drover checklist R-1
says "[ ] verified" "the plan has not run here yet"
apply R-1
run 0 as alice drover checklist R-1 show verified
says "[x] verified in staging, a machine proves: as rehearsed" "APPLIED of staging/app" "REHEARSED of staging/app"

# With rows in users, which the rehearsal's copy has not, this revision leaves an invalid index, a constraint that is not valid, and
# neither foreign key nor index.
cluster_sql main app "INSERT INTO users SELECT i, i FROM generate_series(1, 20) i; ANALYZE users"
write 2.sql r2 r1 "CREATE TABLE orders (id integer, user_id integer, total integer) PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (1) TO (1000);
CREATE INDEX orders_total ON ONLY orders (total);
CREATE INDEX orders_1_total ON orders_1 (total);
DO \$\$ BEGIN
    IF EXISTS (SELECT FROM users) THEN
        ALTER TABLE orders_1 ADD CONSTRAINT total_is_sane CHECK (total >= 0) NOT VALID;
    ELSE
        ALTER INDEX orders_total ATTACH PARTITION orders_1_total;
        ALTER TABLE orders_1 ADD CONSTRAINT total_is_sane CHECK (total >= 0);
        ALTER TABLE orders_1 ADD CONSTRAINT orders_of_user FOREIGN KEY (user_id) REFERENCES users;
        CREATE INDEX orders_user ON orders_1 (user_id);
    END IF;
END \$\$;" 'DROP TABLE orders;'
chain
run 8 as alice drover upgrade head --wait --timeout 90s

test_begin estimates_are_shown_before_anybody_approves # id: G4
for look in "rollout show R-2" "upgrade head --dry-run"; do
    # shellcheck disable=SC2086
    run 0 as alice drover $look
    says "As agents rehearsed it:" "staging/app: 5 statements" "SHARE ROW EXCLUSIVE on public.users (20 rows, "
    # shellcheck disable=SC2086
    run_json 0 "[(e['target'], t['lock'], t['rows'], t['isRewritten']) for e in d['estimates'] for u in e['units'] if u['way'] == 'up' for t in u['tables'] if t['table'] == 'public.users'] == [('staging/app', 'ShareRowExclusiveLock', 20, False)]" as alice drover $look
done

test_begin what_is_missing_or_invalid_keeps_the_item_open_and_is_named # id: G4
apply R-2
run 0 as alice drover checklist R-2
says "[ ] verified" "'staging/app' is not as rehearsed, in 4 objects" "next: drover checklist R-2 show verified -e staging"
run 0 as alice drover checklist R-2 show verified -e staging
says "[ ] verified in staging" "in 4 objects" "of what the rehearsal of staging/app ended with, here is:" "changed index orders.orders_total" \
    "removed index orders_1.orders_user" "changed constraint orders_1.total_is_sane" "removed constraint orders_1.orders_of_user" \
    "next: drover rollout undo R-2 -t staging/app; or write a revision that mends it"

flow_end
