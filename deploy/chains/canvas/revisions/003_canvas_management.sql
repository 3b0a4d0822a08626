-- drover:revision 1
-- Canvas management: owners and notes of a canvas
--
-- Revision ID: 003_canvas_management
-- Revises: 002_canvas_tables
-- Create Date: 2026-02-13 14:30:00
-- Engine: postgresql
-- Purpose: who manages a canvas, and since when
-- Rollback: drops the table and its indexes
-- Destructive: the way back drops the table
-- Reversible: lossy, all managers go

-- drover:up
CREATE TABLE canvas_managers (
    canvas_id  uuid        NOT NULL REFERENCES canvases (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (canvas_id, user_id)
);
CREATE INDEX ix_canvas_managers_user_id ON canvas_managers (user_id);

-- drover:verify "a canvas's managers go with it"
SELECT count(*) = 2 FROM pg_constraint
 WHERE conrelid = 'canvas_managers'::regclass AND contype = 'f' AND confdeltype = 'c';

-- drover:down
DROP INDEX ix_canvas_managers_user_id;
DROP TABLE canvas_managers;
