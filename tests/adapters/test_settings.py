from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.settings import Oidc, SettingsError, describe, read_settings
from adapters.variables import VARIABLES
from domain.retention import Retention
from domain.roster import Limits


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        read_settings(environ)
    assert all(problem in str(refusal.value) for problem in refusal.value.problems)
    return refusal.value.problems


def test_without_settings_rollcall_uses_the_embedded_server_and_the_defaults() -> None:
    settings = read_settings({"HOME": "/home/ada"})
    assert settings.database_url is None
    assert settings.database_schema == "rollcall"
    assert settings.pool_size == 10
    assert settings.worker_commits == 4
    assert settings.limits == Limits()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:secret@db.example/rollcall?sslmode=require",
        "postgres://db/rollcall",
        "host=db dbname=rollcall",
    ],
)
def test_a_database_is_a_url_or_a_connection_string(url: str) -> None:
    assert read_settings({"ROLLCALL_DATABASE_URL": url}).database_url == url


def test_every_setting_can_be_set() -> None:
    settings = read_settings(
        {
            "ROLLCALL_DATABASE_SCHEMA": "tenants_7",
            "ROLLCALL_DATA_DIR": "/srv/rollcall",
            "ROLLCALL_POOL_SIZE": "200",
            "ROLLCALL_WORKER_COMMITS": "1",
            "ROLLCALL_LIMIT_FILE_BYTES": "50_000_000",
            "ROLLCALL_LIMIT_ROWS": "5",
            "ROLLCALL_LIMIT_COLUMNS": "6",
            "ROLLCALL_LIMIT_CELL_BYTES": "2048",
        }
    )
    assert settings.database_schema == "tenants_7"
    assert settings.data_dir == Path("/srv/rollcall")
    assert (settings.pool_size, settings.worker_commits) == (200, 1)
    assert settings.limits == Limits(file_bytes=50_000_000, rows=5, columns=6, cell_bytes=2048)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ROLLCALL_POOL_SIZE", "many", "a whole number from 4 to 200"),
        ("ROLLCALL_POOL_SIZE", "1", "a whole number from 4 to 200"),
        ("ROLLCALL_POOL_SIZE", "201", "a whole number from 4 to 200"),
        ("ROLLCALL_WORKER_COMMITS", "", "a whole number from 1 to 64"),
        ("ROLLCALL_LIMIT_ROWS", "-1", "a whole number from 1 to 100_000_000"),
        ("ROLLCALL_DATA_DIR", "data", "an absolute path"),
        ("ROLLCALL_DATABASE_SCHEMA", "Roll call", "lower-case letters"),
        ("ROLLCALL_DATABASE_SCHEMA", "pg_rollcall", "not starting with a digit or pg_"),
        ("ROLLCALL_DATABASE_SCHEMA", "s" * 41, "1 to 40"),
    ],
)
def test_an_invalid_value_is_reported_with_its_name_and_what_is_expected(name: str, value: str, expected: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name} is {value!r}. It must be ")
    assert expected in problem


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://rollcall.example", "https://rollcall.example"),
        ("https://Rollcall.Example/", "https://rollcall.example"),
        ("https://rollcall.example:443", "https://rollcall.example"),
        ("https://rollcall.example:8443", "https://rollcall.example:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_public_url_is_normalised_as_browsers_write_an_origin(given: str, url: str) -> None:
    assert read_settings({"ROLLCALL_PUBLIC_URL": given}).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://rollcall.example",
        "https://rollcall.example/x",
        "https://rollcall.example?x",
        "https://ann@rollcall.example",
        "rollcall.example",
        "https://",
        "https://rollcall.example:x",
        "https://rollcäll.example",
        "",
    ],
)
def test_a_public_url_without_tls_or_with_more_than_a_host_is_refused(url: str) -> None:
    (problem,) = problems(ROLLCALL_PUBLIC_URL=url)
    assert "It must be https://HOST" in problem


