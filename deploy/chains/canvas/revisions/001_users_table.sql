-- drover:revision 1
-- Users table
--
-- Revision ID: 001_users_table
-- Revises:
-- Create Date: 2026-02-13 13:00:00
-- Engine: postgresql
-- Purpose: the people that the canvas tables refer to
-- Rollback: drops the table
-- Destructive: the way back drops the table
-- Reversible: lossy, all users go

-- drover:up
CREATE TABLE users (id uuid PRIMARY KEY);

-- drover:verify "the table is there"
SELECT to_regclass('users') IS NOT NULL;

-- drover:down
DROP TABLE users;
