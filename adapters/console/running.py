"""What the pages ask for every few seconds while imports run: how far these are, and how they ended.

Pages of one subscription share what was looked up within a second, so that many of them cost the database no more than
a few: each request asks who the caller is, and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from litestar.params import FromPath, QueryParameter
from litestar.response import Template

from adapters.composition import Rollcall
from adapters.console.list_queries import id_of
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from projections.import_list import read as import_list
from projections.import_list.read import RUNNING, ImportRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHARED_SECONDS = 1.0
MOST_SUBSCRIPTIONS = 1_000
MOST_IMPORTS = 50

Ids = Annotated[
    str,
    QueryParameter(
        description="Imports that the page shows as running, with commas between.", max_length=37 * MOST_IMPORTS
    ),
]
Rows = Annotated[bool, QueryParameter(description="Whether the page lists imports.")]


class RunningImports:
    """The imports that run in each subscription, looked up at most once a second."""

    def __init__(self, rollcall: Rollcall, clock: Callable[[], float] = monotonic) -> None:
        self._rollcall = rollcall
        self._clock = clock
        self._found: dict[UUID, tuple[float, list[ImportRow]]] = {}
        self._lock = Lock()

    def of(self, subscription_id: UUID) -> list[ImportRow]:
        """Return the imports of a subscription that ran at a moment in the last second."""
        with self._lock:
            at, found = self._found.get(subscription_id, (-SHARED_SECONDS, []))
            if self._clock() - at < SHARED_SECONDS:
                return found
            now = self._clock()
            with self._rollcall.views() as rows:
                found = import_list.running_imports(rows, subscription_id)
            if len(self._found) >= MOST_SUBSCRIPTIONS:
                self._found.clear()
            self._found[subscription_id] = now, found
            return found

    def ended(self, subscription_id: UUID, ids: Sequence[UUID]) -> list[ImportRow]:
        """Return those of these imports of a subscription that don't run any more."""
        running = {row.id for row in self.of(subscription_id)}
        asked = [each for each in ids if each not in running]
        if not asked:
            return []
        with self._rollcall.views() as rows:
            found = import_list.find_imports(rows, asked)
        ours = [found[each] for each in asked if each in found]
        return [row for row in ours if row.subscription_id == subscription_id and row.state not in RUNNING]


@read("/subscriptions/{subscription_id:uuid}/running", opt=READERS)
def show_running(
    request: AnyRequest,  # noqa: ARG001 - the framework makes it known to the error handlers
    running_imports: Injected[RunningImports],
    subscription_id: FromPath[UUID],
    imports: Ids = "",
    rows: Rows = False,
) -> Template:
    """Show how far the running imports are and which of some have ended, with their rows of the list if asked for."""
    ids = [found for each in imports.split(",")[:MOST_IMPORTS] if (found := id_of(each, "imports"))]
    ended = running_imports.ended(subscription_id, ids)
    running = running_imports.of(subscription_id)
    return Template(
        "running.html",
        context={
            "home": f"/subscriptions/{subscription_id}",
            "running": running,
            "ended": ended,
            "listed": [*running, *ended] if rows else [],
            "now": datetime.now(UTC),
        },
    )


ROUTES = (show_running,)
