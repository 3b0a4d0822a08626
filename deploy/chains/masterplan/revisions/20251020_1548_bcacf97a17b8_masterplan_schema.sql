-- drover:revision 1
-- Add masterplan schema with discovery documents
--
-- Revision ID: 20251020_1548_bcacf97a17b8
-- Revises:
-- Create Date: 2025-10-20 15:48:00
-- Engine: postgresql, sqlite
-- Purpose: the first tables: what was discovered with a user, and the plan made from it
-- Rollback: drops both tables and the type
-- Destructive: the way back drops both tables with their rows
-- Reversible: lossy, all rows of both tables go

-- drover:up engine=postgresql
CREATE TYPE masterplanstatus AS ENUM ('draft', 'approved', 'in_progress', 'completed', 'failed');

CREATE TABLE discovery_documents (
    discovery_id uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      varchar(100) NOT NULL,
    title        varchar(300) NOT NULL,
    content      text         NOT NULL DEFAULT '',
    created_at   timestamptz  NOT NULL DEFAULT now()
);

CREATE TABLE masterplans (
    masterplan_id uuid             PRIMARY KEY DEFAULT gen_random_uuid(),
    discovery_id  uuid             NOT NULL REFERENCES discovery_documents (discovery_id) ON DELETE CASCADE,
    user_id       varchar(100)     NOT NULL,
    name          varchar(300)     NOT NULL,
    status        masterplanstatus NOT NULL DEFAULT 'draft',
    created_at    timestamptz      NOT NULL DEFAULT now()
);

CREATE INDEX idx_discovery_user ON discovery_documents (user_id);
CREATE INDEX idx_masterplan_user ON masterplans (user_id);
CREATE INDEX idx_masterplan_discovery ON masterplans (discovery_id);

-- drover:up engine=sqlite
CREATE TABLE discovery_documents (
    discovery_id CHAR(36)     PRIMARY KEY NOT NULL,
    user_id      VARCHAR(100) NOT NULL,
    title        VARCHAR(300) NOT NULL,
    content      TEXT         NOT NULL DEFAULT '',
    created_at   DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE masterplans (
    masterplan_id CHAR(36)     PRIMARY KEY NOT NULL,
    discovery_id  CHAR(36)     NOT NULL REFERENCES discovery_documents (discovery_id) ON DELETE CASCADE,
    user_id       VARCHAR(100) NOT NULL,
    name          VARCHAR(300) NOT NULL,
    status        VARCHAR(11)  NOT NULL DEFAULT 'draft'
                  CHECK (status IN ('draft', 'approved', 'in_progress', 'completed', 'failed')),
    created_at    DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_discovery_user ON discovery_documents (user_id);
CREATE INDEX idx_masterplan_user ON masterplans (user_id);
CREATE INDEX idx_masterplan_discovery ON masterplans (discovery_id);

-- drover:verify "both tables and their indexes are there" engine=postgresql
SELECT to_regclass('discovery_documents') IS NOT NULL AND to_regclass('masterplans') IS NOT NULL;
SELECT count(*) = 3 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE c.relname IN ('idx_discovery_user', 'idx_masterplan_user', 'idx_masterplan_discovery') AND i.indisvalid;

-- drover:verify "both tables and their indexes are there" engine=sqlite
SELECT count(*) = 5 FROM sqlite_schema
 WHERE name IN ('discovery_documents', 'masterplans', 'idx_discovery_user', 'idx_masterplan_user', 'idx_masterplan_discovery');

-- drover:down engine=postgresql
DROP INDEX idx_masterplan_discovery;
DROP INDEX idx_masterplan_user;
DROP INDEX idx_discovery_user;
DROP TABLE masterplans;
DROP TABLE discovery_documents;
DROP TYPE masterplanstatus;

-- drover:down engine=sqlite
DROP TABLE masterplans;
DROP TABLE discovery_documents;

-- drover:verify "nothing is left" on=down engine=postgresql
SELECT NOT EXISTS (SELECT FROM pg_type WHERE typname = 'masterplanstatus');
