import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.records import Limit
from admf_ray.errors import ConfigError, EventError
from admf_ray.events import (
    Bar,
    Event,
    EventBus,
    EventId,
    EventType,
    Fill,
    Order,
    OrderRejected,
    OrderRequest,
    Signal,
    System,
    by_container,
    by_strategy,
)
from admf_ray.events.barriers import (
    AllOf,
    AnyOf,
    Barrier,
    DataAlignment,
    Gate,
    Held,
    Lockstep,
    OrderState,
    Reverting,
    Timing,
)

NAME = "test-barriers"
SECOND = 10**9
PANEL = ("SPX", "COMP", "RUT")


def bar(symbol: str, index: int, timeframe: str = "", at: int | None = None) -> Event[Bar]:
    moment = index if at is None else at
    return Event(Bar(symbol, index, 1.0, 1.0, 1.0, 1.0, 0.0, timeframe), "data", NAME, timestamp=moment)


def request(symbol: str = "SPX", quantity: float = 10.0, at: int = 0) -> Event[OrderRequest]:
    return Event(OrderRequest(symbol, 3, quantity), "portfolio", NAME, timestamp=at)


def order(number: int, quantity: float = 10.0, symbol: str = "SPX") -> Event[Order]:
    return Event(Order(symbol, 3, number, 1, quantity, 0, math.nan), "risk", NAME)


def fill(number: int, quantity: float, limits: int = 0, symbol: str = "SPX") -> Event[Fill]:
    filled = Fill(NAME, symbol, 4, quantity, 1.0, 0.0, 0.0, quantity, 0.0, 3, number, 1, 0, limits)
    return Event(filled, "execution", NAME)


def signal(strategy: str, index: int, target: float, symbol: str = "SPX") -> Event[Signal]:
    return Event(Signal(strategy, symbol, index, target), strategy, NAME)


def nanoseconds(utc: str) -> int:
    return int(np.datetime64(utc, "ns").astype(np.int64))


class Recorded:
    """A gate, and what it let through, in order."""

    def __init__(self, barrier: Barrier, max_waiting: int = 10_000) -> None:
        self.events: list[Event] = []
        self.gate = Gate(barrier, self.events.append, max_waiting)

    def take(self, *events: Event) -> None:
        for event in events:
            self.gate.on_event(event)

    @property
    def bars(self) -> list[str]:
        return [f"{one.payload.symbol}{one.payload.timeframe}@{one.timestamp}" for one in self.events]

    @property
    def why(self) -> str:
        return self.gate.log[-1][1].why


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def bus() -> Iterator[EventBus]:
    one = EventBus(NAME, errors="raise")
    yield one
    one.close()


# Gates


def test_on_a_bus_a_gate_hands_on_what_may_pass_and_learns_from_what_it_watches(bus: EventBus) -> None:
    sent = []
    gate = Gate(OrderState(), lambda event: sent.append(event.event_id.sequence))
    kept = [
        bus.subscribe(EventType.ORDER_REQUEST, gate.on_event),
        bus.subscribe(EventType.ORDER, gate.watch),
        bus.subscribe(EventType.FILL, gate.watch, by_container(NAME)),
    ]
    for event in (request(), order(1), request(), fill(1, 10.0), request()):
        bus.publish(event)
    assert all(one.is_live for one in kept)
    assert sent == [1, 5]
    assert (gate.passed, gate.dropped, gate.held) == (2, 1, {"OrderState": 1})
    said = Held("OrderState", "SPX: test-barriers#2 is pending, 0 of 10 filled", waits=False)
    assert list(gate.log) == [((NAME, 3), said)]


def test_what_waits_passes_in_order_of_arrival_once_it_may() -> None:
    recorded = Recorded(lockstep := Lockstep(["cross"]))
    recorded.take(bar("SPX", 0), bar("SPX", 1), bar("COMP", 1))
    assert [one.payload.symbol for one in recorded.gate.waiting] == ["SPX", "COMP"]
    lockstep.done("cross", 0)
    assert recorded.bars == ["SPX@0"]
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0", "SPX@1", "COMP@1"]
    assert recorded.gate.waiting == ()


def test_one_event_that_waits_is_counted_once_however_often_it_is_tried() -> None:
    recorded = Recorded(Lockstep(["cross"]))
    recorded.take(bar("SPX", 0), bar("SPX", 1))
    for _ in range(5):
        recorded.gate.retry()
    assert recorded.gate.held == {"Lockstep": 1}
    assert len(recorded.gate.log) == 1


def test_the_log_keeps_the_newest_hundred() -> None:
    recorded = Recorded(Timing(cooldown=10**6))
    recorded.take(*(request(at=at) for at in range(151)))
    assert recorded.gate.dropped == 150
    assert len(recorded.gate.log) == 100
    assert recorded.why.startswith("SPX: 150 ns after the last one")


def test_more_events_than_may_wait_are_refused_and_counted() -> None:
    recorded = Recorded(Lockstep(["cross"]), max_waiting=2)
    recorded.take(bar("SPX", 0), bar("SPX", 1), bar("SPX", 2))
    with pytest.raises(EventError, match="BAR is dropped at a gate: 2 events wait already; allowed: max_waiting=2"):
        recorded.take(bar("SPX", 3))
    assert len(recorded.gate.waiting) == 2
    assert (recorded.gate.dropped, recorded.gate.held["Gate"]) == (1, 1)


