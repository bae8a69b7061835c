import math

import numpy as np
import pytest

from admf_ray.core.bars import NEVER, Bars
from admf_ray.errors import DataError
from tests.series import DAY, daily_bars


def test_arrays_are_read_only_and_contiguous() -> None:
    bars = daily_bars([1, 2, 3])
    for name in ("known_at", "session", "open", "high", "low", "close", "volume"):
        values = getattr(bars, name)
        assert values.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            values[..., 0] = 7


def test_a_bar_with_any_price_missing_is_missing_in_all() -> None:
    bars = daily_bars([1, 2, 3], open=[1, math.nan, 3], volume=[5, 6, 7])
    for name in ("open", "high", "low", "close"):
        assert np.isnan(getattr(bars, name)[0]).tolist() == [False, True, False]
    assert bars.volume[0].tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"known_at": np.array([1, 1, 2])}, "bar 1 is not after bar 0"),
        ({"close": np.ones((1, 4))}, r"close has shape \(1, 4\)"),
        ({"session": np.zeros(2)}, "session has shape"),
        ({"covers_until": 3 * DAY}, "covers_until"),
        ({"periods_per_year": 0.0}, "periods_per_year"),
        ({"symbols": ()}, "empty"),
        ({"open": np.array([[1.0, 0.0, 2.0]])}, "open of X at bar 1 is 0; prices are finite and above 0"),
        ({"high": np.array([[1.0, 3.0, np.inf]])}, "high of X at bar 2 is inf"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    bars = daily_bars([1, 2, 3])
    fields = {name: getattr(bars, name) for name in Bars.__dataclass_fields__}
    with pytest.raises(DataError, match=message):
        Bars(**{**fields, **change})


def test_fingerprint_sees_every_part_of_the_content() -> None:
    bars = daily_bars([1, 2, 3])
    fields = {name: getattr(bars, name) for name in Bars.__dataclass_fields__}
    changes = [
        {"close": np.array([[1, 2, 3.0000000000000004]])},
        {"known_at": bars.known_at + 1},
        {"symbols": ("Y",)},
        {"adjustment": "splits"},
        {"periods_per_year": 365.0},
        {"session": np.array([0, 0, 1])},
        {"volume": np.array([[1, 2, math.nan]])},
    ]
    prints = {Bars(**{**fields, **change}).fingerprint() for change in changes}
    assert len(prints | {bars.fingerprint()}) == len(changes) + 1
    assert Bars(**fields).fingerprint() == bars.fingerprint()


def test_head_keeps_the_past_and_knows_when_the_next_bar_is_due() -> None:
    bars = daily_bars([1, 2, 3])
    head = bars.head(2)
    assert head.close.tolist() == [[1, 2]]
    assert head.covers_until == bars.known_at[2]
    assert bars.head(3).covers_until == bars.covers_until


def test_a_symbol_without_a_bar_in_the_newest_five_sessions_is_delisted() -> None:
    # Weekdays only, though sessions number all days: from Monday, day 4, to the Friday of the week after.
    days = np.array([4, 5, 6, 7, 8, 11, 12, 13, 14, 15])
    close = np.tile(np.arange(1.0, 11.0), (4, 1))
    close[1, 5:] = math.nan  # none in the newest five
    close[2, 6:] = math.nan  # one, on their first day
    close[3] = math.nan  # none at all
    bars = Bars(
        symbols=("A", "B", "C", "D"),
        known_at=days + 1,
        session=days,
        covers_until=20,
        periods_per_year=252,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), close),
    )
    assert bars.last_bars().tolist() == [NEVER, 4, NEVER, NEVER]
    assert bars.head(4).last_bars().tolist() == [NEVER] * 4
