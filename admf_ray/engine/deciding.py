"""The components that decide what is wanted: feed, hub, classifiers, strategies, ensemble.

Each takes up a candidate by ``begin`` and is ready for another one after ``reset``, so that containers can be pooled.
They call the kernels that the compiled engine calls, a bar at a time.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS
from admf_ray.engine.setup import ClassifierStage, Setup
from admf_ray.ensembles import ENSEMBLES
from admf_ray.events import (
    Bar,
    Ensemble,
    Event,
    EventBus,
    EventType,
    Indicator,
    Regime,
    Signal,
    by_strategy,
)
from admf_ray.indicators import Hub, Stream

__all__ = ["ClassifierRunner", "EnsembleRunner", "Feed", "HubStream", "StrategyRunner"]


class Feed:
    """Publishes the bars of a series: one BAR event a symbol, in panel order; of a missing bar prices are NaN."""

    def initialize(self, bus: EventBus) -> None:
        """Publish on a bus."""
        self._bus = bus

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Take up the bars of a span."""
        bars, part = setup.bars, slice(*span)
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        self._symbols = [
            (name, *(column[s, part].tolist() for column in columns)) for s, name in enumerate(bars.symbols)
        ]
        self._times = bars.known_at[part].tolist()
        self._start = span[0]

    def reset(self) -> None:
        """Let the bars go."""
        self._symbols, self._times = [], []

    def publish(self, bar: int) -> Event[Bar]:
        """Publish one bar; give the event that ends it."""
        k = bar - self._start
        bus, moment = self._bus, self._times[k]
        for symbol, open_, high, low, close, volume in self._symbols:
            payload = Bar(symbol, bar, open_[k], high[k], low[k], close[k], volume[k])
            event = Event(payload, "feed", bus.container_id, moment)
            bus.publish(event)
        return event


class HubStream:
    """Computes the series of a hub bar by bar, out of the bars that were published and nothing else.

    The rows of the hub that came before the segment are taken over; later ones are unknown until their bar has come.
    """

    def __init__(self) -> None:
        self._stream: Stream | None = None

    def initialize(self, bus: EventBus) -> None:
        """Listen to bars, before those who read what they give."""
        self._bus = bus
        bus.subscribe(EventType.BAR, self.on_bar)

    def begin(self, hub: Hub, start: int) -> npt.NDArray[np.float64]:
        """Take up a hub; give the matrix that is streamed, to be read in place of the hub's."""
        self._stream, self._matrix = hub.streaming(start)
        self._places = {symbol: len(FIELDS) * s for s, symbol in enumerate(hub.bars.symbols)}
        self._last_symbol = hub.bars.symbols[-1]
        self._keys = [(str(key), row) for key, row in hub.rows.items() if row >= len(FIELDS) * len(self._places)]
        return self._matrix

    def reset(self) -> None:
        """Let the matrix go."""
        self._stream, self._matrix = None, np.empty((0, 0))

    def on_bar(self, event: Event[Bar]) -> None:
        """Take in the prices of a symbol; with those of the last one, compute what follows."""
        symbol, bar, *prices, _ = event.payload
        place = self._places[symbol]
        self._matrix[place : place + len(FIELDS), bar] = prices
        if symbol != self._last_symbol:
            return
        assert self._stream is not None
        self._stream.advance(bar + 1)
        bus = self._bus
        if bus.hears(EventType.INDICATOR):
            for key, row in self._keys:
                payload = Indicator(key, bar, float(self._matrix[row, bar]))
                bus.publish(Event(payload, "hub", bus.container_id, cause=event))


