"""Views that follow without a worker: they are brought up to date, and rebuilt, when somebody waits for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.conftest import advance_views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.composition import Rollcall


class FollowingViews:
    def __init__(self, rollcall: Rollcall) -> None:
        self._rollcall = rollcall

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        rebuild(self._rollcall)
        return True


def following(rollcall: Rollcall) -> Rollcall:
    """Return the same, except that whoever waits for the views need not wait for a worker."""
    return replace(rollcall, readable=FollowingViews(rollcall))


def rebuild(rollcall: Rollcall) -> None:
    """Rebuild the views that are condemned, and bring all of them up to date."""
    for projector in rollcall.projectors:
        if projector.standing() == "lost":
            projector.rebuild()
    advance_views(rollcall)
