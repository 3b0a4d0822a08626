-- drover:revision 1
-- make plans.user_id a foreign key
--
-- Revision ID: 20251022_1350
-- Revises: 004_reviews
-- Slug: plans_user_id_key
-- Engine: postgresql >= 14
-- Breaking: user_id changes from text to uuid
-- Reversible: lossy, the spelling of the ids
-- Phase: migrate
-- Time budget: 30s

-- drover:preflight "every user_id is a uuid" expect=empty sample=5
SELECT user_id FROM plans WHERE user_id !~* '^[0-9a-f-]{36}$';

-- drover:remedy "delete rows without a uuid" for="every user_id is a uuid"
DELETE FROM plans WHERE user_id !~* '^[0-9a-f-]{36}$';

-- drover:up lock_timeout=3s retry=4
DROP INDEX ix_plans_user;
ALTER TABLE plans ALTER COLUMN user_id TYPE uuid USING user_id::uuid;
ALTER TABLE plans ADD CONSTRAINT plans_user_fk FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;

-- drover:up "validate without blocking writers"
ALTER TABLE plans VALIDATE CONSTRAINT plans_user_fk;

-- drover:up "build the index" transaction=off
CREATE INDEX CONCURRENTLY ix_plans_user ON plans (user_id);

-- drover:verify "the index is valid" max=50ms
SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_plans_user'::regclass;

-- drover:down "drop the index" transaction=off
DROP INDEX CONCURRENTLY ix_plans_user;

-- drover:down
ALTER TABLE plans DROP CONSTRAINT plans_user_fk;
ALTER TABLE plans ALTER COLUMN user_id TYPE varchar(100) USING user_id::text;
CREATE INDEX ix_plans_user ON plans (user_id);
