-- drover:revision 1
-- Add users table for authentication
--
-- Revision ID: 20251022_1003_93ad2d77767b
-- Revises: 20251020_1548_bcacf97a17b8
-- Create Date: 2025-10-22 10:03:00
-- Engine: postgresql, sqlite
-- Purpose: people who sign in
-- Rollback: drops the table
-- Destructive: the way back drops the table with its rows
-- Reversible: lossy, all rows of users go

-- drover:up engine=postgresql
CREATE TABLE users (
    user_id       uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    email         varchar(255) NOT NULL,
    username      varchar(50)  NOT NULL,
    password_hash varchar(255) NOT NULL,
    is_active     boolean      NOT NULL DEFAULT true,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    updated_at    timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT uq_users_username UNIQUE (username)
);
CREATE UNIQUE INDEX idx_users_email ON users (email);

-- drover:up engine=sqlite
CREATE TABLE users (
    user_id       CHAR(36)     PRIMARY KEY NOT NULL,
    email         VARCHAR(255) NOT NULL,
    username      VARCHAR(50)  NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    is_active     BOOLEAN      NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at    DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT uq_users_username UNIQUE (username)
);
CREATE UNIQUE INDEX idx_users_email ON users (email);

-- drover:verify "an address belongs to one person" engine=postgresql
SELECT indisunique AND indisvalid FROM pg_index WHERE indexrelid = 'idx_users_email'::regclass;

-- drover:verify "an address belongs to one person" engine=sqlite
SELECT "unique" = 1 FROM pragma_index_list('users') WHERE name = 'idx_users_email';

-- drover:down
DROP INDEX idx_users_email;
DROP TABLE users;
