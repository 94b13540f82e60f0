"""What is a valid address or name, and when two of them are the same."""

from __future__ import annotations

import sys
from unicodedata import category, normalize

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from domain.addresses import email_key, parse_email, parse_emails, plain_email
from domain.errors import EmailInvalid, EmailsInvalid, GroupNameInvalid
from domain.naming import (
    clean_file_name,
    group_key,
    listed,
    parse_group_name,
    printable,
    why_misleading,
    without_controls,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
NEARLY_EMAILS = st.builds(
    "{}@{}".format,
    st.text("abZ019.!#$%&'*+-/=?^_`{|}~ \"é", max_size=70),
    st.one_of(
        st.lists(st.text("abxnZ019-_", max_size=66), max_size=4).map(".".join),
        st.sampled_from([*SPECIAL_USE_DOMAIN_NAMES, "example.com", "xn--bcher-kva.de", "a--b.com", "LOCAL", "b.c0"]),
        st.sampled_from(SPECIAL_USE_DOMAIN_NAMES).map("x.{}".format),
    ),
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.COM", " ann@example.com\t"),
        ("Jose\u0301@example.com", "josé@example.com"),
        ("ÅSA@example.com", "åsa@example.com"),
    ],
)
def test_addresses_are_the_same_regardless_of_space_case_and_composition(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)


def test_addresses_that_only_look_alike_are_different() -> None:
    assert email_key("аnn@example.com") != email_key("ann@example.com")
    assert email_key("ａnn@example.com") != email_key("ann@example.com")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sales", "  SALES "),
        ("Sales  Team", "sales\u00a0team"),
        ("Straße", "STRASSE"),
        ("ＳＡＬＥＳ", "sales"),
        ("ﬁnance", "Finance"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("a\tb\nc", "a b c"),
        ("Team\u200b A", "Team A"),
        ("S\u00adales\ufe0f", "Sales"),
    ],
)
def test_group_names_are_the_same_regardless_of_space_case_width_and_composition(one: str, other: str) -> None:
    assert group_key(one) == group_key(other)


@pytest.mark.parametrize(("one", "other"), [("Sales", "Sale"), ("A B", "AB"), ("Sales", "Sаles"), ("Ä", "A")])
def test_different_group_names_have_different_keys(one: str, other: str) -> None:
    assert group_key(one) != group_key(other)


@given(ANY_TEXT)
@example("J\u030c")
@example("İ")
def test_the_key_of_an_address_is_its_own_key(text: str) -> None:
    assert email_key(email_key(text)) == email_key(text)


@given(ANY_TEXT)
@example("\u0345\u03b9\u0308")
@example("\u00a8")
@example("ΐ")
def test_the_key_of_a_group_name_is_its_own_key(text: str) -> None:
    key = group_key(text)
    assert group_key(key) == key
    assert normalize("NFKC", key) == key


def test_keys_with_any_single_character_are_their_own_keys() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        if category(character) in ("Cn", "Co", "Cs"):
            continue
        around = f"a{character}I\u0345"
        key = group_key(around)
        assert group_key(key) == key
        assert email_key(email_key(around)) == email_key(around)


@given(NEARLY_EMAILS | st.emails() | st.text())
@example("a@b.test")
@example("a@LOCALHOST.com")
@example("a@home.arpa")
@example("a" * 64 + "@b.cd")
@example(f"a@{'b' * 64}.cd")
@example("a..b@c.de")
@example("a@b-.de")
@example("a@b.c0")
@example("a@ab--c.de")
@example("a@b.com\n")
def test_every_plain_address_is_valid_for_the_validator_too(text: str) -> None:
    plain = plain_email(text)
    if plain is not None:
        assert plain == email_key(text)
        validate_email(plain, check_deliverability=False)


@given(NEARLY_EMAILS | st.emails())
def test_an_address_is_valid_exactly_if_the_validator_accepts_its_key(text: str) -> None:
    try:
        validate_email(email_key(text), check_deliverability=False)
    except EmailNotValidError:
        with pytest.raises(EmailInvalid):
            parse_email(text)
    else:
        assert parse_email(text) == email_key(text)


def test_ordinary_addresses_are_plain() -> None:
    for address in ("Ann@Example.com", "first.last+tag@mail.example.co.uk", "o'brien@x1.org", " a_b@my-host.museum "):
        assert plain_email(address) == address.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "a b@example.com",
        "ann@example.com;bob@example.com",
        "Ann <ann@example.com>",
        "ann@exa\u200bmple.com",
        "\ufeffann@example.com",
        "ann\x00@example.com",
        "ann@example.com\x00",
        "\ud800@example.com",
        "ann@server.local",
        "a" * 243 + "@example.com",
        "a@" * 50_000,
    ],
)
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(EmailInvalid) as refusal:
        parse_email(text)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 600


def test_a_group_name_is_kept_as_it_is_spelled_except_for_spaces() -> None:
    assert parse_group_name("  Sales \t  Team\n") == "Sales Team"
    assert parse_group_name("ＦＯＯ ﬁ") == "ＦＯＯ ﬁ"
    assert parse_group_name("x" * 255) == "x" * 255


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "blank"),
        (" \u3000\n", "blank"),
        ("x" * 256, "255"),
        ("a\x00b", "U+0000"),
        ("a\x9fb", "U+009F"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\ud800b", "U+D800"),
        ("\u200b \u3164", "visible"),
        ("\ufdfa" * 255, "too long"),
    ],
)
def test_an_invalid_group_name_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(GroupNameInvalid) as refusal:
        parse_group_name(text)
    assert reason in str(refusal.value.fields["reason"])
    assert str(refusal.value).isprintable()


