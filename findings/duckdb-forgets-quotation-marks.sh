#!/usr/bin/env bash
# duckdb 2.0.1 (PyPI): quotation marks are text, and columns shift without a word, if no cell among the first 20,480 rows of a CSV file has any.
#
# The sniffer looks at the first 20,480 rows (documentation, "CSV Auto Detection", which says so of the types). If none has a quotation mark, it settles
# for a file without quoting, although RFC 4180, section 2, has no such files: each field may be quoted or not, and those that hold a comma must be.
# Further down, a quoted comma then ends a cell. Where the last column is blank the surplus cell is dropped, so nothing fails and the values stand in
# the wrong columns. If the header is quoted, even in one cell, all is read as it is.
#
# Seen (20,480 rows without quotation marks, then 20482,"Sales, Europe",ann@example.com,):
#   header line,group,user,reason        20482 | "Sales | Europe" | ann@example.com
#   header line,group,user,"reason"      20482 | Sales, Europe | ann@example.com | (blank)
#
# Rollcall quotes the header of report.csv, in which the problems, with commas, come last (adapters/csv_text.py).
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

rows = [f"{line},Group {line},ann@example.com," for line in range(2, 20_482)]
rows.append('20482,"Sales, Europe",ann@example.com,')
seen = []
for header in ("line,group,user,reason", 'line,group,user,"reason"'):
    Path("report.csv").write_text("\r\n".join([header, *rows, ""]), newline="")
    seen.append(duckdb.sql("SELECT * FROM read_csv('report.csv') WHERE line = 20482").fetchall())
    print(header, seen[-1])
expected = [[(20482, '"Sales', ' Europe"', "ann@example.com")], [(20482, "Sales, Europe", "ann@example.com", None)]]
sys.exit(0 if seen == expected else "duckdb behaves otherwise now")
PYTHON
