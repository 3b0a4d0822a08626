-- drover:revision 1
-- Modify discovery_documents.user_id to UUID FK
--
-- Revision ID: 20251022_1351
-- Revises: 20251022_1350
-- Create Date: 2025-10-22 13:51:00
-- Slug: discovery_documents_user_id_fk
-- Engine: postgresql, sqlite
-- Purpose: enforce that each row of discovery_documents belongs to a user
-- Caution: fails where user_id holds something else than the UUID of a user; the preflights name such rows
-- Rollback: user_id becomes varchar(100) again, the foreign key goes
-- Breaking: user_id changes from varchar(100) to uuid; application code that writes other text fails
-- Reversible: yes
-- Lock timeout: 3s
-- Statement timeout: 10min

-- drover:preflight "every user_id is a UUID" engine=postgresql expect=empty sample=5
SELECT user_id, count(*) FROM discovery_documents
 WHERE user_id !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' GROUP BY user_id;

-- drover:preflight "every user_id refers to a user" engine=postgresql expect=empty sample=5
SELECT t.user_id FROM discovery_documents t
 WHERE t.user_id ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'
   AND NOT EXISTS (SELECT FROM users u WHERE u.user_id::text = lower(t.user_id));

-- drover:preflight "every user_id refers to a user" engine=sqlite expect=empty sample=5
SELECT t.user_id FROM discovery_documents t WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = lower(t.user_id));

-- drover:remedy "delete rows whose user_id is not a UUID" for="every user_id is a UUID" engine=postgresql
DELETE FROM discovery_documents WHERE user_id !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';

-- drover:up engine=postgresql
DROP INDEX idx_discovery_user;
ALTER TABLE discovery_documents ALTER COLUMN user_id TYPE uuid USING user_id::uuid;
ALTER TABLE discovery_documents ADD CONSTRAINT discovery_documents_user_id_fkey
  FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE NOT VALID;

-- drover:up "validate without blocking writers" engine=postgresql
ALTER TABLE discovery_documents VALIDATE CONSTRAINT discovery_documents_user_id_fkey;

-- drover:up "rebuild the index" engine=postgresql transaction=off
CREATE INDEX CONCURRENTLY idx_discovery_user ON discovery_documents (user_id);

-- drover:up engine=sqlite
CREATE TABLE discovery_documents_new (
    discovery_id CHAR(36)     PRIMARY KEY NOT NULL,
    user_id      CHAR(36)     NOT NULL CHECK (length(user_id) = 36) REFERENCES users (user_id) ON DELETE CASCADE,
    title        VARCHAR(300) NOT NULL,
    content      TEXT         NOT NULL DEFAULT '',
    created_at   DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO discovery_documents_new (discovery_id, user_id, title, content, created_at)
SELECT discovery_id, lower(user_id), title, content, created_at FROM discovery_documents;
DROP TABLE discovery_documents;
ALTER TABLE discovery_documents_new RENAME TO discovery_documents;
CREATE INDEX idx_discovery_user ON discovery_documents (user_id);

-- drover:verify "the index is valid and the key is enforced" engine=postgresql
SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_discovery_user'::regclass;
SELECT convalidated FROM pg_constraint WHERE conname = 'discovery_documents_user_id_fkey';

-- drover:verify "the key is enforced" engine=sqlite
SELECT count(*) = 1 FROM pragma_foreign_key_list('discovery_documents') WHERE "table" = 'users' AND on_delete = 'CASCADE';

-- drover:down "drop the index" engine=postgresql transaction=off
DROP INDEX CONCURRENTLY idx_discovery_user;

-- drover:down engine=postgresql
ALTER TABLE discovery_documents DROP CONSTRAINT discovery_documents_user_id_fkey;
ALTER TABLE discovery_documents ALTER COLUMN user_id TYPE varchar(100) USING user_id::text;
CREATE INDEX idx_discovery_user ON discovery_documents (user_id);

-- drover:down engine=sqlite
CREATE TABLE discovery_documents_old (
    discovery_id CHAR(36)     PRIMARY KEY NOT NULL,
    user_id      VARCHAR(100) NOT NULL,
    title        VARCHAR(300) NOT NULL,
    content      TEXT         NOT NULL DEFAULT '',
    created_at   DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO discovery_documents_old SELECT discovery_id, user_id, title, content, created_at FROM discovery_documents;
DROP TABLE discovery_documents;
ALTER TABLE discovery_documents_old RENAME TO discovery_documents;
CREATE INDEX idx_discovery_user ON discovery_documents (user_id);
