"""A list of many short texts that takes little memory."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOGETHER = 64  # few, because getting or setting one of them takes them apart


class Texts:
    """Texts without line feeds. They are kept some together, in a third of the memory that they take one by one."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._joined: list[str] = []
        self._last: list[str] = []
        self.extend(texts)

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts at the end."""
        last = self._last
        last.extend(texts)
        whole = len(last) - len(last) % _TOGETHER
        self._joined += ["\n".join(last[at : at + _TOGETHER]) for at in range(0, whole, _TOGETHER)]
        del last[:whole]

    def __len__(self) -> int:
        return len(self._joined) * _TOGETHER + len(self._last)

    def __getitem__(self, index: int) -> str:
        which, at = divmod(index, _TOGETHER)
        return self._apart(which)[at]

    def __setitem__(self, index: int, text: str) -> None:
        which, at = divmod(index, _TOGETHER)
        texts = self._apart(which)
        texts[at] = text
        if which < len(self._joined):
            self._joined[which] = "\n".join(texts)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(self._apart, range(len(self._joined) + 1)))

    def _apart(self, which: int) -> list[str]:
        return self._joined[which].split("\n") if which < len(self._joined) else self._last

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment] # it can be changed

    def __repr__(self) -> str:
        return f"Texts({[*self]!r})"