def test_a_provider_needs_an_issuer_and_a_client_id() -> None:
    issuer = {"ROLLCALL_OIDC_ISSUER": "https://id.example/realm/"}
    client = {"ROLLCALL_OIDC_CLIENT_ID": "rollcall", "ROLLCALL_OIDC_CLIENT_SECRET": "hunter2"}
    oidc = read_settings(issuer | client).oidc
    assert oidc == Oidc("https://id.example/realm/", "rollcall", "hunter2")
    assert "hunter2" not in repr(read_settings(issuer | client))
    for part in (issuer, client, {"ROLLCALL_OIDC_CLIENT_SECRET": "hunter2"}):
        (problem,) = problems(**part)
        assert "ROLLCALL_OIDC_ISSUER" in problem
        assert "hunter2" not in problem
    (insecure,) = problems(ROLLCALL_OIDC_ISSUER="http://id.example", ROLLCALL_OIDC_CLIENT_ID="rollcall")
    assert "https://HOST" in insecure


def test_an_issuer_is_vouched_for_only_in_so_many_words() -> None:
    provider = {"ROLLCALL_OIDC_ISSUER": "https://id.example", "ROLLCALL_OIDC_CLIENT_ID": "rollcall"}
    told: tuple[tuple[dict[str, str], bool], ...] = (
        ({}, False),
        ({"ROLLCALL_OIDC_TRUST_EMAIL": "false"}, False),
        ({"ROLLCALL_OIDC_TRUST_EMAIL": "true"}, True),
    )
    for setting, trusted in told:
        oidc = read_settings(provider | setting).oidc
        assert oidc
        assert oidc.trust_email is trusted
    for unclear in ("1", "yes", "TRUE", ""):
        (problem,) = problems(**provider, ROLLCALL_OIDC_TRUST_EMAIL=unclear)
        assert "It must be true or false." in problem
    (alone,) = problems(ROLLCALL_OIDC_TRUST_EMAIL="true")
    assert "has no effect without ROLLCALL_OIDC_ISSUER" in alone


@pytest.mark.parametrize("url", ["mysql://ada:hunter2@db/x", "hunter2", "", "postgresql+psycopg://ada:hunter2@db/x"])
def test_an_invalid_secret_is_not_shown(url: str) -> None:
    (problem,) = problems(ROLLCALL_DATABASE_URL=url)
    assert problem.startswith("ROLLCALL_DATABASE_URL is not valid")
    assert "postgresql://USER:PASSWORD@HOST" in problem
    assert "hunter2" not in problem


def test_a_password_is_not_shown_with_the_settings() -> None:
    settings = read_settings({"ROLLCALL_DATABASE_URL": "postgresql://ada:hunter2@db/rollcall"})
    assert "hunter2" not in repr(settings)
    assert "pool_size" in repr(settings)


def test_all_problems_are_reported_at_once() -> None:
    assert len(problems(ROLLCALL_POOL_SIZE="0", ROLLCALL_LIMIT_ROWS="x", ROLLCALL_COLOUR="red")) == 3


def test_an_unknown_setting_is_refused_with_the_closest_name() -> None:
    assert problems(ROLLCALL_POOLSIZE="5") == ["ROLLCALL_POOLSIZE is not a setting. Did you mean ROLLCALL_POOL_SIZE?"]
    assert problems(ROLLCALL_XYZZY="5") == ["ROLLCALL_XYZZY is not a setting."]


def test_variables_of_the_tests_of_kubernetes_and_of_others_are_ignored() -> None:
    theirs = {
        "ROLLCALL_TEST_DATABASE_URL": "postgresql://db/x",
        "ROLLCALL_SERVICE_HOST": "10.0.0.1",
        "ROLLCALL_SERVICE_PORT_HTTP": "80",
        "ROLLCALL_PORT": "tcp://10.0.0.1:80",
        "ROLLCALL_PORT_80_TCP_ADDR": "10.0.0.1",
        "POOL_SIZE": "x",
    }
    assert read_settings(theirs) == read_settings({})


EXAMPLES = {
    "DATABASE_URL": "host=db",
    "DATABASE_SCHEMA": "other",
    "DATA_DIR": "/srv/other",
    "PUBLIC_URL": "https://rollcall.example",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "OIDC_ISSUER": "https://id.example/realm",
    "OIDC_CLIENT_ID": "rollcall",
    "OIDC_CLIENT_SECRET": "hunter2",
    "OIDC_TRUST_EMAIL": "true",
    "LIMIT_READER_BYTES": "300000000",
    "PRIVATE_DOMAINS": "local",
    "CHECKPOINT_KEY": "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    "CHECKPOINT_KNOWN_KEYS": "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "CHECKPOINT_DIR": "/srv/checkpoints",
    "CHECKPOINT_URL": "https://receiver.example/checkpoints",
}


