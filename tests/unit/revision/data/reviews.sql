-- drover:revision 1
-- add reviews and their commitments
--
-- A review belongs to a board; a commitment is one of at most three of a review.
--
-- Revision ID: 004_reviews
-- Revises: 003_boards
-- Create Date: 2026-02-13 14:00:00
-- Engine: postgresql
-- Requirements: FR-006,
--   T-005
-- Reversible: yes, the rows of both tables are lost
-- Lock timeout: 5s
-- Statement timeout: 30s

-- drover:preflight "parent tables exist"
SELECT to_regclass('boards') IS NOT NULL AND to_regclass('users') IS NOT NULL;

-- drover:up
CREATE TYPE topic AS ENUM ('thesis', 'proof');

-- the text of a commitment is short; a semicolon ; in a comment ends nothing
CREATE TABLE reviews (
    id         uuid PRIMARY KEY,
    board_id   uuid NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    held_on    date NOT NULL,
    topic      topic,
    note       text DEFAULT 'nothing; yet',
    created_by uuid NOT NULL REFERENCES users (id),
    CONSTRAINT uq_reviews_board_date UNIQUE (board_id, held_on)
);

CREATE TABLE commitments (
    id        uuid PRIMARY KEY,
    review_id uuid NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
    "order"   integer NOT NULL,
    CONSTRAINT ck_commitments_order CHECK ("order" >= 1 AND "order" <= 3)
);

CREATE INDEX ix_commitments_review_id ON commitments (review_id);

-- drover:verify "both tables are there"
SELECT count(*) = 2 FROM information_schema.tables WHERE table_name IN ('reviews', 'commitments');

-- drover:verify "a fourth commitment is refused" only=staging
DO $$
BEGIN
  INSERT INTO commitments (id, review_id, "order") VALUES (gen_random_uuid(), gen_random_uuid(), 4);
  RAISE EXCEPTION 'order 4 was accepted';
EXCEPTION WHEN check_violation THEN NULL;
END $$;

-- drover:down
DROP INDEX ix_commitments_review_id;
DROP TABLE commitments;
DROP TABLE reviews;
DROP TYPE topic;

-- drover:verify "nothing is left" on=down
SELECT to_regclass('reviews') IS NULL;
