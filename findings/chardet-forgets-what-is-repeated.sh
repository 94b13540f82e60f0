#!/usr/bin/env bash
# chardet 7.7.0 (PyPI): the name of a department is Japanese on three lines, and no longer on four.
#
# An East Asian encoding is ruled out if a text has 16 bytes beyond ASCII or more, and the first bytes of its characters are of fewer than four kinds
# (pipeline/orchestrator.py, "Lead byte diversity"). That keeps European texts from being taken for Chinese. But a list whose lines all name one department
# has two or three kinds, however long it is, and so has one with "Sales 1" to "Sales 9". With ignore_threshold=True, detect_all promises every candidate,
# however unlikely; the right encoding isn't the last of them, but missing. More of the same text is no evidence against the encoding that it was in.
#
# Seen (a name, by the number of lines that consist of it; the best of detect_all, and whether the right encoding is among the others):
#   "personnel department" in GB 18030   2: GB18030     3: Windows-1256, missing
#   "sales department" in CP932          3: CP932       4: cp775, missing
#   "development team" in CP949          2: CP949       3: cp1006, missing
#
# Rollcall shows chardet each name once, and those that differ by digits only as one (domain/files/encodings.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'chardet==7.7.0' 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys

import chardet

NAMES = {"GB18030": "人事部", "CP932": "営業部", "CP949": "개발팀"}


def outcome(encoding, lines):
    found = chardet.detect_all("\n".join([NAMES[encoding]] * lines).encode(encoding), ignore_threshold=True)
    return found[0]["encoding"], encoding in [each["encoding"] for each in found]


expected = {
    ("GB18030", 2): ("GB18030", True),
    ("GB18030", 3): ("Windows-1256", False),
    ("CP932", 3): ("CP932", True),
    ("CP932", 4): ("cp775", False),
    ("CP949", 2): ("CP949", True),
    ("CP949", 3): ("cp1006", False),
}
seen = {(encoding, lines): outcome(encoding, lines) for encoding, lines in expected}
for (encoding, lines), (best, is_there) in seen.items():
    print(f"{encoding}, {lines} lines: {best}{'' if is_there else f', and {encoding} is missing'}")
sys.exit(0 if seen == expected else "chardet behaves otherwise now")
PYTHON
