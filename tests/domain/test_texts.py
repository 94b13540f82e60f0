"""Texts kept together are what a list of them is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.texts import Texts

TEXT = st.text(st.characters(exclude_characters="\n"), max_size=3)


@given(st.lists(st.lists(TEXT, max_size=150), max_size=4), st.lists(st.tuples(st.integers(0, 599), TEXT), max_size=4))
def test_they_are_a_list(additions: list[list[str]], changes: list[tuple[int, str]]) -> None:
    texts, expected = Texts(), list[str]()
    for some in additions:
        texts.extend(some)
        expected.extend(some)
    for index, text in changes:
        if index < len(expected):
            texts[index] = expected[index] = text
    assert len(texts) == len(expected)
    assert [*texts] == expected
    assert [texts[index] for index in range(len(texts))] == expected
    assert (texts == Texts(expected), texts == Texts([*expected, ""])) == (True, False)
