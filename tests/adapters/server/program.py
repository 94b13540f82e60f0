"""The server that tests start: `python -m tests.adapters.server.program [--no-worker] [--processes=N]`.

It prints where it listens. It imports nothing of the tests, which would make it start later.
"""

from __future__ import annotations

import os
import sys

from adapters import logs
from adapters.composition import composed
from adapters.server.http_server import serve
from adapters.settings import read_settings


def main() -> None:
    """Serve over the database of ROLLCALL_DATABASE_URL until SIGTERM."""
    logs.configure("web")
    with composed(read_settings(os.environ)) as rollcall:
        worker = "--no-worker" not in sys.argv
        processes = next((int(each.partition("=")[2]) for each in sys.argv if each.startswith("--processes=")), 1)
        ready = lambda url: print(url, flush=True)  # noqa: E731, T201 - it is read
        serve(rollcall, "127.0.0.1", 0, worker=worker, processes=processes, ready=ready)


if __name__ == "__main__":
    main()
