"""Bytes in, physical lines out, wherever the pieces are cut in which they are decoded."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.files.text import EncodedText, PhysicalLines, Unreadable, find_encoding

PIECE = 1 << 18


def lines_of(pieces: list[str]) -> list[tuple[int, str]]:
    lines = PhysicalLines(iter(pieces))
    found = []
    while (line := lines.peek()) is not None:
        found.append((lines.number, line))
        lines.advance()
    return found


@given(st.lists(st.text("a\r\n\u2028\x0b", max_size=4), max_size=12))
def test_lines_end_at_crlf_lf_or_a_lone_cr_wherever_the_pieces_are_cut(pieces: list[str]) -> None:
    expected = re.split("\r\n|\r|\n", "".join(pieces))
    found = lines_of(pieces)
    if not expected[-1]:
        expected.pop()
        found = found[: len(expected)]
    assert found == list(enumerate(expected, 1))


@given(st.lists(st.text("ab\n", max_size=6), max_size=8), st.integers(0, 9), st.integers(0, 20))
def test_looking_ahead_changes_nothing(pieces: list[str], start: int, ahead: int) -> None:
    expected = "".join(pieces).split("\n")
    lines = PhysicalLines(iter(pieces))
    for _ in range(min(start, len(expected) - 1)):
        lines.peek()
        lines.advance()
    at = lines.number - 1
    assert lines.peek(ahead) == (expected[at + ahead] if at + ahead < len(expected) else None)
    assert lines.peek() == expected[at]


def test_skipping_counts_every_line_passed() -> None:
    lines = PhysicalLines(iter(["\n\na\n", "\n", "\nb"]))
    lines.skip(lambda line: not line)
    assert (lines.number, lines.peek()) == (3, "a")
    lines.advance()
    lines.skip(lambda line: not line)
    assert (lines.number, lines.peek()) == (6, "b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_text_is_the_same_wherever_it_is_cut(encoding: str) -> None:
    for shift in range(4):
        text = "x" * shift + "é😀\r\n" * 100_000
        assert "".join(EncodedText(text.encode(encoding), encoding).pieces()) == text


@pytest.mark.parametrize("offset", range(PIECE - 3, PIECE + 6))
def test_a_bad_byte_is_found_at_its_offset_also_where_a_piece_ends(offset: int) -> None:
    for bad in (b"\xe9x", b"\xe2\x82x", b"\xf0\x9f\x98x"):
        content = b"\xef\xbb\xbf" + b"a" * (offset - 3) + bad
        with pytest.raises(Unreadable) as refusal:
            find_encoding(content)
        assert f"at offset {offset:,} " in refusal.value.problems[0].detail


@pytest.mark.parametrize("bad", [b"\xe9", b"\xf0\x9f\x98"])
def test_a_character_cut_off_at_the_end_of_the_file_is_found(bad: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        find_encoding(b"\xef\xbb\xbfab\ncd" + bad)
    assert "at offset 8 (line 2)" in refusal.value.problems[0].detail


def test_a_few_zero_bytes_do_not_make_a_text_utf_16() -> None:
    assert find_encoding(b"email,FirstName,LastName,Groupname\n\0\0\0\0").encoding == "utf-8"
