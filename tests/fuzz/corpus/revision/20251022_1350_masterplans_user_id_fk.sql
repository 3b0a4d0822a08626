-- drover:revision 1
-- Modify masterplans.user_id to UUID FK
--
-- Revision ID: 20251022_1350
-- Revises: 20251022_1349
-- Create Date: 2025-10-22 13:50:00
-- Slug: masterplans_user_id_fk
-- Engine: postgresql, sqlite
-- Purpose: enforce that each row of masterplans belongs to a user
-- Caution: fails where user_id holds something else than the UUID of a user; the preflights name such rows
-- Rollback: user_id becomes varchar(100) again, the foreign key goes
-- Breaking: user_id changes from varchar(100) to uuid; application code that writes other text fails
-- Reversible: yes
-- Lock timeout: 3s
-- Statement timeout: 10min

-- drover:preflight "every user_id is a UUID" engine=postgresql expect=empty sample=5
SELECT user_id, count(*) FROM masterplans
 WHERE user_id !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' GROUP BY user_id;

-- drover:preflight "every user_id refers to a user" engine=postgresql expect=empty sample=5
SELECT t.user_id FROM masterplans t
 WHERE t.user_id ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'
   AND NOT EXISTS (SELECT FROM users u WHERE u.user_id::text = lower(t.user_id));

-- drover:preflight "every user_id refers to a user" engine=sqlite expect=empty sample=5
SELECT t.user_id FROM masterplans t WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = lower(t.user_id));

-- drover:remedy "delete rows whose user_id is not a UUID" for="every user_id is a UUID" engine=postgresql
DELETE FROM masterplans WHERE user_id !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';

-- drover:up engine=postgresql
DROP INDEX idx_masterplan_user;
ALTER TABLE masterplans ALTER COLUMN user_id TYPE uuid USING user_id::uuid;
ALTER TABLE masterplans ADD CONSTRAINT masterplans_user_id_fkey
  FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE NOT VALID;

-- drover:up "validate without blocking writers" engine=postgresql
ALTER TABLE masterplans VALIDATE CONSTRAINT masterplans_user_id_fkey;

-- drover:up "rebuild the index" engine=postgresql transaction=off
CREATE INDEX CONCURRENTLY idx_masterplan_user ON masterplans (user_id);

-- drover:up engine=sqlite
CREATE TABLE masterplans_new (
    masterplan_id CHAR(36)     PRIMARY KEY NOT NULL,
    discovery_id  CHAR(36)     NOT NULL REFERENCES discovery_documents (discovery_id) ON DELETE CASCADE,
    user_id       CHAR(36)     NOT NULL CHECK (length(user_id) = 36) REFERENCES users (user_id) ON DELETE CASCADE,
    name          VARCHAR(300) NOT NULL,
    status        VARCHAR(11)  NOT NULL DEFAULT 'draft'
                  CHECK (status IN ('draft', 'approved', 'in_progress', 'completed', 'failed')),
    created_at    DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO masterplans_new (masterplan_id, discovery_id, user_id, name, status, created_at)
SELECT masterplan_id, discovery_id, lower(user_id), name, status, created_at FROM masterplans;
DROP TABLE masterplans;
ALTER TABLE masterplans_new RENAME TO masterplans;
CREATE INDEX idx_masterplan_user ON masterplans (user_id);
CREATE INDEX idx_masterplan_discovery ON masterplans (discovery_id);

-- drover:verify "the index is valid and the key is enforced" engine=postgresql
SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_masterplan_user'::regclass;
SELECT convalidated FROM pg_constraint WHERE conname = 'masterplans_user_id_fkey';

-- drover:verify "lookup by user_id stays fast" engine=postgresql max=500ms only=staging
SELECT count(*) >= 0 FROM masterplans WHERE user_id = '00000000-0000-0000-0000-000000000001';

-- drover:verify "the key is enforced" engine=sqlite
SELECT count(*) = 1 FROM pragma_foreign_key_list('masterplans') WHERE "table" = 'users' AND on_delete = 'CASCADE';

-- drover:down "drop the index" engine=postgresql transaction=off
DROP INDEX CONCURRENTLY idx_masterplan_user;

-- drover:down engine=postgresql
ALTER TABLE masterplans DROP CONSTRAINT masterplans_user_id_fkey;
ALTER TABLE masterplans ALTER COLUMN user_id TYPE varchar(100) USING user_id::text;
CREATE INDEX idx_masterplan_user ON masterplans (user_id);

-- drover:down engine=sqlite
CREATE TABLE masterplans_old (
    masterplan_id CHAR(36)     PRIMARY KEY NOT NULL,
    discovery_id  CHAR(36)     NOT NULL REFERENCES discovery_documents (discovery_id) ON DELETE CASCADE,
    user_id       VARCHAR(100) NOT NULL,
    name          VARCHAR(300) NOT NULL,
    status        VARCHAR(11)  NOT NULL DEFAULT 'draft'
                  CHECK (status IN ('draft', 'approved', 'in_progress', 'completed', 'failed')),
    created_at    DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO masterplans_old SELECT masterplan_id, discovery_id, user_id, name, status, created_at FROM masterplans;
DROP TABLE masterplans;
ALTER TABLE masterplans_old RENAME TO masterplans;
CREATE INDEX idx_masterplan_user ON masterplans (user_id);
CREATE INDEX idx_masterplan_discovery ON masterplans (discovery_id);
