"""What a result is made of: which regime held when, and what each member of an ensemble had a share in."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.workflow.results import RunResult

__all__ = ["Band", "member_shares", "regime_bands"]

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Band:
    """The regimes of one classifier over time.

    Attributes
    ----------
    book : str or None
        None where the run has one account.
    classifier : str
    edges : int64 array, shape [interval + 1]
        Moments (ns UTC), ascending: interval ``i`` lasts from ``edges[i]`` to before ``edges[i + 1]``.
    labels : tuple of (str or None)
        Of each interval; None between windows and where a window was spent in cash.
    changes : int
        How often the label changed, the first one that is known included.
    """

    book: str | None
    classifier: str
    edges: npt.NDArray[np.int64]
    labels: tuple[str | None, ...]
    changes: int


def regime_bands(result: RunResult) -> list[Band]:
    """Give the regimes of a run over time, a band for each classifier; none without one.

    Each window begins with an unknown regime, and its last regime lasts to its last bar.
    """
    cash: set[int] = set()
    if "windows" in result.tables:
        cash = set(result.windows.filter(pl.col("candidate").is_null())["window"].to_list())
    return [
        _band(book, classifier, tables["equity"], tables["switches"].filter(pl.col("classifier") == classifier), cash)
        for book, tables in result.accounts("equity", "switches").items()
        for classifier in tables["switches"]["classifier"].unique(maintain_order=True)
    ]


def _band(book: str | None, classifier: str, equity: pl.DataFrame, switches: pl.DataFrame, cash: set[int]) -> Band:
    edges: list[int] = []
    labels: list[str | None] = []
    spans = equity.group_by("window", maintain_order=True).agg(pl.col("time").min(), pl.col("time").max().alias("end"))
    for window, begin, end in spans.rows():
        changes = switches.filter(pl.col("window") == window).select("time", "after").rows()
        for moment, label in [(begin, None if window in cash else _UNKNOWN), *changes]:
            if edges and edges[-1] == moment:
                labels[-1] = label
                continue
            edges.append(moment)
            labels.append(label)
        if end > edges[-1]:
            edges.append(end)
            labels.append(None)
    # What follows the last bar is no interval.
    return Band(book, classifier, np.array(edges, dtype=np.int64), tuple(labels[:-1]), len(switches))


def member_shares(result: RunResult) -> pl.DataFrame:
    """Give what each member of an ensemble had a share in; no rows where there is no ensemble.

    Returns
    -------
    polars.DataFrame
        A row a book and member: ``book`` (null where the run has one account), ``member``, ``trades`` (closed ones that
        it had a share in when their entry was decided), ``net`` (their net results in money, each times the size of the
        member's strength / the sum of the sizes of all strengths in that trade).
    """
    rows = [
        (book, *row)
        for book, tables in result.accounts("trades").items()
        for row in _members(tables["trades"], _ensemble(result, book))
    ]
    types = {"book": pl.String, "member": pl.String, "trades": pl.Int64, "net": pl.Float64}
    return pl.DataFrame(rows, schema=types, orient="row")


def _ensemble(result: RunResult, book: str | None) -> list[str]:
    """Give the members of an ensemble, none where there is no ensemble."""
    summary = result.summary
    owner = summary if book is None else next(one for one in summary["books"] if one["book"] == book)
    composition = owner["composition"]
    return [] if composition["ensemble"] is None else [member["name"] for member in composition["members"]]


def _members(trades: pl.DataFrame, names: list[str]) -> list[tuple[str, int, float]]:
    counts, nets = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    for strategies, strengths, net in trades.select("strategies", "strengths", "net").rows() if names else ():
        sizes = [abs(float(one)) for one in strengths.split("+") if one]
        for name, size in zip(strategies.split("+") if sizes else (), sizes, strict=True):
            counts[name] += 1
            nets[name] += net * size / sum(sizes)
    return [(name, counts[name], nets[name]) for name in names]
