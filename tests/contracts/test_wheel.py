"""The wheel: built, installed where the repository is not, and run from an empty folder."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import admf_ray

REPOSITORY = Path(__file__).parents[2]


def run(*command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "NUMBA_CACHE_DIR"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=REPOSITORY)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh environment with the wheel, which sees the locked packages but not the checkout."""
    home = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", home, folder=home)
    packages = sysconfig.get_path("purelib")
    own = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    # A path in a .pth file is searched, but no .pth file in it is read: the editable checkout stays out of sight.
    (own / "locked.pth").write_text(f"{packages}\n")
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel, folder=home)
    where = run(python, "-c", "import admf_ray; print(admf_ray.__file__)", folder=home).stdout.strip()
    assert Path(where).is_relative_to(own)
    return home / "bin"


def test_the_wheel_carries_package_conf_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    conf = {f"admf_ray/conf/{path.relative_to(REPOSITORY / 'conf')}" for path in (REPOSITORY / "conf").rglob("*.yaml")}
    assert conf <= names
    assert {f"admf_ray/report/templates/page.{kind}" for kind in ("html", "css", "js")} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_it_declares_the_pythons_that_are_supported(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    assert "Requires-Python: <3.14,>=3.11" in metadata
    for version in ("3.11", "3.12", "3.13"):
        assert f"Classifier: Programming Language :: Python :: {version}" in metadata
    assert f"Version: {admf_ray.__version__}" in metadata


def test_a_walk_forward_runs_from_an_empty_folder_with_an_experiment_of_the_users_own(
    installed: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine" / "experiment"
    mine.mkdir(parents=True)
    (mine / "short.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /strategy: custom\nexperiment: walkforward\n"
        "strategy:\n  name: sma_cross\n  space:\n    fast: [10, 20]\n    slow: [50, 100]\n"
        "windows:\n  train: 8y\n  test: 2y\n"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    options = ["--config-dir", tmp_path / "mine", "+experiment=short", "cluster.workers=2", "run_name=short"]
    done = run(installed / "admf", *options, folder=empty)
    assert "out of sample, chained" in done.stdout
    assert [path.name for path in empty.iterdir()] == ["runs"]
    here = admf_ray.walk_forward(
        admf_ray.load_bars("sp500"),
        "sma_cross",
        {"fast": [10, 20], "slow": [50, 100]},
        windows={"train": "8y", "test": "2y"},
    )
    assert admf_ray.load_run(empty / "runs" / "short").fingerprints() == here.fingerprints()


def test_the_console_script_lists_the_experiments(installed: Path, tmp_path: Path) -> None:
    printed = run(installed / "admf", "--help", folder=tmp_path).stdout
    assert re.search("  walkforward +Optimize on rolling windows", printed)
