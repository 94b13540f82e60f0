"""Stop everything that uses an embedded server, and the server itself: `make clean` does it before it removes the demo.

It is no command of `rollcall`: on a data directory that isn't a demo's, it would stop what others are using.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from adapters.postgres.embedded import embedded_server

STOP_SECONDS = 30.0
POLL_SECONDS = 0.1
PROCESSES = Path("/proc")


def stop_everything(data_dir: Path) -> bool:
    """Stop the processes that use the server in `data_dir`, then the server; return False if one doesn't end."""
    in_use = data_dir / "in-use.lock"
    deadline, asked = monotonic() + STOP_SECONDS, set[int]()
    while in_use.exists() and (users := _processes_with(in_use)):
        for pid in users - asked:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        asked |= users
        if monotonic() > deadline:
            return False
        sleep(POLL_SECONDS)
    if _is_running(data_dir / "server.lock"):  # left behind by a process that was killed
        with embedded_server(data_dir):
            pass  # the last process to use it stops it
    return True


def _processes_with(file: Path) -> set[int]:
    """Return the processes that have a file open."""
    if not PROCESSES.is_dir():  # as on macOS, which has lsof
        listing = ["lsof", "-t", str(file)]
        found = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603 - macOS's own
        return {int(pid) for pid in found.stdout.split()}
    wanted, pids = file.stat(), set()
    for opened in PROCESSES.glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.path.samestat(opened.stat(), wanted):
                pids.add(int(opened.parts[2]))
    return pids


def _is_running(lock: Path) -> bool:
    with suppress(FileNotFoundError), lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    if not stop_everything(Path(sys.argv[1])):
        sys.exit(f"Something still uses {sys.argv[1]}. Stop it and try again.")
