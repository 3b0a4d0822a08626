-- drover:revision 1
-- Add monthly_reviews and commitments tables
--
-- Revision ID: 004_monthly_reviews
-- Revises: 003_canvas_management
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql

-- drover:up
CREATE TYPE testing_type AS ENUM ('thesis', 'proof_point');

CREATE TYPE testing_type AS ENUM ('thesis', 'proof_point');

CREATE TABLE monthly_reviews (
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    canvas_id UUID NOT NULL,
    review_date DATE NOT NULL,
    what_moved TEXT,
    what_learned TEXT,
    what_threatens TEXT,
    currently_testing_type testing_type,
    currently_testing_id UUID,
    created_by UUID NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(canvas_id) REFERENCES canvases (id) ON DELETE CASCADE,
    FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT uq_monthly_reviews_canvas_date UNIQUE (canvas_id, review_date),
    CHECK (currently_testing_type IN ('thesis', 'proof_point') OR currently_testing_type IS NULL)
);

CREATE TABLE commitments (
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    monthly_review_id UUID NOT NULL,
    text TEXT NOT NULL,
    "order" INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(monthly_review_id) REFERENCES monthly_reviews (id) ON DELETE CASCADE,
    CONSTRAINT uq_commitments_review_order UNIQUE (monthly_review_id, "order"),
    CONSTRAINT ck_commitments_text_length CHECK (length(text) > 0 AND length(text) <= 1000),
    CONSTRAINT ck_commitments_order_range CHECK (order >= 1 AND order <= 3)
);

CREATE INDEX ix_monthly_reviews_canvas_id ON monthly_reviews (canvas_id);

CREATE INDEX ix_monthly_reviews_review_date ON monthly_reviews (review_date);

CREATE INDEX ix_monthly_reviews_created_by ON monthly_reviews (created_by);

CREATE INDEX ix_commitments_review_id ON commitments (monthly_review_id);

-- drover:down
DROP INDEX ix_commitments_review_id;

DROP INDEX ix_monthly_reviews_created_by;

DROP INDEX ix_monthly_reviews_review_date;

DROP INDEX ix_monthly_reviews_canvas_id;

DROP TABLE commitments;

DROP TABLE monthly_reviews;

DROP TYPE testing_type;
