#!/usr/bin/env bash
# pandas 3.1.1 over msgspec 0.22.0 (PyPI): one time in a million keeps a whole column from being read.
#
# Both follow RFC 3339, section 5.6, which makes the fraction of a second optional. msgspec writes a datetime with six digits, but leaves the fraction
# out if it is zero. pandas infers the form of a column from its first time ("What's new in 2.0.0"), with or without a fraction, and raises for each
# that has the other form; read_csv(parse_dates=…) says nothing and leaves the column as text. A column of microseconds from a clock is fine in every
# test, and fails on the day when one of them is zero: with a million times, that is two columns of three.
#
# Seen (times that msgspec wrote):
#   "…36.933023Z", "…37.000001Z"    read
#   "…36.933023Z", "…37Z"           to_datetime: ValueError; read_csv: text
#
# Rollcall's clock never returns a whole second (adapters/clock.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pandas==3.1.1' 'msgspec==0.22.0' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from datetime import datetime, timezone
from io import StringIO

import msgspec
import pandas


def kind(column):
    return "text" if pandas.api.types.is_string_dtype(column) else "times"


def outcomes(microsecond):
    times = (datetime(2026, 11, 28, 17, 5, 36, 933023), datetime(2026, 11, 28, 17, 5, 37, microsecond))
    written = [msgspec.to_builtins(each.replace(tzinfo=timezone.utc)) for each in times]
    try:
        converted = kind(pandas.to_datetime(pandas.Series(written)))
    except ValueError:
        converted = "ValueError"
    return converted, kind(pandas.read_csv(StringIO("\n".join(["at", *written])), parse_dates=["at"])["at"])


seen = {microsecond: outcomes(microsecond) for microsecond in (1, 0)}
for microsecond, (converted, read) in seen.items():
    print(f"{microsecond} µs: to_datetime: {converted}; read_csv: {read}")
expected = {1: ("times", "times"), 0: ("ValueError", "text")}
sys.exit(0 if seen == expected else "pandas or msgspec behaves otherwise now")
PYTHON
