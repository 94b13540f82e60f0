"""Looks at processes, as Linux lists them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def children(parent: int, module: bytes = b"") -> list[int]:
    """Return the processes that one has started and that are running, or those of them that run a module."""
    found: list[int] = []
    with suppress(OSError):  # it, or one of its threads, has ended
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += map(int, (task / "children").read_text("ascii").split())
    return [each for each in found if module in command(each)]


def serving(parent: int) -> list[int]:
    """Return the processes that a server has started, but for the one that has files read."""
    return [each for each in children(parent) if b"reader_process" not in command(each)]


def is_running(process: int) -> bool:
    """Return whether a process hasn't ended."""
    return bool(command(process))


def command(process: int) -> bytes:
    """Return the command line of a process; none if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""
