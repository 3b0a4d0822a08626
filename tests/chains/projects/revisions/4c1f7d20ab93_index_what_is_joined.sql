-- drover:revision 1
-- Index what is joined and filtered
--
-- Revision ID: 4c1f7d20ab93
-- Revises: e6e5369fb4d1
-- Create Date: 2026-01-19 09:00:00
-- Engine: postgresql, sqlite
-- Purpose: lists of tasks, artifacts and change requests come from indexes
-- Rollback: drops the indexes
-- Reversible: yes

-- drover:up
CREATE INDEX ix_tasks_project_id ON tasks (project_id);
CREATE INDEX ix_tasks_status ON tasks (status);
CREATE INDEX ix_artifacts_task_id ON artifacts (task_id);
CREATE INDEX ix_artifacts_run_id ON artifacts (run_id);
CREATE INDEX ix_change_requests_task_id ON change_requests (task_id);
CREATE INDEX ix_change_requests_status ON change_requests (status);

-- drover:verify "all six are there and valid" engine=postgresql
SELECT count(*) = 6 AND bool_and(i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 'ix\_%';

-- drover:verify "all six are there" engine=sqlite
SELECT count(*) = 6 FROM sqlite_schema WHERE type = 'index' AND name LIKE 'ix\_%' ESCAPE '\';

-- drover:down
DROP INDEX ix_change_requests_status;
DROP INDEX ix_change_requests_task_id;
DROP INDEX ix_artifacts_run_id;
DROP INDEX ix_artifacts_task_id;
DROP INDEX ix_tasks_status;
DROP INDEX ix_tasks_project_id;
