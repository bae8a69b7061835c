"""The checker: rows under check, and what was found in them."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS, Field
from admf_ray.core.findings import Finding, Outcome
from admf_ray.data.request import DataRequest
from admf_ray.data.rows import Reading

__all__ = ["PRICES", "RULES", "Checker", "Mask"]

PRICES: tuple[Field, ...] = FIELDS[:4]
Mask = npt.NDArray[np.bool_]

RULES = {
    "timestamps": "every stamp is a date or time",
    "timezone": "times exist once in their zone",
    "calendar": "dates are sessions of the named calendar",
    "timeframe": "bars stamped at their open are as long as said",
    "duplicates": "one bar a symbol and time",
    "order": "bars are in order of time",
    "hours": "times lie inside the sessions of the calendar",
    "future": "bars are complete",
    "numbers": "values are numbers",
    "infinite": "values are finite",
    "missing": "prices are there",
    "prices": "prices are above 0",
    "range": "low <= open, close <= high",
    "volume": "volume is not negative",
    "gaps": "no session or bar is left out",
    "spikes": "no return is far out",
    "stale": "prices change, bars have volume",
    "length": "there are enough bars",
    "leak": "no column looks ahead",
}
"""What is checked, in this order."""

_ESSENTIAL = {"timestamps", "timezone", "calendar", "timeframe", "duplicates", "order", "numbers", "infinite", "prices"}
"""What bars are by definition: checked in every mode."""


class Checker:
    """Checks rows one rule after another and collects what it finds.

    Parameters
    ----------
    reading : Reading
    request : DataRequest
    """

    def __init__(self, reading: Reading, request: DataRequest) -> None:
        self.findings: list[Finding] = []
        self.rows = reading.rows
        self.reading = reading
        self.request = request
        self.sanity = request.sanity

    def drop(self, rule: str, wrong: Mask, what: str) -> None:
        """Report rows that are no bars, or none that can be placed in time, and leave them out."""
        if wrong.any() and self.find(rule, np.flatnonzero(wrong), what, fallback="dropped", placed=False):
            self.rows = self.rows.take(~wrong)

    def place(self, known_at: npt.NDArray[np.int64]) -> None:
        """Set the moment at which each row is known."""
        self.rows = replace(self.rows, moments=known_at)

    def replace_field(self, name: Field, values: npt.NDArray[np.float64]) -> None:
        """Replace the values of a field."""
        self.rows = replace(self.rows, fields={**self.rows.fields, name: values})

    def missing(self) -> Mask:
        """Say which rows lack a price."""
        lacking = [np.isnan(self.rows.fields[name]) for name in PRICES]
        return lacking[0] | lacking[1] | lacking[2] | lacking[3]

    def positions(self) -> npt.NDArray[np.int64]:
        """Give, for each row that is left, its place in what was read."""
        before = self.reading.rows.number
        return np.searchsorted(before, self.rows.number)

    def find(
        self,
        rule: str,
        at: npt.NDArray[np.int64],
        what: str,
        *,
        values: Any = None,
        repair: str | None = None,
        fallback: str | None = None,
        warn_only: bool = False,
        placed: bool = True,
    ) -> bool:
        """Report rows; say whether what is wrong in them shall be replaced.

        Parameters
        ----------
        rule : str
        at : int64 array
            Rows.
        what : str
        values : array or callable of row, optional
            What stands there.
        repair : str, optional
            What the profile lets be done about it.
        fallback : str, optional
            What is done about it in mode ``warn``.
        warn_only : bool
        placed : bool
            Whether the rows have a moment.
        """
        outcome = self._outcome(rule, repair, fallback, warn_only)
        if outcome is None:
            return False
        rows = self.rows
        if outcome == "repaired":
            what = f"{what}, {repair or fallback}"
        for row in at.tolist():
            value = values(row) if callable(values) else None if values is None else float(values[row])
            origin, stamp, number = rows.name(row)
            self.findings.append(
                Finding(
                    rule=rule,
                    outcome=outcome,
                    what=what,
                    symbol=rows.symbols[int(rows.symbol[row])],
                    time=stamp,
                    row=number,
                    origin=origin,
                    known_at=int(rows.moments[row]) if placed else None,
                    value=value,
                )
            )
        return outcome != "warned"

    def _outcome(self, rule: str, repair: str | None, fallback: str | None, warn_only: bool) -> Outcome | None:
        """Give what becomes of a finding; None where it is not looked for."""
        if self.sanity.mode == "off":
            return "refused" if rule in _ESSENTIAL and not warn_only else None
        if warn_only:
            return "warned"
        if repair is not None:
            return "repaired"
        if self.sanity.mode == "warn":
            return "warned" if fallback is None else "repaired"
        return "refused"

    def find_whole(self, rule: str, what: str, symbol: int | None = None, *, warn_only: bool = False) -> None:
        """Report a symbol, or the table, as a whole."""
        outcome = self._outcome(rule, None, None, warn_only)
        if outcome is not None:
            name = "" if symbol is None else self.rows.symbols[symbol]
            self.findings.append(Finding(rule=rule, outcome=outcome, what=what, symbol=name))
