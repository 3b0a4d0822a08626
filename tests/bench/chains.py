#!/usr/bin/env python3
"""Makes chains of revisions for the bench and renders them for drover and for each peer.

chains.py KIND ENGINE FOLDER [FORMAT ...]
KIND is realistic (8 revisions), small-N (N small revisions), creates-N (N tables) or big-N (one revision of N INSERTs).
ENGINE is postgresql or sqlite. FOLDER/plain gets NAME.up.sql and NAME.down.sql, which the floors read; FOLDER/FORMAT
the same statements for that tool.
"""
import pathlib
import sys

import peers


def realistic(engine):
    """Eight revisions of a shop as people write them: tables, keys, indexes, columns, data, a view, a trigger."""
    postgres = engine == "postgresql"
    key = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY" if postgres else "integer PRIMARY KEY"
    stamp = "timestamptz NOT NULL DEFAULT now()" if postgres else "text NOT NULL DEFAULT CURRENT_TIMESTAMP"
    yield (
        "customers",
        [
            f"CREATE TABLE customer (\n    id {key},\n    email text NOT NULL,\n    name text NOT NULL,\n"
            f"    created_at {stamp},\n    CONSTRAINT customer_email_unique UNIQUE (email)\n)",
            "CREATE INDEX customer_created_at ON customer (created_at)",
            f"CREATE TABLE address (\n    id {key},\n    customer_id bigint NOT NULL REFERENCES customer (id) ON DELETE CASCADE,\n"
            "    street text NOT NULL,\n    city text NOT NULL,\n    country text NOT NULL CHECK (length(country) = 2)\n)",
            "CREATE INDEX address_customer_id ON address (customer_id)",
            "CREATE INDEX address_country_city ON address (country, city)",
        ],
        ["DROP TABLE address", "DROP TABLE customer"],
    )
    kind = ["CREATE TYPE product_kind AS ENUM ('goods', 'service', 'voucher')"] if postgres else []
    column = "product_kind" if postgres else "text"
    yield (
        "products",
        kind
        + [
            f"CREATE TABLE product (\n    id {key},\n    sku text NOT NULL UNIQUE,\n    title text NOT NULL,\n"
            f"    kind {column} NOT NULL DEFAULT 'goods',\n    price numeric(12, 2) NOT NULL CHECK (price >= 0),\n    created_at {stamp}\n)",
            "CREATE INDEX product_title ON product (title)",
            f"CREATE TABLE category (\n    id {key},\n    parent_id bigint REFERENCES category (id),\n    title text NOT NULL\n)",
            "CREATE TABLE product_category (\n    product_id bigint NOT NULL REFERENCES product (id),\n"
            "    category_id bigint NOT NULL REFERENCES category (id),\n    PRIMARY KEY (product_id, category_id)\n)",
            "CREATE INDEX product_category_category ON product_category (category_id)",
        ],
        ["DROP TABLE product_category", "DROP TABLE category", "DROP TABLE product"] + (["DROP TYPE product_kind"] if postgres else []),
    )
    yield (
        "orders",
        [
            f"CREATE TABLE customer_order (\n    id {key},\n    customer_id bigint NOT NULL REFERENCES customer (id),\n"
            f"    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'paid', 'sent', 'returned')),\n    placed_at {stamp}\n)",
            "CREATE INDEX customer_order_customer ON customer_order (customer_id)",
            "CREATE INDEX customer_order_open ON customer_order (placed_at) WHERE state <> 'sent'",
            f"CREATE TABLE order_line (\n    id {key},\n    order_id bigint NOT NULL REFERENCES customer_order (id) ON DELETE CASCADE,\n"
            "    product_id bigint NOT NULL REFERENCES product (id),\n    quantity integer NOT NULL CHECK (quantity > 0),\n"
            "    price numeric(12, 2) NOT NULL\n)",
            "CREATE INDEX order_line_order ON order_line (order_id)",
            "CREATE INDEX order_line_product ON order_line (product_id)",
        ],
        ["DROP TABLE order_line", "DROP TABLE customer_order"],
    )
    yield (
        "customer_columns",
        [
            "ALTER TABLE customer ADD COLUMN phone text",
            "ALTER TABLE customer ADD COLUMN is_active boolean NOT NULL DEFAULT true",
            "ALTER TABLE customer ADD COLUMN note text NOT NULL DEFAULT ''",
            "CREATE INDEX customer_active ON customer (is_active, email)",
        ],
        [
            "DROP INDEX customer_active",
            "ALTER TABLE customer DROP COLUMN note",
            "ALTER TABLE customer DROP COLUMN is_active",
            "ALTER TABLE customer DROP COLUMN phone",
        ],
    )
    yield (
        "first_rows",
        [
            f"INSERT INTO category (title) VALUES ('{title}')"
            for title in ("books", "music", "garden", "kitchen", "office", "toys")
        ],
        ["DELETE FROM category"],
    )
    yield (
        "payments",
        [
            f"CREATE TABLE payment (\n    id {key},\n    order_id bigint NOT NULL REFERENCES customer_order (id),\n"
            f"    amount numeric(12, 2) NOT NULL,\n    provider text NOT NULL,\n    reference text NOT NULL UNIQUE,\n    paid_at {stamp}\n)",
            "CREATE INDEX payment_order ON payment (order_id)",
            "CREATE INDEX payment_paid_at ON payment (paid_at)",
            f"CREATE TABLE refund (\n    id {key},\n    payment_id bigint NOT NULL REFERENCES payment (id),\n    amount numeric(12, 2) NOT NULL\n)",
            "CREATE INDEX refund_payment ON refund (payment_id)",
        ],
        ["DROP TABLE refund", "DROP TABLE payment"],
    )
    yield (
        "order_totals",
        [
            "CREATE VIEW order_total AS\nSELECT o.id, o.customer_id, sum(l.quantity * l.price) AS total\n"
            "  FROM customer_order o JOIN order_line l ON l.order_id = o.id GROUP BY o.id, o.customer_id",
            "CREATE VIEW customer_total AS\nSELECT customer_id, sum(total) AS total FROM order_total GROUP BY customer_id",
        ],
        ["DROP VIEW customer_total", "DROP VIEW order_total"],
    )
    if postgres:
        trigger = [
            "CREATE FUNCTION product_touch() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    NEW.changed_at := now();\n    RETURN NEW;\nEND\n$$",
            "CREATE TRIGGER product_touch BEFORE UPDATE ON product FOR EACH ROW EXECUTE FUNCTION product_touch()",
        ]
        undo = ["DROP TRIGGER product_touch ON product", "DROP FUNCTION product_touch()"]
        comment = ["COMMENT ON TABLE product IS 'what is for sale'", "COMMENT ON COLUMN product.sku IS 'the number on the shelf'"]
    else:
        trigger = ["CREATE TRIGGER product_touch AFTER UPDATE OF title ON product BEGIN UPDATE product SET changed_at = 'now' WHERE id = NEW.id; END"]
        undo, comment = ["DROP TRIGGER product_touch"], []
    yield (
        "product_changes",
        ["ALTER TABLE product ADD COLUMN changed_at " + ("timestamptz" if postgres else "text")]
        + trigger
        + comment
        + ["CREATE INDEX product_changed_at ON product (changed_at)"],
        ["DROP INDEX product_changed_at"] + undo + ["ALTER TABLE product DROP COLUMN changed_at"],
    )


