-- drover:revision 1
-- Complete initial schema
--
-- Revision ID: e6e5369fb4d1
-- Revises:
-- Create Date: 2026-01-12 09:00:00
-- Engine: postgresql, sqlite
-- Purpose: projects, their tasks, and what happens to these
-- Rollback: drops all tables, children first, and the types
-- Destructive: the way back drops eight tables with their rows
-- Reversible: lossy, all data goes

-- drover:up engine=postgresql
CREATE TYPE phasetype AS ENUM ('PLANNER', 'ARCHITECT', 'REVIEW_APPROVAL', 'CODER');
CREATE TYPE taskstatus AS ENUM ('PENDING', 'IN_PROGRESS', 'AWAITING_APPROVAL', 'APPROVED', 'REJECTED', 'COMPLETED', 'CANCELLED');
CREATE TYPE changerequeststatus AS ENUM ('DRAFT', 'SUBMITTED', 'APPROVED', 'REJECTED', 'IMPLEMENTED');
CREATE TYPE artifacttype AS ENUM ('SPEC', 'PLAN', 'ARCHITECTURE', 'ADR', 'TRANSCRIPT', 'DIFF', 'LOG', 'OTHER');
CREATE TYPE runstatus AS ENUM ('RUNNING', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED');

CREATE TABLE projects (
    id serial PRIMARY KEY,
    name varchar(200) NOT NULL,
    spec_artifact_id integer,
    selected_arch_option_id integer,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE tasks (
    id serial PRIMARY KEY,
    project_id integer NOT NULL REFERENCES projects (id),
    title varchar(200) NOT NULL,
    phase phasetype NOT NULL,
    status taskstatus NOT NULL DEFAULT 'PENDING',
    active_version_id integer,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE change_requests (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id),
    status changerequeststatus NOT NULL DEFAULT 'DRAFT',
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE runs (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id),
    status runstatus NOT NULL DEFAULT 'RUNNING',
    gates_passed integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at timestamptz
);

CREATE TABLE task_versions (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id),
    version integer NOT NULL,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE approvals (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id),
    change_request_id integer REFERENCES change_requests (id),
    is_approved boolean NOT NULL DEFAULT false,
    note text,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE artifacts (
    id serial PRIMARY KEY,
    project_id integer NOT NULL REFERENCES projects (id),
    task_id integer REFERENCES tasks (id),
    run_id integer REFERENCES runs (id),
    type artifacttype NOT NULL,
    path varchar(500) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE control_state (
    id serial PRIMARY KEY,
    project_id integer NOT NULL UNIQUE REFERENCES projects (id),
    current_task_id integer,
    paused boolean NOT NULL DEFAULT false,
    max_attempts integer NOT NULL DEFAULT 3,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- drover:up engine=sqlite
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    spec_artifact_id INTEGER,
    selected_arch_option_id INTEGER,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    title VARCHAR(200) NOT NULL,
    phase VARCHAR(15) NOT NULL
        CHECK (phase IN ('PLANNER', 'ARCHITECT', 'REVIEW_APPROVAL', 'CODER')),
    status VARCHAR(17) NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'IN_PROGRESS', 'AWAITING_APPROVAL', 'APPROVED', 'REJECTED', 'COMPLETED', 'CANCELLED')),
    active_version_id INTEGER,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE change_requests (
    id INTEGER PRIMARY KEY,
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    status VARCHAR(11) NOT NULL DEFAULT 'DRAFT'
        CHECK (status IN ('DRAFT', 'SUBMITTED', 'APPROVED', 'REJECTED', 'IMPLEMENTED')),
    description TEXT NOT NULL,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    status VARCHAR(9) NOT NULL DEFAULT 'RUNNING'
        CHECK (status IN ('RUNNING', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED')),
    gates_passed INTEGER NOT NULL DEFAULT 0,
    started_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at DATETIME
);

CREATE TABLE task_versions (
    id INTEGER PRIMARY KEY,
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    version INTEGER NOT NULL,
    content TEXT NOT NULL,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE approvals (
    id INTEGER PRIMARY KEY,
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    change_request_id INTEGER REFERENCES change_requests (id),
    is_approved BOOLEAN NOT NULL DEFAULT 0 CHECK (is_approved IN (0, 1)),
    note TEXT,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    task_id INTEGER REFERENCES tasks (id),
    run_id INTEGER REFERENCES runs (id),
    type VARCHAR(12) NOT NULL
        CHECK (type IN ('SPEC', 'PLAN', 'ARCHITECTURE', 'ADR', 'TRANSCRIPT', 'DIFF', 'LOG', 'OTHER')),
    path VARCHAR(500) NOT NULL,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE control_state (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL UNIQUE REFERENCES projects (id),
    current_task_id INTEGER,
    paused BOOLEAN NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    max_attempts INTEGER NOT NULL DEFAULT 3,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- drover:verify "ten foreign keys" engine=postgresql
SELECT count(*) = 10 AND bool_and(convalidated) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text IN
    ('projects', 'tasks', 'change_requests', 'runs', 'task_versions', 'approvals', 'artifacts', 'control_state');

-- drover:verify "ten foreign keys" engine=sqlite
SELECT count(*) = 10 FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) k WHERE t.name IN
    ('projects', 'tasks', 'change_requests', 'runs', 'task_versions', 'approvals', 'artifacts', 'control_state');

-- drover:verify "a project has one control_state" engine=postgresql
SELECT count(*) = 1 FROM pg_constraint WHERE contype = 'u' AND conrelid = 'control_state'::regclass
   AND conkey = (SELECT array_agg(attnum) FROM pg_attribute WHERE attrelid = 'control_state'::regclass AND attname = 'project_id');

-- drover:verify "a project has one control_state" engine=sqlite
SELECT count(*) = 1 FROM pragma_index_list('control_state') i JOIN pragma_index_info(i.name) c
 WHERE i."unique" = 1 AND c.name = 'project_id';

-- drover:verify "foreign keys hold" engine=sqlite expect=empty
SELECT * FROM pragma_foreign_key_check;

-- drover:down
DROP TABLE control_state;
DROP TABLE artifacts;
DROP TABLE approvals;
DROP TABLE task_versions;
DROP TABLE runs;
DROP TABLE change_requests;
DROP TABLE tasks;
DROP TABLE projects;

-- drover:down engine=postgresql
DROP TYPE phasetype;
DROP TYPE taskstatus;
DROP TYPE changerequeststatus;
DROP TYPE artifacttype;
DROP TYPE runstatus;
