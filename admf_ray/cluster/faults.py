"""Faults of chunks, and what is done about each: the policy, which acts on nothing."""

import traceback
from dataclasses import dataclass
from typing import Literal

from admf_ray._types import Fault, FaultKind
from admf_ray.errors import AdmfError, CapacityError, ConfigError, DataError, ReproductionError

__all__ = ["RUN_WIDE", "Retries", "Verdict", "died", "out_of_memory", "raised", "timed_out"]

RUN_WIDE = (ConfigError, DataError, CapacityError, ReproductionError)
"""Errors that say of the whole run that it cannot be right: they end it, whatever chunk they come from.

Every other error, those of the platform included (a strategy that breaks its contract or looks ahead), is the failure
of what was being computed.
"""

Verdict = Literal["retry", "split", "fail"]
"""Do the chunk again as it is; do it in smaller ones; it has failed."""

_OWN_ERRORS = "admf_ray.errors"
_FATAL = "Fatal Python error: "
_MEMORY = "Out of memory: "
_GUESSES = " Some common causes include"


@dataclass(frozen=True, slots=True)
class Retries:
    """What is done about a chunk that gave no result.

    An error of the function would come again: the chunk is split at once, down to what fails alone. So it is where
    memory or time ran out, as less of it may fit. Where a host died the machine may be the cause: the chunk is done
    again, and split once it has cost more than ``most`` hosts; parts of it are not tried again before they are split,
    so that what kills hosts costs about ``2 most + log2(size)`` of them. What is left alone fails only after as many
    attempts of its own, one more than ``most``; where time ran out, after two: with what came before an endless loop
    costs ``log2(size) + 2`` deadlines.

    Attributes
    ----------
    most : int
        Of one chunk.

    Examples
    --------
    >>> retries = Retries(3)
    >>> retries.verdict("user_error", attempts=1, tries=1, is_divisible=True)
    'split'
    >>> [retries.verdict("host_died", attempts=count, tries=count, is_divisible=True) for count in (1, 3, 4)]
    ['retry', 'retry', 'split']
    """

    most: int = 3

    def verdict(self, kind: FaultKind, attempts: int, tries: int, is_divisible: bool) -> Verdict:
        """Decide about a chunk that gave no result.

        Parameters
        ----------
        kind : FaultKind
        attempts : int
            How often the chunk was begun, with all that it was a part of.
        tries : int
            How often by itself.
        is_divisible : bool
            Whether it can be split.
        """
        if kind == "user_error":
            return "split" if is_divisible else "fail"
        if is_divisible and (kind in {"out_of_memory", "timed_out"} or (kind == "host_died" and attempts > self.most)):
            return "split"
        most = min(1, self.most) if kind == "timed_out" else self.most
        return "retry" if tries <= most else "fail"


def raised(error: BaseException) -> Fault:
    """Give the fault of a function that raised."""
    # Errors that plugins define can be read back only where the plugin is loaded: these travel as text.
    is_own = isinstance(error, AdmfError) and type(error).__module__ == _OWN_ERRORS
    return Fault(
        "out_of_memory" if isinstance(error, MemoryError) else "user_error",
        type(error).__name__,
        str(error),
        "".join(traceback.format_exception(error)),
        error if is_own and isinstance(error, AdmfError) else None,
    )


def out_of_memory(hard: float) -> str:
    """Give the first line of the last words of a host that ends itself because it holds too much (MB)."""
    return f"{_MEMORY}took more than {hard:g} MB (cluster.memory.hard)\n"


def died(error: BaseException, last_words: str, kind: FaultKind = "host_died") -> Fault:
    """Give the fault of a host that ended.

    Parameters
    ----------
    error : BaseException
        What Ray says.
    last_words : str
        What the process wrote as it ended, where that is known; see `admf_ray.cluster.host.Host`.
    kind : FaultKind
    """
    if last_words.startswith(_MEMORY):
        message = last_words.splitlines()[0].removeprefix(_MEMORY)
        return Fault("out_of_memory", "MemoryError", message, last_words)
    if last_words.startswith(_FATAL):
        said = last_words.splitlines()[0].removeprefix(_FATAL)
    else:
        said = (str(error).strip() or repr(error)).splitlines()[-1].partition(_GUESSES)[0]
    return Fault(kind, type(error).__name__, f"its host ended: {said}", last_words or str(error))


def timed_out(seconds: float, last_words: str) -> Fault:
    """Give the fault of a chunk that took longer than ``seconds``; last words as in `died`."""
    message = f"took more than {seconds:g} s (cluster.chunk_timeout)"
    return Fault("timed_out", "TimeoutError", message, last_words or message)
