"""Directories that go with their owner."""

import subprocess
import sys
from pathlib import Path

import pytest

from admf_ray.files import OwnedFolder


def test_what_a_killed_process_leaves_goes_when_the_next_directory_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    living = OwnedFolder("owned-")
    (living.path / "file").touch()
    code = "import os\nfrom admf_ray.files import OwnedFolder\nOwnedFolder('owned-')\nos.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = set(tmp_path.glob("owned-*")) - {living.path}
    (left / "file").touch()
    (tmp_path / "other-1").mkdir()
    newest = OwnedFolder("owned-")
    assert {path.name for path in tmp_path.iterdir()} == {living.path.name, newest.path.name, "other-1"}
    assert (living.path / "file").exists()
    for folder in (living, newest, newest):
        folder.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["other-1"]


def test_so_it_is_of_a_root_that_is_named(tmp_path: Path) -> None:
    root = tmp_path / "cache" / "shared"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom admf_ray.files import OwnedFolder\n"
        "OwnedFolder('owned-', Path(sys.argv[1]))\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(root)], check=False).returncode == -9
    (left,) = root.iterdir()
    newest = OwnedFolder("owned-", root)
    assert [*root.iterdir()] == [newest.path] != [left]
    newest.remove()
