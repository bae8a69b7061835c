"""The hub: one read-only matrix of every series that any candidate needs, each computed once."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.errors import ConfigError, DataError
from admf_ray.indicators.key import Key
from admf_ray.indicators.memory import Matrix
from admf_ray.indicators.plan import Plan, Planner, Step
from admf_ray.indicators.registry import INDICATORS
from admf_ray.indicators.timeframes import Frame, aggregate

__all__ = ["Hub", "HubCounters", "Stream", "check_plan", "compute_hub", "compute_step"]

_ITEM = 8
_VOLUME = FIELDS.index("volume")
_PAYS = 500_000_000
"""Steps x bars from which on shipping them to other processes takes less time than it saves."""

Elsewhere = Callable[
    [Sequence[Step], npt.NDArray[np.float64], npt.NDArray[np.int32]], Sequence[npt.NDArray[np.float64]]
]
Frames = dict[str, tuple[Frame | None, npt.NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class HubCounters:
    """What the hub saved.

    Attributes
    ----------
    requested : int
        Series asked for, over all candidates.
    unique : int
        Different series among them.
    computed : int
        Indicators computed, parts of others included.
    released : int
        Rows that no candidate needs any more.
    bytes : int
        Size of the matrix.
    isolated_bytes : int
        Size that the requested series would have, each by itself.
    seconds : float
        Spent computing.
    """

    requested: int = 0
    unique: int = 0
    computed: int = 0
    released: int = 0
    bytes: int = 0
    isolated_bytes: int = 0
    seconds: float = 0.0

    @property
    def reused(self) -> int:
        """Requests that an earlier computation served."""
        return self.requested - self.unique

    @property
    def hit_rate(self) -> float:
        """Share of the requests that an earlier computation served."""
        return self.reused / self.requested if self.requested else 0.0

    def record(self) -> dict[str, float]:
        """Give all counters by name."""
        return asdict(self) | {"reused": self.reused, "hit_rate": self.hit_rate}


class Stream:
    """Fills rows of a matrix bar by bar, in any pieces, or all at once: the bits are the same.

    Parameters
    ----------
    bars : Bars
    steps : sequence of Step
        In order of dependency.
    matrix : float64 array, shape [key, time]
        Writable; holds the raw rows, and receives those of the steps.
    frames : dict of str to (Frame or None, float64 array)
        By timeframe, its buckets and the matrix of its hub.
    """

    def __init__(
        self,
        bars: Bars,
        steps: Sequence[Step],
        matrix: npt.NDArray[np.float64],
        frames: Frames,
    ) -> None:
        self._bars = bars
        self._steps = steps
        self._matrix = matrix
        self._frames = frames
        self._done = 0
        self._states = {
            step.row: np.zeros(INDICATORS[step.key.name].state_size(step.key.parameters))
            for step in steps
            if step.timeframe is None
        }

    def advance(self, stop: int) -> None:
        """Fill the bars up to ``stop``."""
        start, self._done = self._done, stop
        for step in self._steps:
            out = self._matrix[step.row : step.row + step.outputs]
            if step.timeframe is not None:
                self._lay_back(step, out, start, stop)
                continue
            reads = np.array(step.reads, dtype=np.int64)
            parameters = np.array(step.key.parameters)
            kernel = INDICATORS[step.key.name].kernel
            kernel(self._matrix, reads, self._bars.session, parameters, self._states[step.row], start, stop, out)

    def _lay_back(self, step: Step, out: npt.NDArray[np.float64], start: int, stop: int) -> None:
        """Give each bar the value of the newest bucket that is complete when it is known."""
        assert step.timeframe is not None
        frame, values = self._frames[step.timeframe]
        out[0, start:stop] = np.nan
        if frame is not None:
            newest = frame.newest[start:stop]
            known = newest >= 0
            out[0, start:stop][known] = values[step.reads[0], newest[known]]


def compute_step(
    step: Step, matrix: npt.NDArray[np.float64], session: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Compute one step over all bars, for whom the rows that it reads are there; shape [output, time]."""
    indicator, bars = INDICATORS[step.key.name], matrix.shape[1]
    out = np.empty((step.outputs, bars))
    state = np.zeros(indicator.state_size(step.key.parameters))
    reads = np.array(step.reads, dtype=np.int64)
    indicator.kernel(matrix, reads, session, np.array(step.key.parameters), state, 0, bars, out)
    return out


