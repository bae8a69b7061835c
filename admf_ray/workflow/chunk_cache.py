"""Chunks of earlier runs: what was computed from exactly the same is not computed again."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.data.spans import Stretch
from admf_ray.engine.composition import Composition
from admf_ray.errors import first_line
from admf_ray.files import write_text
from admf_ray.fingerprint import fingerprint_file, fingerprint_value, kernel_cache_directory
from admf_ray.logs import LOGGER
from admf_ray.optimize import Adaptive, Choice, Search
from admf_ray.workflow.lock import exclusive
from admf_ray.workflow.manifest import made_by

__all__ = ["ChunkCache", "study_keys", "sweep_key"]

_DIGESTS = "digests.json"
_PARTIAL = ".partial-"
_LEFT_OUT: dict[type, set[str]] = {
    Search: {"requests", "account_keys", "plan", "isolated", "engine", "streams", "failed"},
    Adaptive: {"storage"},
}
"""Fields that follow from others, or never enter a result."""


def sweep_key(search: Search, spans: Sequence[Stretch], choice: Choice, recorded: Sequence[str]) -> str:
    """Hash everything that the trials of a sweep follow from: code, machine, data, candidates, rules, spans, choice."""
    return fingerprint_value(["sweep", *_made_by(), _plain(search), _plain(spans), _plain(choice), list(recorded)])


def study_keys(search: Search, spans: Sequence[Stretch], choice: Choice) -> list[str]:
    """Hash everything that the study of each span follows from; its number is among it, as seeds come out of it."""
    # The one set that stands for the candidates shows that there are some, and enters nothing.
    spec = [*_made_by(), _plain(search, {"candidates"}), _plain(choice)]
    return [fingerprint_value(["study", *spec, window, list(span)]) for window, span in enumerate(spans)]


def _made_by() -> list[Any]:
    """Say what computes, with the settings of numba that change code: the directory of the kernels is named by them."""
    return [made_by(), kernel_cache_directory().name]


def _plain(value: Any, left_out: Iterable[str] = ()) -> Any:
    """Give a value of a search as one of JSON that is different wherever the value is."""
    found: Any
    match value:
        case None | bool() | int() | float() | str():
            found = value.value if isinstance(value, Enum) else value
        case np.ndarray():
            data = np.ascontiguousarray(value)
            found = [str(data.dtype), list(data.shape), hashlib.sha256(data.tobytes()).hexdigest()]
        case Bars():
            found = value.fingerprint()
        case Composition():
            found = _plain(value.names())
        case Mapping():
            found = {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            found = [_plain(item) for item in value]
        case _ if is_dataclass(value):
            known = {*left_out, *_LEFT_OUT.get(type(value), ())}
            names = [one.name for one in fields(value) if one.name not in known]
            found = {name: _plain(getattr(value, name)) for name in names}
        case _:
            raise TypeError(f"{type(value).__name__} in a search cannot be hashed")
    return found


@dataclass(frozen=True, slots=True)
class ChunkCache:
    """Files of finished chunks, a folder for each key, shared by all runs of a root.

    Whoever changes it holds its lock. A folder is made under another name and renamed when it is complete, so that none
    is ever half there. Every file has its digest beside it and is used only where it still has it.

    Attributes
    ----------
    folder : Path
    most : int
        Bytes that it may hold; what was not used for longest goes first.
    """

    folder: Path
    most: int

    def take(self, key: str, into: Path) -> list[Path]:
        """Put the files of a key into a folder; a file that is damaged is dropped with a warning.

        Parameters
        ----------
        key : str
        into : Path

        Returns
        -------
        list of Path
            Relative to the folder, as they were given to `keep`.
        """
        entry = self.folder / key
        try:
            if not entry.is_dir():
                return []
            with exclusive(self._lock):
                return self._take(entry, into)
        except (OSError, ValueError) as error:
            LOGGER.warning("cached chunks in '%s' are not used: %s", entry, first_line(error))
            return []

    def _take(self, entry: Path, into: Path) -> list[Path]:
        if not (entry / _DIGESTS).is_file():
            # Somebody else has removed it meanwhile.
            return []
        digests = json.loads((entry / _DIGESTS).read_text())
        os.utime(entry)
        sound = []
        for name, digest in digests.items():
            if (entry / name).is_file() and fingerprint_file(entry / name) == digest:
                sound.append(Path(name))
            else:
                LOGGER.warning("cached chunk '%s' is damaged and dropped: it is computed again", entry / name)
                (entry / name).unlink(missing_ok=True)
        for name in sound:
            _link(entry / name, into / name)
        if len(sound) < len(digests):
            write_text(entry / _DIGESTS, json.dumps({str(name): digests[str(name)] for name in sound}))
        return sound

    def keep(self, folder: Path, files: Mapping[str, Sequence[Path]]) -> None:
        """Keep files of a folder, in place of those that are there; never fatal.

        Parameters
        ----------
        folder : Path
        files : mapping of str to sequence of Path
            By key, relative to the folder.
        """
        try:
            with exclusive(self._lock):
                for key, names in files.items():
                    if sum((folder / name).stat().st_size for name in names) <= self.most:
                        self._keep(self.folder / key, folder, names)
                self._shrink()
        except OSError as error:
            LOGGER.warning("chunks are not cached in '%s': %s", self.folder, first_line(error))

    def _keep(self, entry: Path, folder: Path, names: Sequence[Path]) -> None:
        partial = self._aside()
        try:
            partial.mkdir()
            for name in names:
                _link(folder / name, partial / name)
            digests = {str(name): fingerprint_file(partial / name) for name in names}
            write_text(partial / _DIGESTS, json.dumps(digests))
            if entry.exists():
                self._remove(entry)
            partial.replace(entry)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def _shrink(self) -> None:
        """Remove what others left half made, and the oldest by use until the rest is not too much."""
        entries = {}
        for entry in self.folder.iterdir():
            if entry.name.startswith(_PARTIAL):
                shutil.rmtree(entry)
            elif entry.is_dir():
                size = sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
                entries[entry] = entry.stat().st_mtime_ns, size
        held = sum(size for _, size in entries.values())
        for entry, (_, size) in sorted(entries.items(), key=lambda item: item[1]):
            if held <= self.most:
                break
            self._remove(entry)
            held -= size

    def _remove(self, entry: Path) -> None:
        aside = self._aside()
        entry.replace(aside)
        shutil.rmtree(aside)

    def _aside(self) -> Path:
        return self.folder / f"{_PARTIAL}{uuid4().hex}"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(source, partial)
        partial.replace(target)
