#!/usr/bin/env bash
# duckdb 2.0.1 (PyPI): of a list of groups, those whose names begin with "#" disappear without a word, if a cell of another row is blank.
#
# RFC 4180 knows no comments, and #general is a name like others, usual for teams that have channels. The sniffer tries reading with comments and without them,
# and settles for what suits most rows (documentation, "CSV Auto Detection"). A row that ends with a blank cell has all its delimiters, but where there is one, and a
# filled row begins with #, comments win: that row, and all others that begin so, are gone. read_csv returns the rest, and neither warns nor counts them
# as rejected. If all cells are filled, or the name has quotation marks, nothing is lost. comment='' prevents it.
#
# Seen (two rows, of which each has both commas; the names that DuckDB read):
#   Sales,ann@example.com,                  #general,ben@example.com,cem@example.com      Sales
#   Sales,ann@example.com,                  #general,ben@example.com,                     Sales, #general
#   Sales,ann@example.com,dora@example.com  #general,ben@example.com,cem@example.com      Sales, #general
#   Sales,ann@example.com,                  "#general",ben@example.com,cem@example.com    Sales, #general
#   the first of these, with comment=''                                                   Sales, #general
#
# Rollcall writes quotation marks around a name that begins a row with # (adapters/csv_text.py). docs/importing.md, "Exports", says what to pass to DuckDB.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'duckdb==2.0.1' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import duckdb

SHORT, LONG = "Sales,ann@example.com,", "Sales,ann@example.com,dora@example.com"
FILES = [
    (SHORT, "#general,ben@example.com,cem@example.com", ""),
    (SHORT, "#general,ben@example.com,", ""),
    (LONG, "#general,ben@example.com,cem@example.com", ""),
    (SHORT, '"#general",ben@example.com,cem@example.com', ""),
    (SHORT, "#general,ben@example.com,cem@example.com", ", comment=''"),
]
seen = []
for first, second, options in FILES:
    Path("groups.csv").write_text("\r\n".join(["Groupname,Email,Email", first, second, ""]), newline="")
    seen.append([name for (name,) in duckdb.sql(f"SELECT Groupname FROM read_csv('groups.csv'{options})").fetchall()])
    print(first, second, options, seen[-1])
both = ["Sales", "#general"]
sys.exit(0 if seen == [["Sales"], both, both, both, both] else "duckdb behaves otherwise now")
PYTHON
