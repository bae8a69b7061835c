"""Windows: a train span and the test span after it, cut out of a series again and again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.data.spans import Pieces, Position, Span, Stretch, TimeAxis, parse_date
from admf_ray.errors import AdmfError, ConfigError

__all__ = ["DATASETS", "Dataset", "Separation", "SplitPlan", "Window", "WindowPlan", "date_index", "date_span"]

Dataset = Literal["train", "validation", "test"]
DATASETS: tuple[Dataset, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Window:
    """One window; all spans are half-open, in bars.

    Attributes
    ----------
    index : int
    train_start, train_stop : int
    test_start, test_stop : int
    pieces : Pieces or None
        That are trained on; None where all of the train span is.
    """

    index: int
    train_start: int
    train_stop: int
    test_start: int
    test_stop: int
    pieces: Pieces | None = None

    @property
    def train(self) -> tuple[int, int]:
        """The train span, half-open."""
        return self.train_start, self.train_stop

    @property
    def trained_on(self) -> Stretch:
        """What is trained on: the train span, or the pieces of it."""
        return self.pieces or self.train


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """Rolling or anchored windows.

    Rolling, with a step of one test span (``-`` train, ``#`` test)::

        window 0  ----##
        window 1    ----##
        window 2      ----##

    Anchored: the train span always begins at the first bar and grows.

    Attributes
    ----------
    kind : {"rolling", "anchored"}
    train, test, step, gap : Span
        The gap lies between train and test and is in neither.
    align : {"none", "month", "quarter", "year"}
        Where the first window begins; see `TimeAxis.anchor`.
    allow_truncated_final : bool
        Whether a last test span that the data does not fill is kept.
    """

    kind: Literal["rolling", "anchored"]
    train: Span
    test: Span
    step: Span
    gap: Span
    align: str = "none"
    allow_truncated_final: bool = False

    def cut(self, bars: Bars) -> tuple[Window, ...]:
        """Cut the windows out of a series.

        Raises
        ------
        ConfigError
            Where there is no window, a span is empty or test spans overlap; shows the arithmetic.
        """
        axis = TimeAxis.of(bars)
        windows: list[Window] = []
        for positions in self._positions(axis):
            start, train_stop, test_start, test_stop = positions
            complete = axis.is_covered(test_stop)
            if not complete and not (self.allow_truncated_final and axis.index(test_start) < len(bars)):
                break
            stop = min(axis.index(test_stop), len(bars))
            spans = (axis.index(start), axis.index(train_stop), axis.index(test_start), stop)
            windows.append(self._checked(Window(len(windows), *spans), windows))
            if not complete:
                break
        if not windows:
            raise ConfigError(self._too_long(bars, train_stop, test_start, test_stop))
        return tuple(windows)

    def newest(self, bars: Bars) -> Window:
        """Give the window that is being traded at the end of the series: the last one whose train span is complete.

        Its test span holds the bars there are so far, none at all where the next bar is its first; it ends before the
        series where steps are longer than tests and the next one has not begun.

        Raises
        ------
        ConfigError
            Where the series does not fill one train span.
        """
        axis = TimeAxis.of(bars)
        found = None
        for index, positions in enumerate(self._positions(axis)):
            start, train_stop, test_start, test_stop = positions
            if not axis.is_covered(train_stop) or not axis.is_covered(test_start):
                break
            stop = min(axis.index(test_stop), len(bars))
            found = Window(index, axis.index(start), axis.index(train_stop), axis.index(test_start), stop)
        if found is None:
            raise ConfigError(self._too_long(bars, train_stop, test_start, test_stop))
        return found

    def _positions(self, axis: TimeAxis) -> Iterator[tuple[Position, Position, Position, Position]]:
        """Go through the borders of all windows, beyond the end of the series as well."""
        for name in ("train", "test", "step"):
            if getattr(self, name).count == 0:
                raise ConfigError(f"windows.{name}: {getattr(self, name)} is empty; allowed: at least 1 of a unit")
        anchor = axis.anchor(self.align)
        for index in count():
            shift = self.step.times(index)
            start: Position = anchor if self.kind == "anchored" else axis.shift(anchor, shift)
            train_stop = axis.shift(start, self.train)
            if self.kind == "anchored":
                train_stop = axis.shift(train_stop, shift)
            test_start = axis.shift(train_stop, self.gap)
            test_stop = axis.shift(test_start, self.test)
            if self.step == self.test and self.gap.unit == "b":
                # Bars counted from different days do not end where the next ones begin.
                test_stop = axis.shift(axis.shift(train_stop, self.step), self.gap)
            yield start, train_stop, test_start, test_stop

    def _checked(self, window: Window, before: Sequence[Window]) -> Window:
        for name, length, least in (
            ("train", window.train_stop - window.train_start, 2),
            ("test", window.test_stop - window.test_start, 1),
        ):
            if length < least:
                raise ConfigError(
                    f"windows.{name}: {getattr(self, name)} holds {length} bar(s) in window {window.index}; "
                    f"allowed: spans of at least {least}"
                )
        if before and window.test_start < before[-1].test_stop:
            overlap = before[-1].test_stop - window.test_start
            raise ConfigError(
                f"windows.step: {self.step} is shorter than windows.test: {self.test}, so that test spans overlap "
                f"(windows {window.index - 1} and {window.index} share {overlap} bars); allowed: step >= test"
            )
        return window

    def _too_long(self, bars: Bars, train_stop: Position, test_start: Position, test_stop: Position) -> str:
        ends = [
            str(position)[:10] if isinstance(position, np.datetime64) else f"bar {position}"
            for position in (train_stop, test_start, test_stop)
        ]
        first, last = _days(bars)
        return (
            f"windows: train {self.train} + gap {self.gap} + test {self.test} do not fit the data: train would end "
            f"{ends[0]}, test would go from {ends[1]} to {ends[2]}, but there are {len(bars)} bars from {first} to "
            f"{last}; allowed: shorter spans, or windows.allow_truncated_final=true"
        )


def _days(bars: Bars) -> tuple[str, str]:
    """Give the days of the first and the last bar."""
    first, last = (str(np.datetime64(int(moment), "ns"))[:10] for moment in (bars.known_at[0], bars.known_at[-1]))
    return first, last


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """One train, one validation and one test span, each from its date to the next one's.

    Attributes
    ----------
    train, validation, test : str or None
        Dates; None for train is the first bar.
    gap : Span
        Dropped before validation and before test.
    """

    train: str | None
    validation: str
    test: str
    gap: Span

    def spans(self, bars: Bars) -> dict[Dataset, tuple[int, int]]:
        """Give the half-open span of each data set, in bars.

        Raises
        ------
        ConfigError
            Where the dates are not in order or a span holds fewer than 2 bars; shows how many each holds.
        """
        axis = TimeAxis.of(bars)
        starts = [axis.index(parse_date(self.train, "windows.train")) if self.train else 0]
        starts += [axis.index(parse_date(getattr(self, name), f"windows.{name}")) for name in DATASETS[1:]]
        begins = [starts[0], *(axis.index(axis.shift(start, self.gap)) for start in starts[1:])]
        spans = dict(zip(DATASETS, zip(begins, [*starts[1:], len(bars)], strict=True), strict=True))
        if any(stop - start < 2 for start, stop in spans.values()):
            held = ", ".join(f"{name} {max(stop - start, 0)} bars" for name, (start, stop) in spans.items())
            first, last = _days(bars)
            raise ConfigError(
                f"windows: the dates train={self.train or 'first bar'}, validation={self.validation}, test={self.test} "
                f"with gap {self.gap} leave {held}; allowed: dates in this order, 2 bars or more each, between "
                f"{first} and {last}"
            )
        return spans

    def window(self, bars: Bars, dataset: Dataset) -> Window:
        """Give the window that trains on the train span and tests on another data set."""
        if dataset == "train":
            raise ConfigError("dataset: train cannot be tested after training on it; allowed: validation, test")
        spans = self.spans(bars)
        return Window(0, *spans["train"], *spans[dataset])


def date_index(bars: Bars, date: object, where: str) -> int:
    """Give the first bar known after a date; the number of bars where there is none.

    Raises
    ------
    ConfigError
        Where it is no date; names the option.
    """
    return TimeAxis.of(bars).index(parse_date(date, where))


def date_span(bars: Bars, start: object, stop: object, where: str) -> tuple[int, int]:
    """Give the half-open span of bars known after ``start`` and up to ``stop``; None leaves an end open.

    Raises
    ------
    ConfigError
        Where fewer than 2 bars lie between.
    """
    first = 0 if start is None else date_index(bars, start, f"{where}.start")
    last = len(bars) if stop is None else date_index(bars, stop, f"{where}.stop")
    if last - first < 2:
        raise ConfigError(f"{where}: from {start} to {stop} there are {max(last - first, 0)} bars; allowed: 2 or more")
    return first, last


@dataclass(frozen=True, slots=True)
class Separation:
    """Proof that no test bar was seen in training, made by looking at the windows themselves.

    Attributes
    ----------
    windows : int
    train_bars, test_bars : int
        In all windows.
    smallest_gap : int
        Bars between a train span and its test span, at least.
    """

    windows: int
    train_bars: int
    test_bars: int
    smallest_gap: int

    @classmethod
    def prove(cls, windows: Sequence[Window], bars: Bars) -> "Separation":
        """Check every window.

        Each train span lies wholly before its test span, in time as well as in bars; test spans are in order and
        share no bar; nothing reaches beyond the data.

        Raises
        ------
        AdmfError
            Names the first window that violates it.
        """
        for window, following in zip(windows, [*windows[1:], None], strict=True):
            spans = (
                0,
                window.train_start,
                window.train_stop - 1,
                window.test_start,
                window.test_stop - 1,
                len(bars) - 1,
            )
            ordered = spans[0] <= spans[1] <= spans[2] < spans[3] <= spans[4] <= spans[5]
            if not ordered or bars.known_at[spans[2]] >= bars.known_at[spans[3]]:
                raise AdmfError(f"window {window.index} is not in order: {window}")
            if following is not None and following.test_start < window.test_stop:
                raise AdmfError(f"the test spans of windows {window.index} and {following.index} overlap")
        return cls(
            windows=len(windows),
            train_bars=sum(window.train_stop - window.train_start for window in windows),
            test_bars=sum(window.test_stop - window.test_start for window in windows),
            smallest_gap=min(window.test_start - window.train_stop for window in windows),
        )
