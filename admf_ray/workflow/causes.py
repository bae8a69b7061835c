"""Why a run left something out or cut it short: one line for each cause, with a count."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from admf_ray.core.records import Limit, limit_names
from admf_ray.workflow.stored import Tables

__all__ = ["cause_line", "causes"]

_TRIALS = {
    "few_trades": "trials made fewer trades than search.min_trades and could not win",
    "undefined": "trials have no finite objective and could not win",
    "failed": "trials failed and could not win: table failures says why",
    "pruned": "trials were pruned and could not win: in blocks of the train span they were behind the best one",
}
_LIMITS = {
    "cash": "fills were cut to the cash that was there",
    "no_short": "fills are of targets below 0, taken as 0: no shorts",
    "participation": "fills were cut to the share of volume that execution.participation allows",
} | {name: f"fills were bound by risk.limits.{name}" for name in (limit_names(limit) for limit in Limit) if "." in name}
_REASONS = {
    "halt": "fills left a position because of a halt (risk.halts)",
    "margin_call": "fills left a position because of a margin call (execution.margin_requirement)",
    "delisted": "fills left a position at the last bar of its symbol",
}


def causes(tables: Tables) -> list[dict[str, Any]]:
    """Count what did not go as asked.

    Parameters
    ----------
    tables : Tables
        Of a run: trials, windows and fills are looked at, where they are.

    Returns
    -------
    list of dict
        ``cause``, ``count``, and ``of`` how many; those that happened.
    """
    found = []
    if "trials" in tables:
        counted = Counter[str]()
        for piece in tables.pieces("trials", ["status"]):
            counted.update(dict(piece["status"].value_counts().rows()))
        found += [(text, counted[status], counted.total()) for status, text in _TRIALS.items()]
    if "windows" in tables:
        windows = tables["windows"]
        nobody = windows["candidate"].null_count()
        untested = int(windows.drop_nulls("candidate")["test_final_equity"].is_nan().sum())
        found += [
            ("windows were spent in cash: no candidate could win", nobody, len(windows)),
            (
                "windows were spent in cash, as the winner failed: table failures says why",
                untested,
                len(windows),
            ),
        ]
    if "fills" in tables:
        parts = tables["fills"]["reason"].str.split(":")
        bound = parts.list.get(1, null_on_oob=True).str.split("+")
        made = Counter(parts.list.first().to_list())
        found += [(text, int(bound.list.contains(limit).sum() or 0), len(bound)) for limit, text in _LIMITS.items()]
        found += [(text, made[reason], len(bound)) for reason, text in _REASONS.items()]
    return [{"cause": text, "count": count, "of": total} for text, count, total in found if count]


def cause_line(cause: Mapping[str, Any]) -> str:
    """Give one cause as a line."""
    return f"{cause['count']:,} of {cause['of']:,} {cause['cause']}"
