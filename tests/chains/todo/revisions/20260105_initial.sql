-- drover:revision 1
-- People and their tasks
--
-- Revision ID: 20260105_initial
-- Revises:
-- Create Date: 2026-01-05 09:00:00
-- Engine: postgresql >= 14
-- Purpose: the first tables of the application
-- Rollback: drops both tables
-- Destructive: the way back drops both tables with their rows
-- Reversible: lossy, all rows of both tables go
-- Time budget: 30s

-- drover:up
CREATE TABLE users (
    id         uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    email      varchar(255) NOT NULL,
    created_at timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT uq_users_email UNIQUE (email)
);

CREATE TABLE tasks (
    id          uuid          PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid          NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title       varchar(200)  NOT NULL,
    description varchar(1000),
    completed   boolean       NOT NULL DEFAULT false,
    created_at  timestamptz   NOT NULL DEFAULT now(),
    updated_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT ck_tasks_title CHECK (title <> '')
);
CREATE INDEX ix_tasks_user_id ON tasks (user_id);

CREATE FUNCTION touch_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER tasks_touch BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION touch_row();

-- drover:verify "both tables and the index are there"
SELECT to_regclass('users') IS NOT NULL AND to_regclass('tasks') IS NOT NULL;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_tasks_user_id'::regclass;

-- drover:down
DROP TABLE tasks;
DROP FUNCTION touch_row();
DROP TABLE users;
