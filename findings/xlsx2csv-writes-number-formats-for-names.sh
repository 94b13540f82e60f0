#!/usr/bin/env bash
# xlsx2csv 0.8.6 (PyPI): cells that show "Team 2" to "Team 32" all become one text, "tea01 "0, with the quotation marks.
#
# A number has a format, in which a text in quotation marks is shown as it is (ECMA-376, Part 1, 18.8.31 "numFmts"): with "Team "0, a 7 is shown as Team 7.
# xlsx2csv takes a format with one of the letters h, s, m, d and y for that of a date, also if they are in quotation marks (xlsx2csv.py, "it must be date
# format"). It writes the format in lower case, with a part of the date in place of each such letter: of "Team ", the m is the month, and that is 01 from 2 to 32.
# The number is lost. A format without these letters gives the number. Of the same workbook, openpyxl 3.1.5, python-calamine 0.9.1 and csvkit 2.2.0 give 7, and
# SheetJS 0.18.5 gives Team 7. The README and --help speak of the format of dates only; -f float, for dates as numbers, prevents it.
#
# Seen (the numbers 2 and 32 in a format, by xlsx2csv and by xlsx2csv -f float):
#   "Team "0     "tea01 "0, "tea01 "0     2, 32
#   0" Std"      0" st01", 0" st31"       2, 32
#   "Group "0    2, 32                    2, 32
#
# Rollcall warns of a group with such a name (looks-changed; domain/files/suspicions.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'xlsx2csv==0.8.6' 'openpyxl==3.1.5' 2>/dev/null
venv/bin/python - <<'PYTHON'
import csv
import sys

import openpyxl
from xlsx2csv import Xlsx2csv

FORMATS = ['"Team "0', '0" Std"', '"Group "0']
book = openpyxl.Workbook()
for form in FORMATS:
    book.active.append([2, 32])
    for cell in book.active[book.active.max_row]:
        cell.number_format = form
book.save("teams.xlsx")


def rows(**options):
    Xlsx2csv("teams.xlsx", **options).convert("teams.csv")
    with open("teams.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


seen = list(zip(FORMATS, rows(), rows(dateformat="float"), strict=True))
for form, plain, floats in seen:
    print(f"{form}     {', '.join(plain)}     {', '.join(floats)}")
expected = [
    ('"Team "0', ['"tea01 "0', '"tea01 "0'], ["2", "32"]),
    ('0" Std"', ['0" st01"', '0" st31"'], ["2", "32"]),
    ('"Group "0', ["2", "32"], ["2", "32"]),
]
sys.exit(0 if seen == expected else "xlsx2csv behaves otherwise now")
PYTHON
