-- drover:revision 1
-- Users
--
-- Revision ID: 001_users_table
-- Revises:
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql

-- drover:up
CREATE TABLE users (
    id UUID NOT NULL,
    PRIMARY KEY (id)
);

-- drover:down
DROP TABLE users;
