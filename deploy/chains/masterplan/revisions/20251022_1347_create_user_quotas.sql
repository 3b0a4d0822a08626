-- drover:revision 1
-- Create user_quotas table
--
-- Revision ID: 20251022_1347
-- Revises: 20251022_1346
-- Create Date: 2025-10-22 13:47:00
-- Slug: create_user_quotas
-- Engine: postgresql, sqlite
-- Purpose: limits of each user for tokens, masterplans, storage and API calls
-- Rollback: drops the table
-- Destructive: the way back drops the table with its rows
-- Reversible: lossy, all quotas go

-- drover:up engine=postgresql
CREATE TABLE user_quotas (
    quota_id                 uuid    PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id                  uuid    NOT NULL,
    llm_tokens_monthly_limit integer,
    masterplans_limit        integer,
    storage_bytes_limit      bigint,
    api_calls_per_minute     integer NOT NULL DEFAULT 30,
    CONSTRAINT user_quotas_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_user_quotas_user_id UNIQUE (user_id)
);
CREATE INDEX ix_user_quotas_user_id ON user_quotas (user_id);

-- drover:up engine=sqlite
CREATE TABLE user_quotas (
    quota_id                 CHAR(36) PRIMARY KEY NOT NULL,
    user_id                  CHAR(36) NOT NULL,
    llm_tokens_monthly_limit INTEGER,
    masterplans_limit        INTEGER,
    storage_bytes_limit      BIGINT,
    api_calls_per_minute     INTEGER  NOT NULL DEFAULT 30,
    CONSTRAINT user_quotas_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_user_quotas_user_id UNIQUE (user_id)
);
CREATE INDEX ix_user_quotas_user_id ON user_quotas (user_id);

-- drover:verify "quotas go with their user" engine=postgresql
SELECT confdeltype = 'c' FROM pg_constraint WHERE conname = 'user_quotas_user_id_fkey';

-- drover:verify "quotas go with their user" engine=sqlite
SELECT on_delete = 'CASCADE' FROM pragma_foreign_key_list('user_quotas');

-- drover:down
DROP INDEX ix_user_quotas_user_id;
DROP TABLE user_quotas;
