"""Erases the subscriptions whose erasing was started. One process at a time works on each; if it ends, another does."""

from __future__ import annotations

import logging
from math import inf
from time import monotonic, sleep
from typing import TYPE_CHECKING

from adapters.postgres.patience import Wait
from application.closing import Stopping, erase_subscription, result_of_erasing
from domain.errors import RollcallError

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.closing import ErasingResult

log = logging.getLogger(__name__)

DIRECTORY = "directory"  # the view that says which subscriptions are being erased
REST_SECONDS = 0.2
PAUSE_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""How long a request waits until all is erased."""


class Eraser:
    """Erases what was started. It may be killed at any point: what is left, the next look finds."""

    def __init__(self, rollcall: Rollcall) -> None:
        self._rollcall = rollcall

    def run(self, stopping: Event) -> None:
        """Erase what there is, and what is started, until `stopping` is set."""
        wakeups = self._rollcall.wakeups
        while not stopping.is_set():
            count = wakeups.count_changes(DIRECTORY)
            if self.erase_started(stopping):
                wakeups.wait_for_change(DIRECTORY, count, stopping)
                stopping.wait(REST_SECONDS)
            else:
                stopping.wait(PAUSE_SECONDS)

    def erase_started(self, stopping: Event) -> bool:
        """Erase all subscriptions that no other process works on; False if one of them has to be tried again."""
        done = [self._erase(each, stopping) for each in self._rollcall.closure.unfinished()]
        return all(done)

    def _erase(self, scope: UUID, stopping: Event) -> bool:
        with self._rollcall.locks.try_acquire("erasing", str(scope)) as mine:
            if not mine:
                return True
            try:
                erase_subscription(self._rollcall, self._rollcall.closure, scope, stopping.is_set)
                log.info("Subscription %s is erased", scope)
            except Stopping:
                log.info("The next worker goes on erasing subscription %s", scope)
            except RollcallError as error:
                log.warning("Subscription %s is not erased yet and will be tried again: %s", scope, error)
                return False
            except Exception:
                log.exception("Erasing subscription %s failed and will be tried again", scope)
                return False
        return True


def wait_until_erased(rollcall: Rollcall, scope: UUID, seconds: float = inf) -> ErasingResult | None:
    """Return what was erased from a subscription, once it is and the views show it; None if that takes longer."""
    with Wait(seconds) as at_most:
        deadline = monotonic() + at_most
        while not ((result := result_of_erasing(rollcall, rollcall.closure, scope)) and result.readable):
            if monotonic() > deadline:
                return result
            sleep(REST_SECONDS)
        return result