def small(count):
    """Small changes in turn: a table, a column, an index, a row; each revision undoes itself."""
    for i in range(count):
        table = f"item_{i // 4:04d}"
        yield (
            ("table", ["CREATE TABLE %s (id integer PRIMARY KEY, name text NOT NULL, amount integer)" % table], ["DROP TABLE %s" % table]),
            ("column", ["ALTER TABLE %s ADD COLUMN note text" % table], ["ALTER TABLE %s DROP COLUMN note" % table]),
            ("index", ["CREATE INDEX %s_name ON %s (name)" % (table, table)], ["DROP INDEX %s_name" % table]),
            (
                "rows",
                ["INSERT INTO %s (id, name) VALUES (1, 'one')" % table, "UPDATE %s SET amount = 1 WHERE id = 1" % table],
                ["DELETE FROM %s WHERE id = 1" % table],
            ),
        )[i % 4]


def creates(count):
    for i in range(count):
        yield "table", [f"CREATE TABLE made_{i:04d} (id integer PRIMARY KEY, name text)"], [f"DROP TABLE made_{i:04d}"]


def big(count):
    words = "alpha bravo carbon delta ember flint grove harbor island jade kernel lumen".split()
    rows = []
    for i in range(count):
        text = " ".join(words[(i * 7 + k * k * (i % 11 + 1)) % len(words)] for k in range(24))
        rows.append(f"INSERT INTO bulk (id, name, text) VALUES ({i}, 'row number {i:06d}', '{text[:140]}')")
    yield "bulk", ["CREATE TABLE bulk (id integer PRIMARY KEY, name text, text text)"] + rows, ["DROP TABLE bulk"]


def revisions(kind, engine):
    name, _, count = kind.partition("-")
    made = {"realistic": lambda: realistic(engine), "small": lambda: small(int(count)), "creates": lambda: creates(int(count)), "big": lambda: big(int(count))}
    return [(f"{i:04d}_{title}", up, down) for i, (title, up, down) in enumerate(made[name](), 1)]


def make(kind, engine, folder, formats):
    chain = revisions(kind, engine)
    for name in dict.fromkeys(["plain", *formats]):
        target = pathlib.Path(folder) / name
        target.mkdir(parents=True)
        peers.WRITERS[name](target, chain, engine)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    make(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