class ClassifierRunner:
    """Runs a classifier bar by bar, and tells of every change of the regime.

    Parameters
    ----------
    watch : int
        Of the composition.
    """

    def __init__(self, watch: int) -> None:
        self.watch = watch
        self._stage: ClassifierStage | None = None

    def initialize(self, bus: EventBus) -> None:
        """Listen to bars."""
        self._bus = bus
        bus.subscribe(EventType.BAR, self.on_bar)

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Take up a candidate; the classifier has seen every bar before the segment."""
        watch = setup.composition.watches[self.watch]
        self._name = watch.name
        self._symbol = watch.symbol or setup.bars.symbols[0]
        self._last_symbol = setup.bars.symbols[-1]
        self._newest = -1
        self._stage = setup.classifier(self.watch)
        self._stage.advance(0, span[0])

    def reset(self) -> None:
        """Let the candidate go."""
        self._stage = None

    def on_bar(self, event: Event[Bar]) -> None:
        """Classify a bar once all of its symbols are there."""
        if event.payload.symbol != self._last_symbol:
            return
        assert self._stage is not None
        bar = event.payload.bar
        self._stage.advance(bar, bar + 1)
        regime, before = int(self._stage.out[0, bar]), self._newest
        if regime != before:
            self._newest = regime
            payload = Regime(self._name, self._symbol, bar, regime, before)
            self._bus.publish(Event(payload, self._name, self._bus.container_id, cause=event))

    def regimes(self, span: tuple[int, int]) -> npt.NDArray[np.int64]:
        """Give the labels of a span."""
        assert self._stage is not None
        found: npt.NDArray[np.int64] = self._stage.out[0, slice(*span)].astype(np.int64)
        return found


class _Lives:
    """Numbers of the lives that targets begin: of the trade that one may open; one that reverses begins another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun: dict[str, int] = {}

    def of(self, symbol: str, before: float, target: float) -> str | None:
        """Give the life that a change of a target belongs to: the one that it begins, changes or ends."""
        number = self._begun.get(symbol, 0)
        if target == target and target != 0.0 and not before * target > 0.0:
            number += 1
            self._begun[symbol] = number
        return f"{self._name}-{symbol}-{number}" if number else None


