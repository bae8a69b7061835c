"""The host: the Ray actor that computes chunks, one for each CPU."""

import faulthandler
from pathlib import Path
from typing import IO, Any

from admf_ray._types import Fault
from admf_ray.cluster.functions import call, find
from admf_ray.cluster.shared import opened

__all__ = ["Host", "last_words"]

_SHARE_OF_TIME = 0.9
_MOST_WORDS = 20_000


class Host:
    """Computes what it is told by name; knows no trading.

    Parameters
    ----------
    name : str
        For records and messages.
    words : Path
        Directory of the driver. Where it is on this machine, a crash of the process or a chunk that is about to run
        out of time writes there what was being done.
    """

    def __init__(self, name: str, words: Path) -> None:
        self._name = name
        self._words: IO[str] | None = None
        if words.is_dir():
            self._words = (words / name).open("a", encoding="utf-8")
            faulthandler.enable(self._words)

    def name(self) -> str:
        """Give the name; an answer means that the host is up."""
        return self._name

    def warm(self, function: str) -> None:
        """Import what ``"module:function"`` needs, so that no chunk waits for it."""
        find(function)

    def run(self, function: str, chunk: Any, bundle: Any, seconds: float) -> tuple[Any, float, Fault | None]:
        """Call ``"module:function"`` with a chunk and the shared bundle; see `admf_ray.cluster.functions.call`.

        Parameters
        ----------
        function : str
        chunk, bundle : object
        seconds : float
            After so many the driver ends this host.
        """
        if self._words is None:
            return call(function, chunk, opened(bundle))
        self._words.truncate(0)
        faulthandler.dump_traceback_later(_SHARE_OF_TIME * seconds, file=self._words)
        try:
            return call(function, chunk, opened(bundle))
        finally:
            faulthandler.cancel_dump_traceback_later()


def last_words(words: Path, name: str) -> str:
    """Give what the host of that name wrote as it ended, as far as it was on this machine."""
    try:
        with (words / name).open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_WORDS)
    except OSError:
        return ""
