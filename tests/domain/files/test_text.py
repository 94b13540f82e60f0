"""From bytes to physical lines: kinds of files, encodings and line endings, wherever the decoded pieces are cut."""

from __future__ import annotations

import re
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.files.roster_file import read_roster
from domain.files.text import EncodedText, PhysicalLines, Unreadable, find_encoding
from domain.roster import Limits, Roster
from tests.domain.files.examples import USERS, content, memberships, places, refusal, roster

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
def test_looking_ahead_does_not_move_on(pieces: list[str], start: int, ahead: int) -> None:
    expected = "".join(pieces).split("\n")
    lines = PhysicalLines(iter(pieces))
    for _ in range(min(start, len(expected) - 1)):
        lines.peek()
        lines.advance()
    at = lines.number - 1
    assert lines.peek(ahead) == (expected[at + ahead] if at + ahead < len(expected) else None)
    assert lines.peek() == expected[at]


def test_skipping_counts_every_skipped_line() -> None:
    lines = PhysicalLines(iter(["\n\na\n", "\n", "\nb"]))
    lines.skip(lambda line: not line)
    assert (lines.number, lines.peek()) == (3, "a")
    lines.advance()
    lines.skip(lambda line: not line)
    assert (lines.number, lines.peek()) == (6, "b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_text_is_decoded_the_same_wherever_the_pieces_are_cut(encoding: str) -> None:
    for shift in range(4):
        text = "x" * shift + "é😀\r\n" * 100_000
        assert "".join(EncodedText(text.encode(encoding), encoding).pieces()) == text


@pytest.mark.parametrize("offset", range(PIECE - 3, PIECE + 6))
def test_a_bad_byte_is_reported_at_its_offset_even_where_a_piece_ends(offset: int) -> None:
    for bad in (b"\xe9x", b"\xe2\x82x", b"\xf0\x9f\x98x"):
        content = b"\xef\xbb\xbf" + b"a" * (offset - 3) + bad
        with pytest.raises(Unreadable) as refusal:
            find_encoding(content)
        assert f"at offset {offset:,} " in refusal.value.problems[0].detail


@pytest.mark.parametrize("bad", [b"\xe9", b"\xf0\x9f\x98"])
def test_a_character_cut_off_at_the_end_of_the_file_is_reported(bad: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        find_encoding(b"\xef\xbb\xbfab\ncd" + bad)
    assert "at offset 8 (line 2)" in refusal.value.problems[0].detail


def test_a_text_with_a_few_zero_bytes_is_not_taken_for_utf_16() -> None:
    assert find_encoding(b"email,FirstName,LastName,Groupname\n\0\0\0\0").encoding == "utf-8"


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("windows-1252", b"", "windows-1252"),
        ("mac-roman", b"", "mac-roman"),
    ],
)
def test_every_supported_encoding_is_detected(encoding: str, mark: bytes, name: str) -> None:
    read = roster(mark + (USERS + "a@example.com,Chloé,,Élèves – Œuvre\n").encode(encoding))
    assert (read.encoding, read.users[0].first_name, read.entries[0].name) == (name, "Chloé", "Élèves – Œuvre")


def test_utf_7_is_read_as_ascii() -> None:
    assert list(memberships(roster(USERS + "a@example.com,,,+AMk-quipe\n"))) == ["+AMk-quipe"]


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (content(USERS) + b"a@example.com,,,Caf\xc3\xa9\nb@example.com,\xe9,,\xc3\xa9\xc3\xa9", 3, "0xE9 at offset 81"),
        (content(USERS) + b"a@example.com,,,\xc0\xaf\n", 2, "0xC0"),
        (content(USERS) + b"a@example.com,,,\xed\xa0\x80\n", 2, "0xED"),
        (b"\xef\xbb\xbf" + content(USERS) + b"\xe9", 2, "0xE9"),
        (b"\xff\xfe" + USERS.encode("utf-16-le") + b"a", 2, "0x61"),
        (USERS.encode("utf-16-be") + b"\xd8\x00\x00a", 2, "0xD8"),
        (b"\xff\xfe" + USERS.encode("utf-16-le") + b"\x00\xdc", 2, "0x00"),
        (b"\xff\xfe\x00\x00" + USERS.encode("utf-32-le"), 0, "UTF-32"),
    ],
)
def test_a_file_that_no_encoding_can_decode_is_refused_with_its_first_bad_byte(
    data: bytes, line: int, says: str
) -> None:
    (problem,) = refusal(data)
    assert (problem.code, problem.line) == ("encoding-unknown", line)
    assert says in problem.message


