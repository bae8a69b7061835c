"""The observer's metrics are those of the compiled simulation, bit for bit, whatever the account does."""

import math
import struct
from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.bars import Bars
from admf_ray.core.records import AccountKind, Boundary, DistanceKind, FillPolicy, OrderKind
from admf_ray.engine.spec import AccountRules, Distance, Instrument
from admf_ray.errors import ConfigError, EventError
from admf_ray.events import Bar, ContainerRegistry, Event, EventBus, Fill, Portfolio, System
from admf_ray.portfolio.metrics import METRICS
from admf_ray.portfolio.metrics_observer import VALUES, MetricsObserver
from tests.parity.cases import Case, cases
from tests.parity.kernel import Simulated, simulate_targets
from tests.parity.ledger_events import ledger_events
from tests.series import run_single

CONTAINER = "account"
SYMBOLS = ("A", "B", "C")


def observer_of(rules: AccountRules, symbols: tuple[str, ...], periods: float) -> MetricsObserver:
    return MetricsObserver(symbols, rules.record(periods), rules.holdings(symbols), CONTAINER)


def told(observer: MetricsObserver, events: Iterable[Event[Any]]) -> MetricsObserver:
    """Publish events on a bus of the container that the observer is attached to."""
    bus = EventBus(CONTAINER, errors="raise", registry=ContainerRegistry())
    bus.attach(observer)
    for event in events:
        bus.publish(event)
    bus.close()
    return observer


def bits(metrics: dict[str, float]) -> dict[str, str]:
    """Hexadecimal digits of each; all NaN are one."""
    return {name: struct.pack(">d", math.nan if value != value else value).hex() for name, value in metrics.items()}


def observed(bars: Bars, rules: AccountRules, found: Any, start: int = 0) -> MetricsObserver:
    """What an observer makes of everything that a segment from ``start`` on has kept."""
    stop = start + len(found.equity)
    events = ledger_events(bars, start, stop, found.fills, found.equity, found.position, CONTAINER)
    return told(observer_of(rules, bars.symbols, bars.periods_per_year), events)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"boundary": Boundary.MARK},
        {"fill": FillPolicy.CLOSE, "commission_bps": 5.0},
        {"risk_free": 0.03, "slippage_bps": 2.0, "commission_per_share": 0.005, "commission_minimum": 1.0},
        {"stop_loss": Distance(DistanceKind.PERCENT, 0.02), "time_stop": 30, "max_drawdown": 0.1, "drawdown_pause": 50},
    ],
)
def test_metrics_of_a_crossing_on_the_sp500(sp500: Bars, options: dict[str, Any]) -> None:
    rules = AccountRules(**options)
    found = run_single(sp500, "sma_cross", {"fast": 10, "slow": 50}, **options)
    assert len(found.fills) > 100 or "max_drawdown" in options
    assert bits(observed(sp500, rules, found).metrics()) == bits(found.metrics)


def wild_bars(count: int = 400) -> Bars:
    """Three symbols that jump about, with a tenth of their bars missing."""
    rng = np.random.default_rng(5)
    close = 100.0 * np.cumprod(np.exp(rng.normal(0.0, 0.03, (3, count))), axis=1)
    open_ = close * np.exp(rng.normal(0.0, 0.01, close.shape))
    fields = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.01,
        "low": np.minimum(open_, close) / 1.01,
        "close": close,
    }
    missing = rng.random(close.shape) < 0.1
    for values in fields.values():
        values[missing] = math.nan
    return Bars(
        symbols=SYMBOLS,
        known_at=np.arange(count) + 1,
        session=np.arange(count) // 4,
        covers_until=count + 1,
        periods_per_year=1008.0,
        volume=np.full(close.shape, 1e6),
        **fields,
    )


MARGIN = {
    "account": AccountKind.MARGIN,
    "allow_short": True,
    "borrow_rate": 0.2,
    "loan_rate": 0.1,
    "interest": 0.03,
    "size": 0.6,
    "commission_bps": 3.0,
}


