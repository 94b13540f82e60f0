"""Commands are printed as they can be pasted into the shell that started this one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from adapters.cli.process import command_line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the script of an installed Rollcall, which this process was started by."""
    path = tmp_path / "checkout" / ".venv" / "bin" / "rollcall"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    return path


def test_from_the_checkout_it_is_the_short_path(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(script.parents[2])
    assert command_line("imports", "-s", "Demo") == ".venv/bin/rollcall imports -s Demo"


def test_a_relative_start_is_the_same(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(script.parents[2])
    monkeypatch.setattr(sys, "argv", [".venv/bin/rollcall"])
    assert command_line("worker") == ".venv/bin/rollcall worker"


def test_from_far_away_it_is_the_whole_path(
    script: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path_factory.mktemp("far").joinpath(*"abcdefghijklmnopqrstuvwxyz")
    far.mkdir(parents=True)
    monkeypatch.chdir(far)
    assert command_line("worker") == f"{script} worker"


def test_on_the_path_it_is_the_name(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "rollcall").symlink_to(script)
    monkeypatch.setenv("PATH", str(bin_folder))
    assert command_line("group", "create", "Sales & Support") == "rollcall group create 'Sales & Support'"


def test_another_one_on_the_path_is_not_used(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "bin" / "rollcall"
    other.parent.mkdir()
    other.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.chdir(script.parents[2])
    assert command_line("worker") == ".venv/bin/rollcall worker"


def test_started_as_a_module_it_is_the_script_beside_python(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/adapters/cli/main.py"])
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.chdir(script.parents[2])
    assert command_line("worker") == ".venv/bin/rollcall worker"
