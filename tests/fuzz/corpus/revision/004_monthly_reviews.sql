-- drover:revision 1
-- Add monthly_reviews and commitments tables
--
-- Revision ID: 004_monthly_reviews
-- Revises: 003_canvas_management
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql
-- Purpose: a review a month for each canvas, with up to three commitments
-- Rollback: drops indexes, then tables, then the type, children first
-- Destructive: the way back drops both tables
-- Reversible: lossy, all reviews go
-- Lock timeout: 5s
-- Statement timeout: 30s

-- drover:preflight "parent tables exist"
SELECT to_regclass('canvases') IS NOT NULL AND to_regclass('users') IS NOT NULL;

-- drover:up
CREATE TYPE testing_type AS ENUM ('thesis', 'proof_point');

CREATE TABLE monthly_reviews (
    id                     uuid        PRIMARY KEY,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    canvas_id              uuid        NOT NULL REFERENCES canvases (id) ON DELETE CASCADE,
    review_date            date        NOT NULL,
    what_moved             text,
    what_learned           text,
    what_threatens         text,
    currently_testing_type testing_type,
    currently_testing_id   uuid,
    created_by             uuid        NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT uq_monthly_reviews_canvas_date UNIQUE (canvas_id, review_date),
    CHECK (currently_testing_type IN ('thesis', 'proof_point') OR currently_testing_type IS NULL)
);

CREATE TABLE commitments (
    id                uuid        PRIMARY KEY,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    monthly_review_id uuid        NOT NULL REFERENCES monthly_reviews (id) ON DELETE CASCADE,
    text              text        NOT NULL,
    "order"           integer     NOT NULL,
    CONSTRAINT uq_commitments_review_order UNIQUE (monthly_review_id, "order"),
    CONSTRAINT ck_commitments_text_length CHECK (length(text) > 0 AND length(text) <= 1000),
    CONSTRAINT ck_commitments_order_range CHECK ("order" >= 1 AND "order" <= 3)
);

CREATE INDEX ix_monthly_reviews_canvas_id ON monthly_reviews (canvas_id);
CREATE INDEX ix_monthly_reviews_review_date ON monthly_reviews (review_date);
CREATE INDEX ix_monthly_reviews_created_by ON monthly_reviews (created_by);
CREATE INDEX ix_commitments_review_id ON commitments (monthly_review_id);

-- drover:verify "tables created with correct columns and types"
SELECT count(*) = 11 FROM information_schema.columns
 WHERE table_schema = current_schema() AND table_name = 'monthly_reviews';
SELECT data_type = 'uuid' FROM information_schema.columns
 WHERE table_schema = current_schema() AND table_name = 'commitments' AND column_name = 'monthly_review_id';

-- drover:verify "foreign keys, unique and check constraints"
SELECT count(*) = 3 FROM pg_constraint
 WHERE contype = 'f' AND conrelid IN ('monthly_reviews'::regclass, 'commitments'::regclass);
SELECT count(*) = 3 FROM pg_constraint
 WHERE contype = 'c' AND conrelid IN ('monthly_reviews'::regclass, 'commitments'::regclass);

-- drover:verify "indexes valid"
SELECT bool_and(indisvalid) FROM pg_index
 WHERE indrelid IN ('monthly_reviews'::regclass, 'commitments'::regclass);

-- drover:down
DROP INDEX ix_commitments_review_id;
DROP INDEX ix_monthly_reviews_created_by;
DROP INDEX ix_monthly_reviews_review_date;
DROP INDEX ix_monthly_reviews_canvas_id;
DROP TABLE commitments;
DROP TABLE monthly_reviews;
DROP TYPE testing_type;

-- drover:verify "downgrade reverses all changes" on=down
SELECT to_regclass('monthly_reviews') IS NULL AND to_regclass('commitments') IS NULL;
SELECT NOT EXISTS (SELECT FROM pg_type WHERE typname = 'testing_type');
