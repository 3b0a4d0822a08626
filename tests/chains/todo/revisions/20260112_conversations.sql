-- drover:revision 1
-- Conversations and their messages
--
-- Revision ID: 20260112_conversations
-- Revises: 20260105_initial
-- Create Date: 2026-01-12 09:00:00
-- Engine: postgresql >= 14
-- Purpose: what a person and the assistant said to each other
-- Rollback: drops both tables and the type
-- Destructive: the way back drops both tables with their rows
-- Reversible: lossy, all rows of both tables go
-- Time budget: 30s

-- drover:up
CREATE TYPE message_role AS ENUM ('user', 'assistant', 'system');

CREATE TABLE conversations (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_conversations_user_id ON conversations (user_id);
CREATE TRIGGER conversations_touch BEFORE UPDATE ON conversations FOR EACH ROW EXECUTE FUNCTION touch_row();

-- A message is never changed, so it has no updated_at.
CREATE TABLE messages (
    id              uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid         NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role            message_role NOT NULL,
    content         text         NOT NULL,
    created_at      timestamptz  NOT NULL DEFAULT now()
);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);

-- drover:verify "three roles, in their order"
SELECT array_agg(enumlabel::text ORDER BY enumsortorder) = ARRAY['user', 'assistant', 'system']
  FROM pg_enum WHERE enumtypid = 'message_role'::regtype;

-- drover:down
DROP TABLE messages;
DROP TABLE conversations;
DROP TYPE message_role;

-- drover:verify "nothing is left of it" on=down
SELECT to_regtype('message_role') IS NULL AND to_regclass('messages') IS NULL;