def test_a_bad_byte_far_into_the_file_is_reported_at_its_offset() -> None:
    data = content(USERS) + b"a@example.com,,,caf\xc3\xa9\n" * 100_000 + b"\xe9x"
    assert f"0xE9 at offset {len(data) - 2:,} (line 100,002)" in refusal(data)[0].detail


def test_a_character_that_spans_two_pieces_is_decoded() -> None:
    rows = "".join(f"u{number}@example.com,{'é' * (number % 7)}😀,,Sales\r\n" for number in range(20_000))
    for encoding in ("utf-8", "utf-16"):
        read = roster((USERS + rows).encode(encoding))
        assert (read.rows, read.problems, len(read.entries)) == (20_000, [], 1)
        assert [member.line for member in read.group(1).members] == list(range(2, 20_002))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml", "Excel"),
        (b"PK\x03\x04....word/document.xml", "Word"),
        (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "OpenDocument spreadsheet"),
        (b"PK\x03\x04....users.csv", "zip"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (b"\x1f\x8b\x08" + zlib.compress(b"email"), "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel 97"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"{\\rtf1", "RTF"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x7fELF", "program"),
        (b"MZ\x90\x00", "program"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\xef\xbb\xbf <!DOCTYPE html>", "HTML"),
        (b"<table border=1>", "HTML"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"users.csv" + bytes(248) + b"ustar", "tar"),
    ],
)
def test_another_kind_of_file_is_refused_by_its_content_whatever_its_name(data: bytes, kind: str) -> None:
    (problem,) = refusal(data)
    assert (problem.code, problem.line, problem.column) == ("file-type", 0, 0)
    assert kind in problem.message


@pytest.mark.parametrize("name", ["list.xlsx", "list", "csv", "list.csv.exe", ""])
def test_a_file_with_another_extension_is_refused(name: str) -> None:
    (problem,) = refusal(USERS + "a@example.com,,,Sales\n", name)
    assert problem.code == "file-type"


@pytest.mark.parametrize("name", ["list.csv", "LIST.TXT", "../a/list.Csv", "list.csv\r\n", "li\u202est.txt"])
def test_extensions_match_in_upper_and_lower_case(name: str) -> None:
    assert isinstance(read_roster(content(USERS + "a@example.com,,,Sales\n"), name), Roster)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b" \r\n\t\n\r", "\ufeff\n \n".encode("utf-16-be"), b"\n" * 600_000]
)
def test_a_file_without_text_is_refused_as_empty(data: bytes) -> None:
    assert places(refusal(data)) == [("file-empty", 0, 0)]


def test_a_file_over_the_size_limit_is_refused() -> None:
    text = USERS + "a@example.com,,,Sales\n"
    assert places(refusal(text, limits=Limits(file_bytes=len(text) - 1))) == [("file-too-large", 0, 0)]
    roster(text, Limits(file_bytes=len(text)))


def test_the_decoded_text_of_a_file_is_never_in_memory_as_a_whole() -> None:
    data = (USERS + f"a@example.com,{'x' * 200},😀,A\n" * 20_000).encode()
    tracemalloc.start()
    roster(data + b"b@example.com,,,A\n", Limits(problems=50_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data) + 8_000_000  # one copy of the bytes; the decoded text would be four times as much
