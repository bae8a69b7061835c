"""The ledger of a run root: what was ever tried on which data, and when a holdout was opened."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError
from admf_ray.files import cut_torn_line, sync
from admf_ray.logs import LOGGER
from admf_ray.workflow.lock import exclusive

__all__ = ["Effort", "Ledger", "Warmth", "tried_alone"]


@dataclass(frozen=True, slots=True)
class Warmth:
    """What a search knew of an earlier run when it began.

    Attributes
    ----------
    run : str
        Name of that run.
    candidates, trials : int
        That it had tried, and those that it had begun with itself.
    """

    run: str
    candidates: int
    trials: int


@dataclass(frozen=True, slots=True)
class Effort:
    """What a run sets out to try.

    Attributes
    ----------
    strategy : str
        Name of what trades.
    candidates : int
        At most.
    trials : int
        Candidates times windows, at most.
    warm : Warmth, optional
    """

    strategy: str
    candidates: int
    trials: int
    warm: Warmth | None = None


def tried_alone(own: Mapping[str, int], warm: Warmth | None) -> dict[str, Any]:
    """Give what `Ledger.tried` does where there is no ledger: the run itself, and the one that it began with."""
    counted = _totals([own] if warm is None else [own, asdict(warm)])
    return {**counted, "own": dict(own), "warm": 0 if warm is None else warm.trials, "openings": []}


class Ledger:
    r"""One run's view of the ledger, a file of lines that is only ever appended to, by one process at a time.

    A run has a line when it begins (``BEGUN``), with what it sets out to try: a search that was killed has looked as
    well. It has another one when it has ended (``ENDED``), with what it has tried; going on with a run adds none. An
    opening of a holdout is a line, too (``OPENED``).

    Data is the same where symbols and prices are, as far as both series go: each line holds hashes of the series up to
    its end and up to 1, 2, 4, 8, ... bars, and the longest of those that the other series fills is compared. So a file
    that was extended is the same data, and so is one that was cut, whatever was declared of either.

    Parameters
    ----------
    root : Path
        Of the runs; the file is ``ledger.jsonl`` in it.
    run : str
        Name of the run.
    begun : str
        When it was begun, which going on with it does not change.
    """

    def __init__(self, root: Path, run: str, begun: str) -> None:
        self._path = root / "ledger.jsonl"
        self._own = {"run": run, "begun": begun}

    def begin(self, experiment: str, bars: Bars, effort: Effort) -> None:
        """Enter the run, unless it is there."""
        with exclusive(self._path) as file:
            if any(line["kind"] == "BEGUN" and self._is_own(line) for line in _lines(file)):
                return
            self._append(file, "BEGUN", {"experiment": experiment, **asdict(effort), "data": _described(bars)})

    def end(self, own: Mapping[str, int]) -> None:
        """Enter the ``candidates`` and ``trials`` that the run has tried."""
        with exclusive(self._path) as file:
            _lines(file)
            self._append(file, "ENDED", own)

    def tried(self, bars: Bars, own: Mapping[str, int], warm: Warmth | None) -> dict[str, Any]:
        """Give what was ever tried on this data.

        Parameters
        ----------
        bars : Bars
        own : mapping
            ``candidates`` and ``trials`` of this run.
        warm : Warmth or None
            Of this run.

        Returns
        -------
        dict
            ``runs``, ``candidates``, ``trials``: of all runs, this one and those that any of them began with among
            them; a candidate of several runs counts in each. ``own``: candidates and trials of this run. ``warm``:
            trials of the run that it began with. ``openings``: of holdouts, with ``run``, ``at``, ``first``, ``last``.
        """
        with exclusive(self._path) as file:
            lines = [*_lines(file)]
        is_same = _recognizer(bars)
        on_this = [line for line in lines if line["kind"] != "ENDED" and is_same(line["data"])]
        others = {_key(line): line for line in on_this if line["kind"] == "BEGUN" and not self._is_own(line)}
        ended = {_key(line): line for line in lines if line["kind"] == "ENDED"}
        warmths = {one["run"]: one for line in others.values() if (one := line["warm"])}
        if warm is not None:
            warmths[warm.run] = asdict(warm)
        known = {self._own["run"], *(line["run"] for line in others.values())}
        elsewhere = [one for name, one in warmths.items() if name not in known]
        shown = ("run", "at", "first", "last")
        return {
            **_totals([own, *(ended.get(key, line) for key, line in others.items()), *elsewhere]),
            "own": dict(own),
            "warm": 0 if warm is None else warm.trials,
            "openings": [{name: line[name] for name in shown} for line in on_this if line["kind"] == "OPENED"],
        }

    def refuse_opened(self, bars: Bars, span: tuple[int, int]) -> None:
        """Refuse to open bars that another run has opened.

        Parameters
        ----------
        bars : Bars
        span : tuple of int
            Half-open, in bars: what is to be opened.

        Raises
        ------
        ConfigError
            Says which run opened them when, and what is allowed.
        """
        if self._path.is_file():
            with exclusive(self._path) as file:
                self._refuse_opened(_lines(file), bars, span)

    def open_holdout(self, bars: Bars, span: tuple[int, int], effort: Effort) -> None:
        """Enter that this run opens a holdout, unless it has; parameters and errors as in `refuse_opened`."""
        with exclusive(self._path) as file:
            lines = [*_lines(file)]
            self._refuse_opened(lines, bars, span)
            if any(line["kind"] == "OPENED" and self._is_own(line) for line in lines):
                return
            first, last = (int(bars.known_at[index]) for index in (span[0], span[1] - 1))
            opened = {"strategy": effort.strategy, "first": first, "last": last}
            self._append(file, "OPENED", {**opened, "data": _described(bars)})

    def witnesses(self, bars: Bars, moment: int) -> list[str]:
        """Give the names of other runs on this data that saw bars known at a moment (ns UTC) or later."""
        with exclusive(self._path) as file:
            lines = _lines(file)
        is_same = _recognizer(bars)
        begun = (line for line in lines if line["kind"] == "BEGUN" and not self._is_own(line))
        return [line["run"] for line in begun if line["data"]["last"] >= moment and is_same(line["data"])]

    def _refuse_opened(self, lines: Sequence[Mapping[str, Any]], bars: Bars, span: tuple[int, int]) -> None:
        first, last = (int(bars.known_at[index]) for index in (span[0], span[1] - 1))
        is_same = _recognizer(bars)
        for line in lines:
            if line["kind"] != "OPENED" or self._is_own(line) or line["first"] > last or line["last"] < first:
                continue
            if is_same(line["data"]):
                begin, end = (
                    np.datetime_as_string(np.datetime64(line[n], "ns"), unit="auto") for n in ("first", "last")
                )
                raise ConfigError(
                    f"holdout.open: run '{line['run']}' opened the bars from {begin} to {end} at {line['at']}, and a "
                    f"holdout opens once; allowed: holdout.open=false, or holdout.start={end} or later"
                )

    def _is_own(self, line: Mapping[str, Any]) -> bool:
        return _key(line) == _key(self._own)

    def _append(self, file: IO[bytes], kind: str, fields: Mapping[str, Any]) -> None:
        line = {"kind": kind, "at": datetime.now(UTC).isoformat(timespec="seconds"), **self._own, **fields}
        file.write(f"{json.dumps(line)}\n".encode())
        sync(file)


def _lines(file: IO[bytes]) -> list[dict[str, Any]]:
    """Give the lines of a ledger; a torn last one is cut off, others that cannot be read are told of."""
    found = []
    cut_torn_line(Path(file.name))
    file.seek(0)
    for number, text in enumerate(file.read().splitlines(), start=1):
        try:
            line = json.loads(text)
            _key(line)
        except (ValueError, KeyError, TypeError):
            LOGGER.warning("line %d of '%s' cannot be read and is left out", number, file.name)
        else:
            found.append(line)
    return found


def _key(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["run"], line["begun"]


def _totals(counted: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {"runs": len(counted), **{name: sum(one[name] for one in counted) for name in ("candidates", "trials")}}


def _described(bars: Bars) -> dict[str, Any]:
    """Say what data is, so that it can be recognized when it has become longer, or shorter."""
    count = len(bars)
    counts = [*(1 << power for power in range((count - 1).bit_length())), count]
    return {
        "symbols": list(bars.symbols),
        "bars": count,
        "first": int(bars.known_at[0]),
        "last": int(bars.known_at[-1]),
        "prints": {str(one): _print(bars, one) for one in counts},
    }


def _recognizer(bars: Bars) -> Callable[[Mapping[str, Any]], bool]:
    """Give what says whether a description is that of these bars, as far as both go."""
    known = cache(lambda count: _print(bars, count))

    def is_same(data: Mapping[str, Any]) -> bool:
        if data["symbols"] != list(bars.symbols) or data["first"] != int(bars.known_at[0]):
            return False
        count = max(int(one) for one in data["prints"] if int(one) <= len(bars))
        return bool(data["prints"][str(count)] == known(count))

    return is_same


def _print(bars: Bars, count: int) -> str:
    """Hash the first bars: what was declared of them besides does not make other data of them."""
    return replace(bars.head(count), min_history=0, periods_per_year=1.0, adjustment="none").past_fingerprint()
