"""Checks that price bars must pass before anything is computed from them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from admf_ray.errors import DataError

__all__ = ["check_bars"]

_SHOWN = 20


def check_bars(
    origin: str,
    stamps: Sequence[str],
    known_at: npt.NDArray[np.int64],
    columns: Mapping[str, npt.NDArray[np.float64]],
) -> None:
    """Refuse bars that contradict themselves, naming every finding.

    Times must increase; prices must be finite (or missing) and above 0; low <= open, close <= high; volume at least 0.

    Parameters
    ----------
    origin : str
        File or source, for the message.
    stamps : sequence of str, shape [time]
        Times as the source wrote them.
    known_at : int64 array, shape [time]
    columns : mapping of field to float64 array, shape [time]

    Raises
    ------
    DataError
        Lists the findings in the order of the rules, then of time.
    """
    findings: list[str] = []

    def find(rule: str, wrong: npt.NDArray[np.bool_], values: npt.NDArray[np.float64] | None = None) -> None:
        for row in np.flatnonzero(wrong).tolist():
            value = "" if values is None else f": {values[row]:g}"
            findings.append(f"bar {stamps[row]} (row {row + 1}): {rule}{value}")

    steps = np.diff(known_at)
    find("same time as the bar before", np.append(False, steps == 0))
    find("earlier than the bar before", np.append(False, steps < 0))
    for name, values in columns.items():
        find(f"{name} is infinite", np.isinf(values), values)
    for name in ("open", "high", "low", "close"):
        find(f"{name} is not above 0", columns[name] <= 0, columns[name])
    for name in ("open", "close"):
        find(f"{name} is below low", columns[name] < columns["low"], columns[name])
        find(f"{name} is above high", columns[name] > columns["high"], columns[name])
    find("high is below low", columns["high"] < columns["low"], columns["high"])
    find("volume is negative", columns["volume"] < 0, columns["volume"])
    if findings:
        more = f"\n  ... and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        lines = "".join(f"\n  {finding}" for finding in findings[:_SHOWN])
        raise DataError(f"{origin}: {len(findings)} finding(s) in the bars:{lines}{more}")
