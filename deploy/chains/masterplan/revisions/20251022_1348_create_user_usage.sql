-- drover:revision 1
-- Create user_usage table
--
-- Revision ID: 20251022_1348
-- Revises: 20251022_1347
-- Create Date: 2025-10-22 13:48:00
-- Slug: create_user_usage
-- Engine: postgresql, sqlite
-- Purpose: what each user used in each month, for billing and quotas
-- Rollback: drops the table
-- Destructive: the way back drops the table with its rows
-- Reversible: lossy, all usage figures go

-- drover:up engine=postgresql
CREATE TABLE user_usage (
    usage_id            uuid           PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id             uuid           NOT NULL,
    month               date           NOT NULL,
    llm_tokens_used     integer        NOT NULL DEFAULT 0,
    llm_cost_usd        numeric(10, 4) NOT NULL DEFAULT 0.0,
    masterplans_created integer        NOT NULL DEFAULT 0,
    storage_bytes       bigint         NOT NULL DEFAULT 0,
    api_calls           integer        NOT NULL DEFAULT 0,
    CONSTRAINT user_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_user_usage_user_month UNIQUE (user_id, month)
);
CREATE INDEX idx_user_usage_user_month ON user_usage (user_id, month);

-- drover:up engine=sqlite
CREATE TABLE user_usage (
    usage_id            CHAR(36)       PRIMARY KEY NOT NULL,
    user_id             CHAR(36)       NOT NULL,
    month               DATE           NOT NULL,
    llm_tokens_used     INTEGER        NOT NULL DEFAULT 0,
    llm_cost_usd        NUMERIC(10, 4) NOT NULL DEFAULT 0.0,
    masterplans_created INTEGER        NOT NULL DEFAULT 0,
    storage_bytes       BIGINT         NOT NULL DEFAULT 0,
    api_calls           INTEGER        NOT NULL DEFAULT 0,
    CONSTRAINT user_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_user_usage_user_month UNIQUE (user_id, month)
);
CREATE INDEX idx_user_usage_user_month ON user_usage (user_id, month);

-- drover:verify "one row a month for each user" engine=postgresql
SELECT count(*) = 1 FROM pg_constraint WHERE conname = 'uq_user_usage_user_month' AND contype = 'u';

-- drover:verify "one row a month for each user" engine=sqlite
SELECT count(*) = 1 FROM pragma_index_list('user_usage') WHERE origin = 'u';

-- drover:down
DROP INDEX idx_user_usage_user_month;
DROP TABLE user_usage;
