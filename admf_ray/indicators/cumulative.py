"""Cumulative indicators: sums over every bar so far, or over those since the session began.

A bar is missing where any of its sources is: it has no value and adds nothing, and the sums go on after it. That is why
sums of volume alone also read the close: a bar without prices is missing, whatever its volume says. A session begins
with its first known bar.

Sums are plain ones from left to right, from the first bar or the session's, so the same bits come out however the
history is cut. Adding n terms loses at most n x 1.2e-16 of the sum of their absolute values: 1.2e-10 of it over a
million bars. Whole numbers add without any loss up to 2**53.

Sums of a session begin anew where its number is not the one in the state. The state begins as zeros, the number and the
sums alike, so a first session of number 0 needs no case of its own.
"""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.indicators.convergence import NEVER
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.stateless import finite, log_ratio

__all__ = [
    "accumulation_distribution",
    "bar_count",
    "cumulative_volume",
    "obv",
    "realized_variance",
    "session_trade_count",
    "vwap",
]


@compiled(INDICATOR)
def obv(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the on-balance volume: volume of bars that closed higher, less that of bars that closed lower.

    Higher and lower than the last known close; the first known bar counts as higher, as in TA-Lib. Adding n bars loses
    at most n x 1.2e-16 of their volume, and nothing where volumes are whole. State: the sum, the last known close, and
    1 once there is one.
    """
    total = state[0]
    last = state[1]
    known = state[2]
    for t in range(start, stop):
        close = matrix[rows[0], t]
        volume = matrix[rows[1], t]
        out[0, t] = math.nan
        if not math.isfinite(close + volume):
            continue
        if known == 0.0 or close > last:
            total += volume
        elif close < last:
            total -= volume
        last = close
        known = 1.0
        out[0, t] = finite(total)
    state[0] = total
    state[1] = last
    state[2] = known


@compiled(INDICATOR)
def accumulation_distribution(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the accumulation/distribution line: the sum of ((close - low) - (high - close)) / (high - low) x volume.

    A bar without range adds 0. No term is beyond its bar's volume, so adding n bars loses at most n x 1.2e-16 of their
    volume. State: the sum.
    """
    total = state[0]
    for t in range(start, stop):
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        close = matrix[rows[2], t]
        volume = matrix[rows[3], t]
        out[0, t] = math.nan
        if not math.isfinite(high + low + close + volume):
            continue
        extent = high - low
        if extent > 0.0:
            total += ((close - low) - (high - close)) / extent * volume
        out[0, t] = finite(total)
    state[0] = total


@compiled(INDICATOR)
def cumulative_volume(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the volume of all known bars so far.

    Adding n bars loses at most n x 1.2e-16 of the sum, and nothing where volumes are whole. State: the sum.
    """
    total = state[0]
    for t in range(start, stop):
        volume = matrix[rows[1], t]
        out[0, t] = math.nan
        if not math.isfinite(matrix[rows[0], t] + volume):
            continue
        total += volume
        out[0, t] = finite(total)
    state[0] = total


@compiled(INDICATOR)
def vwap(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the volume-weighted average price since the session began: sum of typical price x volume / sum of volume.

    The typical price is (high + low + close) / 3. NaN while nothing has been traded in the session. Both sums begin
    anew with each session, so its n bars lose at most (n + 2) x 2.4e-16 of the average. State: sum of price x volume,
    sum of volume, and the number of the session.
    """
    value = state[0]
    traded = state[1]
    current = state[2]
    for t in range(start, stop):
        typical = (matrix[rows[0], t] + matrix[rows[1], t] + matrix[rows[2], t]) / 3.0
        volume = matrix[rows[3], t]
        out[0, t] = math.nan
        if not math.isfinite(typical + volume):
            continue
        if session[t] != current:
            value = 0.0
            traded = 0.0
            current = session[t]
        value += typical * volume
        traded += volume
        if traded > 0.0:
            out[0, t] = finite(value / traded)
    state[0] = value
    state[1] = traded
    state[2] = current


@compiled(INDICATOR)
def realized_variance(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the realized variance since the session began: the sum of squared log returns from bar to bar within it.

    The session's first known bar has no return in it, so its sum is 0 and the overnight return is left out. A close
    that is not above 0 has no logarithm and counts as missing. No term is below 0, so adding the n bars of a session
    loses at most n x 1.2e-16 of the sum. State: the sum, the last known close (0 before there is one), and the number
    of the session.
    """
    total = state[0]
    last = state[1]
    current = state[2]
    for t in range(start, stop):
        close = matrix[rows[0], t]
        out[0, t] = math.nan
        if not 0.0 < close < math.inf:
            continue
        if last == 0.0 or session[t] != current:
            total = 0.0
            current = session[t]
        else:
            total += log_ratio(close, last) ** 2
        last = close
        out[0, t] = total
    state[0] = total
    state[1] = last
    state[2] = current


@compiled(INDICATOR)
def bar_count(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write how many known bars the session has had, this one included.

    Counting is exact. State: the count, and the number of the session.
    """
    count = state[0]
    current = state[1]
    for t in range(start, stop):
        out[0, t] = math.nan
        if not math.isfinite(matrix[rows[0], t]):
            continue
        if session[t] != current:
            count = 0.0
            current = session[t]
        count += 1.0
        out[0, t] = count
    state[0] = count
    state[1] = current


@compiled(INDICATOR)
def session_trade_count(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the sum of the second source since the session began: trades, where the data carry their count in it.

    Whole counts add without any loss; the sum begins anew with each session. State: the sum, and the number of the
    session.
    """
    total = state[0]
    current = state[1]
    for t in range(start, stop):
        trades = matrix[rows[1], t]
        out[0, t] = math.nan
        if not math.isfinite(matrix[rows[0], t] + trades):
            continue
        if session[t] != current:
            total = 0.0
            current = session[t]
        total += trades
        out[0, t] = finite(total)
    state[0] = total
    state[1] = current


def _add(name: str, kernel: Any, inputs: tuple[str, ...], size: int, source: str) -> None:
    """Register an indicator that keeps so many floats and has a value from the first bar on."""
    INDICATORS.add(
        Indicator(
            name=name,
            pattern="cumulative",
            parameters=(),
            inputs=inputs,
            outputs=(name,),
            kernel=kernel,
            state_size=lambda params: size,
            warm_up=lambda params: 0,
            convergence=lambda params: NEVER,
            source=source,
        )
    )


_add(
    "obv",
    obv,
    ("close", "volume"),
    3,
    "Granville, New Key to Stock Market Profits (1963); begun as in TA-Lib OBV",
)
_add(
    "accumulation_distribution",
    accumulation_distribution,
    ("high", "low", "close", "volume"),
    1,
    "Chaikin's accumulation/distribution line, as in TA-Lib AD",
)
_add("cumulative_volume", cumulative_volume, ("close", "volume"), 1, "By definition: the running sum of volume")
_add(
    "vwap",
    vwap,
    ("high", "low", "close", "volume"),
    3,
    "Berkowitz, Logue and Noser, The Total Cost of Transactions on the NYSE, Journal of Finance 43 (1988); a bar's "
    "trades at its typical price",
)
_add(
    "realized_variance",
    realized_variance,
    ("close",),
    3,
    "Andersen, Bollerslev, Diebold and Labys, Modeling and Forecasting Realized Volatility, Econometrica 71 (2003)",
)
_add("bar_count", bar_count, ("close",), 2, "By definition: the count of known bars in the session")
_add(
    "session_trade_count",
    session_trade_count,
    ("close", "volume"),
    2,
    "By definition: the sum of the source in the session",
)
