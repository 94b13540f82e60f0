"""The worker in a process of its own, so that it and the server don't wait for each other's computation.

The server starts it with `python -m adapters.worker_process` (see `child_process`).
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys

from adapters import logs
from adapters.child_process import end_with_the_server, say_that_it_works
from adapters.composed_worker import composed_worker
from adapters.composition import composed
from adapters.settings import read_settings

log = logging.getLogger(__name__)

YOUNG_OBJECTS = 50_000
"""How many new objects there are before Python looks for cycles among them: a batch is many, and has none."""
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})


def main() -> int:
    """Work until SIGTERM or until the server is gone."""
    logs.configure("worker")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # in all threads that are started from here on
    end_with_the_server()
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        with composed(read_settings(os.environ)) as rollcall, composed_worker(rollcall):
            say_that_it_works()
            signal.sigwait(ENDING)
    except Exception:
        log.exception("The worker process can't work")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
