"""The real `rollcall`: in this process with its streams captured, in a process of its own, or in a pseudo-terminal."""

from __future__ import annotations

import codecs
import fcntl
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from time import monotonic
from typing import TYPE_CHECKING, Self
from unittest.mock import patch

from adapters.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

DEADLINE_SECONDS = 60.0
COMMAND = (sys.executable, "-m", "adapters.cli.main")
# Becomes the command once the terminal controls it, so that Ctrl-C and a hang-up reach it, even if the tests run
# under nohup or in the background, where they are ignored.
IN_CONTROL = (
    sys.executable,
    "-c",
    """
import fcntl, os, signal, sys, termios
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
""",
)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07")


def environment(database: str, **more: str) -> dict[str, str]:
    others = ("ROLLCALL_", "PYTHON", "NO_COLOR", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "ROLLCALL_DATABASE_URL": database, "TERM": "xterm-256color", **more}


def run(environ: Mapping[str, str], *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which saves the second it takes to import everything."""
    stdin, out, err = (TextIOWrapper(BytesIO(typed), "utf-8") for typed in (answer.encode(), b"", b""))
    with (
        patch.dict(os.environ, environ, clear=True),
        patch.multiple(sys, stdin=stdin, stdout=out, stderr=err),
        _process_restored(),
    ):
        try:
            main(words)
        except SystemExit as end:
            code = end.code
    for stream in (out, err):
        stream.seek(0)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.read(), err.read())


@contextmanager
def _process_restored() -> Iterator[None]:
    """Undo what a command does to its process: to its log and to its signals."""
    root, pool = logging.getLogger(), logging.getLogger("psycopg.pool")
    levels, handlers = (root.level, pool.level), root.handlers[:]
    root.handlers.clear()  # else basicConfig(force=True) closes those of pytest
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        pool.setLevel(levels[1])
        for number, handler in signals.items():
            signal.signal(number, handler)


def run_apart(environ: Mapping[str, str], *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with its input and output piped."""
    return subprocess.run(  # noqa: S603 - the tests say what
        [*COMMAND, *words],
        env=environ,
        input=answer,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_SECONDS,
        check=False,
    )


class InTerminal:
    """A command in a pseudo-terminal. `shown` is what the terminal got, control sequences left out."""

    def __init__(self, environ: Mapping[str, str], *words: str, columns: int = 100) -> None:
        terminal, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(  # noqa: S603 - the tests say what
            [*IN_CONTROL, *COMMAND, *words], env=environ, stdin=side, stdout=side, stderr=side, start_new_session=True
        )
        os.close(side)
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._terminal)

    @property
    def shown(self) -> str:
        return CONTROL.sub("", self.raw).replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read on until the terminal has shown this."""
        deadline = monotonic() + DEADLINE_SECONDS
        while (found := re.search(pattern, self.shown)) is None:
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} was not shown, but:\n{self.shown}")
        return found

    def type(self, text: str) -> None:
        r"""Press keys; `\x03` is Ctrl-C, `\x04` Ctrl-D."""
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read on until the command ends, and return its exit code."""
        deadline = monotonic() + DEADLINE_SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(timeout=max(0.1, deadline - monotonic()))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            raise AssertionError(f"nothing happened for {DEADLINE_SECONDS} s:\n{self.shown}")
        try:
            data = os.read(self._terminal, 65_536)
        except OSError:  # EIO: the other side is closed
            data = b""
        self.raw += self._decoder.decode(data, final=not data)
        return bool(data)
