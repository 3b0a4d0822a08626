-- drover:revision 1
-- Canvas management
--
-- Revision ID: 003_canvas_management
-- Revises: 002_canvas_tables
-- Create Date: 2026-02-13 14:00:00.000000
-- Engine: postgresql

-- drover:up
SELECT 1;

-- drover:down
SELECT 1;
