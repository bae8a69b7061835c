"""Bars made from random numbers: markets whose truth is known, to test strategies and statistics on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.registry import unknown_name
from admf_ray.core.sessions import timeframe_length
from admf_ray.data.calendar import DAY, SessionTable, session_table
from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.source import Source, no_path
from admf_ray.errors import ConfigError

__all__ = ["SYNTHETIC", "Synthetic"]

_FIRST = (date(2000, 1, 3) - date(1970, 1, 1)).days
_LAST = (date(2261, 1, 1) - date(1970, 1, 1)).days
_REGIMES = ((1.5, 0.6), (-3.0, 2.2))  # drift and volatility of calm and turmoil, in multiples of those asked for
_STAY = 0.98
_GARCH = (0.08, 0.90)  # alpha and beta, near the usual estimates for daily index returns


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """Options of the ``synthetic`` source.

    Attributes
    ----------
    kind : {"sine", "gbm", "regimes", "garch", "edge", "intraday"}
        ``sine``: a sine on an exponential trend, no noise beyond ``noise``. ``gbm``: geometric Brownian motion.
        ``regimes``: calm (1.5 x drift, 0.6 x volatility) and turmoil (-3 x drift, 2.2 x volatility), staying in each
        with probability 0.98 a bar (Hamilton, Econometrica 1989). ``garch``: GARCH(1,1) with alpha 0.08, beta 0.90
        (Bollerslev, Journal of Econometrics 1986). ``edge``: each return has the sign of the one before more often than
        chance, so much that following it has a Sharpe ratio of ``strength`` before costs. ``intraday``: bars of
        ``data.timeframe`` (default 30min) inside the sessions, with jumps over night and a share ``missing`` of bars
        left out.
    bars : int
        Bars of each symbol.
    symbols : int
        Symbols ``S0``, ``S1``, ... with independent paths.
    seed : int
        Everything is drawn from it: kind, symbol and seed determine a path, bit for bit on equal CPU features.
    price : float
        First close.
    drift, volatility : float
        Of log returns, per year.
    period : int
        Bars of one sine wave.
    amplitude : float
        Of the sine, as a fraction of the trend.
    noise : float
        Volatility per bar of the sine's noise, as a fraction.
    strength : float
        Of the edge: yearly Sharpe ratio.
    missing : float
        Share of intraday bars that are left out.
    """

    kind: str = "gbm"
    bars: int = 2_520
    symbols: int = 1
    seed: int = 0
    price: float = 100.0
    drift: float = 0.05
    volatility: float = 0.16
    period: int = 60
    amplitude: float = 0.1
    noise: float = 0.0
    strength: float = 2.0
    missing: float = 0.02

    def __post_init__(self) -> None:
        """Check the options.

        Raises
        ------
        ConfigError
            Names the option and what is allowed.
        """
        if self.kind not in KINDS:
            raise ConfigError(f"data.synthetic.kind: {unknown_name('kind', str(self.kind), list(KINDS))}")
        for name, least, most in (
            ("bars", 2, 50_000_000),
            ("symbols", 1, 10_000),
            ("seed", 0, 2**63 - 1),
            ("price", 1e-9, 1e12),
            ("drift", -100.0, 100.0),
            ("volatility", 0.0, 100.0),
            ("period", 2, 10_000_000),
            ("amplitude", 0.0, 0.99),
            ("noise", 0.0, 1.0),
            ("strength", -100.0, 100.0),
            ("missing", 0.0, 0.9),
        ):
            value = getattr(self, name)
            is_whole = isinstance(least, int)
            good = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
            if not good or not least <= value <= most:
                what = "a whole number" if is_whole else "a number"
                raise ConfigError(
                    f"data.synthetic.{name}: {value!r} is not allowed; allowed: {what} from {least:g} to {most:g}"
                )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Synthetic":
        """Make options of a mapping; unknown names are refused."""
        allowed = [one.name for one in fields(cls)]
        for name in options:
            if name not in allowed:
                raise ConfigError(f"data.synthetic.{name}: {unknown_name('option', name, allowed)}")
        return cls(**options)


Returns = Callable[[Synthetic, np.random.Generator, float], npt.NDArray[np.float64]]


def _sine(options: Synthetic, rng: np.random.Generator, periods: float) -> npt.NDArray[np.float64]:
    t = np.arange(options.bars)
    wave = np.log1p(options.amplitude * np.sin(2 * math.pi * t / options.period))
    path = options.drift / periods * t + wave + options.noise * rng.standard_normal(options.bars)
    return np.diff(path, prepend=0.0)


def _gbm(options: Synthetic, rng: np.random.Generator, periods: float) -> npt.NDArray[np.float64]:
    sigma = options.volatility / math.sqrt(periods)
    returns: npt.NDArray[np.float64] = (options.drift / periods - sigma**2 / 2) + sigma * rng.standard_normal(
        options.bars
    )
    return returns


def _regimes(options: Synthetic, rng: np.random.Generator, periods: float) -> npt.NDArray[np.float64]:
    turns = rng.random(options.bars) > _STAY
    turns[0] = False
    drift, scale = np.array(_REGIMES)[np.cumsum(turns) % 2].T
    sigma = options.volatility / math.sqrt(periods)
    returns: npt.NDArray[np.float64] = drift * options.drift / periods + scale * sigma * rng.standard_normal(
        options.bars
    )
    return returns


def _garch(options: Synthetic, rng: np.random.Generator, periods: float) -> npt.NDArray[np.float64]:
    alpha, beta = _GARCH
    level = options.volatility**2 / periods
    variance, returns = level, np.empty(options.bars)
    for t, shock in enumerate(rng.standard_normal(options.bars).tolist()):
        returns[t] = math.sqrt(variance) * shock
        variance = (1 - alpha - beta) * level + alpha * returns[t] ** 2 + beta * variance
    return returns + options.drift / periods


def _edge(options: Synthetic, rng: np.random.Generator, periods: float) -> npt.NDArray[np.float64]:
    """Give r[t] = sigma (edge sign r[t-1] + e[t]): following the sign has mean sigma edge and deviation sigma a bar."""
    edge = options.strength / math.sqrt(periods)
    sigma = options.volatility / math.sqrt(periods)
    returns, sign = np.empty(options.bars), 1.0
    for t, shock in enumerate(rng.standard_normal(options.bars).tolist()):
        returns[t] = sigma * (edge * sign + shock)
        sign = math.copysign(1.0, returns[t])
    return returns


KINDS: dict[str, Returns] = {
    "edge": _edge,
    "garch": _garch,
    "gbm": _gbm,
    "intraday": _gbm,
    "regimes": _regimes,
    "sine": _sine,
}


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:  # noqa: ARG001
    options = Synthetic.of(request.synthetic)
    calendar = request.calendar
    assert calendar is not None
    if options.kind == "intraday":
        length = timeframe_length(request.timeframe or "30min", "data.timeframe")
        known_at, per_session, table = _intraday_axis(options.bars, length, calendar)
    else:
        table = _sessions(options.bars, calendar)
        known_at, per_session = table.sessions.close[: options.bars], 1.0
    periods = table.sessions_per_year * per_session
    frames = []
    for index in range(options.symbols):
        name = request.symbol if options.symbols == 1 and request.symbol else f"S{index}"
        rng = np.random.default_rng(np.random.SeedSequence([options.seed, index, *options.kind.encode()]))
        frames.append(_frame(options, rng, known_at, periods).with_columns(symbol=pl.lit(name)))
    return [Table("synthetic", pl.concat(frames), "S0", is_made=True)]


def _sessions(count: int, calendar: str) -> SessionTable:
    """Give at least so many sessions from the year 2000 on."""
    days = int(count * 1.6) + 30
    if _FIRST + days > _LAST:
        raise ConfigError(
            f"data.synthetic.bars: {count} sessions of {calendar} from 2000 on reach beyond 2261; allowed: fewer"
        )
    table = session_table(calendar, _FIRST * DAY, (_FIRST + days) * DAY)
    begin = int(np.searchsorted(table.sessions.date, _FIRST))
    return SessionTable(calendar, table.sessions.since(begin))


def _intraday_axis(count: int, length: int, calendar: str) -> tuple[npt.NDArray[np.int64], float, SessionTable]:
    """Give the ends of bars inside sessions, the bars of a usual session, and the sessions."""
    first_year = _sessions(250, calendar).sessions
    shortest = int((first_year.close - first_year.open).min())
    if shortest < length:
        raise ConfigError(f"data.timeframe: longer than the sessions of {calendar}; allowed: 30min, 1h, ...")
    table = _sessions(count // (shortest // length) + 1, calendar)
    opens, closes = table.sessions.open, table.sessions.close
    counts = (closes - opens) // length
    enough = int(np.searchsorted(np.cumsum(counts), count)) + 1
    ends = np.concatenate([opens[s] + length * np.arange(1, counts[s] + 1) for s in range(enough)])
    return ends[:count], float(np.median(counts)), table


def _frame(
    options: Synthetic, rng: np.random.Generator, known_at: npt.NDArray[np.int64], periods: float
) -> pl.DataFrame:
    """Make bars around a path of closes: opens near the close before, highs and lows beyond both."""
    returns = KINDS[options.kind](options, rng, periods)
    returns[0] = 0.0
    count = len(returns)
    range_ = np.zeros(count) if options.kind == "sine" else np.full(count, options.volatility / math.sqrt(periods))
    gap = 0.2 * range_
    if options.kind == "intraday":
        overnight = np.diff(known_at, prepend=known_at[0]) > 6 * 3_600 * 10**9
        gap = np.where(overnight, options.volatility / math.sqrt(periods) * 4, 0.2 * range_)
    jumps = gap * rng.standard_normal(count)
    if options.kind == "intraday":
        returns = returns + np.where(overnight, jumps, 0.0)
    close = options.price * np.exp(np.cumsum(returns))
    open_ = np.empty(count)
    open_[0] = close[0]
    open_[1:] = close[:-1] * np.exp(jumps[1:])
    beyond = np.abs(rng.standard_normal((2, count))) * range_ * 0.5
    high = np.maximum(open_, close) * np.exp(beyond[0])
    low = np.minimum(open_, close) * np.exp(-beyond[1])
    volume = np.round(1e6 * np.exp(0.3 * rng.standard_normal(count)))
    frame = pl.DataFrame(
        {
            "known_at": pl.Series(known_at).cast(pl.Datetime("ns", "UTC")),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        }
    )
    if options.kind == "intraday":
        keep = rng.random(count) >= options.missing
        keep[0] = keep[-1] = True
        frame = frame.filter(pl.Series(keep))
    return frame


SYNTHETIC = Source(name="synthetic", locate=no_path, read=_read, calendar="XNYS")