@pytest.mark.parametrize("fill", FillPolicy)
@pytest.mark.parametrize("boundary", Boundary)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lot": 0.0, "instruments": {"A": Instrument(multiplier=50.0), "C": Instrument(multiplier=0.1, tick=0.05)}},
        {"rebalance": True, "margin_requirement": 0.9, "risk_free": 0.02},
        {"stop_loss": Distance(DistanceKind.PERCENT, 0.03), "daily_loss": 0.03, "participation": 0.001, "impact": 0.1},
    ],
)
@pytest.mark.parametrize("start", [0, 37])
def test_metrics_of_shorts_on_borrowed_shares(
    fill: FillPolicy, boundary: Boundary, options: dict[str, Any], start: int
) -> None:
    bars = wild_bars()
    targets = np.repeat(np.random.default_rng(6).choice([-1.0, 0.0, 0.5, 1.0], (3, len(bars) // 5)), 5, axis=1)
    rules = AccountRules(fill=fill, boundary=boundary, **MARGIN, **options)
    found = simulate_targets(bars, targets, rules, start, volatility=np.full_like(targets, 0.03))
    assert found.metrics["trades"] > 20
    assert (found.fills["borrowed"] > 0.0).any()
    observer = observed(bars, rules, found, start)
    assert bits(observer.metrics()) == bits(found.metrics)


def test_metrics_of_limit_orders() -> None:
    bars = wild_bars()
    targets = np.random.default_rng(7).choice([-1.0, 0.0, 1.0], (3, len(bars)))
    rules = AccountRules(order=OrderKind.LIMIT, offset=0.005, **MARGIN)
    found = simulate_targets(bars, targets, rules)
    assert bits(observed(bars, rules, found).metrics()) == bits(found.metrics)


def simulated(case: Case, stop: int | None = None) -> Simulated:
    panel = case.panel
    known = {"volatility": panel.volatility, "atr": panel.atr, "last_bar": panel.last_bar}
    return simulate_targets(panel.bars, panel.targets, case.rules, 0, stop, **known)


@given(cases())
def test_metrics_are_those_of_the_simulation(case: Case) -> None:
    found = simulated(case)
    assert bits(observed(case.panel.bars, case.rules, found).metrics()) == bits(found.metrics)


@given(cases(), st.floats(0, 1))
def test_metrics_while_a_segment_goes_on_are_those_of_its_bars_so_far(case: Case, part: float) -> None:
    bars = case.panel.bars
    stop = max(int(part * len(bars)), 1)
    marked = replace(case, rules=replace(case.rules, boundary=Boundary.MARK))
    whole = simulated(marked)
    events = ledger_events(bars, 0, len(bars), whole.fills, whole.equity, whole.position, CONTAINER)
    so_far = takewhile(lambda event: event.payload.bar < stop, events)
    observer = told(observer_of(marked.rules, bars.symbols, bars.periods_per_year), so_far)
    assert bits(observer.metrics()) == bits(simulated(marked, stop).metrics)


# Worked by hand: 10 units are sold short at 100 in bar 0 and bought back at 90 in bar 2, for a commission of 1 each. A
# bar costs 1/1024 of the value of a short: bar 1 costs 10 x 102.4 / 1024 = 1, bar 2 costs 10 x 204.8 / 1024 = 2. The
# trade earns 100 - 2 - 3 = 95.
RULES = AccountRules(cash=1_000.0, account=AccountKind.MARGIN, allow_short=True, borrow_rate=0.25)


def bar(index: int, close: float, symbol: str = "A", timeframe: str = "") -> Event[Bar]:
    return Event(Bar(symbol, index, close, close, close, close, 1.0, timeframe), "feed", CONTAINER)


def fill(index: int, quantity: float, price: float, symbol: str = "A", of: str = CONTAINER) -> Event[Fill]:
    payload = Fill(of, symbol, index, quantity, price, 1.0, 0.0, 0.0, 0.0, index, 1, 1, 0, 0)
    return Event(payload, "execution", CONTAINER)


def portfolio(index: int, equity: float, *positions: float, of: str = CONTAINER) -> Event[Portfolio]:
    return Event(Portfolio(index, equity, equity, positions or (0.0,)), "portfolio", of)


SHORT = [
    bar(0, 102.4),
    fill(0, -10, 100.0),
    portfolio(0, 975.0, -10.0),
    bar(1, 204.8),
    portfolio(1, 500.0, -10.0),
    bar(2, 90.0),
    fill(2, 10, 90.0),
    portfolio(2, 1_095.0),
    bar(3, 80.0),
    portfolio(3, 1_095.0),
]


def by_hand() -> MetricsObserver:
    return observer_of(RULES, ("A",), 256.0)


def seen(*events: Event[Any]) -> MetricsObserver:
    observer = by_hand()
    for event in events:
        observer.on_event(event)
    return observer


def test_values_are_the_metrics_equity_and_what_was_earned() -> None:
    values = seen(*SHORT).values()
    assert tuple(values) == VALUES
    assert (values["total_pnl"], values["equity"], values["commission"], values["trades"]) == (95, 1_095, 2, 1)
    assert (values["exposure"], values["win_rate"]) == (0.5, 1.0)


def test_a_trade_pays_for_borrowing_at_the_close_before_each_bar() -> None:
    # A second trade loses 5: the profit factor is 95 / 5.
    second = [bar(4, 80.0), fill(4, 1, 80.0), fill(4, -1, 77.0), portfolio(4, 1_090.0)]
    assert seen(*SHORT, *second).metrics()["profit_factor"] == 19.0


def test_before_any_bar_there_is_cash_and_nothing_else() -> None:
    values = by_hand().values()
    assert (values["equity"], values["total_pnl"], values["trades"]) == (1_000, 0, 0)
    assert math.isnan(values["sharpe"])
    assert tuple(by_hand().metrics()) == METRICS


@pytest.mark.parametrize(
    "stranger",
    [
        bar(2, 1e6, symbol="B"),
        bar(2, 1e6, timeframe="1w"),
        fill(2, 3, 1e6, of="another"),
        portfolio(9, 1e6, of="another"),
        Event(System("hello"), "host", CONTAINER),
    ],
)
def test_what_is_not_of_the_account_changes_nothing(stranger: Event[Any]) -> None:
    assert bits(seen(*SHORT[:5], stranger, *SHORT[5:]).values()) == bits(seen(*SHORT).values())


def test_bars_before_the_account_begins_and_after_it_has_ended_change_nothing() -> None:
    shifted = [Event(one.payload._replace(bar=one.payload.bar + 5), "any", CONTAINER) for one in SHORT]
    around = seen(*(bar(index, 7.0) for index in range(5)), *shifted, *(bar(index, 7.0) for index in range(9, 12)))
    assert bits(around.values()) == bits(seen(*SHORT).values())


def test_the_order_of_fills_and_closes_within_a_bar_does_not_matter() -> None:
    moved = [SHORT[1], SHORT[0], *SHORT[2:5], SHORT[6], SHORT[5], *SHORT[7:]]
    assert bits(seen(*moved).values()) == bits(seen(*SHORT).values())


@pytest.mark.parametrize(
    "events",
    [
        [*SHORT[:3], *SHORT[5:]],
        [*SHORT[:3], fill(2, 10, 90.0)],
        [*SHORT[:5], portfolio(1, 500.0)],
        [*SHORT[:5], bar(1, 204.8)],
        [*SHORT[:3], bar(2, 90.0), portfolio(1, 500.0)],
    ],
)
def test_bars_that_are_left_out_or_out_of_order_are_refused(events: list[Event[Any]]) -> None:
    with pytest.raises(EventError, match=r"'account': [A-Z]+ of bar \d is out of order, bar \d goes on"):
        seen(*events)


def test_a_bar_of_another_symbol_does_not_hide_that_one_is_ahead() -> None:
    observer = observer_of(RULES, ("A", "B"), 256.0)
    observer.on_event(bar(2, 100.0))
    observer.on_event(bar(1, 50.0, symbol="B"))
    with pytest.raises(EventError, match="PORTFOLIO of bar 1 is out of order, .* the newest BAR is of 2"):
        observer.on_event(portfolio(1, 1_000.0, 0.0, 0.0))


def test_a_fill_of_a_symbol_that_the_account_does_not_have_is_refused() -> None:
    with pytest.raises(EventError, match=r"container 'account': no symbol is named 'B'.*; allowed: A"):
        seen(fill(0, 1, 1.0, symbol="B"))


def test_symbols_and_arrays_that_do_not_belong_together_are_refused() -> None:
    record, template = RULES.record(256.0), RULES.holdings(("A",))
    with pytest.raises(
        ConfigError, match=r"template of container 'account': shape \[1\].*a HOLDING array of shape \[2\]"
    ):
        MetricsObserver(("A", "B"), record, template, CONTAINER)
    with pytest.raises(ConfigError, match=r"rules of container 'account': .*allowed: a RULES array"):
        MetricsObserver(("A",), template, template, CONTAINER)
    with pytest.raises(ConfigError, match=r"symbols of container 'account' repeat: A, A"):
        MetricsObserver(("A", "A"), record, RULES.holdings(("A", "A")), CONTAINER)
