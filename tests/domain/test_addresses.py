"""What is one mailbox, which private domains are accepted, and why a text is no address."""

from __future__ import annotations

import pytest

from domain.addresses import (
    email_key,
    emails_meant,
    parse_email,
    plain_email,
    plain_emails,
    why_incomplete,
    with_plain_apostrophe,
)
from domain.errors import EmailInvalid


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("kim@xn--mnchen-3ya.example.com", "kim@münchen.example.com"),
        ("Kim@XN--MNCHEN-3YA.example.com", "kim@münchen.example.com"),
        ("kim@MÜNCHEN.example.com", "kim@münchen.example.com"),
        ("kim@mu\u0308nchen.example.com", "kim@münchen.example.com"),
        ("kim@ｍünchen。example.com", "kim@münchen.example.com"),
        ("kim@straße.example.com", "kim@straße.example.com"),
        ("kim@xn--strae-oqa.example.com", "kim@straße.example.com"),
    ],
)
def test_a_domain_is_the_same_in_both_of_its_forms_and_shown_as_people_read_it(address: str, key: str) -> None:
    assert email_key(address) == parse_email(address) == key
    assert email_key(key) == parse_email(key) == key


def test_what_is_no_domain_has_a_key_all_the_same() -> None:
    for text in ("kim@xn--.com", "kim@xn--a.example", "xn--", "kim@ü_.com", "kim@" + "ü" * 300):
        assert email_key(email_key(text)) == email_key(text)


LOCAL = ("corp.internal", "local")


@pytest.mark.parametrize("address", ["ann@corp.local", "ann@dc1.corp.local", "ann@corp.internal", "ann@example.com"])
def test_private_domains_are_accepted_where_they_are_allowed(address: str) -> None:
    assert parse_email(address.upper(), LOCAL) == plain_email(address, LOCAL) == address
    assert plain_emails([address, "ben@corp.local"], LOCAL) == [address, "ben@corp.local"]
    assert emails_meant(f"Ann <{address}>", LOCAL) == [address]


@pytest.mark.parametrize("address", ["ann@local", "ann@localhost", "ann@corp.test", "ann@notlocal", "ann@-.local"])
def test_other_special_domains_and_those_without_a_dot_are_refused(address: str) -> None:
    assert plain_email(address, LOCAL) is None
    assert plain_emails([address], LOCAL) is None
    with pytest.raises(EmailInvalid):
        parse_email(address, LOCAL)


def test_private_domains_with_letters_beyond_ascii_are_accepted() -> None:
    assert parse_email("ann@bücher.local", LOCAL) == "ann@bücher.local"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ann", "It has no @-sign."),
        ("ann@b@example.com", "It has more than one @-sign."),
        ("ann lee@example.com", "It contains a space."),
        ("a\u200bnn@example.com", "It contains invisible characters (U+200B)."),
        ("@example.com", "There is nothing before the @-sign."),
        ("ann@", "There is nothing after the @-sign."),
        ("ann;ben@example.com", "It can't have “;” before the @-sign."),
        ('"ann,(x)"@example.com', "It can't have “\"”, “,”, “(” or “)” before the @-sign."),
        ("ann.@example.com", "Before the @-sign, a dot has to stand between other characters."),
        ("ann@exa_mple.com", "It can't have “_” after the @-sign."),
        ("ann@example", "After the @-sign there has to be a domain with a dot, such as example.com."),
        ("ann@example..com", "After the @-sign, a dot has to stand between other characters."),
        ("ann@-example.com", "In the domain, a hyphen has to stand between other characters."),
        (f"ann@{'x' * 64}.com", "A part of its domain is longer than 63 characters."),
        (
            "ann@corp.local",
            "Domains that end with “.local” are private. Whoever runs Rollcall has to allow them first.",
        ),
        ("ann@127.0.0.1", "No domain ends with “.1”."),
        ("ann@ab--c.example.com", "“ab--c.example.com” can't be a domain."),
    ],
)
def test_an_address_is_refused_in_plain_words(text: str, reason: str) -> None:
    with pytest.raises(EmailInvalid) as refusal:
        parse_email(text)
    assert refusal.value.fields["reason"] == reason


ANN, BEN = "ann@example.com", "ben@example.com"


