"""A process that the server starts beside itself, and starts again if it dies.

It prints a line once it works, and ends on SIGTERM or when its standard input does, because then the server is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-P", "-m")
PAUSE_SECONDS = 1.0
MOST_DEATHS = 5
WITHIN_SECONDS = 60.0


class ChildProcess:
    """A process that runs while the block does. If it dies again and again, it is given up."""

    def __init__(
        self,
        name: str,
        module: str,
        *arguments: str,
        descriptors: Sequence[int] = (),
        died: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Take what the log calls it, the module that it runs with these arguments, and the descriptors that it gets.

        `died` is called with the id of a process that ended by itself, before the next one is started.
        """
        self.name = name
        self.has_given_up = False
        self._command = (*PROGRAM, module, *arguments)
        self._descriptors = descriptors
        self._died = died
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopping = Event()
        self._working = Event()
        self._keeper = Thread(target=self._keep_running, name=f"{name} process", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process, and wait until it has finished what it does."""
        self.stop()
        self._keeper.join()

    def end(self) -> None:
        """Don't start the process again, if it ends."""
        self._stopping.set()

    def stop(self) -> None:
        """Tell the process to finish what it does, and end."""
        with self._lock:
            self.end()
            if self._process is not None:
                self._process.terminate()

    def wait_until_working(self) -> None:
        """Wait until the process works, or until it is clear that it never will."""
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
            self._died(process.pid)
            deaths.append(monotonic())
            if len(deaths) == MOST_DEATHS and deaths[-1] - deaths[0] < WITHIN_SECONDS:
                self.has_given_up = True
                self._working.set()
                return
            log.error("The %s process ended with %s. It is being started again", self.name, process.returncode)

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603 - it is ours
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=self._descriptors,
                start_new_session=True,  # on Ctrl-C the server finishes its requests first, and they may need a worker
            )
            return self._process


def say_that_it_works() -> None:
    """Print the line that tells the server that this process works."""
    print(flush=True)  # noqa: T201 - the server reads it


def end_with_the_server() -> None:
    """Have this process get SIGTERM once the server is gone."""
    Thread(target=_wait_for_the_end, name="server watch", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(sys.stdin.fileno(), 1):  # it has an end once nobody holds the other end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
