"""Result tables: from arrays to polars frames with the columns that run directories hold."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from admf_ray.core.bars import Bars
from admf_ray.core.records import FILL, Reason, limit_names
from admf_ray.data import stress_of
from admf_ray.engine.result import Segment
from admf_ray.optimize import Choice, Failed, Leaders, Search, Stitched, WindowOutcome
from admf_ray.portfolio.metrics import METRICS
from admf_ray.portfolio.trades import TRADE

__all__ = [
    "account_frames",
    "boundary",
    "equity_frame",
    "failures_frame",
    "front_frame",
    "segment_equity_frame",
    "windows_frame",
]


def boundary(bars: Bars, index: int) -> int:
    """Give the moment (ns UTC) at which bar ``index`` is known; past the end, when the next one is due."""
    return int(bars.known_at[index]) if index < len(bars) else bars.covers_until


def windows_frame(search: Search, choice: Choice, outcomes: Sequence[WindowOutcome]) -> pl.DataFrame:
    """Give one row a window: its spans, its winner, and the winner's metrics in training and in the test.

    Spans are half-open in time: bars with ``start <= known_at < stop``. A window in which none could win has
    no candidate and was spent in cash; so was one whose winner failed in the test, which has no metrics there. Of
    several that are tested together the candidate is the best one, and the parameters are those of all. Then what the
    market went through in each span: `admf_ray.data.stress.Stress`. Where another rule chose than the best objective,
    the last columns are the objective of the candidate in training, and the figure by which it was chosen.

    Parameters
    ----------
    search : Search
    choice : Choice
    outcomes : sequence of WindowOutcome
    """
    bars = search.bars
    undefined = dict.fromkeys(METRICS, np.nan)
    windows = [outcome.window for outcome in outcomes]
    trained = [window.trained_on for window in windows]
    tested = [(window.test_start, window.test_stop) for window in windows]
    stress = stress_of(bars, [*trained, *tested])
    rows = []
    for outcome, train, test in zip(outcomes, stress[: len(windows)], stress[len(windows) :], strict=True):
        window = outcome.window
        row: dict[str, Any] = {"window": window.index}
        for name in ("train_start", "train_stop", "test_start", "test_stop"):
            row[name] = boundary(bars, getattr(window, name))
        chosen = outcome.chosen
        row["candidate"] = None if chosen is None else chosen.candidates[0]
        row["parameters"] = None if chosen is None else json.dumps(search.parameters(chosen.candidates))
        row |= {f"train_{name}": value for name, value in (outcome.train or undefined).items()}
        row |= {f"test_{name}": value for name, value in (outcome.test.metrics if outcome.test else undefined).items()}
        for part, span in (("train", train), ("test", test)):
            row[f"{part}_stress_share"] = span.share
            row[f"{part}_market_drawdown"] = span.worst_drawdown
            row[f"{part}_volatility_decile"] = span.volatility_decile
        if choice.selection != "best":
            row["objective"] = np.nan if chosen is None else chosen.objective
            row["selected_by"] = np.nan if chosen is None else chosen.score
        rows.append(row)
    types = {"window": pl.Int16, "candidate": pl.Int32, "parameters": pl.String}
    return pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None)


def front_frame(leaders: Sequence[Leaders], choice: Choice) -> pl.DataFrame:
    """Give one row a candidate of the Pareto front of each window: its number and what it has of every objective."""
    parts = []
    for window, one in enumerate(leaders):
        own = one.front(choice)
        values = choice.values({name: own.metrics[:, METRICS.index(name)] for name in choice.metrics})
        parts.append(
            pl.DataFrame(
                {
                    "window": np.full(len(values), window, dtype=np.int16),
                    "candidate": own.candidates.astype(np.int32),
                    **dict(zip(choice.objectives, values.T.copy(), strict=True)),
                }
            )
        )
    return pl.concat(parts)


def failures_frame(failures: Sequence[Failed]) -> pl.DataFrame:
    """Give one row a candidate that failed: why, who computed it last, and how often it was begun.

    The window is null where a candidate failed in all windows of a search. Winners that fail in their tests have that
    in which they won, and say so.
    """
    rows = [
        {
            "candidate": one.candidate,
            "window": one.window,
            "error": one.fault.error,
            "message": one.fault.message,
            "traceback": one.fault.traceback,
            "host": one.host,
            "attempts": one.attempts,
        }
        for one in failures
    ]
    types = {"candidate": pl.Int32, "window": pl.Int16, "attempts": pl.Int32}
    return pl.DataFrame(rows, schema_overrides=types).sort("candidate", "window")


def equity_frame(bars: Bars, stitched: Stitched) -> pl.DataFrame:
    """Give one row a test bar: chained equity, buy and hold, position."""
    return pl.DataFrame(
        {
            "time": bars.known_at[stitched.bars],
            "window": stitched.window.astype(np.int16),
            "equity": stitched.equity,
            "benchmark": stitched.benchmark,
            "position": stitched.position,
        }
    )


def segment_equity_frame(bars: Bars, segment: Segment, benchmark: Segment) -> pl.DataFrame:
    """Give one row a bar of a single span."""
    return pl.DataFrame(
        {
            "time": bars.known_at[segment.start : segment.stop],
            "window": np.zeros(segment.stop - segment.start, dtype=np.int16),
            "equity": segment.equity,
            "benchmark": benchmark.equity,
            "position": segment.size,
        }
    )


def account_frames(bars: Bars, segments: Sequence[tuple[int, Segment]]) -> dict[str, pl.DataFrame]:
    """Give the tables of what accounts did: fills, trades, and positions where there are several symbols.

    Parameters
    ----------
    bars : Bars
    segments : sequence of (window, Segment)
    """
    found = {"fills": _fills_frame(bars, segments), "trades": _trades_frame(bars, segments)}
    if len(bars.symbols) > 1:
        found["positions"] = _positions_frame(bars, segments)
    return found


def _positions_frame(bars: Bars, segments: Iterable[tuple[int, Segment]]) -> pl.DataFrame:
    """Give one row a bar and symbol that was held at the bar's close.

    Parameters
    ----------
    bars : Bars
    segments : iterable of (window, Segment)
    """
    parts = []
    for window, segment in segments:
        symbol, bar = np.nonzero(segment.position)
        parts.append(
            pl.DataFrame(
                {
                    "time": bars.known_at[segment.start + bar],
                    "window": np.full(len(bar), window, dtype=np.int16),
                    "symbol": np.array(bars.symbols, dtype=object)[symbol].astype(str),
                    "position": segment.position[symbol, bar],
                }
            ).sort(["time", "symbol"], maintain_order=True)
        )
    types = {"time": pl.Int64, "window": pl.Int16, "symbol": pl.String, "position": pl.Float64}
    return pl.concat([pl.DataFrame(schema=types), *parts])


def _fills_frame(bars: Bars, segments: Iterable[tuple[int, Segment]]) -> pl.DataFrame:
    """Give one row a fill.

    Parameters
    ----------
    bars : Bars
    segments : iterable of (window, Segment)
        Order and signal numbers count within each.
    """
    numbered = list(segments)
    fills = np.concatenate([np.empty(0, dtype=FILL), *(segment.fills for _, segment in numbered)])
    windows = [window for window, segment in numbered for _ in segment.fills]
    units = [segment.holdings["multiplier"][segment.fills["symbol"]] for _, segment in numbered]
    reasons = []
    for reason, limits in zip(fills["reason"].tolist(), fills["limits"].tolist(), strict=True):
        bound = limit_names(limits)
        reasons.append(Reason(reason).name.lower() + (f":{bound}" if bound else ""))
    return pl.DataFrame(
        {
            "timestamp": bars.known_at[fills["bar"]],
            "symbol": pl.Series([bars.symbols[symbol] for symbol in fills["symbol"]], dtype=pl.String),
            "side": pl.Series(["buy" if quantity > 0 else "sell" for quantity in fills["quantity"]], dtype=pl.String),
            "quantity": np.abs(fills["quantity"]),
            "price": fills["price"],
            "commission": fills["commission"],
            "position_value": fills["position"] * fills["price"] * np.concatenate([np.empty(0), *units]),
            "remaining_cash": fills["cash"],
            "order_id": fills["order"],
            "signal_id": fills["signal"],
            "reason": pl.Series(reasons, dtype=pl.String),
            "window": pl.Series(windows, dtype=pl.Int16),
        }
    )


def _trades_frame(bars: Bars, segments: Iterable[tuple[int, Segment]]) -> pl.DataFrame:
    """Give one row a closed trade, in order of exit.

    The regime is the one that was known when the entry was decided, -1 (unknown) without a classifier; ``strengths``
    are the shares that ``strategies`` had in the target then, in their order: all of it for a single one.

    Parameters
    ----------
    bars : Bars
    segments : iterable of (window, Segment)
    """
    numbered = list(segments)
    trades = np.concatenate([np.empty(0, dtype=TRADE), *(segment.trades for _, segment in numbered)])
    regimes = [regime for _, segment in numbered for regime in segment.trade_regimes]
    said = [shares for _, segment in numbered for shares in _trade_shares(segment)]
    windows = [window for window, segment in numbered for _ in segment.trades]
    plain = ("quantity", "entry_price", "exit_price", "gross", "net", "costs")
    return pl.DataFrame(
        {
            "symbol": pl.Series([bars.symbols[symbol] for symbol in trades["symbol"]], dtype=pl.String),
            "entry_time": bars.known_at[trades["entry_bar"]],
            "exit_time": bars.known_at[trades["exit_bar"]],
            **{name: trades[name] for name in plain},
            "bars": trades["exit_bar"] - trades["entry_bar"],
            "mae": trades["mae"],
            "mfe": trades["mfe"],
            "exit_reason": pl.Series(
                [Reason(reason).name.lower() for reason in trades["exit_reason"]], dtype=pl.String
            ),
            "regime": pl.Series(regimes, dtype=pl.Int8),
            "strategies": pl.Series(["+".join(names) for names, _ in said], dtype=pl.String),
            "strengths": pl.Series(["+".join(f"{one:g}" for one in shares) for _, shares in said], dtype=pl.String),
            "window": pl.Series(windows, dtype=pl.Int16),
        }
    )


def _trade_shares(segment: Segment) -> Iterator[tuple[list[str], list[float]]]:
    """Give for each trade the members that wanted some of its entry, and how much."""
    for trade in segment.trades:
        if segment.shares is None:
            yield [*segment.members], [1.0]
            continue
        shares = segment.shares[:, trade["symbol"], trade["decided"] - segment.start].tolist()
        known = [(name, share) for name, share in zip(segment.members, shares, strict=True) if share != 0.0]
        yield [name for name, _ in known], [share for _, share in known]
