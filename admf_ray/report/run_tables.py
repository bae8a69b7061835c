"""Tables that stand at the end of every run's page: trades, data, work."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.report.definitions import (
    certified_text,
    holdout_text,
    parameters_text,
    reused_text,
    selection_text,
    tried_text,
)
from admf_ray.report.page import Table
from admf_ray.workflow import RunResult
from admf_ray.workflow.causes import cause_line
from admf_ray.workflow.performance import Performance

__all__ = ["data_table", "data_text", "failures_table", "trades_table", "with_tries", "work_table"]

_ROWS = 1_000


def failures_table(result: RunResult) -> Table:
    """List the first candidates that failed, with their parameters and why."""
    failures = result.failures.head(_ROWS)
    sets = result.tables.stored["candidates"].collect(
        lambda rows: rows.filter(pl.col("candidate").is_in(failures["candidate"].unique().implode()))
    )
    names = [name for name in sets.columns if name != "candidate"]
    known = failures.join(sets, on="candidate", how="left", maintain_order="left")
    rows: list[list[Any]] = [
        [
            (str(row["candidate"]), row["candidate"]),
            parameters_text({name: row[name] for name in names if not math.isnan(row[name])}),
            row["error"],
            row["message"],
            (str(row["attempts"]), row["attempts"]),
        ]
        for row in known.iter_rows(named=True)
    ]
    some = "" if len(result.failures) <= _ROWS else f" The first {_ROWS:,} of {len(result.failures):,}."
    return Table(
        "failures",
        "Failures",
        f"Candidates that failed cost themselves only; tracebacks are in failures.parquet.{some}",
        ["candidate", "parameters", "error", "what it said", "attempts"],
        rows,
        filtered=True,
    )


def trades_table(trades: pl.DataFrame, returns: npt.NDArray[np.float64]) -> Table:
    """List the newest trades.

    Parameters
    ----------
    trades : polars.DataFrame
        The table of the run.
    returns : float64 array, shape [trade]
        Net result of each as a share of what was put in.
    """
    owner = "book" if "book" in trades.columns else "window"
    head = ["entry", "exit", "symbol", owner, "quantity", "entry price", "exit price", "net", "return", "costs"]
    head += ["bars", "worst", "best", "exit reason"]
    rows: list[list[Any]] = [
        [
            _moment(row["entry_time"]),
            _moment(row["exit_time"]),
            row["symbol"],
            row["book"] if owner == "book" else (str(row["window"]), row["window"]),
            *((f"{row[name]:,.6g}", row[name]) for name in ("quantity", "entry_price", "exit_price")),
            (f"{row['net']:,.2f}", row["net"]),
            (f"{row['share']:+.2%}", row["share"]),
            (f"{row['costs']:,.2f}", row["costs"]),
            (f"{row['bars']:,}", row["bars"]),
            (f"{row['mae']:.2%}", row["mae"]),
            (f"{row['mfe']:.2%}", row["mfe"]),
            row["exit_reason"],
        ]
        for row in _newest(trades.with_columns(share=returns)).iter_rows(named=True)
    ]
    some = "" if len(trades) <= _ROWS else f" The newest {_ROWS:,} of {len(trades):,}; all are in trades.parquet."
    return Table(
        "trades",
        "Trades",
        "Flat to flat. Worst and best: furthest move against and for the position while it was held, of the entry "
        f"price. Click on a head to sort.{some}",
        head,
        rows,
        filtered=True,
    )


def _newest(trades: pl.DataFrame) -> pl.DataFrame:
    """Give the trades that are listed; those of several books in one order of exit."""
    return (trades.sort("exit_time", maintain_order=True) if "book" in trades.columns else trades).tail(_ROWS)


def data_text(performance: Performance) -> str:
    """Say on which bars a run was made, and which were held out."""
    data, holdout = performance.manifest["data"], performance.result.summary.get("holdout")
    first, last = (str(np.datetime64(data[name], "ns"))[:10] for name in ("first_known_at", "last_known_at"))
    return (
        f"{', '.join(data['symbols'])}, {data['bars']:,} bars from {first} to {last}, calendar "
        f"{data['calendar'] or 'none'}, {data['periods_per_year']:g} bars a year, adjustment {data['adjustment']}"
        f"{f'; holdout: {holdout_text(holdout)}' if holdout else ''}"
    )


def with_tries(verdict: str, summary: Mapping[str, Any]) -> str:
    """Put behind the verdict on a run how much was ever tried on its data; a run of before the ledger does not know."""
    return f"{verdict} Tried: {tried_text(summary['tried'])}." if "tried" in summary else verdict


def data_table(performance: Performance) -> Table:
    """List what was found in the data, repairs first."""
    data, report = performance.manifest["data"], performance.data_report
    rows = [["repaired", line] for line in data["repairs"]]
    rows += [
        [outcome, f"{rule}: {count:,}"]
        for outcome, rules in data["findings"].items()
        if outcome != "repaired"
        for rule, count in rules.items()
    ]
    rows += [["", f"{name}: {value}"] for name, value in report.get("reading", {}).items()]
    rows.append(["", f"content {data['fingerprint']}"])
    note = "What checks found and repaired, and how the bars were read; every finding stands in data_report.json."
    return Table("data", "Data", note, ["", "what"], rows, coloured=True)


def work_table(result: RunResult) -> Table:
    """List counters and timings."""
    summary = result.summary
    rows = [["backtests", f"{summary['backtests']:,}"]]
    if "selection" in summary:
        rows.append(["selected by", selection_text(summary)])
    rows += [[f"indicators {name.replace('_', ' ')}", f"{value:,.6g}"] for name, value in summary["hub"].items()]
    rows += [["cause", cause_line(cause)] for cause in summary["causes"]]
    if checked := summary.get("audited"):
        rows.append(["audit", f"{checked['fills']:,} fills of {checked['ledgers']:,} account(s) replayed"])
    if certified := summary.get("certified"):
        rows.append(["certified", certified_text(certified, "books" if "books" in summary else "winners")])
    if (reused := summary.get("reused")) and reused["chunks"]:
        rows.append(["reused", reused_text(reused)])
    if computing := result.computing():
        rows.append(["computing", f"{computing[0]:.2f} s, {computing[1]:.1f} ns per bar and set"])
        hosts = result.timings.group_by("host").agg(pl.len(), pl.col("seconds").sum()).sort("host")
        rows += [[host, f"{chunks:,} chunks, {busy:.2f} s"] for host, chunks, busy in hosts.rows()]
    return Table("work", "Counters and timings", "", ["what", "how much"], rows)


def _moment(nanoseconds: int) -> str:
    return str(np.datetime64(nanoseconds, "ns"))[:16].replace("T", " ")