def test_a_handler_that_fails_keeps_no_other_event_from_passing() -> None:
    tried = []

    def fail(event: Event[Bar]) -> None:
        tried.append(event.payload.symbol)
        if event.payload.symbol != "COMP":
            raise ValueError(event.payload.symbol)

    gate = Gate(DataAlignment(PANEL), fail)
    gate.on_event(bar("SPX", 0))
    gate.on_event(bar("COMP", 0))
    with pytest.raises(ValueError, match="SPX") as caught:
        gate.on_event(bar("RUT", 0))
    assert tried == ["SPX", "COMP", "RUT"]
    assert "and then ValueError: RUT" in caught.value.__notes__[-1]
    assert (gate.passed, gate.waiting) == (3, ())


class Failing:
    """A barrier that lets all pass and fails at single events, asked for a reason or told that they passed."""

    def __init__(self, *, in_reason: tuple[str, ...] = (), in_passed: tuple[str, ...] = ()) -> None:
        self.in_reason = in_reason
        self.in_passed = in_passed

    def see(self, event: Event) -> None:
        """Take in nothing."""

    def reason(self, event: Event) -> Held | None:
        if event.payload.symbol in self.in_reason:
            raise KeyError(event.payload.symbol)
        return None

    def passed(self, event: Event) -> None:
        if event.payload.symbol in self.in_passed:
            raise KeyError(event.payload.symbol)


def test_an_event_with_a_time_that_no_calendar_has_is_dropped_and_blocks_no_other() -> None:
    recorded = Recorded(Timing(hours=[("00:00", "23:59")]))
    with pytest.raises(ValueError, match="is out of range") as caught:
        recorded.take(request(at=10**21))
    assert caught.value.__notes__ == ["in the barrier of a gate, at test-barriers#0 ORDER_REQUEST"]
    recorded.take(request(at=SECOND))
    assert [one.timestamp for one in recorded.events] == [SECOND]
    assert (recorded.gate.waiting, recorded.gate.dropped, recorded.gate.held) == ((), 1, {"Gate": 1})


@pytest.mark.parametrize("place", ["in_reason", "in_passed"])
def test_an_event_at_which_a_barrier_fails_is_dropped_and_the_others_pass(place: str) -> None:
    recorded = Recorded(AllOf(DataAlignment(PANEL), failing := Failing()))
    recorded.take(bar("SPX", 0), bar("COMP", 0))
    setattr(failing, place, ("COMP",))
    with pytest.raises(KeyError):
        recorded.take(bar("RUT", 0))
    assert recorded.bars == ["SPX@0", "RUT@0"]
    assert (recorded.gate.passed, recorded.gate.dropped, recorded.gate.waiting) == (2, 1, ())
    assert recorded.gate.log[-1] == ((NAME, 0), Held("Gate", "KeyError: 'COMP'", waits=False))


def test_what_handlers_raised_is_not_lost_when_a_barrier_fails_after_them() -> None:
    def fail(event: Event[Bar]) -> None:
        raise ValueError(event.payload.symbol)

    gate = Gate(AllOf(DataAlignment(PANEL), Failing(in_passed=("COMP",))), fail)
    gate.on_event(bar("SPX", 0))
    gate.on_event(bar("COMP", 0))
    with pytest.raises(ValueError, match="SPX") as caught:
        gate.on_event(bar("RUT", 0))
    own, at_comp, at_rut = caught.value.__notes__
    assert own.startswith("behind a gate, at ")
    assert at_comp.startswith("and then KeyError: 'COMP' in the barrier of a gate, at ")
    assert at_rut.startswith("and then ValueError: RUT behind a gate, at ")


def test_a_handler_may_let_the_next_event_pass_while_it_runs() -> None:
    lockstep, passed, ended = Lockstep(["cross"]), [], []

    def step(event: Event[Bar]) -> None:
        passed.append(event.payload.bar)
        if event.payload.bar > 0:
            lockstep.done("cross", event.payload.bar)
            gate.retry()
        ended.append(event.payload.bar)

    gate = Gate(lockstep, step)
    for index in range(4):
        gate.on_event(bar("SPX", index))
    assert passed == [0]
    lockstep.done("cross", 0)
    gate.retry()
    # One after the other, none inside of another.
    assert passed == ended == [0, 1, 2, 3]


def test_a_gate_lives_as_long_as_somebody_keeps_it(bus: EventBus) -> None:
    passed: list[Event] = []
    gate = Gate(OrderState(), passed.append)
    subscription = bus.subscribe(EventType.ORDER_REQUEST, gate.on_event)
    del gate
    bus.publish(request())
    assert passed == []
    assert not subscription.is_live


# Bars of several symbols and timeframes


def test_bars_wait_for_all_symbols_and_pass_in_panel_order() -> None:
    recorded = Recorded(DataAlignment(PANEL))
    recorded.take(bar("RUT", 0), bar("COMP", 0))
    assert recorded.bars == []
    assert recorded.why == "at 1970-01-01T00:00:00Z: no bar yet of SPX"
    recorded.take(bar("SPX", 0))
    assert recorded.bars == ["SPX@0", "COMP@0", "RUT@0"]


