-- drover:revision 1
-- Canvas management tables
--
-- Revision ID: 002_canvas_tables
-- Revises: 001_users_table
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql
-- Purpose: business units, one canvas each, with theses, proof points and attachments
-- Rollback: drops indexes, then tables, then types, children first
-- Destructive: the way back drops five tables
-- Reversible: lossy, all canvases go

-- drover:preflight "the users table exists"
SELECT to_regclass('users') IS NOT NULL;

-- drover:up
CREATE TYPE lifecycle_lane AS ENUM ('build', 'sell', 'milk', 'reframe');
CREATE TYPE currently_testing_type AS ENUM ('thesis', 'proof_point');
CREATE TYPE proof_point_status AS ENUM ('not_started', 'in_progress', 'observed', 'stalled');

CREATE TABLE vbus (
    id         uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    name       varchar(255) NOT NULL,
    gm_id      uuid         NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at timestamptz  NOT NULL DEFAULT now(),
    updated_at timestamptz  NOT NULL DEFAULT now(),
    updated_by uuid         REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_vbus_name_not_empty CHECK (length(trim(name)) > 0)
);

CREATE TABLE canvases (
    id                     uuid           PRIMARY KEY DEFAULT gen_random_uuid(),
    vbu_id                 uuid           NOT NULL REFERENCES vbus (id) ON DELETE CASCADE,
    product_name           varchar(255),
    lifecycle_lane         lifecycle_lane NOT NULL,
    success_description    text,
    future_state_intent    text,
    primary_focus          varchar(255),
    resist_doing           text,
    good_discipline        text,
    primary_constraint     text,
    currently_testing_type currently_testing_type,
    currently_testing_id   uuid,
    portfolio_notes        text,
    created_at             timestamptz    NOT NULL DEFAULT now(),
    updated_at             timestamptz    NOT NULL DEFAULT now(),
    updated_by             uuid           REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ck_canvas_product_name CHECK (product_name IS NULL OR length(trim(product_name)) > 0),
    CONSTRAINT ck_currently_testing_consistency
        CHECK ((currently_testing_type IS NULL) = (currently_testing_id IS NULL))
);

CREATE TABLE theses (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    canvas_id  uuid        NOT NULL REFERENCES canvases (id) ON DELETE CASCADE,
    "order"    integer     NOT NULL,
    text       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ck_thesis_order_range CHECK (order BETWEEN 1 AND 5),
    CONSTRAINT ck_thesis_text_not_empty CHECK (length(trim(text)) > 0),
    CONSTRAINT uq_theses_canvas_order UNIQUE (canvas_id, "order")
);

CREATE TABLE proof_points (
    id                  uuid               PRIMARY KEY DEFAULT gen_random_uuid(),
    thesis_id           uuid               NOT NULL REFERENCES theses (id) ON DELETE CASCADE,
    description         text               NOT NULL,
    status              proof_point_status NOT NULL DEFAULT 'not_started',
    evidence_note       text,
    target_review_month date,
    created_at          timestamptz        NOT NULL DEFAULT now(),
    updated_at          timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT ck_proof_point_description_not_empty CHECK (length(trim(description)) > 0)
);

CREATE TABLE attachments (
    id                uuid          PRIMARY KEY DEFAULT gen_random_uuid(),
    proof_point_id    uuid          REFERENCES proof_points (id) ON DELETE CASCADE,
    monthly_review_id uuid,
    filename          varchar(255)  NOT NULL,
    storage_path      varchar(1024) NOT NULL,
    content_type      varchar(128)  NOT NULL,
    size_bytes        integer       NOT NULL,
    label             varchar(255),
    uploaded_by       uuid          NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT ck_attachment_filename_not_empty CHECK (length(trim(filename)) > 0),
    CONSTRAINT ck_attachment_storage_path_not_empty CHECK (length(trim(storage_path)) > 0),
    CONSTRAINT ck_attachment_size_range CHECK (size_bytes BETWEEN 1 AND 10485760),
    CONSTRAINT ck_attachment_label CHECK (label IS NULL OR length(trim(label)) > 0),
    CONSTRAINT ck_attachment_content_type CHECK (content_type IN ('image/png', 'image/jpeg', 'image/gif',
        'application/pdf', 'text/csv', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')),
    CONSTRAINT ck_attachment_single_parent
        CHECK ((proof_point_id IS NOT NULL AND monthly_review_id IS NULL)
            OR (proof_point_id IS NULL AND monthly_review_id IS NOT NULL))
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

-- drover:verify "all tables created with correct schema"
SELECT count(*) = 5 FROM information_schema.tables
 WHERE table_schema = current_schema() AND table_name IN ('vbus', 'canvases', 'theses', 'proof_points', 'attachments');
SELECT data_type = 'integer' FROM information_schema.columns WHERE table_name = 'theses' AND column_name = 'order';

-- drover:verify "foreign keys and checks"
SELECT count(*) = 8 FROM pg_constraint WHERE contype = 'f' AND conrelid IN
 ('vbus'::regclass, 'canvases'::regclass, 'theses'::regclass, 'proof_points'::regclass, 'attachments'::regclass);
SELECT count(*) = 12 FROM pg_constraint WHERE contype = 'c' AND conrelid IN
 ('vbus'::regclass, 'canvases'::regclass, 'theses'::regclass, 'proof_points'::regclass, 'attachments'::regclass);

-- drover:verify "indexes valid"
SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid IN
 ('vbus'::regclass, 'canvases'::regclass, 'theses'::regclass, 'proof_points'::regclass, 'attachments'::regclass);

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

-- drover:verify "downgrade reverses all changes" on=down
SELECT count(*) = 0 FROM pg_type WHERE typname IN ('lifecycle_lane', 'currently_testing_type', 'proof_point_status');
