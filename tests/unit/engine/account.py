"""An account over bars that are written by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.core.records import Boundary, Limit, Reason
from admf_ray.engine.spec import AccountRules
from tests.parity.kernel import Simulated, simulate_targets

Row = float | tuple[float, float, float, float] | None


def bars_of(
    *symbols: Sequence[Row], volume: Any = None, session: Sequence[int] | None = None, periods: float = 256.0
) -> Bars:
    """Bars of the symbols A, B, C: (open, high, low, close), one number for all four, None for a missing bar.

    Each bar is a session of its own unless ``session`` says otherwise.
    """
    missing = (np.nan,) * 4
    rows = np.array(
        [
            [missing if row is None else row if isinstance(row, tuple) else (row,) * 4 for row in rows]
            for rows in symbols
        ],
        dtype=float,
    )
    count = rows.shape[1]
    fields: dict[str, Any] = dict(zip(("open", "high", "low", "close"), np.moveaxis(rows, 2, 0), strict=True))
    traded = np.full((len(symbols), count), 1e6) if volume is None else np.atleast_2d(np.array(volume, dtype=float))
    return Bars(
        symbols=tuple("ABC"[: len(symbols)]),
        known_at=np.arange(count) + 1,
        session=np.arange(count) if session is None else np.array(session),
        covers_until=count + 1,
        periods_per_year=periods,
        volume=traded,
        **fields,
    )


def simulated(
    bars: Bars, targets: Any, *, volatility: Any = None, atr: Any = None, last_bar: Any = None, **rules: Any
) -> Simulated:
    """What an account makes of these targets; 10 units of cash 10,000 and a marked end unless ``rules`` say otherwise.

    The smallest variant that can do what the rules ask for, which is the one that sweeps use, has to agree.
    """
    asked = AccountRules(
        **{"cash": 10_000.0, "sizing": "fixed_quantity", "size": 10.0, "boundary": Boundary.MARK, **rules}
    )
    known = {"volatility": volatility, "atr": atr, "last_bar": last_bar}
    found = simulate_targets(bars, targets, asked, **known)
    ends = None if last_bar is None else np.array(last_bar)
    swept = simulate_targets(bars, targets, asked, variant=asked.variant(asked.holdings(bars.symbols, ends)), **known)
    np.testing.assert_array_equal(list(swept.metrics.values()), list(found.metrics.values()))
    for name in ("cash", "interest", "signals", "orders", "fills"):
        assert swept.account[name] == found.account[name], name
    return found


def deals(found: Simulated) -> list[tuple[int, float, float, Reason]]:
    """Give bar, signed quantity, price and reason of each fill."""
    columns = (found.fills[name].tolist() for name in ("bar", "quantity", "price", "reason"))
    return [(bar, quantity, price, Reason(reason)) for bar, quantity, price, reason in zip(*columns, strict=True)]


def flags(found: Simulated) -> list[Limit]:
    """Give what bound each fill."""
    return [Limit(flag) for flag in found.fills["limits"].tolist()]