def test_bars_belong_together_by_timestamp_and_not_by_their_index() -> None:
    recorded = Recorded(DataAlignment(["SPX", "COMP"]))
    recorded.take(bar("SPX", 7, at=60), bar("COMP", 2, at=60))
    assert recorded.bars == ["SPX@60", "COMP@60"]


def test_a_higher_bar_is_waited_for_where_one_of_its_timeframe_is_seen() -> None:
    recorded = Recorded(DataAlignment(["SPX", "COMP"], ["", "1w"]))
    recorded.take(bar("SPX", 0), bar("COMP", 0))
    assert recorded.bars == ["SPX@0", "COMP@0"]
    recorded.take(bar("COMP", 0, "1w", at=1), bar("COMP", 1), bar("SPX", 1))
    assert recorded.why.endswith("no bar yet of SPX 1w")
    recorded.take(bar("SPX", 0, "1w", at=1))
    assert recorded.bars[2:] == ["SPX@1", "SPX1w@1", "COMP@1", "COMP1w@1"]


def test_higher_bars_after_the_others_of_their_timestamp_wait_for_their_like() -> None:
    recorded = Recorded(DataAlignment(["SPX", "COMP"], ["", "1w"]))
    recorded.take(bar("SPX", 0), bar("COMP", 0), bar("COMP", 0, "1w"))
    assert recorded.bars == ["SPX@0", "COMP@0"]
    recorded.take(bar("SPX", 0, "1w"))
    assert recorded.bars[2:] == ["SPX1w@0", "COMP1w@0"]


def test_a_calendar_may_say_when_higher_bars_are_due() -> None:
    weekly = DataAlignment(["SPX"], ["", "1w"], due=lambda timeframe, moment: not timeframe or moment % 5 == 0)
    recorded = Recorded(weekly)
    recorded.take(bar("SPX", 4))
    assert recorded.bars == ["SPX@4"]
    recorded.take(bar("SPX", 5))
    assert recorded.why.endswith("no bar yet of SPX 1w")
    recorded.take(bar("SPX", 1, "1w", at=5))
    assert recorded.bars == ["SPX@4", "SPX@5", "SPX1w@5"]


def test_a_bar_cannot_come_any_more_once_its_symbol_is_seen_later() -> None:
    alignment = DataAlignment(PANEL)
    recorded = Recorded(alignment)
    recorded.take(bar("SPX", 0), bar("COMP", 0), bar("RUT", 1))
    assert recorded.bars == ["SPX@0", "COMP@0"]
    assert list(alignment.incomplete) == [(0, ("RUT",))]
    recorded.take(bar("COMP", 1), bar("SPX", 1))
    assert recorded.bars[2:] == ["SPX@1", "COMP@1", "RUT@1"]


def test_bars_that_come_late_or_twice_are_dropped() -> None:
    recorded = Recorded(DataAlignment(["SPX", "COMP"]))
    recorded.take(bar("SPX", 1), bar("COMP", 1), bar("COMP", 1))
    assert recorded.why == "COMP of 1970-01-01T00:00:00.000000001Z came twice"
    recorded.take(bar("COMP", 0))
    assert "comes after bars of 1970-01-01T00:00:00.000000001Z have passed" in recorded.why
    recorded.take(bar("SPX", 2), bar("SPX", 2), bar("COMP", 2))
    assert recorded.bars == ["SPX@1", "COMP@1", "SPX@2", "COMP@2"]
    assert recorded.gate.dropped == 3


def test_a_series_that_ends_stops_the_others_only_for_so_long() -> None:
    alignment = DataAlignment(["SPX", "COMP"], patience=3)
    recorded = Recorded(alignment)
    recorded.take(bar("SPX", 0), bar("COMP", 0), bar("SPX", 1), bar("SPX", 2), bar("SPX", 3))
    assert recorded.bars == ["SPX@0", "COMP@0"]
    recorded.take(bar("SPX", 4))
    assert recorded.bars[2:] == ["SPX@1", "SPX@2", "SPX@3", "SPX@4"]
    recorded.take(bar("SPX", 5))
    assert recorded.bars[-1] == "SPX@5"
    assert [moment for moment, _ in alignment.incomplete] == [1, 2, 3, 4, 5]
    # Once it is seen again it is waited for again.
    recorded.take(bar("COMP", 6), bar("SPX", 6), bar("SPX", 7))
    assert recorded.bars[-2:] == ["SPX@6", "COMP@6"]
    recorded.take(bar("COMP", 7))
    assert recorded.bars[-2:] == ["SPX@7", "COMP@7"]


def test_a_symbol_that_is_further_already_is_not_waited_for() -> None:
    recorded = Recorded(DataAlignment(["SPX", "COMP"]))
    recorded.take(bar("SPX", 1), bar("COMP", 0))
    assert recorded.bars == ["COMP@0"]


