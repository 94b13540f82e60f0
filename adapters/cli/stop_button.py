"""Ctrl-C as the Stop button."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def stop_button(wake: Callable[[], None] = lambda: None) -> Iterator[list[int]]:
    """Take the first Ctrl-C (or SIGTERM, or SIGHUP when the terminal closes) as a request to stop.

    Yields a list that the signal is added to, so that nothing is interrupted halfway; `wake` ends what is waiting.
    A second signal raises KeyboardInterrupt.
    """
    pressed: list[int] = []

    def press(number: int, _frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        wake()

    before = {
        number: signal.signal(number, press)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
