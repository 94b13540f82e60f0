#!/usr/bin/env bash
# pandas 3.1.1 over NumPy 2.4.6 (PyPI): of a group with 1,001 addresses in a cell, to_csv writes six, and three dots. It raises nothing.
#
# A cell that isn't text or a number is written as str() has it, which for a NumPy array is made for people to look at: with more than 1,000 items it is
# "summarized" (NumPy, set_printoptions, threshold). Lists come as such arrays from read_parquet, from DuckDB's df(), and from unique() of a group, so that
# nobody has asked for NumPy. Up to 1,000 all are there, and Python lists have all of them at any length. For texts of the type str, the default of
# pandas 3, unique() gives an array of pandas' own, which is cut to 20 from 101 on (display.max_seq_items, an option for printing). The documentation of
# to_csv says that it writes the object to a file, and speaks of nothing that is left out. Known (pandas' issue 61474, 2025). map(list) before it helps.
#
# Seen (a column of lists; how many addresses are in the file):
#                                     100     101    1000    1001
#   a list                            100     101    1000    1001
#   read_parquet                      100     101    1000       6
#   DuckDB 2.0.1, df()                100     101    1000       6
#   groupby(…).unique(), object       100     101    1000       6
#   groupby(…).unique(), str          100      20      20      20
#
# Rollcall reads several addresses in a cell, and refuses such a list instead of taking it for the six (domain/addresses.py, why_incomplete).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pandas==3.1.1' 'numpy==2.4.6' 'pyarrow==26.0.1' 'duckdb==2.0.1' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys

import duckdb
import pandas


def written(frame):
    return frame.to_csv().count("@")


def of(count):
    addresses = [f"user{number}@example.com" for number in range(count)]
    users = pandas.DataFrame({"Groupname": ["Staff"] * count, "Email": addresses})
    groups = pandas.DataFrame({"Groupname": ["Staff"], "Email": [addresses]})
    groups.to_parquet("groups.parquet")
    return {
        "a list": written(groups),
        "read_parquet": written(pandas.read_parquet("groups.parquet")),
        "DuckDB": written(duckdb.sql("SELECT * FROM 'groups.parquet'").df()),
        "unique, object": written(users.astype(object).groupby("Groupname")["Email"].unique()),
        "unique, str": written(users.groupby("Groupname")["Email"].unique()),
        "read_parquet, map(list)": written(pandas.read_parquet("groups.parquet").assign(Email=lambda read: read["Email"].map(list))),
    }


counts = (100, 101, 1000, 1001)
seen = {count: of(count) for count in counts}
for way in seen[100]:
    print(f"{way:24}", *(f"{seen[count][way]:6}" for count in counts))
expected = {
    "a list": [*counts],
    "read_parquet": [100, 101, 1000, 6],
    "DuckDB": [100, 101, 1000, 6],
    "unique, object": [100, 101, 1000, 6],
    "unique, str": [100, 20, 20, 20],
    "read_parquet, map(list)": [*counts],
}
sys.exit(0 if {way: [seen[count][way] for count in counts] for way in seen[100]} == expected else "pandas or NumPy behaves otherwise now")
PYTHON