def test_a_bar_that_was_given_up_and_comes_in_time_is_not_lacking() -> None:
    alignment = DataAlignment(PANEL)
    recorded = Recorded(alignment)
    recorded.take(bar("SPX", 0), bar("RUT", 1), bar("RUT", 0), bar("COMP", 0))
    assert recorded.bars == ["SPX@0", "COMP@0", "RUT@0"]
    assert not alignment.incomplete


def test_timestamps_that_all_symbols_have_left_are_forgotten() -> None:
    alignment = DataAlignment(PANEL)
    recorded = Recorded(AllOf(alignment, Timing(hours=[("10:00", "11:00")])))
    recorded.take(*(bar(symbol, index) for index in range(500) for symbol in PANEL))
    assert recorded.gate.dropped == 1500
    assert len(alignment._moments) <= 2


def test_a_symbol_that_is_said_to_be_absent_is_not_waited_for() -> None:
    alignment = DataAlignment(["SPX", "COMP"])
    recorded = Recorded(alignment)
    recorded.take(bar("SPX", 0))
    alignment.absent("COMP")
    recorded.gate.retry()
    recorded.take(bar("SPX", 1))
    assert recorded.bars == ["SPX@0", "SPX@1"]
    with pytest.raises(EventError, match=r"no symbol is named 'SPY' \(did you mean SPX\?\)"):
        alignment.absent("SPY")


def test_what_is_not_of_the_panel_is_not_held() -> None:
    recorded = Recorded(DataAlignment(["SPX"], ["1d"]))
    recorded.take(bar("VIX", 0), bar("SPX", 0), Event(System("hello"), "someone", NAME))
    assert recorded.gate.passed == 3


def test_a_bar_that_another_barrier_drops_does_not_stop_the_others() -> None:
    recorded = Recorded(AllOf(DataAlignment(PANEL), Timing(cooldown=2)))
    recorded.take(*(bar(symbol, index) for index in (0, 1, 2) for symbol in PANEL))
    assert recorded.bars == [f"{symbol}@{index}" for index in (0, 2) for symbol in PANEL]
    assert recorded.gate.waiting == ()


def test_of_many_missing_symbols_ten_are_named() -> None:
    recorded = Recorded(DataAlignment([f"S{number}" for number in range(30)]))
    recorded.take(bar("S0", 0))
    assert recorded.why.endswith("no bar yet of S1, S2, S3, S4, S5, S6, S7, S8, S9, S10 and 19 more")


@given(st.permutations([(symbol, timeframe) for symbol in PANEL for timeframe in ("", "1w")]))
def test_any_order_of_arrival_at_a_timestamp_passes_in_panel_order(arrival: list[tuple[str, str]]) -> None:
    recorded = Recorded(DataAlignment(PANEL, ["", "1w"], due=lambda timeframe, moment: True))
    recorded.take(*(bar(symbol, 0, timeframe) for symbol, timeframe in arrival))
    assert recorded.bars == [f"{symbol}{timeframe}@0" for symbol in PANEL for timeframe in ("", "1w")]


@given(st.permutations([symbol for symbol in PANEL for _ in range(5)]))
def test_symbols_may_run_ahead_of_each_other_in_any_way(arrival: list[str]) -> None:
    alignment, at = DataAlignment(PANEL), dict.fromkeys(PANEL, 0)
    recorded = Recorded(alignment)
    for symbol in arrival:
        recorded.take(bar(symbol, at[symbol]))
        at[symbol] += 1
    assert recorded.bars == [f"{symbol}@{index}" for index in range(5) for symbol in PANEL]
    assert not alignment.incomplete


@given(
    st.lists(st.tuples(st.sampled_from(PANEL), st.integers(0, 12), st.sampled_from(["", "1w"])), max_size=60),
    st.integers(1, 4),
)
def test_whatever_arrives_no_bar_is_lost_and_time_never_goes_back(
    arrival: list[tuple[str, int, str]], patience: int
) -> None:
    lockstep = Lockstep(["cross"])
    recorded = Recorded(AllOf(DataAlignment(PANEL, ["", "1w"], patience=patience), lockstep), max_waiting=10)
    events = [bar(symbol, index, timeframe) for symbol, index, timeframe in arrival]
    refused = 0
    for number, event in enumerate(events):
        if number % 3 == 0 and recorded.events:
            lockstep.done("cross", max(one.timestamp for one in recorded.events))
        try:
            recorded.take(event)
        except EventError:
            refused += 1
    gate = recorded.gate
    assert gate.passed == len(recorded.events)
    assert gate.passed + gate.dropped + len(gate.waiting) == len(events)
    assert gate.held["Gate"] == refused
    moments = [one.timestamp for one in recorded.events]
    assert moments == sorted(moments)
    assert len(set(recorded.bars)) == len(recorded.bars)


