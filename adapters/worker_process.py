"""The worker in a process of its own, so that it and the server don't wait for each other's computation.

The server starts it, and starts it again if it dies. Run as a program, this module is that process:
`python -m adapters.worker_process` prints a line once it works, and ends on SIGTERM or when its standard input does,
because then the server is gone.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

from adapters import logs
from adapters.composed_worker import composed_worker
from adapters.composition import composed
from adapters.settings import read_settings
from domain.errors import RollcallError

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "adapters.worker_process")
PAUSE_SECONDS = 1.0
YOUNG_OBJECTS = 50_000
"""How many new objects there are before Python looks for cycles among them: a batch is many, and has none."""
MOST_DEATHS = 5
WITHIN_SECONDS = 60.0
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})


class WorkerKeepsDying(RollcallError):
    """The worker process died {deaths} times in a minute, so Rollcall has stopped. The log above says why it died.

    Until you have found the reason, “rollcall serve --no-worker” serves what there is.
    """

    code = "worker-dying"


class WorkerProcess:
    """A worker process that runs while the block does. If it dies again and again, it is given up."""

    def __init__(self) -> None:
        self.has_given_up = False
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopping = Event()
        self._working = Event()
        self._keeper = Thread(target=self._keep_running, name="worker process", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process, which finishes its batches first."""
        with self._lock:
            self.end()
            if self._process is not None:
                self._process.terminate()
        self._keeper.join()

    def end(self) -> None:
        """Don't start the process again, if it ends."""
        self._stopping.set()

    def wait_until_working(self) -> None:
        """Wait until the worker works, or until it is clear that it never will."""
        self._working.wait()

    def _keep_running(self) -> None:
        deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        while (process := self._start()) is not None:
            with process:
                assert process.stdout  # noqa: S101 - it is a pipe
                if process.stdout.readline():
                    self._working.set()
                process.wait()  # before its standard input is closed
            if self._stopping.wait(PAUSE_SECONDS):  # systemd tells both to stop: the server hears of it in a moment
                return
            deaths.append(monotonic())
            if len(deaths) == MOST_DEATHS and deaths[-1] - deaths[0] < WITHIN_SECONDS:
                self.has_given_up = True
                self._working.set()
                return
            log.error("The worker process ended with %s. It is being started again", process.returncode)

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603 - it is this file
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # on Ctrl-C the server finishes its requests first, and they may need a worker
            )
            return self._process


def main() -> int:
    """Work until SIGTERM or until the server is gone."""
    logs.configure("worker")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # in all threads that are started from here on
    Thread(target=_end_with_the_server, name="server watch", daemon=True).start()
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        with composed(read_settings(os.environ)) as rollcall, composed_worker(rollcall):
            print(flush=True)  # noqa: T201 - the server reads it
            signal.sigwait(ENDING)
    except Exception:
        log.exception("The worker process can't work")
        return 1
    return 0


def _end_with_the_server() -> None:
    while os.read(sys.stdin.fileno(), 1):  # it has an end once nobody holds the other end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
