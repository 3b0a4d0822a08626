// The SQL of the SQLite backend: DR_SQL(name, text), one statement each.
#define DR_DOCUMENT_COLUMNS                                                                        \
    "sha256, kind, envelope, parts, environment, target, agent, plan, subkind, version, epoch,"    \
    " time, is_pending, log_index"

DR_SQL(DOCUMENT_PUT,
       "INSERT INTO document (" DR_DOCUMENT_COLUMNS ")"
       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
       " ON CONFLICT (sha256) DO UPDATE SET envelope = ?3, parts = ?4, is_pending = ?13")
DR_SQL(DOCUMENT_GET, "SELECT " DR_DOCUMENT_COLUMNS " FROM document WHERE sha256 = ?1")
DR_SQL(DOCUMENT_VERSION,
       "SELECT " DR_DOCUMENT_COLUMNS " FROM document WHERE kind = ?1 AND is_pending = 0"
       " AND (?2 = 0 OR version = ?2) ORDER BY version DESC LIMIT 1")
DR_SQL(DOCUMENT_LATEST,
       "SELECT " DR_DOCUMENT_COLUMNS " FROM document WHERE target = ?1 AND subkind = ?2"
       " AND kind = 'drover/attestation.v1' ORDER BY log_index DESC LIMIT 1")
DR_SQL(DOCUMENT_LATEST_WORD,
       "SELECT sha256, time, version, log_index FROM document WHERE target = ?1 AND subkind = ?2"
       " AND kind = 'drover/attestation.v1' ORDER BY log_index DESC LIMIT 1")
DR_SQL(DOCUMENT_COUNTER,
       "SELECT " DR_DOCUMENT_COLUMNS " FROM document WHERE agent = ?1 AND epoch = ?2"
       " AND version = ?3 AND kind = 'drover/attestation.v1' LIMIT 1")
DR_SQL(DOCUMENT_LIST,
       "SELECT " DR_DOCUMENT_COLUMNS " FROM document"
       " WHERE log_index > ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR environment = ?3)"
       " AND (?4 IS NULL OR target = ?4) AND (?5 IS NULL OR plan = ?5)"
       " AND (?6 = 0 OR (?6 >> subkind) & 1) AND (?7 < 0 OR is_pending = ?7)"
       " ORDER BY log_index LIMIT ?8")
DR_SQL(DOCUMENT_NEWEST,
       "SELECT " DR_DOCUMENT_COLUMNS " FROM document"
       " WHERE log_index > ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR environment = ?3)"
       " AND (?4 IS NULL OR target = ?4) AND (?5 IS NULL OR plan = ?5)"
       " AND (?6 = 0 OR (?6 >> subkind) & 1) AND (?7 < 0 OR is_pending = ?7)"
       " AND log_index < ?9 ORDER BY log_index DESC LIMIT ?8")
DR_SQL(DOCUMENT_TARGET, "SELECT " DR_DOCUMENT_COLUMNS " FROM document INDEXED BY document_target"
                        " WHERE target = ?4 AND log_index > ?1 AND (?2 IS NULL OR kind = ?2)"
                        " AND (?3 IS NULL OR environment = ?3) AND (?5 IS NULL OR plan = ?5)"
                        " AND (?6 = 0 OR (?6 >> subkind) & 1) AND (?7 < 0 OR is_pending = ?7)"
                        " AND log_index < ?9 ORDER BY log_index DESC LIMIT ?8")
DR_SQL(DOCUMENT_KIND, "SELECT " DR_DOCUMENT_COLUMNS " FROM document INDEXED BY document_latest"
                      " WHERE target = ?4 AND subkind = ?6 AND log_index > ?1"
                      " AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR environment = ?3)"
                      " AND (?5 IS NULL OR plan = ?5) AND (?7 < 0 OR is_pending = ?7)"
                      " AND log_index < ?9 ORDER BY log_index DESC LIMIT ?8")

DR_SQL(REVISION_PUT, "INSERT INTO revision (digest, id, body) VALUES (?1, ?2, ?3)"
                     " ON CONFLICT (digest) DO UPDATE SET body = ?3")
DR_SQL(REVISION_DROP, "DELETE FROM revision WHERE id = ?1")
DR_SQL(REVISION_LIST, "SELECT id, body FROM revision ORDER BY position")

DR_SQL(ROLLOUT_PUT, "INSERT INTO rollout (number, id, is_open, body) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (number) DO UPDATE SET is_open = ?3, body = ?4")
DR_SQL(ROLLOUT_LIST, "SELECT id, body FROM rollout WHERE is_open >= ?1 ORDER BY number")

DR_SQL(AGENT_SEQ, "SELECT last_seq FROM agent WHERE name = ?1")
DR_SQL(AGENT_PUT, "INSERT INTO agent (name, last_seq) VALUES (?1, ?2)"
                  " ON CONFLICT (name) DO UPDATE SET last_seq = max(last_seq, ?2)")
DR_SQL(PUSH_PUT,
       "INSERT INTO push (agent, seq, kind, key, id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
DR_SQL(PUSH_LIST,
       "SELECT seq, kind, id, body FROM push WHERE agent = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")
DR_SQL(PUSH_ACK, "DELETE FROM push WHERE agent = ?1 AND seq <= ?2")
DR_SQL(PUSH_DROP, "DELETE FROM push WHERE agent = ?1 AND key = ?2")

DR_SQL(LOG_PUT, "INSERT INTO log (idx, time, kind, subject, text, actor, document, previous, hash)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
DR_SQL(LOG_LIST,
       "SELECT idx, time, kind, subject, text, actor, document, previous, hash FROM log"
       " WHERE idx > ?1 AND (?2 IS NULL OR instr(' ' || subject || ' ', ' ' || ?2 || ' ') > 0)"
       " ORDER BY idx LIMIT ?3")
DR_SQL(LOG_HEAD, "SELECT idx, hash FROM log ORDER BY idx DESC LIMIT 1")

DR_SQL(RESULT_GET,
       "SELECT request_sha256, body, time FROM result WHERE caller = ?1 AND request_id = ?2")
DR_SQL(RESULT_PUT, "INSERT OR REPLACE INTO result (caller, request_id, request_sha256, body, time)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)")
DR_SQL(RESULT_SWEEP, "DELETE FROM result WHERE time < ?1")

#undef DR_DOCUMENT_COLUMNS
