"""Steps: what each composition costs beside the one before it, run by one and the same function."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from admf_ray.app.configuration import experiments
from admf_ray.app.selfcheck.target import Target
from admf_ray.core.registry import unknown_name
from admf_ray.engine.event_driven import run_books_in_containers
from admf_ray.errors import ConfigError

__all__ = ["COORDINATOR", "MOST", "Cost", "chosen_steps", "costs", "steps"]

COORDINATOR = f"{run_books_in_containers.__module__}.{run_books_in_containers.__qualname__}"
"""The function that runs the books of every step."""

MOST = 5.0
"""How many times the cost of the step before a step may cost."""

_REPEATED = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a bar of a step takes, all of its books together.

    Attributes
    ----------
    step : str
    books : int
    microseconds : float
        A bar, containers included; the best of several runs.
    ratio : float or None
        To the step before; None for the first one.
    """

    step: str
    books: int
    microseconds: float
    ratio: float | None

    @property
    def is_allowed(self) -> bool:
        """Whether it costs at most `MOST` times as much as the step before."""
        return self.ratio is None or self.ratio <= MOST


def steps() -> list[str]:
    """Give the experiments that are steps, in order."""
    found = [name for name in experiments() if re.fullmatch(r"step\d+", name)]
    return sorted(found, key=lambda name: int(name.removeprefix("step")))


def chosen_steps(first: str | None, last: str | None) -> list[str]:
    """Give the steps from one to another; to ``all`` those up to the last one.

    Raises
    ------
    ConfigError
        Where one of them is missing or no step, or the second does not come after the first.
    """
    known = steps()
    if first is None or last is None:
        missing = "from" if first is None else "to"
        raise ConfigError(f"{missing}: which step? allowed: {', '.join(known)}{'' if first is None else ', all'}")
    if first not in known:
        raise ConfigError(f"from: {unknown_name('step', first, known)}")
    if last != "all" and last not in known:
        raise ConfigError(f"to: {unknown_name('step', last, [*known, 'all'])}")
    begin, end = known.index(first), len(known) - 1 if last == "all" else known.index(last)
    if end <= begin:
        later = known[begin + 1 :]
        raise ConfigError(f"to: {last} does not come after {first}; allowed: {', '.join(later) or 'no step does'}")
    return known[begin : end + 1]


def costs(targets: list[Target]) -> list[Cost]:
    """Measure targets in turns, so that what slows the machine down slows all of them."""
    best = {target.name: min(_once(target) for _ in range(2)) for target in targets}
    for _ in range(_REPEATED):
        for target in targets:
            best[target.name] = min(best[target.name], _once(target))
    ratios: Iterator[float | None] = iter(
        [None, *(best[later.name] / best[earlier.name] for earlier, later in pairwise(targets))]
    )
    return [Cost(one.name, len(one.setups), best[one.name] * 1e6, next(ratios)) for one in targets]


def _once(target: Target) -> float:
    """Give the seconds that a bar takes."""
    start, stop = target.span
    began = time.perf_counter()
    run_books_in_containers(target.setups, start, stop, observe=target.observe)
    return (time.perf_counter() - began) / (stop - start)