class StrategyRunner:
    """Runs a strategy bar by bar, and signals every change of its targets, into and out of NaN as well.

    The strategy has seen every bar of the series before the segment, as its indicators have. With parameters of their
    own for regimes all of its sets run, and that of the regime speaks.

    Parameters
    ----------
    member : int
        Of the composition.
    waits : bool
        Whether it is told of regimes, and signals only when those of the bar are there.
    """

    def __init__(self, member: int = 0, waits: bool = False) -> None:
        self.member = member
        self.waits = waits

    def initialize(self, bus: EventBus) -> None:
        """Listen to bars, and to regimes."""
        self._bus = bus
        bus.subscribe(EventType.BAR, self.on_bar)
        if self.waits:
            bus.subscribe(EventType.REGIME, self.on_regime)

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Take up a candidate."""
        start, stop = span
        composition, bars = setup.composition, setup.bars
        self._name = composition.members[self.member].name
        self._symbols = bars.symbols
        self._last_symbol = bars.symbols[-1]
        self._begins = composition.begins(bars)[self.member].tolist()
        stages = [setup.stage(v) for v, voice in enumerate(composition.voices) if voice.member == self.member]
        self._outs = [np.empty((len(bars.symbols), stop)) for _ in stages]
        self._steps = [(stage.advance, out) for stage, out in zip(stages, self._outs, strict=True)]
        for advance, out in self._steps:
            advance(0, start, out)
        self._watches = {watch.name: index for index, watch in enumerate(composition.watches)}
        self._regimes = [-1] * len(self._watches)
        self._route = setup.route(self.member)
        self._newest = [math.nan] * len(bars.symbols)
        self._lives = _Lives(self._name)

    def reset(self) -> None:
        """Let the candidate go."""
        self._outs, self._steps = [], []

    def on_regime(self, event: Event[Regime]) -> None:
        """Take in a regime."""
        self._regimes[self._watches[event.payload.classifier]] = event.payload.regime

    def on_bar(self, event: Event[Bar]) -> None:
        """Run a bar once all of its symbols are there."""
        if event.payload.symbol != self._last_symbol:
            return
        bar = event.payload.bar
        for advance, out in self._steps:
            advance(bar, bar + 1, out)
        if not self.waits:
            self.end_bar(bar, event)

    def end_bar(self, bar: int, closing: Event[Bar]) -> None:
        """Signal what is new."""
        out, trades = self._outs[0], True
        if self.waits:
            voice, trades = self._route.at(self._regimes)
            out = self._outs[voice]
        for s, target in enumerate(out[:, bar].tolist()):
            wanted = 0.0 if not trades else target if bar >= self._begins[s] else math.nan
            newest = self._newest[s]
            if wanted != newest and (wanted == wanted or newest == newest):
                self._newest[s] = wanted
                self._signal(closing, s, newest, wanted)

    def _signal(self, event: Event[Bar], s: int, before: float, target: float) -> None:
        bus, name, symbol = self._bus, self._name, self._symbols[s]
        regime = self._regimes[0] if self._regimes else -1
        payload = Signal(name, symbol, event.payload.bar, target, regime=regime)
        life = self._lives.of(symbol, before, target)
        bus.publish(Event(payload, name, bus.container_id, correlation_id=life, cause=event))


class EnsembleRunner:
    """Combines the newest targets of strategies, and tells when the combined target or a share in it changes.

    Parameters
    ----------
    strategies : sequence of str
        Members whose signals it takes, in order.
    """

    def __init__(self, strategies: Sequence[str]) -> None:
        self._strategies = tuple(strategies)

    def initialize(self, bus: EventBus) -> None:
        """Listen to the members."""
        self._bus = bus
        bus.subscribe(EventType.SIGNAL, self.on_signal, by_strategy(*self._strategies))

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Take up a candidate."""
        start, stop = span
        self._symbols, members = setup.bars.symbols, len(self._strategies)
        self._numbers = {symbol: s for s, symbol in enumerate(self._symbols)}
        self._name = str(setup.composition.ensemble)
        self._kernel = ENSEMBLES[self._name].kernel
        self._weights = np.array(setup.composition.weights)
        self._targets = np.full((members, len(self._symbols), 1), math.nan)
        self._shares = np.zeros((members, len(self._symbols), 1))
        self._out = np.full((len(self._symbols), 1), math.nan)
        self._newest = [(math.nan, (0.0,) * members)] * len(self._symbols)
        self._cause: Event[Signal] | None = None
        self._lives = _Lives(self._name)
        self._start = start
        self.shares = np.empty((members, len(self._symbols), stop - start))

    def reset(self) -> None:
        """Let the candidate go."""
        self._cause, self.shares = None, np.empty((0, 0, 0))

    def on_signal(self, event: Event[Signal]) -> None:
        """Take in the target of a member."""
        signal = event.payload
        self._targets[self._strategies.index(signal.strategy), self._numbers[signal.symbol]] = signal.target
        self._cause = event

    def end_bar(self, bar: int, closing: Event[Bar]) -> None:  # noqa: ARG002  (components of a bar take the same)
        """Combine what is new."""
        cause, self._cause = self._cause, None
        if cause is not None:
            self._kernel(self._targets, self._weights, 0, 1, self._shares, self._out)
            for s, symbol in enumerate(self._symbols):
                self._tell(cause, bar, symbol, float(self._out[s, 0]), tuple(self._shares[:, s, 0].tolist()))
        self.shares[:, :, bar - self._start] = self._shares[:, :, 0]

    def _tell(self, cause: Event[Any], bar: int, symbol: str, target: float, shares: tuple[float, ...]) -> None:
        s = self._numbers[symbol]
        before, shares_before = self._newest[s]
        if shares == shares_before and (target == before or (target != target and before != before)):
            return
        self._newest[s] = target, shares
        bus = self._bus
        payload = Ensemble(self._name, symbol, bar, target, self._strategies, shares)
        life = self._lives.of(symbol, before, target)
        bus.publish(Event(payload, self._name, bus.container_id, correlation_id=life, cause=cause))
