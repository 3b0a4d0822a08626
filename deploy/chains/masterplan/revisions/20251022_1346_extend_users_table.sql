-- drover:revision 1
-- Extend users table with email verification and password reset
--
-- Revision ID: 20251022_1346
-- Revises: 20251022_1003_93ad2d77767b
-- Create Date: 2025-10-22 13:46:00
-- Slug: extend_users_table
-- Engine: postgresql, sqlite
-- Purpose: add email verification and password reset to users
-- Rollback: removes the added columns and indexes
-- Destructive: the way back drops five columns
-- Reversible: lossy, tokens and verification marks go

-- drover:up engine=postgresql
ALTER TABLE users ADD COLUMN is_verified boolean NOT NULL DEFAULT true;
ALTER TABLE users ADD COLUMN verification_token uuid;
ALTER TABLE users ADD COLUMN verification_token_created_at timestamptz;
ALTER TABLE users ADD COLUMN password_reset_token uuid;
ALTER TABLE users ADD COLUMN password_reset_expires timestamptz;
CREATE INDEX idx_verification_token ON users (verification_token);
CREATE INDEX idx_password_reset_token ON users (password_reset_token);

-- drover:up engine=sqlite
ALTER TABLE users ADD COLUMN is_verified BOOLEAN NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN verification_token CHAR(36);
ALTER TABLE users ADD COLUMN verification_token_created_at DATETIME;
ALTER TABLE users ADD COLUMN password_reset_token CHAR(36);
ALTER TABLE users ADD COLUMN password_reset_expires DATETIME;
CREATE INDEX idx_verification_token ON users (verification_token);
CREATE INDEX idx_password_reset_token ON users (password_reset_token);

-- drover:verify "five columns were added" engine=postgresql
SELECT count(*) = 5 FROM information_schema.columns
 WHERE table_schema = current_schema() AND table_name = 'users'
   AND column_name IN ('is_verified', 'verification_token', 'verification_token_created_at',
                       'password_reset_token', 'password_reset_expires');

-- drover:verify "five columns were added" engine=sqlite
SELECT count(*) = 5 FROM pragma_table_info('users')
 WHERE name IN ('is_verified', 'verification_token', 'verification_token_created_at',
                'password_reset_token', 'password_reset_expires');

-- drover:down
DROP INDEX idx_password_reset_token;
DROP INDEX idx_verification_token;
ALTER TABLE users DROP COLUMN password_reset_expires;
ALTER TABLE users DROP COLUMN password_reset_token;
ALTER TABLE users DROP COLUMN verification_token_created_at;
ALTER TABLE users DROP COLUMN verification_token;
ALTER TABLE users DROP COLUMN is_verified;
