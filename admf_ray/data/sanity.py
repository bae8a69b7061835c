"""Checks that price bars must pass before anything is computed from them, and the repairs that a profile allows.

Checks run in a fixed order and list every finding. Repairs use bars up to the repaired one only.
"""

import time

import numpy as np

from admf_ray.core.bars import FIELDS
from admf_ray.data.checker import PRICES, Checker, Mask
from admf_ray.data.stamps import NO_STAMP

__all__ = ["check_future", "check_length", "check_missing", "check_prices", "drop_unread", "fill", "sort"]


def drop_unread(checker: Checker) -> None:
    """Rule ``timestamps``: every stamp is a date or time."""
    checker.drop("timestamps", checker.reading.unread, NO_STAMP)


def sort(checker: Checker) -> None:
    """Rules ``duplicates`` and ``order``: a symbol has one bar at a time, and they are in order of time."""
    rows = checker.rows
    if len(rows.symbols) > 1 and (rows.symbol[1:] < rows.symbol[:-1]).any():
        # Rows of several symbols may be mixed; each symbol's own must be in order.
        rows = rows.take(np.argsort(rows.symbol, kind="stable"))
    checker.rows = rows
    earlier = np.zeros(len(rows), dtype=np.bool_)
    for part in rows.each_symbol():
        earlier[part] = rows.moments[part] < np.maximum.accumulate(rows.moments[part])
    if earlier.any():
        repair = "sorted" if checker.sanity.allow_sort else None
        what = "earlier than a bar before"
        checker.find("order", np.flatnonzero(earlier), what, repair=repair, fallback="sorted")
        rows = rows.take(np.lexsort((rows.moments, rows.symbol)))
        checker.rows = rows
    again = np.zeros(len(rows), dtype=np.bool_)
    again[1:] = (rows.moments[1:] == rows.moments[:-1]) & (rows.symbol[1:] == rows.symbol[:-1])
    if again.any():
        _drop_duplicates(checker, again)


def _drop_duplicates(checker: Checker, again: Mask) -> None:
    rows = checker.rows
    values = [rows.fields[name] for name in FIELDS]
    same = np.zeros(len(rows), dtype=np.bool_)
    at = np.flatnonzero(again)
    same[at] = np.all(
        [(column[at] == column[at - 1]) | (np.isnan(column[at]) & np.isnan(column[at - 1])) for column in values],
        axis=0,
    )
    is_text = np.zeros(len(rows), dtype=np.bool_)
    positions = checker.positions()
    for mask in checker.reading.wrong.values():
        is_text |= mask[positions]
    same[at] &= ~(is_text[at] | is_text[at - 1])
    repair = "dropped" if checker.sanity.allow_drop_duplicates else None
    for mask, what, allowed in (
        (again & same, "the same bar again", repair),
        (again & ~same, "same time as the bar before, other values", None),
    ):
        checker.find("duplicates", np.flatnonzero(mask), what, repair=allowed, fallback="dropped, the first kept")
    checker.rows = rows.take(~again)


def check_future(checker: Checker) -> None:
    """Rule ``future``: bars are complete."""
    checker.drop("future", checker.rows.moments > time.time_ns(), "is not complete yet: it lies in the future")


def check_missing(checker: Checker) -> Mask:
    """Rules ``numbers``, ``infinite`` and ``missing``: values are numbers; not too many bars lack one.

    Returns
    -------
    bool array, shape [row]
        Bars that lack a price in the source.
    """
    rows = checker.rows
    absent = checker.missing()
    for name, mask in checker.reading.wrong.items():
        here = mask[checker.positions()]
        absent &= ~here
        checker.find(
            "numbers",
            np.flatnonzero(here),
            f"{name} is no number",
            fallback="taken as missing",
            values=lambda row, name=name: checker.reading.text(name, int(checker.rows.number[row])),
        )
    for name in FIELDS:
        values = rows.fields[name]
        infinite = np.isinf(values)
        if infinite.any() and checker.find(
            "infinite", np.flatnonzero(infinite), f"{name} is infinite", values=values, fallback="taken as missing"
        ):
            checker.replace_field(name, np.where(infinite, np.nan, values))
    limit = checker.sanity.max_na_fraction
    for symbol, part in enumerate(rows.each_symbol()):
        count, total = int(absent[part].sum()), part.stop - part.start
        if limit is not None and total and count / total > limit:
            what = (
                f"{count} of {total} bars are missing a price ({count / total:.1%}); "
                f"allowed: {limit:.1%} (data.sanity.max_na_fraction)"
            )
            checker.find_whole("missing", what, symbol)
    return absent


