"""A sample of `make test-alterations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.alterations import ALTERATIONS, alter_many, altered_log, leave_untouched, prepare

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


def test_alterations_are_found_and_named_and_nothing_is_found_in_untouched_logs(unattended: Rollcall) -> None:
    prepare(unattended)
    with altered_log(unattended, seed=7) as log:
        figures = alter_many(log, 10 * len(ALTERATIONS))
        assert set(figures.made) == {each.__name__ for each in ALTERATIONS}
        assert figures.made == figures.found == figures.named
        assert leave_untouched(log, 5) == 0