@given(st.lists(st.tuples(st.sampled_from(PANEL), st.sampled_from(["", "1w"])), max_size=40))
def test_once_every_symbol_is_seen_later_no_bar_waits(arrival: list[tuple[str, str]]) -> None:
    recorded = Recorded(DataAlignment(PANEL, ["", "1w"]))
    for moment, (symbol, timeframe) in enumerate(arrival):
        recorded.take(bar(symbol, moment // 2, timeframe, at=moment // 2))
    recorded.take(*(bar(symbol, 99) for symbol in PANEL))
    assert recorded.gate.waiting == ()
    assert recorded.bars[-3:] == [f"{symbol}@99" for symbol in PANEL]


# Pending orders


def test_a_request_is_dropped_while_another_one_of_its_symbol_is_pending() -> None:
    recorded = Recorded(OrderState())
    recorded.take(request("SPX", -3.0), request("COMP"), request("SPX"))
    assert [one.payload.symbol for one in recorded.events] == ["SPX", "COMP"]
    assert recorded.why == "SPX: test-barriers#0 is pending, 0 of -3 filled"


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param([order(1), fill(1, 10.0)], id="filled"),
        pytest.param([order(1), fill(1, 4.0), fill(1, 6.0)], id="filled in parts"),
        # Eight times 0.1 is 0.7999999999999999.
        pytest.param([order(1, 0.8), *(fill(1, 0.1) for _ in range(8))], id="filled in parts of floats"),
        pytest.param([order(1, -10.0), fill(1, -10.0)], id="sold"),
        pytest.param([order(1), fill(1, 4.0, Limit.CASH | Limit.PARTICIPATION)], id="cut to the cash"),
        pytest.param([order(1), fill(2, -20.0)], id="cancelled by an exit"),
        pytest.param([order(1), order(2, 0.0)], id="replaced by nothing"),
        pytest.param([order(1), order(2, math.nan)], id="replaced by no number"),
        pytest.param([fill(9, 1.0)], id="filled without an order"),
        pytest.param([Event(OrderRejected("SPX", 3, 10.0, "halt"), "risk", NAME)], id="rejected"),
    ],
)
def test_a_request_may_pass_again_when_the_order_has_ended(ending: list[Event]) -> None:
    recorded = Recorded(OrderState())
    recorded.take(request())
    for event in ending[:-1]:
        recorded.gate.watch(event)
        recorded.take(request())
    assert recorded.gate.passed == 1
    recorded.gate.watch(ending[-1])
    recorded.take(request())
    assert recorded.gate.passed == 2


@pytest.mark.parametrize(
    "going_on",
    [
        pytest.param([order(2), fill(2, 4.0, Limit.PARTICIPATION)], id="the rest waits"),
        pytest.param([order(2), fill(1, 10.0)], id="an older order is filled"),
        pytest.param([order(2), fill(2, 4.0), order(3), fill(3, 6.0)], id="replaced, and filled in parts"),
        pytest.param([order(2), fill(2, 10.0, symbol="COMP")], id="another symbol is filled"),
    ],
)
def test_an_order_that_has_not_ended_is_pending(going_on: list[Event]) -> None:
    recorded = Recorded(OrderState())
    for event in going_on:
        recorded.gate.watch(event)
    recorded.take(request())
    assert (recorded.gate.passed, recorded.gate.dropped) == (0, 1)


def test_an_order_that_ends_without_an_event_is_ended_by_hand() -> None:
    state = OrderState()
    recorded = Recorded(state)
    recorded.gate.watch(order(1))
    state.end("SPX")
    state.end("COMP")
    recorded.take(request())
    assert recorded.gate.passed == 1


class FirstFails:
    """A handler that fails at the first event."""

    def __init__(self) -> None:
        self.handled: list[EventId] = []

    def __call__(self, event: Event) -> None:
        self.handled.append(event.event_id)
        if len(self.handled) == 1:
            raise ValueError("no connection")


def numbered(sequence: int, symbol: str = "SPX") -> Event[OrderRequest]:
    return Event(OrderRequest(symbol, 3, 10.0), "portfolio", NAME, sequence=sequence)


@pytest.mark.parametrize(
    "compose",
    [
        pytest.param(lambda state: state, id="alone"),
        pytest.param(lambda state: AllOf(Timing(per_minute=9), state), id="all of"),
        pytest.param(lambda state: AnyOf(state, AllOf(state)), id="any of"),
    ],
)
def test_a_request_whose_handler_fails_is_not_pending(compose: Callable[[OrderState], Barrier]) -> None:
    gate = Gate(compose(OrderState()), handler := FirstFails())
    with pytest.raises(ValueError, match="no connection"):
        gate.on_event(numbered(1))
    gate.on_event(numbered(2))
    assert handler.handled == [(NAME, 1), (NAME, 2)]
    gate.on_event(numbered(3))
    assert (gate.passed, gate.dropped) == (2, 1)


def test_a_request_that_passed_one_barrier_and_fails_in_the_next_is_not_pending() -> None:
    recorded = Recorded(AllOf(OrderState(), failing := Failing(in_passed=("SPX",))))
    with pytest.raises(KeyError):
        recorded.take(numbered(1))
    failing.in_passed = ()
    recorded.take(numbered(2))
    assert [one.sequence for one in recorded.events] == [2]


def test_an_order_that_was_sent_before_its_handler_failed_is_pending() -> None:
    def send(event: Event[OrderRequest]) -> None:
        gate.watch(order(1))
        raise ValueError("after it was sent")

    gate = Gate(OrderState(), send)
    with pytest.raises(ValueError, match="after it was sent"):
        gate.on_event(numbered(1))
    gate.on_event(numbered(2))
    assert (gate.passed, gate.dropped) == (1, 1)


