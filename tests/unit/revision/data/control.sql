-- drover:revision 1
-- first schema: projects, runs and their control
--
-- Revision ID: e6e5369fb4d1
-- Revises:
-- Engine: postgresql, sqlite
-- Reversible: yes

-- drover:up engine=postgresql
CREATE TYPE status AS ENUM ('RUNNING', 'DONE');

-- drover:up engine=postgresql
CREATE TABLE projects (id serial PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE runs (id serial PRIMARY KEY, project_id integer NOT NULL REFERENCES projects (id), status status NOT NULL);
CREATE TABLE control (id serial PRIMARY KEY, project_id integer NOT NULL UNIQUE, paused boolean NOT NULL DEFAULT false);

-- drover:up engine=sqlite
CREATE TABLE projects (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL);
CREATE TABLE runs (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id), status VARCHAR(9) NOT NULL);
CREATE TABLE control (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL UNIQUE, paused BOOLEAN NOT NULL DEFAULT 0);
CREATE TRIGGER runs_ai AFTER INSERT ON runs BEGIN
  UPDATE control SET paused = 0 WHERE project_id = NEW.project_id;
END;

-- drover:verify "one control per project" engine=sqlite
SELECT count(*) = 1 FROM pragma_index_list('control') WHERE "unique" = 1;

-- drover:verify "one control per project" engine=postgresql
SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 'control'::regclass AND contype = 'u';

-- drover:down
DROP TABLE control;
DROP TABLE runs;
DROP TABLE projects;

-- drover:down engine=postgresql
DROP TYPE status;
