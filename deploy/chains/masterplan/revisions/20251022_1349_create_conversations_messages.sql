-- drover:revision 1
-- Create conversations and messages tables
--
-- Revision ID: 20251022_1349
-- Revises: 20251022_1348
-- Create Date: 2025-10-22 13:49:00
-- Slug: create_conversations_messages
-- Engine: postgresql, sqlite
-- Purpose: conversations of each user with their messages
-- Rollback: drops messages, then conversations
-- Destructive: the way back drops both tables with their rows
-- Reversible: lossy, all conversations go

-- drover:up engine=postgresql
CREATE TABLE conversations (
    conversation_id uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         uuid        NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    title           varchar(300),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_conversations_user_id ON conversations (user_id);
CREATE INDEX idx_conversations_created_at ON conversations (created_at);

CREATE TABLE messages (
    message_id      uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid        NOT NULL REFERENCES conversations (conversation_id) ON DELETE CASCADE,
    role            varchar(20) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content         text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_messages_conversation_id ON messages (conversation_id);

-- drover:up engine=sqlite
CREATE TABLE conversations (
    conversation_id CHAR(36) PRIMARY KEY NOT NULL,
    user_id         CHAR(36) NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    title           VARCHAR(300),
    created_at      DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_conversations_user_id ON conversations (user_id);
CREATE INDEX idx_conversations_created_at ON conversations (created_at);

CREATE TABLE messages (
    message_id      CHAR(36)    PRIMARY KEY NOT NULL,
    conversation_id CHAR(36)    NOT NULL REFERENCES conversations (conversation_id) ON DELETE CASCADE,
    role            VARCHAR(20) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content         TEXT        NOT NULL,
    created_at      DATETIME    NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_messages_conversation_id ON messages (conversation_id);

-- drover:verify "an unknown role is refused and messages go with their conversation" engine=postgresql only=staging
DO $$
DECLARE
    u uuid := gen_random_uuid();
    c uuid := gen_random_uuid();
BEGIN
    INSERT INTO users (user_id, email, username, password_hash) VALUES (u, u || '@example.org', left(u::text, 20), 'x');
    INSERT INTO conversations (conversation_id, user_id) VALUES (c, u);
    INSERT INTO messages (conversation_id, role, content) VALUES (c, 'user', 'hello');
    BEGIN
        INSERT INTO messages (conversation_id, role, content) VALUES (c, 'stranger', 'hello');
        RAISE EXCEPTION 'the role "stranger" was accepted';
    EXCEPTION WHEN check_violation THEN NULL;
    END;
    DELETE FROM users WHERE user_id = u;
    ASSERT NOT EXISTS (SELECT FROM messages WHERE conversation_id = c), 'the cascade left messages';
END $$;

-- drover:verify "both tables are there" engine=sqlite
SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('conversations', 'messages');

-- drover:down
DROP INDEX idx_messages_conversation_id;
DROP TABLE messages;
DROP INDEX idx_conversations_created_at;
DROP INDEX idx_conversations_user_id;
DROP TABLE conversations;