def check_prices(checker: Checker) -> None:
    """Rules ``prices``, ``range`` and ``volume``: above 0; low <= open, close <= high; no negative volume."""
    for name in PRICES:
        values = checker.rows.fields[name]
        wrong = values <= 0
        if wrong.any() and checker.find(
            "prices", np.flatnonzero(wrong), f"{name} is not above 0", values=values, fallback="bar made missing"
        ):
            checker.replace_field(name, np.where(wrong, np.nan, values))
    fields = checker.rows.fields
    low, high = fields["low"], fields["high"]
    upside_down = high < low
    for name in ("open", "close"):
        for side, bound, outside in (
            ("below low", low, fields[name] < low),
            ("above high", high, fields[name] > high),
        ):
            wrong = outside & ~upside_down
            repair = "clipped to it" if checker.sanity.allow_clip_prices else None
            values = checker.rows.fields[name]
            if wrong.any() and checker.find(
                "range",
                np.flatnonzero(wrong),
                f"{name} is {side}",
                values=values,
                repair=repair,
                fallback="bar made missing",
            ):
                checker.replace_field(name, np.where(wrong, bound if repair else np.nan, values))
    if upside_down.any() and checker.find(
        "range", np.flatnonzero(upside_down), "high is below low", values=high, fallback="bar made missing"
    ):
        checker.replace_field("high", np.where(upside_down, np.nan, high))
    volume = fields["volume"]
    negative = volume < 0
    if negative.any() and checker.find(
        "volume", np.flatnonzero(negative), "volume is negative", values=volume, fallback="taken as missing"
    ):
        checker.replace_field("volume", np.where(negative, np.nan, volume))


def fill(checker: Checker, absent: Mask) -> None:
    """Repair ``missing``: bars that lack a price take the last close, so many in a row as the profile allows.

    Those that stay missing are held through, or refused.
    """
    missing = checker.missing()
    if checker.sanity.forward_fill_bars and checker.sanity.mode != "off" and missing.any():
        missing = _forward_fill(checker, missing, absent, checker.sanity.forward_fill_bars)
    left = np.flatnonzero(missing & absent)
    if checker.sanity.hold_on_nan:
        what = "a price is missing: positions are held, marked at the last close"
        checker.find("missing", left, what, warn_only=True)
    else:
        checker.find("missing", left, "a price is missing (data.sanity.hold_on_nan=false)")


def _forward_fill(checker: Checker, missing: Mask, absent: Mask, most: int) -> Mask:
    """Fill, and give what is still missing."""
    rows, close = checker.rows, checker.rows.fields["close"]
    count = np.arange(len(rows))
    begins = np.zeros(len(rows), dtype=np.int64)
    for part in rows.each_symbol():
        begins[part] = part.start
    last = np.maximum.accumulate(np.where(missing, -1, count))
    filled = missing & absent & (last >= begins) & (count - last <= most)
    values = close[np.maximum(last, 0)]
    repair = "so the bar takes the last close, without volume"
    checker.find("missing", np.flatnonzero(filled), "a price is missing", values=values, repair=repair)
    for name in PRICES:
        checker.replace_field(name, np.where(filled, values, rows.fields[name]))
    # No price, no trade: the bar's volume is 0 where the data has volumes.
    volume = checker.rows.fields["volume"]
    checker.replace_field("volume", np.where(filled & np.isfinite(volume), 0.0, volume))
    return missing & ~filled


def check_length(checker: Checker, absent: Mask) -> None:
    """Rule ``length``: every symbol has as many bars, before any are filled, as it needs for its first target."""
    least = checker.request.min_history
    for symbol, part in enumerate(checker.rows.each_symbol()):
        count = int((~absent[part]).sum())
        if count < max(least, 1):
            what = f"{count} bar(s) with prices; allowed: at least {max(least, 1)} (data.min_history_bars)"
            checker.find_whole("length", what, symbol)