class Hub:
    """Series of a set of bars: each is computed once for all who subscribe to it, and freed when nobody does any more.

    Indicators run from bar 0 and see past bars only, so windows need no hub of their own. What can be reached from
    `matrix` and `window` cannot be written: see `admf_ray.indicators.memory.Matrix`.

    Parameters
    ----------
    bars : Bars
    elsewhere : callable, optional
        Computes steps on other processes: takes steps none of which reads another one, the matrix so far and the
        session numbers, and gives what `compute_step` gives for each. Used where there is so much that it pays.
    planner : Planner, optional
        Of the hub of a timeframe; a hub of its own by default.

    Attributes
    ----------
    bars : Bars
    matrix : float64 array, shape [key, time], read-only
        Raw open, high, low, close, volume of each symbol first. Rows keep their numbers; a freed row is used again.
    counters : HubCounters
    """

    def __init__(self, bars: Bars, elsewhere: Elsewhere | None = None, planner: Planner | None = None) -> None:
        self.bars = bars
        self.counters = HubCounters()
        self._elsewhere = elsewhere
        self._planner = planner or Planner(bars.symbols)
        self._done = 0
        self._memory = Matrix(len(bars))
        self._hubs: dict[str, tuple[Frame | None, Hub | None]] = {}
        self._subscribers: Counter[Key] = Counter()
        self._live: list[Step] = []
        raw = len(FIELDS) * len(bars.symbols)
        self._memory.grow(raw)
        rows = self._memory.write()
        for symbol in range(len(bars.symbols)):
            for f, name in enumerate(FIELDS):
                rows[len(FIELDS) * symbol + f] = getattr(bars, name)[symbol]
        self.matrix = self._memory.read()

    @property
    def session(self) -> npt.NDArray[np.int32]:
        """Session numbers of the bars, shape [time], read-only."""
        return self.bars.session

    @property
    def rows(self) -> dict[Key, int]:
        """Row of every key that is there."""
        return self._planner.rows

    def subscribe(self, keys: Sequence[Key], requested: int | None = None) -> npt.NDArray[np.int64]:
        """Compute what is not there yet, and keep it until as many `release` have come.

        Parameters
        ----------
        keys : sequence of Key
            Bound to symbols.
        requested : int, optional
            How often these keys were asked for, over all candidates; once each by default.

        Returns
        -------
        int64 array, shape [key]
            Their rows.

        Raises
        ------
        ConfigError, DataError
            Where a key cannot be computed; names the key. Nothing is computed then.
        """
        began = time.perf_counter()
        before = set(self._planner.rows)
        rows = np.array(self._planner.place_all(keys), dtype=np.int64)
        computed = self._compute()
        self._subscribers.update(keys)
        asked = len(keys) if requested is None else requested
        self.counters = replace(
            self.counters,
            requested=self.counters.requested + asked,
            unique=self.counters.unique + sum(key not in before for key in dict.fromkeys(keys)),
            computed=self.counters.computed + computed,
            bytes=self._memory.nbytes,
            isolated_bytes=self.counters.isolated_bytes + asked * len(self.bars) * _ITEM,
            seconds=self.counters.seconds + time.perf_counter() - began,
        )
        return rows

    def release(self, keys: Sequence[Key]) -> None:
        """End subscriptions; rows that nobody needs, neither a subscriber nor another row, are freed."""
        self._subscribers.subtract(keys)
        self._subscribers = +self._subscribers
        freed = 0
        while True:
            needed = {row for step in self._live if step.timeframe is None for row in step.reads}
            needed |= {self._planner.rows[key] for key in self._subscribers}
            idle = [step for step in self._live if needed.isdisjoint(range(step.row, step.row + step.outputs))]
            if not idle:
                break
            for step in idle:
                self._live.remove(step)
                self._planner.forget(step)
                freed += step.outputs
        self.counters = replace(self.counters, released=self.counters.released + freed)

    def window(self, key: Key, stop: int, length: int, private: bool = False) -> npt.NDArray[np.float64]:
        """Give the newest values of a key before bar ``stop``.

        Parameters
        ----------
        key : Key
            That is subscribed to.
        stop, length : int
            The bars ``[stop - length, stop)``; fewer where the series begins later.
        private : bool
            Whether it is a copy that may be written; otherwise it is a view that cannot.

        Returns
        -------
        float64 array, shape [length]

        Raises
        ------
        ConfigError
            Where nobody has subscribed to the key, or the bars are not there.
        """
        if key not in self._planner.rows:
            raise ConfigError(f"indicator key '{key}' is not in the hub; allowed: keys that are subscribed to")
        if not 0 < stop <= len(self.bars) or length < 0:
            raise ConfigError(f"window of {length} bars before {stop}; allowed: before 1 to {len(self.bars)}")
        view = self.matrix[self._planner.rows[key], max(stop - length, 0) : stop]
        return view.copy() if private else view

    def streaming(self, start: int) -> tuple[Stream, npt.NDArray[np.float64]]:
        """Give a matrix with the same rows that is filled bar by bar from ``start`` on, and what fills it.

        Whoever streams writes the raw rows of a bar and then has the `Stream` advance. What comes after is NaN.

        Returns
        -------
        stream : Stream
        matrix : float64 array, shape [key, time]
            Writable.
        """
        matrix = np.full(self.matrix.shape, np.nan)
        raw = len(FIELDS) * len(self.bars.symbols)
        matrix[:raw, :start] = self.matrix[:raw, :start]
        stream = Stream(self.bars, self._live, matrix, self._frames())
        stream.advance(start)
        return stream, matrix

    def _frames(self) -> Frames:
        """Give the buckets of each timeframe, and the matrix of its hub."""
        return {
            timeframe: (frame, np.empty((0, 0)) if hub is None else hub.matrix)
            for timeframe, (frame, hub) in self._hubs.items()
        }

    def _compute(self) -> int:
        """Compute the steps that were planned since the last time; give how many."""
        computed = 0
        for timeframe, planner in self._planner.frames.items():
            if timeframe not in self._hubs:
                frame = aggregate(self.bars, timeframe)
                self._hubs[timeframe] = frame, None if frame is None else Hub(frame.bars, self._elsewhere, planner)
            hub = self._hubs[timeframe][1]
            computed += 0 if hub is None else hub._compute()
        steps = self._planner.steps[self._done :]
        self._done = len(self._planner.steps)
        self._memory.grow(self._planner.height)
        frames = self._frames()
        if self._elsewhere is not None and len(steps) * len(self.bars) >= _PAYS:
            self._compute_elsewhere(steps, frames, self._elsewhere)
        else:
            Stream(self.bars, steps, self._memory.write(), frames).advance(len(self.bars))
        self.matrix = self._memory.read()
        self._live += steps
        return computed + sum(step.timeframe is None for step in steps)

    def _compute_elsewhere(self, steps: Sequence[Step], frames: Frames, elsewhere: Elsewhere) -> None:
        """Compute steps level by level: those of a level read lower ones only."""
        rows = self._memory.write()
        levels: dict[int, int] = {}
        for step in steps:
            levels[step.row] = 1 + max((levels.get(self._first_row(steps, row), 0) for row in step.reads), default=0)
        for level in sorted(set(levels.values())):
            ready = [step for step in steps if levels[step.row] == level]
            Stream(self.bars, [step for step in ready if step.timeframe], rows, frames).advance(len(self.bars))
            computed = [step for step in ready if not step.timeframe]
            for step, out in zip(computed, elsewhere(computed, self._memory.read(), self.session), strict=True):
                rows[step.row : step.row + step.outputs] = out

    @staticmethod
    def _first_row(steps: Sequence[Step], row: int) -> int:
        """Give the first row of the step that writes a row, -1 where none of these does."""
        return next((step.row for step in steps if step.row <= row < step.row + step.outputs), -1)


def check_plan(bars: Bars, plan: Plan) -> None:
    """Refuse what would have no value at all.

    Raises
    ------
    ConfigError
        Where an indicator's warm-up is as long as the series, or longer; names the key.
    DataError
        Where an indicator needs volume and a symbol has none; names both.
    """
    for step in plan.steps:
        if step.timeframe is not None:
            continue
        for row in step.reads:
            symbol, name = divmod(row, len(FIELDS))
            if symbol < len(bars.symbols) and name == _VOLUME and np.isnan(bars.volume[symbol]).all():
                raise DataError(
                    f"indicator key '{step.key}': {bars.symbols[symbol]} has no volume; allowed: data with volume"
                )
        warm_up = INDICATORS[step.key.name].warm_up(step.key.parameters)
        if warm_up >= len(bars):
            raise ConfigError(
                f"indicator key '{step.key}': it needs more than {warm_up:,} bars, the series has {len(bars):,}"
            )


def compute_hub(
    bars: Bars, keys: Sequence[Key], requested: int | None = None, elsewhere: Elsewhere | None = None
) -> Hub:
    """Give the hub of a set of keys; see `Hub` and `Hub.subscribe`."""
    hub = Hub(bars, elsewhere)
    hub.subscribe(keys, requested)
    return hub