@pytest.mark.parametrize(
    "text",
    [
        *(f"Ann Lee <{ANN}>", f"<{ANN}>", f"mailto:{ANN}", f"MAILTO:{ANN}?subject=Hi", f"{ANN};", f"{ANN},", f"{ANN}."),
        *(f"'{ANN}'", f'"{ANN}"', f"“{ANN}”", f"„{ANN}“", f"«{ANN}»", f"Ann Lee ({ANN})", f"[{ANN}](mailto:{ANN})"),
        *(
            f"\u200b{ANN}",
            f"{ANN}\u00ad",
            f"\ufeff{ANN}\u00a0;",
            f"SMTP:{ANN}",
            f"Ann <mailto:{ANN}>",
            "ann＠example.com",
        ),
    ],
)
def test_an_address_as_people_have_it_is_meant(text: str) -> None:
    assert emails_meant(text) == [ANN]


@pytest.mark.parametrize("between", [";", "; ", ",", ", ", " ", "\n", "\t", " / ", " | ", " & "])
def test_several_addresses_in_a_text_are_meant(between: str) -> None:
    assert emails_meant(f"{ANN}{between}{BEN}") == [ANN, BEN]
    assert emails_meant(f"Ann <{ANN}>{between}Ben <{BEN}>") == [ANN, BEN]


@pytest.mark.parametrize(
    "text",
    [
        *(f"['{ANN}', '{BEN}']", f'["{ANN}","{BEN}"]', f"['{ANN}' '{BEN}']", f"[{ANN}, {BEN}]", f"{{{ANN},{BEN}}}"),
        f"<ArrowStringArray>\n['{ANN}', '{BEN}']\nLength: 2, dtype: str",
        *(f"{ANN}|{BEN}", f"{ANN}/{BEN}", f"{ANN}&{BEN}"),
    ],
)
def test_lists_as_programs_write_them_are_meant(text: str) -> None:
    """As pandas, json2csv, NumPy, DuckDB and PostgreSQL write them into a cell, and scripts that join them."""
    assert emails_meant(text) == [ANN, BEN]


@pytest.mark.parametrize(
    "text",
    [
        f"['{ANN}' '{BEN}' '{ANN}' ... '{BEN}'\n '{ANN}' '{BEN}']",
        f"<ArrowStringArray>\n[ '{ANN}',\n ...\n '{BEN}']\nLength: 101, dtype: str",
    ],
)
def test_a_list_that_a_program_has_cut_means_none(text: str) -> None:
    """As pandas' to_csv writes them (findings/pandas-writes-six-of-a-thousand.sh)."""
    assert emails_meant(text) == []
    assert "left addresses out" in why_incomplete(text)
    assert not why_incomplete(f"['{ANN}', '{BEN}']")


def test_a_list_as_long_as_a_cell_of_a_spreadsheet_may_be_means_none() -> None:
    """Of longer ones, openpyxl and polars write the beginning (findings/xlsx-writers-cut-lists-of-addresses.sh)."""
    addresses = ";".join(f"user{number:05}@example.com" for number in range(1489))
    cut = f"{'u' * (32_767 - len(addresses))}{addresses}"
    assert emails_meant(cut) == []
    assert "as long as a cell of a spreadsheet" in why_incomplete(cut)
    for text in (cut[1:], f"u{cut}"):
        assert not why_incomplete(text)


@pytest.mark.parametrize("address", ["a|b@example.com", "{ann@example.com", "r&d@example.com"])
def test_signs_before_the_at_sign_stay(address: str) -> None:
    assert emails_meant(f"{address}; {BEN}") == emails_meant(f"<{address}>;<{BEN}>") == [address, BEN]
    assert emails_meant(f"{BEN}|{address}") == [BEN, address]


@pytest.mark.parametrize("text", [f"{ANN} und {BEN}", f"{ANN}|", "ann", f"{ANN}; nobody", "<>", ";", "mailto:", "(@)"])
def test_what_is_not_all_addresses_means_none(text: str) -> None:
    assert emails_meant(text) == []


def test_apostrophes_of_word_processors_become_plain() -> None:
    assert with_plain_apostrophe("o’brien@example.com") == "o'brien@example.com"
