-- drover:revision 1
-- Newest tasks first
--
-- Revision ID: 20260126_newest_first
-- Revises: 20260119_sample
-- Create Date: 2026-01-26 09:00:00
-- Engine: postgresql >= 14
-- Purpose: the list of a person's tasks, newest first, comes from an index
-- Rollback: drops the index
-- Reversible: yes
-- Time budget: 30s

-- drover:up
CREATE INDEX ix_tasks_user_created ON tasks (user_id, created_at DESC);

-- drover:verify "SC-001 the schema is as the models say"
SELECT string_agg(c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                  || CASE WHEN a.attnotnull THEN '' ELSE '?' END, ', ' ORDER BY c.relname, a.attname) =
       'conversations.created_at timestamp with time zone, conversations.id uuid, '
       'conversations.updated_at timestamp with time zone, conversations.user_id uuid, '
       'messages.content text, messages.conversation_id uuid, messages.created_at timestamp with time zone, '
       'messages.id uuid, messages.role message_role, '
       'tasks.completed boolean, tasks.created_at timestamp with time zone, tasks.description character varying(1000)?, '
       'tasks.id uuid, tasks.title character varying(200), tasks.updated_at timestamp with time zone, tasks.user_id uuid, '
       'users.created_at timestamp with time zone, users.email character varying(255), users.id uuid'
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r';

-- drover:verify "SC-002 foreign keys are enforced"
SELECT count(*) = 3 AND bool_and(convalidated) FROM pg_constraint
 WHERE contype = 'f' AND connamespace = 'public'::regnamespace;
DO $$
BEGIN
    INSERT INTO messages (conversation_id, role, content) VALUES (gen_random_uuid(), 'user', 'to nobody');
    RAISE 'a message without a conversation was taken';
EXCEPTION WHEN foreign_key_violation THEN NULL;
END
$$;

-- drover:verify "SC-003 a person's newest tasks of 10,000 come in 50 ms" max=50ms
SELECT count(*) = 20 FROM (SELECT FROM tasks WHERE user_id = (SELECT id FROM users WHERE email = 'sample-7@example.org')
                            ORDER BY created_at DESC LIMIT 20) newest;

-- drover:verify "SC-004 the server speaks SSL, and this session does" only=production
SELECT current_setting('ssl') = 'on';
SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();

-- drover:verify "SC-005 up and down kept every row" on=down
SELECT count(*) = 10000 FROM tasks t JOIN users u ON u.id = t.user_id WHERE u.email LIKE 'sample-%';
SELECT count(*) = 10000 FROM messages m JOIN conversations c ON c.id = m.conversation_id
  JOIN users u ON u.id = c.user_id WHERE u.email LIKE 'sample-%';

-- drover:verify "SC-006 there is room for 20 sessions more"
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') >= 20;

-- drover:verify "SC-007 times are filled by themselves"
DO $$
DECLARE
    person uuid := (SELECT id FROM users WHERE email = 'sample-1@example.org');
    row_is_new boolean;
BEGIN
    INSERT INTO tasks (user_id, title) VALUES (person, 'new') RETURNING created_at = now() AND updated_at = now() INTO row_is_new;
    IF NOT row_is_new THEN
        RAISE 'created_at or updated_at of a new task is not now';
    END IF;
    UPDATE tasks SET completed = true WHERE user_id = person AND title = 'new' RETURNING updated_at > created_at INTO row_is_new;
    IF NOT row_is_new THEN
        RAISE 'updated_at did not follow the change';
    END IF;
END
$$;

-- drover:verify "SC-008 what belongs to a conversation goes with it, and all with the person"
DO $$
BEGIN
    DELETE FROM conversations WHERE user_id = (SELECT id FROM users WHERE email = 'sample-2@example.org');
    IF (SELECT count(*) FROM messages m JOIN conversations c ON c.id = m.conversation_id JOIN users u ON u.id = c.user_id
         WHERE u.email LIKE 'sample-%') <> 9800 OR (SELECT count(*) FROM messages WHERE content LIKE 'message %') <> 9800 THEN
        RAISE 'messages of a conversation that is gone are left';
    END IF;
    DELETE FROM users WHERE email LIKE 'sample-%';
    IF EXISTS (SELECT FROM messages WHERE content LIKE 'message %') OR EXISTS (SELECT FROM tasks WHERE title LIKE 'task %') THEN
        RAISE 'rows of a person who is gone are left';
    END IF;
END
$$;

-- drover:verify "SC-009 the optimiser uses the indexes"
DO $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM tasks WHERE user_id = ''00000000-0000-0000-0000-000000000000'' '
            'ORDER BY created_at DESC LIMIT 20' INTO plan;
    IF plan::text NOT LIKE '%"ix_tasks_user_created"%' THEN
        RAISE 'the newest tasks are not read from their index: %', plan;
    END IF;
    EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM messages WHERE conversation_id = ''00000000-0000-0000-0000-000000000000'''
        INTO plan;
    IF plan::text NOT LIKE '%"ix_messages_conversation_id"%' THEN
        RAISE 'messages are not read from their index: %', plan;
    END IF;
END
$$;

-- drover:verify "SC-010 the migration took less than 30 s"
SELECT clock_timestamp() - now() < interval '30 s';

-- drover:down
DROP INDEX ix_tasks_user_created;
