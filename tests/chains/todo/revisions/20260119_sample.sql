-- drover:revision 1
-- Ten thousand sample rows
--
-- Revision ID: 20260119_sample
-- Revises: 20260112_conversations
-- Create Date: 2026-01-19 09:00:00
-- Engine: postgresql >= 14
-- Purpose: something to measure with
-- Rollback: takes the sample rows away again, and no others
-- Reversible: yes
-- Time budget: 30s

-- drover:up
INSERT INTO users (email) SELECT 'sample-' || n || '@example.org' FROM generate_series(1, 50) n;
INSERT INTO tasks (user_id, title, created_at)
    SELECT u.id, 'task ' || n, now() - n * interval '1 minute'
      FROM users u, generate_series(1, 200) n WHERE u.email LIKE 'sample-%';
INSERT INTO conversations (user_id) SELECT id FROM users WHERE email LIKE 'sample-%';
INSERT INTO messages (conversation_id, role, content)
    SELECT c.id, 'user', 'message ' || n
      FROM conversations c JOIN users u ON u.id = c.user_id, generate_series(1, 200) n WHERE u.email LIKE 'sample-%';
ANALYZE users, tasks, conversations, messages;

-- drover:verify "10,000 of each"
SELECT count(*) >= 10000 FROM tasks;
SELECT count(*) >= 10000 FROM messages;

-- drover:down
DELETE FROM users WHERE email LIKE 'sample-%';
