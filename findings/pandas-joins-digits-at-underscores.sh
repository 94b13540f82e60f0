#!/usr/bin/env bash
# pandas 3.1.1, agate 1.14.2 with csvkit 2.2.0, and pyexcel 0.7.6 (PyPI): groups called "2025_1" and "2025_2", for terms, become 20251 and 20252.
#
# They try Python's float, int or Decimal on each text, and since PEP 515 those accept underscores between digits: as in the source of programs, which a file
# of data isn't. In JSON, "2025_1" is a string, and a number has no underscores (RFC 8259, sections 6 and 7); RFC 4180 knows no types. pandas' read_csv and
# to_numeric leave such texts alone; read_json makes numbers of strings, and an array in which they stand stays as it is. csvkit and pyexcel write the number into
# a CSV file that they only sort or copy. With one other name in the column, such as "Staff", pandas and csvkit leave all as they are; pyexcel looks at each cell by itself.
# dtype=False (read_json), --no-inference (csvkit) and auto_detect_int=False with auto_detect_float=False (pyexcel) prevent it. Known to the projects since 2017
# (pandas' issue 17869, csvkit's 1246, pyexcel's 138), and so nevertheless.
#
# Seen (the names that each made of two):
#   pandas.read_json of lines of JSON    2025_1 2025_2: 20251 20252      2025_1 Staff: 2025_1 Staff
#   csvsort -c Email                     2025_1 2025_2: 20251 20252      2025_1 Staff: 2025_1 Staff
#   pyexcel.save_as, from CSV to CSV     2025_1 2025_2: 20251.0 20252.0  2025_1 Staff: 20251.0 Staff
#   pandas.read_csv                      2025_1 2025_2: 2025_1 2025_2    2025_1 Staff: 2025_1 Staff
#
# Rollcall warns of a group 20251 where there is a 2025_1 (looks-changed; domain/spreadsheets.py). docs/importing.md, "Exports", says what to pass to read_json.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pandas==3.1.1' 'agate==1.14.2' 'csvkit==2.2.0' 'pyexcel==0.7.6' 'pyexcel-io==0.6.8' 2>/dev/null
venv/bin/python - <<'PYTHON'
import csv
import json
import subprocess
import sys
from io import StringIO

import pandas
import pyexcel


def written(text):
    return " ".join(row["Groupname"] for row in csv.DictReader(StringIO(text)))


def csvsort():
    return written(subprocess.run(["venv/bin/csvsort", "-c", "Email", "groups.csv"], capture_output=True, check=True, text=True).stdout)


def copied(**options):
    pyexcel.save_as(file_name="groups.csv", dest_file_name="copy.csv", **options)
    with open("copy.csv", newline="") as copy:
        return written(copy.read())


def read(reader, text, **options):
    return " ".join(map(str, reader(StringIO(text), **options)["Groupname"].tolist()))


seen = {}
for names in (["2025_1", "2025_2"], ["2025_1", "Staff"]):
    rows = [{"Groupname": name, "Email": f"user{number}@example.com"} for number, name in enumerate(names)]
    lines = "\n".join(map(json.dumps, rows))
    text = "\n".join(["Groupname,Email", *(",".join(row.values()) for row in rows)]) + "\n"
    with open("groups.csv", "w") as file:
        file.write(text)
    seen[" ".join(names)] = {
        "read_json": read(pandas.read_json, lines, lines=True),
        "read_json, dtype=False": read(pandas.read_json, lines, lines=True, dtype=False),
        "read_csv": read(pandas.read_csv, text),
        "csvsort": csvsort(),
        "pyexcel": copied(),
        "pyexcel, without detection": copied(auto_detect_int=False, auto_detect_float=False),
    }
for names, made in seen.items():
    print(f"{names}:", *(f"  {how}: {found}" for how, found in made.items()), sep="\n")
expected = {
    "2025_1 2025_2": ["20251 20252", "2025_1 2025_2", "2025_1 2025_2", "20251 20252", "20251.0 20252.0", "2025_1 2025_2"],
    "2025_1 Staff": ["2025_1 Staff", "2025_1 Staff", "2025_1 Staff", "2025_1 Staff", "20251.0 Staff", "2025_1 Staff"],
}
sys.exit(0 if {names: [*made.values()] for names, made in seen.items()} == expected else "pandas, csvkit or pyexcel behaves otherwise now")
PYTHON