@pytest.mark.parametrize("variable", [variable.name for variable in VARIABLES])
def test_every_setting_can_be_read_from_a_file(variable: str, tmp_path: Path) -> None:
    example = EXAMPLES.get(variable, "64")
    example = "2048" if variable in {"LIMIT_CELL_BYTES", "LIMIT_FILE_BYTES"} else example
    file = tmp_path / "secret"
    file.write_text(f"{example}\n")
    name = f"ROLLCALL_{variable}"
    others = {"ROLLCALL_OIDC_ISSUER": "https://id.example", "ROLLCALL_OIDC_CLIENT_ID": "us"} if "OIDC" in name else {}
    if variable in {"CHECKPOINT_DIR", "CHECKPOINT_URL"}:
        others = {"ROLLCALL_CHECKPOINT_KEY": EXAMPLES["CHECKPOINT_KEY"]}
    others.pop(name, None)
    unset = read_settings(others) if "OIDC" not in name or len(others) != 1 else read_settings({})
    assert read_settings({**others, f"{name}_FILE": str(file)}) == read_settings({**others, name: example}) != unset


def test_a_setting_in_a_file_is_checked_and_named_with_file(tmp_path: Path) -> None:
    file = tmp_path / "size"
    file.write_text("none\n")
    (problem,) = problems(ROLLCALL_POOL_SIZE_FILE=str(file))
    assert problem.startswith("ROLLCALL_POOL_SIZE_FILE is 'none'. It must be ")


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert problems(ROLLCALL_DATABASE_URL_FILE=str(missing)) == [
        f"ROLLCALL_DATABASE_URL_FILE is '{missing}', a file that cannot be read: No such file or directory."
    ]
    assert problems(ROLLCALL_DATABASE_URL_FILE=str(binary)) == [
        f"ROLLCALL_DATABASE_URL_FILE is '{binary}', a file that is not UTF-8 text."
    ]


def test_a_setting_and_its_file_cannot_both_be_set(tmp_path: Path) -> None:
    assert problems(ROLLCALL_DATABASE_URL="host=db", ROLLCALL_DATABASE_URL_FILE=str(tmp_path / "x")) == [
        "ROLLCALL_DATABASE_URL and ROLLCALL_DATABASE_URL_FILE are both set. Set only one of them."
    ]


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/rollcall"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, "/data/rollcall"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "relative"}, "/home/ada/.local/share/rollcall"),
        ({}, "/var/lib/rollcall"),
    ],
)
def test_an_ordinary_user_has_the_embedded_server_in_their_data_directory(
    environ: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert read_settings(environ).data_dir == Path(place)


def test_root_has_the_embedded_server_where_its_account_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_settings({"HOME": "/root"}).data_dir == Path("/var/lib/rollcall")


def test_files_are_kept_for_ever_unless_set_and_unused_ones_no_longer_than_others() -> None:
    assert read_settings({}).retention == Retention(None, None)
    assert read_settings({"ROLLCALL_RETENTION_DAYS": "365"}).retention == Retention(365, 365)
    assert read_settings({"ROLLCALL_RETENTION_UNUSED_DAYS": "30"}).retention == Retention(None, 30)
    (problem,) = problems(ROLLCALL_RETENTION_DAYS="30", ROLLCALL_RETENTION_UNUSED_DAYS="31")
    assert problem == "ROLLCALL_RETENTION_UNUSED_DAYS must not be more than ROLLCALL_RETENTION_DAYS."
    for wrong in ("0", "36501", "ever"):
        assert "a whole number of days from 1 to 36_500" in problems(ROLLCALL_RETENTION_DAYS=wrong)[0]


def test_every_setting_is_described() -> None:
    table = {name: default for name, default, _ in describe()}
    assert table["ROLLCALL_LIMIT_ROWS"] == "1_000_000"
    assert len(table) == len(VARIABLES)
    assert all(meaning.endswith(".") for _, _, meaning in describe())