def test_what_failed_ends_neither_another_request_nor_another_symbol() -> None:
    state = OrderState()
    state.passed(numbered(1))
    for other in (numbered(2), numbered(1, "COMP"), bar("SPX", 1)):
        state.failed(other)
    assert state.reason(numbered(3)) is not None


def test_barriers_that_take_something_back_are_told_apart() -> None:
    assert all(isinstance(one, Reverting) for one in (OrderState(), AllOf(OrderState()), AnyOf(OrderState())))
    assert not any(isinstance(one, Reverting) for one in (DataAlignment(PANEL), Lockstep(["cross"])))


# Rate, hours, cooldown


def test_only_so_many_events_pass_within_sixty_seconds() -> None:
    recorded = Recorded(Timing(per_minute=2))
    recorded.take(*(request(at=seconds * SECOND) for seconds in (0, 30, 59, 60, 61, 90)))
    # What was dropped at 59 and 61 does not count.
    assert [one.timestamp // SECOND for one in recorded.events] == [0, 30, 60, 90]
    assert recorded.why == "2 have passed in the 60 s before 1970-01-01T00:01:01Z; allowed: per_minute=2"


# 2020-01-02 was a Thursday in winter (UTC-5 in New York), 2020-07-02 one in summer (UTC-4).
@pytest.mark.parametrize(
    ("utc", "passes"),
    [
        ("2020-01-02T14:29:59.999999999", False),
        ("2020-01-02T14:30", True),
        ("2020-01-02T21:00", True),
        ("2020-01-02T21:00:00.000000001", False),
        ("2020-07-02T13:30", True),
        ("2020-07-02T20:30", False),
    ],
)
def test_hours_are_those_of_their_timezone_with_both_ends(utc: str, passes: bool) -> None:
    recorded = Recorded(Timing(hours=[("09:30", "16:00")], timezone="America/New_York"))
    recorded.take(request(at=nanoseconds(utc)))
    assert (recorded.gate.passed == 1) is passes


def test_hours_may_have_breaks_and_go_over_midnight() -> None:
    recorded = Recorded(Timing(hours=[("18:00", "02:00"), ("03:00", "04:00")]))
    recorded.take(*(request(at=hour * 3600 * SECOND) for hour in (1, 2, 3, 5, 17, 18, 23)))
    assert [one.timestamp // (3600 * SECOND) for one in recorded.events] == [1, 2, 3, 18, 23]


def test_every_symbol_has_a_cooldown_of_its_own() -> None:
    recorded = Recorded(Timing(cooldown=10))
    recorded.take(request("SPX", at=0), request("COMP", at=5), request("SPX", at=9), request("SPX", at=10))
    assert [(one.payload.symbol, one.timestamp) for one in recorded.events] == [("SPX", 0), ("COMP", 5), ("SPX", 10)]
    assert recorded.why == "SPX: 9 ns after the last one at 1970-01-01T00:00:00.000000009Z; allowed: 10 ns"


# Strategies in step


def test_the_next_bar_waits_until_every_strategy_has_reported(bus: EventBus) -> None:
    lockstep = Lockstep(["cross", "trend"])
    recorded = Recorded(lockstep)
    kept = [
        bus.subscribe(EventType.BAR, recorded.gate.on_event),
        bus.subscribe(EventType.SIGNAL, recorded.gate.watch, by_strategy("cross", "trend")),
    ]
    bus.publish(bar("SPX", 0))
    bus.publish(bar("SPX", 1))
    assert all(one.is_live for one in kept)
    assert recorded.why == "bar 0: no report of cross, trend"
    bus.publish(signal("cross", 0, 0.5))
    assert recorded.bars == ["SPX@0"]
    bus.publish(signal("trend", 0, -1.0))
    assert recorded.bars == ["SPX@0", "SPX@1"]
    assert lockstep.values(0) == {"cross": 0.5, "trend": -1.0}
    assert not lockstep.missing


def test_all_symbols_of_a_bar_pass_together() -> None:
    recorded = Recorded(lockstep := Lockstep(["cross"]))
    recorded.take(bar("SPX", 0), bar("COMP", 0), bar("SPX", 1), bar("RUT", 0), bar("COMP", 1))
    assert recorded.bars == ["SPX@0", "COMP@0", "RUT@0"]
    lockstep.done("cross", 0)
    recorded.gate.retry()
    assert recorded.bars[3:] == ["SPX@1", "COMP@1"]


def test_where_symbols_are_named_a_strategy_reports_for_each_or_for_all() -> None:
    lockstep = Lockstep(["cross", "trend"], symbols=["SPX", "COMP"])
    recorded = Recorded(lockstep)
    recorded.take(bar("SPX", 0), bar("SPX", 1))
    recorded.gate.watch(signal("cross", 0, 0.5))
    recorded.gate.watch(signal("cross", 0, 0.25, "COMP"))
    recorded.gate.watch(signal("trend", 0, 1.0))
    assert recorded.bars == ["SPX@0"]
    lockstep.done("trend", 0, 0.0)
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0", "SPX@1"]
    assert lockstep.values(0, "SPX") == {"cross": 0.5, "trend": 1.0}
    assert lockstep.values(0, "COMP") == {"cross": 0.25, "trend": 0.0}


def test_after_the_time_out_the_next_bar_passes_and_says_who_is_missing() -> None:
    clock = Clock()
    lockstep = Lockstep(["cross", "trend"], timeout_seconds=2.0, clock=clock)
    recorded = Recorded(lockstep)
    recorded.take(bar("SPX", 0), bar("SPX", 1))
    recorded.gate.watch(signal("trend", 0, 1.0))
    clock.now += 1.5
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0"]
    clock.now += 0.5
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0", "SPX@1"]
    assert list(lockstep.missing) == [(0, ("cross",))]
    # The value of a bar that is over stays as it was.
    recorded.gate.watch(signal("cross", 0, 0.5))
    values = lockstep.values(0)
    assert math.isnan(values["cross"])
    assert values["trend"] == 1.0


def test_time_counts_from_the_newest_event_of_a_bar() -> None:
    clock = Clock()
    recorded = Recorded(Lockstep(["cross"], timeout_seconds=2.0, clock=clock))
    recorded.take(bar("SPX", 0))
    clock.now += 1.5
    recorded.take(bar("COMP", 0), bar("SPX", 1))
    clock.now += 1.5
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0", "COMP@0"]


def test_higher_bars_wait_with_the_bar_of_their_timestamp() -> None:
    recorded = Recorded(lockstep := Lockstep(["cross"]))
    recorded.take(bar("SPX", 5, at=50), bar("SPX", 1, "1w", at=50), bar("SPX", 2, "1w", at=60))
    assert recorded.bars == ["SPX@50", "SPX1w@50"]
    lockstep.done("cross", 5)
    recorded.gate.retry()
    assert recorded.bars[2:] == ["SPX1w@60"]


def test_the_index_of_a_higher_bar_or_of_a_late_one_does_not_move_the_lockstep() -> None:
    recorded = Recorded(Lockstep(["cross"]))
    recorded.take(bar("SPX", 9, "1w", at=1), bar("SPX", 1), bar("COMP", 0), bar("RUT", 1), bar("SPX", 2))
    assert recorded.bars == ["SPX1w@1", "SPX@1", "COMP@0", "RUT@1"]


def test_without_a_symbol_the_value_of_a_strategy_is_the_newest() -> None:
    lockstep = Lockstep(["cross"])
    for symbol, target in (("SPX", 0.1), ("COMP", 0.2), ("SPX", 0.3)):
        lockstep.see(signal("cross", 0, target, symbol))
    assert lockstep.values(0) == {"cross": 0.3}


def test_only_this_bar_and_the_one_before_are_kept() -> None:
    lockstep = Lockstep(["cross"])
    recorded = Recorded(lockstep)
    for index in range(1000):
        recorded.take(bar("SPX", index))
        lockstep.done("cross", index, float(index))
    assert lockstep.values(998) == {"cross": 998.0}
    assert lockstep.values(999) == {"cross": 999.0}
    with pytest.raises(EventError, match="reports for bar 997 are not kept any more; allowed: 998 and later"):
        lockstep.values(997)


def test_reports_may_come_before_their_bar_but_not_for_ever() -> None:
    lockstep = Lockstep(["cross"])
    recorded = Recorded(lockstep)
    for index in range(100):
        lockstep.done("cross", index)
    with pytest.raises(EventError, match="'cross' reports for bar 100, but the newest that passed is None"):
        lockstep.done("cross", 100)
    recorded.take(*(bar("SPX", index) for index in range(100)))
    assert recorded.gate.passed == 100


def test_a_strategy_that_is_not_named_reports_nothing() -> None:
    lockstep = Lockstep(["cross"])
    lockstep.see(signal("trend", 0, 1.0))
    assert set(lockstep.values(0)) == {"cross"}
    with pytest.raises(EventError, match=r"no strategy is named 'croos' \(did you mean cross\?\)"):
        lockstep.done("croos", 0)


# Compositions


def test_all_of_them_name_every_reason_and_wait_only_if_each_does() -> None:
    both = AllOf(DataAlignment(["SPX", "COMP"]), Lockstep(["cross"]))
    recorded = Recorded(both)
    recorded.take(bar("SPX", 0), bar("COMP", 0), bar("SPX", 1))
    held = recorded.gate.log[-1][1]
    assert held.barrier == "DataAlignment and Lockstep"
    assert held.why == "at 1970-01-01T00:00:00.000000001Z: no bar yet of COMP; bar 0: no report of cross"
    assert held.waits
    dropping = Recorded(AllOf(Lockstep(["cross"]), Timing(hours=[("10:00", "11:00")])))
    dropping.gate.barrier.passed(bar("SPX", 0))
    dropping.take(bar("SPX", 1))
    assert (dropping.gate.dropped, dropping.gate.waiting) == (1, ())


def test_what_another_barrier_holds_uses_up_no_rate() -> None:
    recorded = Recorded(AllOf(OrderState(), Timing(per_minute=2)))
    recorded.take(*(request("SPX") for _ in range(5)), request("COMP"), request("RUT"))
    assert [one.payload.symbol for one in recorded.events] == ["SPX", "COMP"]
    assert recorded.gate.held == {"OrderState": 4, "Timing": 1}


def test_any_of_them_lets_pass_and_all_are_told() -> None:
    either = AnyOf(OrderState(), Timing(cooldown=10))
    recorded = Recorded(either)
    recorded.take(request(at=0), request(at=5), request(at=10), request(at=15))
    assert [one.timestamp for one in recorded.events] == [0, 10]
    held = recorded.gate.log[-1][1]
    assert (held.barrier, held.waits) == ("OrderState or Timing", False)
    assert held.why.startswith("SPX: test-barriers#0 is pending, 0 of 10 filled; SPX: 5 ns after the last one")


def test_what_any_of_them_holds_waits_if_one_lets_it_wait() -> None:
    lockstep = Lockstep(["cross"])
    recorded = Recorded(AnyOf(lockstep, Timing(cooldown=10)))
    recorded.take(bar("SPX", 0), bar("SPX", 1))
    assert len(recorded.gate.waiting) == 1
    lockstep.done("cross", 0)
    recorded.gate.retry()
    assert recorded.bars == ["SPX@0", "SPX@1"]


def test_compositions_nest_and_keep_panel_order() -> None:
    nested = AllOf(AnyOf(DataAlignment(PANEL)), AllOf(OrderState()))
    recorded = Recorded(nested)
    recorded.take(bar("RUT", 0), bar("COMP", 0), bar("SPX", 0))
    assert recorded.bars == ["SPX@0", "COMP@0", "RUT@0"]


@given(
    st.lists(st.tuples(st.sampled_from(PANEL), st.integers(0, 90), st.integers(0, 3)), max_size=50),
    st.booleans(),
)
def test_every_request_passes_or_is_dropped_with_a_reason(steps: list[tuple[str, int, int]], is_any: bool) -> None:
    compose = AnyOf if is_any else AllOf
    recorded = Recorded(compose(OrderState(), Timing(per_minute=3, cooldown=2 * SECOND)))
    now = 0
    for symbol, seconds, kind in steps:
        now += seconds * SECOND
        if kind:
            recorded.take(request(symbol, at=now))
        else:
            recorded.gate.watch(fill(1, 1.0, symbol=symbol))
    gate = recorded.gate
    assert gate.passed + gate.dropped == sum(kind > 0 for _, _, kind in steps)
    assert len(gate.log) == gate.dropped == sum(gate.held.values())
    if not is_any:
        moments = [one.timestamp for one in recorded.events]
        assert all(late - early >= 60 * SECOND for early, late in zip(moments, moments[3:], strict=False))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DataAlignment([]), r"symbols: \[\] is not allowed; allowed: a list of one name"),
        (lambda: DataAlignment("SPX"), "symbols: 'SPX' is not allowed"),
        (lambda: DataAlignment(["SPX", "SPX"]), "symbols: .* each once"),
        (lambda: DataAlignment(["SPX"], []), r"timeframes: \[\] is not allowed"),
        (
            lambda: DataAlignment(["SPX"], patience=0),
            "patience: 0 is not allowed; allowed: a whole number of at least 1",
        ),
        (Timing, "per_minute, hours and cooldown: none is given"),
        (lambda: Timing(per_minute=0), "per_minute: 0 is not allowed"),
        (lambda: Timing(per_minute=1.5), "per_minute: 1.5 is not allowed"),
        (lambda: Timing(per_minute=True), "per_minute: True is not allowed; allowed: a whole number of at least 1"),
        (lambda: Timing(cooldown=-1), "cooldown: -1 is not allowed"),
        (
            lambda: Timing(hours=[("9.30", "16:00")]),
            r"hours: \('9.30', '16:00'\) is not allowed; allowed: pairs of times",
        ),
        (lambda: Timing(hours=("09:30", "16:00")), "hours: '09:30' is not allowed"),
        (lambda: Timing(hours=[("09:30", "09:30")]), "hours: .* is not allowed"),
        (lambda: Timing(hours=[("09:30", "16:00+01:00")]), "hours: .* is not allowed"),
        (
            lambda: Timing(per_minute=1, timezone="New York"),
            "timezone: 'New York' is unknown; allowed: names of the IANA",
        ),
        (lambda: Timing(per_minute=1, timezone="America"), "timezone: 'America' is unknown"),
        (lambda: Lockstep([]), r"strategies: \[\] is not allowed"),
        (lambda: Lockstep(["a"], timeout_seconds=0.0), "timeout_seconds: 0.0 is not allowed; allowed: more than 0"),
        (lambda: Lockstep(["a"], timeout_seconds=math.nan), "timeout_seconds: nan is not allowed"),
        (AllOf, "barriers: none is no barrier; allowed: what has see, reason, passed"),
        (lambda: AnyOf(OrderState(), object()), "barriers: object is no barrier"),
        (lambda: Gate(object(), print), "barriers: object is no barrier"),
        (lambda: Gate(OrderState(), print, max_waiting=0), "max_waiting: 0 is not allowed"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(make, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
