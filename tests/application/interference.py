"""What others do between a decision and its append."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from application.ports import Claims, Ports
    from application.records import NewRecord, Origin


def before_the_next_append(ports: Ports, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen before the next append, once."""
    append = ports.events.append

    def late(origin: Origin, records: Sequence[NewRecord], claims: Claims) -> int:
        monkeypatch.setattr(ports.events, "append", append)
        happens()
        return append(origin, records, claims)

    monkeypatch.setattr(ports.events, "append", late)
