"""What is published is whole: every package and every file that Rollcall reads is in the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.adapters.cli.terminals import environment

ROOT = Path(__file__).parents[1]
INSTALL = ("install", "--quiet", "--no-deps", "--no-index")
TOP_PACKAGES = ("domain", "application", "projections", "adapters")


def _files() -> set[str]:
    """Return the files of our packages, as a wheel names them."""
    paths = (path for top in TOP_PACKAGES for path in (ROOT / top).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in paths if path.parent.name != "__pycache__"}


def test_every_folder_with_modules_is_a_listed_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {str(Path(name).parent).replace("/", ".") for name in _files() if name.endswith(".py")}
    assert set(listed) == folders
    assert len(listed) == len(folders)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy: setuptools writes beside what it builds."""
    place = tmp_path_factory.mktemp("wheel")
    for top in TOP_PACKAGES:
        shutil.copytree(ROOT / top, place / top, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, place)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", ".", cwd=place)
    [built] = place.glob("*.whl")
    return built


@pytest.mark.slow
def test_every_file_is_in_the_wheel(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == _files()


@pytest.mark.slow
@pytest.mark.database
def test_an_installed_wheel_runs_the_demo_from_another_folder(wheel: Path, database: str, tmp_path: Path) -> None:
    """It is installed alone; what it depends on is lent by the environment of the tests."""
    fresh = tmp_path / "fresh"
    _run(sys.executable, "-m", "venv", "--without-pip", str(fresh))
    _run(sys.executable, "-m", "pip", "--python", str(fresh / "bin" / "python"), *INSTALL, str(wheel))
    [site_packages] = fresh.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environ = environment(database)
    asked = _run(str(fresh / "bin" / "python"), "-c", "import adapters; print(adapters.__path__)", cwd=elsewhere)
    assert str(site_packages) in asked
    said = _run(str(fresh / "bin" / "rollcall"), "demo", "--no-serve", cwd=elsewhere, environ=environ)
    assert said.count("Completed: ") == 2
    assert f"{fresh}/bin/rollcall imports -s Demo" in said or "../fresh/bin/rollcall imports -s Demo" in said


def _run(*words: str, cwd: Path = ROOT, environ: dict[str, str] | None = None) -> str:
    """Run a program that has to succeed, and return what it prints."""
    done = subprocess.run(  # noqa: S603 - the tests say what
        words, cwd=cwd, env=environ or dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
