#!/usr/bin/env bash
# openpyxl 3.1.5, polars 2.1.0, tablib 3.10.0 and pyexcel-xlsx 0.6.1 (PyPI): of a long list of addresses in a cell, they write the beginning, up to the middle of an address.
#
# A cell of Excel holds 32,767 characters (Microsoft, "Excel specifications and limits"). ECMA-376 has no such limit, and a longer text is valid there. openpyxl cuts
# it before it writes (cell/cell.py, check_string) without a warning, and so do tablib, by which django-import-export writes, and pyexcel, which write by
# openpyxl. XlsxWriter returns -2 for a text that it has cut, as its documentation of write_string says; polars' write_excel doesn't look at that, and its
# documentation speaks of no limit, though it raises for too many rows or columns. What is left of the last address can be a valid one of somebody else: "ann@example.co" of
# "ann@example.com". pandas 3.1.1 warns, and SheetJS 0.18.5 raises.
#
# Seen (a list of 66,000 characters in a cell, written and read again; the number of characters, the last address, whether anything was said):
#   openpyxl   32767  user01488@example.co  nothing
#   polars     32767  user01488@example.co  nothing
#   tablib     32767  user01488@example.co  nothing
#   pyexcel    32767  user01488@example.co  nothing
#   pandas     32767  user01488@example.co  UserWarning
#
# Rollcall refuses a list of exactly so many characters (domain/addresses.py, why_incomplete).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'openpyxl==3.1.5' 'polars==2.1.0' 'XlsxWriter==3.3.1' 'tablib==3.10.0' 'pyexcel==0.7.6' \
  'pyexcel-xlsx==0.6.1' 'pandas==3.1.1' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
import warnings

import openpyxl
import pandas
import polars
import pyexcel
import tablib

# The cut falls into the last letter of "example.com".
LIST = "u" * 11 + ";".join(f"user{number:05}@example.com" for number in range(3000))
TABLE = {"Groupname": ["Sales"], "Email": [LIST]}


def by_openpyxl():
    book = openpyxl.Workbook()
    book.active.append(["Groupname", "Email"])
    book.active.append(["Sales", LIST])
    book.save("list.xlsx")


def by_tablib():
    with open("list.xlsx", "wb") as file:
        file.write(tablib.Dataset(["Sales", LIST], headers=["Groupname", "Email"]).export("xlsx"))


WRITERS = {
    "openpyxl": by_openpyxl,
    "polars": lambda: polars.DataFrame(TABLE).write_excel("list.xlsx"),
    "tablib": by_tablib,
    "pyexcel": lambda: pyexcel.save_as(array=[["Groupname", "Email"], ["Sales", LIST]], dest_file_name="list.xlsx"),
    "pandas": lambda: pandas.DataFrame(TABLE).to_excel("list.xlsx", index=False),
}
seen = []
for name, write in WRITERS.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write()
    said = [each.category.__name__ for each in caught if issubclass(each.category, UserWarning)]
    cell = openpyxl.load_workbook("list.xlsx").active["B2"].value
    seen.append((name, len(cell), cell.rpartition(";")[2], *(said or ["nothing"])))
    print(*seen[-1])
expected = [(name, 32767, "user01488@example.co", "UserWarning" if name == "pandas" else "nothing") for name in WRITERS]
sys.exit(0 if seen == expected else "they behave otherwise now")
PYTHON
