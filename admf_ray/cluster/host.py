"""The host: the Ray actor that computes chunks, one for each CPU."""

import faulthandler
import os
import threading
from pathlib import Path
from typing import IO, Any

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from admf_ray.cluster.faults import out_of_memory
from admf_ray.cluster.functions import Answer, call, find
from admf_ray.cluster.memory import Watch
from admf_ray.cluster.shared import opened

__all__ = ["Host", "last_words"]

_SHARE_OF_TIME = 0.9
_MOST_WORDS = 20_000
_SAY_SECONDS = 1.0
_MEMORY_EXIT = 137
"""What a process ends with that the system kills because memory ran out."""


class Host:
    """Computes what it is told by name; knows no trading.

    Parameters
    ----------
    name : str
        For records and messages.
    words : Path
        Directory of the driver. Where it is on this machine, a crash of the process or a chunk that is about to run
        out of time writes there what was being done.
    hard : float
        MB that the process may hold: with more it ends itself in the middle of a chunk, and begins none.
    """

    def __init__(self, name: str, words: Path, hard: float) -> None:
        self._name = name
        self._hard = hard
        self._key = _key(words, name)
        self._words: IO[str] | None = None
        # On this machine it can also be that of another user.
        if os.access(words, os.W_OK):
            self._words = (words / name).open("a", encoding="utf-8")
            faulthandler.enable(self._words)

    def name(self) -> str:
        """Give the name; an answer means that the host is up."""
        return self._name

    def warm(self, function: str) -> None:
        """Import what ``"module:function"`` needs, so that no chunk waits for it."""
        find(function)

    def run(self, function: str, chunk: Any, bundle: Any, seconds: float) -> Answer:
        """Call ``"module:function"`` with a chunk and the shared bundle; see `admf_ray.cluster.functions.call`.

        Parameters
        ----------
        function : str
        chunk, bundle : object
        seconds : float
            After so many the driver ends this host.
        """
        watch = Watch(self._hard, self._end)
        if watch.is_exceeded:
            return Answer(watch.use(), is_begun=False)
        if self._words is None:
            return call(function, chunk, opened(bundle), watch)
        self._words.truncate(0)
        faulthandler.dump_traceback_later(_SHARE_OF_TIME * seconds, file=self._words)
        try:
            return call(function, chunk, opened(bundle), watch)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _end(self) -> None:
        """Say that too much is held, and end this process before the machine runs out of memory."""
        said = out_of_memory(self._hard)
        if self._words is not None:
            self._words.truncate(0)
            self._words.write(said)
            self._words.flush()
            faulthandler.dump_traceback(self._words)
        else:
            # Through the head of the cluster, but not for long: memory is still being taken.
            saying = threading.Thread(target=_internal_kv_put, args=(self._key, said), daemon=True)
            saying.start()
            saying.join(_SAY_SECONDS)
        os._exit(_MEMORY_EXIT)


def _key(words: Path, name: str) -> str:
    return f"admf_ray:{words}:{name}"


def last_words(words: Path, name: str) -> str:
    """Give what the host of that name wrote as it ended; from other machines only that its memory ran out."""
    try:
        with (words / name).open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_WORDS)
    except OSError:
        said: bytes | None = _internal_kv_get(_key(words, name))
        if said is None:
            return ""
        _internal_kv_del(_key(words, name))
        return said.decode()
