"""The server that tests start: `python -m tests.adapters.server.program [--no-worker]` prints where it listens.

It imports nothing of the tests, which would make it start later.
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
        serve(rollcall, "127.0.0.1", 0, worker=worker, ready=lambda url: print(url, flush=True))  # noqa: T201 - read


if __name__ == "__main__":
    main()
