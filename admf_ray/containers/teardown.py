"""Tearing down: everything is tried, and what failed is logged, counted and raised last as one error."""

from collections import Counter
from collections.abc import Callable

from admf_ray.errors import EventError, first_line
from admf_ray.logs import LOGGER

__all__ = ["Teardown"]


class Teardown:
    """What failed while a container, or those nested in it, ended.

    Parameters
    ----------
    container_id : str

    Attributes
    ----------
    counts : Counter of (str, str)
        How often which part of this container failed with which kind of error, in its whole life.

    Examples
    --------
    >>> teardown = Teardown("a")
    >>> failed = teardown.attempt("file", "component 'file' of container 'a'", {}.popitem)
    >>> teardown.refuse(failed, "end")
    Traceback (most recent call last):
    ...
    admf_ray.errors.EventError: container 'a': 1 failed to end: component 'file' of container 'a': KeyError: \
'popitem(): dictionary is empty'
    """

    __slots__ = ("_container_id", "counts")

    def __init__(self, container_id: str) -> None:
        self._container_id = container_id
        self.counts: Counter[tuple[str, str]] = Counter()

    def attempt(self, part: str, where: str, action: Callable[[], object]) -> list[tuple[str, Exception]]:
        """Try to end one part; give what failed, with where it was.

        Parameters
        ----------
        part : str
            What is counted.
        where : str
            What messages name.
        action : callable
        """
        try:
            action()
        except Exception as error:
            self.counts[part, type(error).__name__] += 1
            # As texts: a record that is kept would hold what the error's traceback refers to.
            LOGGER.error("%s failed to end: %s: %s", where, type(error).__name__, first_line(error))
            return [(where, error)]
        return []

    def refuse(self, failed: list[tuple[str, Exception]], action: str) -> None:
        """Raise all that failed as one error, where anything did.

        Raises
        ------
        EventError
            Names every part; its cause is the group of all errors.
        """
        if failed:
            said = "; ".join(f"{where}: {type(error).__name__}: {first_line(error)}" for where, error in failed)
            group = ExceptionGroup("failed", [error for _, error in failed])
            raise EventError(f"container '{self._container_id}': {len(failed)} failed to {action}: {said}") from group