def test_a_blank_group_name_or_address_asks_for_one() -> None:
    for blank in ("", " \u3000\n"):
        with pytest.raises(GroupNameInvalid, match=r"^Enter a group name\.$"):
            parse_group_name(blank)
        with pytest.raises(EmailInvalid, match=r"^Enter an e-mail address\.$"):
            parse_email(blank)


@given(ANY_TEXT | st.text(min_size=250))
def test_a_valid_group_name_has_a_key_and_is_valid_as_it_is_kept(text: str) -> None:
    try:
        kept = parse_group_name(text)
    except GroupNameInvalid:
        return
    assert 1 <= len(kept) <= 255
    assert group_key(kept)
    assert group_key(kept) == group_key(text)
    assert parse_group_name(kept) == kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Sa\u200bles", "U+200B"),
        ("\ufeffSales", "U+FEFF"),
        ("Sa\u00adles", "U+00AD"),
        ("Sales\u3164", "U+3164"),
        ("\u2764\ufe0f", "U+FE0F"),
        ("a\x00b", "U+0000"),
        ("Sаles", "Latin and Cyrillic"),
        ("pαy@example.com", "Latin and Greek"),
        ("team аdmin", "Latin and Cyrillic"),
        ("ｐау", "Latin and Cyrillic"),
        ("p\u0301\u0430y", "Latin and Cyrillic"),
    ],
)
def test_a_misleading_text_has_a_reason(text: str, why: str) -> None:
    assert why in why_misleading(text)


@pytest.mark.parametrize(
    "text", ["", "Sales", "Élèves", "Отдел-IT", "IT отдел", "αβγ", "Straße 5 µm", "営業部", "naïve café", "é\u0301"]
)
def test_ordinary_names_in_any_script_are_not_misleading(text: str) -> None:
    assert why_misleading(text) == ""


def test_a_persons_name_is_kept_without_control_characters() -> None:
    assert without_controls(" Ann\x00\u202e  \tLee\x7f ") == "Ann Lee"
    assert without_controls("A\x00 \x01B") == "A B"
    assert without_controls("Zoë O’Neil") == "Zoë O’Neil"


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("users.csv", "users.csv"),
        ("../../x.csv", "x.csv"),
        ("C:\\Users\\ann\\x.csv", "x.csv"),
        ("a/b\\c.csv", "c.csv"),
        ("x\r\nSet-Cookie: a.csv", "xSet-Cookie: a.csv"),
        ("a\u202evsc.exe", "avsc.exe"),
        ("\u200fx\u200b.csv\x00", "x.csv"),
        ("e\u0301.csv", "é.csv"),
        ("  two   words.csv ", "two words.csv"),
        ("x" * 300 + ".csv", "x" * 251 + ".csv"),
        ("x" * 300, "x" * 255),
        ("." + "x" * 300, "." + "x" * 254),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("a/", "unnamed"),
        ("\x00\u200b", "unnamed"),
        ("\ud800.csv", ".csv"),
    ],
)
def test_a_file_name_is_reduced_to_a_clean_base_name(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean


@given(ANY_TEXT)
def test_a_clean_file_name_is_harmless_whatever_the_name_was(name: str) -> None:
    clean = clean_file_name(name)
    assert 1 <= len(clean) <= 255
    assert not set(clean) & set("/\\")
    assert clean not in (".", "..")
    assert not {category(character) for character in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert clean_file_name(clean) == clean


@given(ANY_TEXT | st.text(min_size=200))
def test_printable_text_is_short_and_can_be_stored(text: str) -> None:
    visible = printable(text)
    assert not {category(character) for character in visible} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(visible) <= 201 * 10
    visible.encode()


def test_printable_text_has_escapes_for_characters_that_cannot_be_printed() -> None:
    assert printable("a\x00\u202e\ud800\n") == "a\\x00\\u202e\\ud800\\n"
    assert printable("Zoë 営業 \U0001f600") == "Zoë 営業 \U0001f600"
    assert printable("x" * 300) == "x" * 200 + "…"


def test_an_address_with_millions_of_combining_marks_is_refused_at_once() -> None:
    """Normalising it would take the square of its length: minutes for a file of such cells."""
    with pytest.raises(EmailInvalid, match="longer than 254 bytes"):
        parse_email("\u0301\u0316" * 5_000_000 + "@example.com")


def test_an_address_is_measured_in_bytes() -> None:
    with pytest.raises(EmailInvalid, match="longer than 254 bytes"):
        parse_email("ж" * 60 + "@" + "ж" * 60 + "." + "ж" * 60 + ".com")


def test_invalid_addresses_are_refused_together() -> None:
    assert parse_emails(["Ben@Example.com", "ann@example.com", "ben@example.com "]) == (
        "ben@example.com",
        "ann@example.com",
    )
    with pytest.raises(EmailsInvalid, match=r"“nobody”, “a b@example\.com”") as refused:
        parse_emails(["ann@example.com", "nobody", "a b@example.com"])
    assert refused.value.fields["emails"] == ["nobody", "a b@example.com"]


def test_a_long_list_of_names_says_how_many_more_there_are() -> None:
    assert listed(["a"]) == "“a”"
    assert listed(["a", "b", "c"], at_most=3) == "“a”, “b”, “c”"
    assert listed([str(number) for number in range(1_005)]) == "“0”, “1”, “2”, “3”, “4” and 1,000 more"
