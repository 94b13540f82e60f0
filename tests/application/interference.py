"""What others do between a decision and its append."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    import pytest

    from application.ports import Claims, Ports
    from application.records import Record


def before_the_next_append(ports: Ports, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen before the next append, once."""
    append = ports.events.append

    def late(subscription_id: UUID, records: Sequence[Record], claims: Claims) -> int:
        monkeypatch.setattr(ports.events, "append", append)
        happens()
        return append(subscription_id, records, claims)

    monkeypatch.setattr(ports.events, "append", late)
