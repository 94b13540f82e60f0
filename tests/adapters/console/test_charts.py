"""The coordinates of charts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.console.charts import stacks, steps

VALUES = st.lists(st.integers(0, 10_000), min_size=1, max_size=40)
STACKS = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1_000)), max_size=3), min_size=1, max_size=40
)


def test_a_line_keeps_each_value_as_long_as_the_others() -> None:
    assert steps([0, 5, 10, 10], 10) == "M0.0 100.0H25.0 L25.0 50.0H50.0 L50.0 0.0H75.0 L75.0 0.0H100.0"


def test_a_line_of_nothing_is_at_the_bottom() -> None:
    assert steps([0], 0) == "M0.0 100.0H100.0"


@given(VALUES)
def test_a_line_stays_within_its_chart(values: list[int]) -> None:
    path = steps(values, max(values)).replace("M", " ").replace("L", " ").replace("H", " ")
    assert all(0 <= float(each) <= 100.01 for each in path.split())


def test_bars_stand_on_each_other_and_the_highest_stack_reaches_the_top() -> None:
    below, above, alone = stacks([[("good", 3), ("bad", 1)], [], [("good", 2)]])
    assert (below.y, below.height, above.y, above.height) == (25, 75, 0, 25)
    assert (alone.y, alone.height) == (50, 50)
    assert below.x == above.x < 33
    assert alone.x > 66


@given(STACKS)
def test_bars_stay_within_their_chart(places: list[list[tuple[str, int]]]) -> None:
    for bar in stacks(places):
        assert bar.x >= 0
        assert bar.x + bar.width <= 100.01
        assert bar.y >= -0.01
        assert bar.y + bar.height <= 100.02
