#!/usr/bin/env bash
# rich 15.0.0 (PyPI): with FORCE_COLOR=1, progress bars move and the cursor is hidden in files and logs, too.
#
# FORCE_COLOR asks for colours where no terminal is (https://force-color.org), and people set it for whole CI runs. By rich's documentation ("Console
# API", "Interactive mode") animations are left out when it doesn't write to a terminal. But rich takes FORCE_COLOR as an answer to the question whether
# there is a terminal: is_terminal and is_interactive become true for a plain file, so that a bar is written over and over again, with sequences that
# move the cursor, delete lines and hide it. TTY_INTERACTIVE=0 beside it stops the bar, but still hides the cursor.
#
# Seen (a bar of three steps, written to a file; how often the cursor goes back to the start of a line, and is hidden):
#   without FORCE_COLOR                  0, 0
#   FORCE_COLOR=1                        some, 1
#   FORCE_COLOR=1 TTY_INTERACTIVE=0      0, 1
#
# Rollcall shows a bar only if stderr itself is a terminal (adapters/cli/terminal.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'rich==15.0.0' 2>/dev/null
cat >bar.py <<'PYTHON'
from rich.console import Console
from rich.progress import Progress

with open("log", "w") as file, Progress(console=Console(file=file)) as bar:
    task = bar.add_task("Adding groups", total=3)
    for _ in range(3):
        bar.advance(task)
        bar.refresh()
with open("log", newline="") as file:
    text = file.read()
print("some" if text.count("\r") > 2 else text.count("\r"), text.count("\x1b[?25l"))
PYTHON
clean() { env -u FORCE_COLOR -u NO_COLOR -u TTY_COMPATIBLE -u TTY_INTERACTIVE TERM=xterm "$@" venv/bin/python bar.py; }
seen=$(clean; clean FORCE_COLOR=1; clean FORCE_COLOR=1 TTY_INTERACTIVE=0)
echo "$seen"
[ "$seen" = "0 0
some 1
0 1" ] || { echo "rich behaves otherwise now." >&2; exit 1; }
