#!/usr/bin/env bash
# pyspark 4.3.0 (PyPI): groups called "T1" and "T2" become one and two o'clock of the day on which the file is read, and "5D" and "5F" one number, 5.0.
#
# read.csv(inferSchema=True) takes a column for times if each text can be cast to one. "T1" can be: a T may begin a time, and a time without a date is that of the current day.
# Casts are documented so; read.csv says that times have the timestampFormat, by default yyyy-MM-dd'T'HH:mm:ss with more to follow, and a T1 has not. Pass just that
# format, and T1 stays. Without it, names from T0 to T23, for terms or teams, are all times, and other ones tomorrow. A column is of numbers if
# Java's Double.parseDouble takes each text, and that takes numbers as in Java's source, with an F or a D at the end for float or double: school classes 5D and 5F
# are one group afterwards (spark-xml no longer does so since its pull request 644). RFC 4180 knows no types. With one other name in the column, such as T24, Staff
# or 5A, all stay as they are, so that a file that was always read rightly changes when that one is gone. Without inferSchema, or with a schema, nothing does.
#
# Seen (the names that Spark read and wrote again on 1 December 2026):
#   T1, T2        2026-12-01T01:00:00.000Z, 2026-12-01T02:00:00.000Z
#   T1, T24       T1, T24
#   T1, T2        T1, T2 (with timestampFormat="yyyy-MM-dd'T'HH:mm:ss")
#   5D, 5F        5.0, 5.0
#   5A, 5D, 5F    5A, 5D, 5F
#
# Rollcall warns of groups with such names, and of a 5 where there is a 5D (looks-changed; domain/spreadsheets.py). docs/importing.md, "Exports", says what to pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pyspark==4.3.0' 2>/dev/null
venv/bin/python - <<'PYTHON' 2>/dev/null
import sys
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)


def names(*groups, **options):
    rows = [f"{group},user{number}@example.com\n" for number, group in enumerate(groups)]
    Path("groups.csv").write_text("".join(["Groupname,Email\n", *rows]))
    spark.read.csv("groups.csv", header=True, inferSchema=True, **options).coalesce(1).write.csv(
        "written", mode="overwrite"
    )
    (written,) = Path("written").glob("part-*.csv")
    found = [line.split(",")[0] for line in written.read_text().splitlines()]
    print(*groups, options, found)
    return found


now = datetime.now(timezone.utc)
seen = [
    names("T1", "T2"),
    names("T1", "T24"),
    names("T1", "T2", timestampFormat="yyyy-MM-dd'T'HH:mm:ss"),
    names("5D", "5F"),
    names("5A", "5D", "5F"),
]
day = f"{now:%Y-%m-%d}"
expected = [
    [f"{day}T01:00:00.000Z", f"{day}T02:00:00.000Z"],
    ["T1", "T24"],
    ["T1", "T2"],
    ["5.0", "5.0"],
    ["5A", "5D", "5F"],
]
sys.exit(0 if seen == expected else "Spark behaves otherwise now")
PYTHON
