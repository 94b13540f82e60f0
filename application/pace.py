"""How many groups the batches of a run have: Stop waits for the batch that is running."""

from __future__ import annotations

GROUPS_A_BATCH = 500
LONG_BATCH = 0.1  # seconds, beyond what a batch takes however small it is


class Pace:
    """The size of the next batch, `groups`: few after a slow batch, because changing large groups is slow.

    What a batch takes however small it is doesn't count: on a database that is far away, smaller batches would only
    make the run longer. A batch of one group shows how long that is, and so does any that is quicker.
    """

    def __init__(self) -> None:
        self.groups = 1
        self._least_seconds = 0.0

    def keep(self, groups: int, seconds: float) -> None:
        """Take fewer groups if a batch of so many took long, else more.

        The batch after this one may be decided already, so a batch that is smaller than the pace is no reason to go
        faster.
        """
        self._least_seconds = seconds if groups == 1 else min(self._least_seconds, seconds)
        if seconds - self._least_seconds > LONG_BATCH:
            self.groups = min(self.groups, max(1, groups // 2))
        elif groups >= self.groups:
            self.groups = min(GROUPS_A_BATCH, groups * 4)
