-- drover:revision 1
-- Canvas management tables
--
-- Revision ID: 002_canvas_tables
-- Revises: 001_users_table
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql

-- drover:up
CREATE TYPE lifecycle_lane AS ENUM ('build', 'sell', 'milk', 'reframe');

CREATE TYPE currently_testing_type AS ENUM ('thesis', 'proof_point');

CREATE TYPE proof_point_status AS ENUM ('not_started', 'in_progress', 'observed', 'stalled');

CREATE TABLE vbus (
    id UUID NOT NULL,
    name VARCHAR(255) NOT NULL,
    gm_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_by UUID,
    PRIMARY KEY (id),
    FOREIGN KEY(gm_id) REFERENCES users (id) ON DELETE RESTRICT,
    FOREIGN KEY(updated_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_vbus_name_not_empty CHECK (LENGTH(TRIM(name)) > 0)
);

CREATE TYPE lifecycle_lane AS ENUM ('build', 'sell', 'milk', 'reframe');

CREATE TYPE currently_testing_type AS ENUM ('thesis', 'proof_point');

CREATE TABLE canvases (
    id UUID NOT NULL,
    vbu_id UUID NOT NULL,
    product_name VARCHAR(255),
    lifecycle_lane lifecycle_lane NOT NULL,
    success_description TEXT,
    future_state_intent TEXT,
    primary_focus VARCHAR(255),
    resist_doing TEXT,
    good_discipline TEXT,
    primary_constraint TEXT,
    currently_testing_type currently_testing_type,
    currently_testing_id UUID,
    portfolio_notes TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_by UUID,
    PRIMARY KEY (id),
    FOREIGN KEY(vbu_id) REFERENCES vbus (id) ON DELETE CASCADE,
    FOREIGN KEY(updated_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_canvas_product_name CHECK (product_name IS NULL OR LENGTH(TRIM(product_name)) > 0),
    CONSTRAINT ck_currently_testing_consistency CHECK ((currently_testing_type IS NULL) = (currently_testing_id IS NULL)),
    UNIQUE (vbu_id)
);

CREATE TABLE theses (
    id UUID NOT NULL,
    canvas_id UUID NOT NULL,
    "order" INTEGER NOT NULL,
    text TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(canvas_id) REFERENCES canvases (id) ON DELETE CASCADE,
    CONSTRAINT ck_thesis_order_range CHECK (order BETWEEN 1 AND 5),
    CONSTRAINT ck_thesis_text_not_empty CHECK (LENGTH(TRIM(text)) > 0),
    CONSTRAINT uq_theses_canvas_order UNIQUE (canvas_id, "order")
);

CREATE TYPE proof_point_status AS ENUM ('not_started', 'in_progress', 'observed', 'stalled');

CREATE TABLE proof_points (
    id UUID NOT NULL,
    thesis_id UUID NOT NULL,
    description TEXT NOT NULL,
    status proof_point_status NOT NULL,
    evidence_note TEXT,
    target_review_month DATE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(thesis_id) REFERENCES theses (id) ON DELETE CASCADE,
    CONSTRAINT ck_proof_point_description_not_empty CHECK (LENGTH(TRIM(description)) > 0)
);

CREATE TABLE attachments (
    id UUID NOT NULL,
    proof_point_id UUID,
    monthly_review_id UUID,
    filename VARCHAR(255) NOT NULL,
    storage_path VARCHAR(1024) NOT NULL,
    content_type VARCHAR(128) NOT NULL,
    size_bytes INTEGER NOT NULL,
    label VARCHAR(255),
    uploaded_by UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(proof_point_id) REFERENCES proof_points (id) ON DELETE CASCADE,
    FOREIGN KEY(uploaded_by) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT ck_attachment_filename_not_empty CHECK (LENGTH(TRIM(filename)) > 0),
    CONSTRAINT ck_attachment_storage_path_not_empty CHECK (LENGTH(TRIM(storage_path)) > 0),
    CONSTRAINT ck_attachment_size_range CHECK (size_bytes BETWEEN 1 AND 10485760),
    CONSTRAINT ck_attachment_label CHECK (label IS NULL OR LENGTH(TRIM(label)) > 0),
    CONSTRAINT ck_attachment_content_type CHECK (content_type IN ('image/png','image/jpeg','image/gif','application/pdf','text/csv','application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')),
    CONSTRAINT ck_attachment_single_parent CHECK ((proof_point_id IS NOT NULL AND monthly_review_id IS NULL) OR (proof_point_id IS NULL AND monthly_review_id IS NOT NULL)),
    UNIQUE (storage_path)
);

CREATE INDEX ix_vbus_gm_id ON vbus (gm_id);

CREATE UNIQUE INDEX uq_canvases_vbu_id ON canvases (vbu_id);

CREATE INDEX ix_canvases_lifecycle_lane ON canvases (lifecycle_lane);

CREATE INDEX ix_theses_canvas_id ON theses (canvas_id);

CREATE INDEX ix_proof_points_thesis_id ON proof_points (thesis_id);

CREATE INDEX ix_proof_points_status ON proof_points (status);

CREATE INDEX ix_attachments_proof_point_id ON attachments (proof_point_id);

CREATE INDEX ix_attachments_uploaded_by ON attachments (uploaded_by);

CREATE UNIQUE INDEX uq_attachments_storage_path ON attachments (storage_path);

-- drover:down
DROP INDEX uq_attachments_storage_path;

DROP INDEX ix_attachments_uploaded_by;

DROP INDEX ix_attachments_proof_point_id;

DROP INDEX ix_proof_points_status;

DROP INDEX ix_proof_points_thesis_id;

DROP INDEX ix_theses_canvas_id;

DROP INDEX ix_canvases_lifecycle_lane;

DROP INDEX uq_canvases_vbu_id;

DROP INDEX ix_vbus_gm_id;

DROP TABLE attachments;

DROP TABLE proof_points;

DROP TABLE theses;

DROP TABLE canvases;

DROP TABLE vbus;

DROP TYPE proof_point_status;

DROP TYPE currently_testing_type;

DROP TYPE lifecycle_lane;
