"""The errors of the platform: one root, a class per family.

Every message says what is wrong, where (file, symbol, bar time, option) and what is allowed or what to do.
Errors cross process borders, so they pickle with all their attributes.
"""

from typing import Any

__all__ = [
    "AdmfError",
    "CapacityError",
    "ChunkError",
    "ConfigError",
    "ContractError",
    "DataError",
    "EventError",
    "IsolationViolation",
    "LookaheadError",
    "ReproductionError",
]


class AdmfError(Exception):
    """Root of all errors that the platform raises on purpose.

    Attributes
    ----------
    exit_code : int
        What a command ends with when this error reaches it: 1 failed or refuted, 2 bad input or option.
    """

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from class and arguments, then restore every attribute."""
        return type(self), self.args, self.__dict__


class ConfigError(AdmfError):
    """An option, name, parameter or combination of them that cannot be used."""

    exit_code = 2


class DataError(AdmfError):
    """Market data that cannot be read, or that does not say what it must.

    Attributes
    ----------
    report : object or None
        The `admf_ray.core.findings.DataReport`, where bars were read and then refused.
    """

    exit_code = 2
    report: Any = None


class CapacityError(AdmfError):
    """A plan that does not fit the memory or the object store."""

    exit_code = 2


class ChunkError(AdmfError):
    """A chunk of work failed on a host; carries the remote traceback in its message."""


class ContractError(AdmfError):
    """Something does not keep the contract that it declares: a kernel, a ledger, a flow of events."""


class EventError(AdmfError):
    """A bus, a trace or a barrier that is used in a way that it refuses: closed, unfiltered, not there."""


class IsolationViolation(AdmfError):  # noqa: N818  (the name that the design gives it)
    """A container that speaks for another one, or reaches what is not its own.

    Attributes
    ----------
    container_id : str or None
        The container that did it, where a bus saw it.
    """

    container_id: str | None = None


class LookaheadError(AdmfError):
    """A strategy asks for a bar that is not known yet."""


class ReproductionError(AdmfError):
    """A result that another computation of the same thing does not confirm."""


def first_line(error: BaseException) -> str:
    r"""Give the first line of what an error says; of one that says nothing, what it is.

    Examples
    --------
    >>> first_line(ValueError("no number\nat row 3")), first_line(ValueError())
    ('no number', 'ValueError()')
    """
    return (str(error).strip() or repr(error)).splitlines()[0]
