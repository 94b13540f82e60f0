"""Legacy encodings are guessed from how names are spelt."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.files.encodings import ENCODINGS, readings
from domain.files.roster_file import read_roster
from domain.roster import Roster

if TYPE_CHECKING:
    from types import ModuleType

ROSTERS = Path(__file__).parents[4] / "shared/cases/encodings.py"
REPEATED = (
    ("cp932", "営業部"),
    ("gb18030", "人事部"),
    ("big5-hkscs", "業務部"),
    ("cp949", "개발팀"),
)
WESTERN = {"de-cp1252", "fr-cp1252", "es-cp1252", "pt-cp1252", "sv-cp1252", "da-cp1252", "fi-cp1252"}
FRESH_SEEDS = (
    *range(20_261, 20_264),
    13_902,
    40_008,
    40_011,
)  # the guess was tuned on others, but for Mac Roman's share


def roster(*rows: str) -> str:
    return "\r\n".join(
        ["email,FirstName,LastName,Groupname", *(f"u{n}@example.com,{row}" for n, row in enumerate(rows))]
    )


@pytest.mark.parametrize(
    ("encoding", "rows"),
    [
        ("windows-1252", ["Jürgen,Groß,Büro Köln"]),
        ("windows-1252", ["Renée,Lefèvre,Équipe Paris"]),
        ("windows-1252", ["Søren,Kjær,Økonomi"]),
        ("windows-1250", ["Jiří,Dvořák,Účetní oddělení"]),
        ("windows-1250", ["Łukasz,Wójcik,Sprzedaż", "Małgorzata,Dąbrowska,Zarząd"]),
        ("windows-1251", ["Иван,Петров,Продажи"]),
        ("windows-1253", ["Γιώργος,Παπαδόπουλος,Πωλήσεις"]),
        ("windows-1254", ["Ayşe,Yıldız,Satış"]),
        ("windows-1255", ["יוסי,כהן,מכירות"]),
        ("windows-1256", ["محمد,العتيبي,المبيعات"]),
        ("windows-1257", ["Jūratė,Žukauskienė,Pardavimų skyrius"]),
        ("gb18030", ["伟,王,市场部"]),
        ("big5-hkscs", ["志明,陳,業務部"]),
        ("cp932", ["太郎,佐藤,営業部"]),
        ("cp949", ["민준,김,영업팀"]),
        ("cp874", ["สมชาย,ใจดี,ฝ่ายขาย"]),
        ("cp850", ["Jürgen,Müller,Büro Köln", "Änne,Schäfer,Einkauf"]),
        ("cp852", ["Łukasz,Wójcik,Sprzedaż", "Małgorzata,Dąbrowska,Zarząd"]),
        ("cp866", ["Иван,Петров,Продажи"]),
        ("mac-roman", ["Jürgen,Müller,Büro Köln", "Änne,Schäfer,Einkauf"]),
        # chardet 7.7.0 rules out these encodings where 16 bytes or more have fewer than four kinds of first bytes.
        *((encoding, [f",,{name}"] * times) for encoding, name in REPEATED for times in (1, 3, 4, 12)),
        ("cp932", [f",,営業{number}部" for number in range(1, 13)]),
    ],
)
def test_a_file_is_read_as_what_it_says(encoding: str, rows: list[str]) -> None:
    text = roster(*rows)
    content = text.encode(encoding)
    assert content.decode(readings(content)[0].encoding) == text


@given(st.binary(max_size=300))
def test_every_reading_can_decode_the_lines_beyond_ascii(content: bytes) -> None:
    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())
    found = readings(content)
    assert {reading.encoding for reading in found} <= set(ENCODINGS)
    assert [reading.score for reading in found] == sorted((reading.score for reading in found), reverse=True)
    for reading in found:
        lines.decode(reading.encoding)


@pytest.mark.slow
def test_of_many_rosters_that_it_was_not_tuned_on_99_percent_are_exactly_right() -> None:
    cases = list(_rosters().cases(FRESH_SEEDS))
    wrong = [name for name, text, content in cases if content.decode(readings(content)[0].encoding) != text]
    assert len(wrong) <= len(cases) // 100, wrong
    assert not [name for name in wrong if name.rsplit("-", 2)[0] in WESTERN]


def _rosters() -> ModuleType:
    spec = spec_from_file_location("rosters", ROSTERS)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_encoding_that_was_guessed_is_taken_if_it_can_decode_the_file() -> None:
    content = "Groupname,Email\nFranţa,ann@example.com\n".encode("cp852")
    taken, other = (read_roster(content, "a.csv", encoding=each, guessed=True) for each in ("cp852", "utf-8"))
    assert isinstance(taken, Roster)
    assert isinstance(other, Roster)
    assert (taken.encoding, taken.problem_counts) == ("cp852", {"encoding-guessed": 1})
    assert other.encoding == "windows-1252"
