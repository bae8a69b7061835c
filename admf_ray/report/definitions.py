"""What figures and parts of a run are called, how they are written, what they mean: for terminals and pages alike."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from admf_ray.engine.composition import MEMBER, ONE_OF

__all__ = [
    "FIGURES",
    "REGIMES_NOTE",
    "Figure",
    "certified_text",
    "composition_lines",
    "day_text",
    "figure_number",
    "figure_text",
    "fitted_text",
    "fronts_text",
    "holdout_text",
    "options_text",
    "parameter_number",
    "parameters_text",
    "reused_text",
    "score_text",
    "selection_rule",
    "selection_text",
    "shown_metric",
    "survived_text",
    "tried_text",
]

_OF_MEMBER = re.compile(r".+_\d+_(\w+?)")
"""Parameters of further members of an ensemble of the same strategy; see `admf_ray.engine.composition`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is shown.

    Attributes
    ----------
    label : str
    form : str
        A format such as ``{:.2f}``.
    meaning : str
        Its definition with its unit, in a sentence.
    """

    label: str
    form: str
    meaning: str


FIGURES: dict[str, Figure] = {
    "total_return": Figure("return", "{:+.1%}", "Final equity / initial equity - 1."),
    "cagr": Figure("CAGR", "{:+.2%}", "Compounded growth a year: (1 + return) ^ (bars per year / bars) - 1."),
    "sharpe": Figure(
        "Sharpe",
        "{:.2f}",
        "Mean return per bar above the risk-free rate / its sample deviation x square root of bars per year "
        "(Sharpe 1994).",
    ),
    "sortino": Figure(
        "Sortino",
        "{:.2f}",
        "As Sharpe, with the root mean square of the returns below the risk-free rate as deviation "
        "(Sortino and Price 1994).",
    ),
    "calmar": Figure("Calmar", "{:.2f}", "CAGR / size of the worst drawdown (Young 1991)."),
    "volatility": Figure(
        "volatility", "{:.1%}", "Sample deviation of the returns per bar x square root of bars per year."
    ),
    "max_drawdown": Figure(
        "drawdown", "{:.1%}", "Worst equity / highest equity before it - 1; the initial equity counts as a peak."
    ),
    "profit_factor": Figure("profit factor", "{:.2f}", "Net profit of the winning trades / net loss of the others."),
    "win_rate": Figure("win rate", "{:.0%}", "Trades with a net profit / trades."),
    "trades": Figure("trades", "{:,.0f}", "Closed trades, flat to flat."),
    "exposure": Figure("exposure", "{:.0%}", "Share of bars that closed with a position."),
    "commission": Figure("commission", "{:,.0f}", "Paid in all, in money."),
    "final_equity": Figure("final equity", "{:,.2f}", "Money at the last close."),
    "alpha": Figure(
        "alpha",
        "{:+.2%}",
        "Growth a year that the exposure to buy and hold does not explain: intercept of the regression "
        "of the returns on those of buy and hold, both above the risk-free rate, x bars per year (Jensen 1968).",
    ),
    "beta": Figure("beta", "{:.2f}", "Slope of that regression: return per return of buy and hold (Jensen 1968)."),
    "correlation": Figure("correlation", "{:.2f}", "Of the returns per bar with those of buy and hold."),
    "tracking_error": Figure(
        "tracking error", "{:.1%}", "Sample deviation of the difference to the returns of buy and hold, a year."
    ),
    "information_ratio": Figure(
        "information ratio",
        "{:.2f}",
        "Mean difference to the returns of buy and hold / its deviation, a year (Goodwin 1998).",
    ),
    "matched_cagr": Figure(
        "matched benchmark",
        "{:+.2%}",
        "CAGR of buy and hold, levered or diluted with cash to the volatility of the strategy "
        "(after Modigliani and Modigliani 1997).",
    ),
    "matched_excess": Figure("above matched", "{:+.2%}", "CAGR less that of the volatility-matched benchmark."),
}
"""By the names of metrics in tables and summaries."""


REGIMES_NOTE = (
    "A return belongs to the regime known at the bar before, a trade to the one in which its entry was decided."
)
"""What stands in the table of regimes."""

_FITTED = {
    "hmm": "Initial probabilities of the states; transition probabilities row by row, from state to state; means, then "
    "variances of the returns per bar; states in ascending order of variance (Hamilton 1989).",
    "volatility": "Borders between the levels, ascending: quantiles of the sample deviation of the newest log returns, "
    "a bar and not a year (Hyndman and Fan 1996, definition 7).",
}


_SELECTIONS = {
    "best": "best: the highest {objective}",
    "plateau": "plateau: the highest mean {objective} of a set and of those that are at most a place away along every "
    "parameter; a neighbour that could not win counts as the lowest that could",
    "worst_block": "worst block: the highest minimum of {objective} over {blocks} blocks of the train span",
    "top_n": "top {top}: so many of the highest {objective} together, with equal weights; its mean over them is shown",
}


def selection_text(summary: Mapping[str, Any]) -> str:
    """Say by which rule a run chose.

    Examples
    --------
    >>> selection_text({"objective": "sharpe", "selection": {"rule": "worst_block", "blocks": 4, "top": 5}})
    'worst block: the highest minimum of sharpe over 4 blocks of the train span'
    """
    return _SELECTIONS[selection_rule(summary)].format(objective=summary["objective"], **summary.get("selection", {}))


def selection_rule(summary: Mapping[str, Any]) -> str:
    """Give the rule by which a run chose: the best objective where it does not say."""
    return str(summary.get("selection", {}).get("rule", "best"))


def score_text(score: float | None) -> str:
    """Write an objective, or a figure by which was chosen.

    Examples
    --------
    >>> score_text(0.51234), score_text(float("nan"))
    ('0.512', '-')
    """
    return "-" if score is None or not math.isfinite(score) else f"{score:.3g}"


def shown_metric(objective: str) -> str:
    """Give the metric that is drawn for an objective: itself, or Sharpe for a formula.

    Examples
    --------
    >>> shown_metric("calmar"), shown_metric("sharpe - 2 * exposure")
    ('calmar', 'sharpe')
    """
    return objective if objective in FIGURES else "sharpe"


def figure_text(name: str, value: float | None) -> str:
    """Write a figure; a dash where it is undefined.

    Examples
    --------
    >>> figure_text("sharpe", 0.5), figure_text("win_rate", float("nan"))
    ('0.50', '-')
    """
    return "-" if value is None or not math.isfinite(value) else FIGURES[name].form.format(value)


def figure_number(name: str, value: float | None) -> tuple[str, float | None]:
    """Give a figure as a cell of a table: its text and the number to sort by, None where it is undefined."""
    return figure_text(name, value), value if value is not None and math.isfinite(value) else None


def day_text(nanoseconds: int) -> str:
    """Write the day (UTC) of a moment in ns UTC."""
    return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%d}"


def parameter_number(record: Mapping[str, Any], name: str, value: float) -> tuple[str, float | None]:
    """Give a parameter of a candidate as a cell of a table, empty where it is not in play.

    Parameters
    ----------
    record : mapping
        As of `admf_ray.workflow.composed.composition_record`: of one strategy of several the cell says the name.
    name : str
    value : float

    Examples
    --------
    >>> record = {"ensemble": "one_of", "members": [{"name": "sma_cross"}, {"name": "dip"}]}
    >>> [parameter_number(record, *one) for one in (("member", 1.0), ("fast", float("nan")), ("dip_period", 14.0))]
    [('dip', 1.0), ('', None), ('14', 14.0)]
    """
    if math.isnan(value):
        return "", None
    if name == MEMBER and record["ensemble"] == ONE_OF:
        return str(record["members"][int(value)]["name"]), value
    return f"{value:g}", value


def parameters_text(parameters: Mapping[str, float | str], between: str = " ") -> str:
    """Write a parameter set, with the strategy that it is of where there are several; of sets that trade together all.

    Examples
    --------
    >>> parameters_text({"fast": 5.0, "width": 1.5})
    'fast=5 width=1.5'
    >>> parameters_text({"fast": 5.0, "width": 1.5}, between=", ")
    'fast=5, width=1.5'
    >>> parameters_text({"fast": 5.0, "slow": 9.0, "cross_2_fast": 6.0, "cross_2_slow": 8.0})
    'fast/slow 5/9, 6/8'
    """
    of_others = [name for name in parameters if (parts := _OF_MEMBER.fullmatch(name)) and parts[1] in parameters]
    if of_others:
        names = [name for name in parameters if name not in of_others]
        values = [f"{parameters[name]:g}" for name in (*names, *of_others)]
        sets = [values[first : first + len(names)] for first in range(0, len(values), len(names))]
        return f"{'/'.join(names)} {', '.join(map('/'.join, sets))}"
    return between.join(
        f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}" for name, value in parameters.items()
    )


def options_text(options: Mapping[str, Any], prefix: str = "") -> str:
    """Write nested options in the way in which they are given.

    Examples
    --------
    >>> options_text({"risk": {"lot": 0}, "classifier": {"name": "trend", "params": {"period": 50}}})
    'risk.lot=0 classifier.name=trend classifier.params.period=50'
    """
    return " ".join(
        options_text(value, f"{prefix}{name}.")
        if isinstance(value, Mapping) and value
        else f"{prefix}{name}={_given(value)}"
        for name, value in options.items()
    )


def _given(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def composition_lines(record: Mapping[str, Any]) -> list[str]:
    """Write what decides: strategies with where they trade, then classifiers.

    Parameters
    ----------
    record : mapping
        See `admf_ray.workflow.composed.composition_record`.

    Examples
    --------
    >>> member = {"name": "cross", "strategy": "sma_cross", "weight": 1.0, "by_regime": ["down"]}
    >>> watch = {"name": "weekly", "classifier": "trend", "symbol": "SPX", "timeframe": "1w"}
    >>> member["trades_in"] = {"weekly": ["up"]}
    >>> composition_lines({"ensemble": None, "members": [member], "classifiers": [watch]})
    ['cross (sma_cross), trades in weekly up, own parameters in down', 'weekly: trend of SPX, bars of 1w']
    """
    lines = []
    for member in record["members"]:
        text = member["name"]
        if member["strategy"] != member["name"]:
            text += f" ({member['strategy']})"
        if member["weight"] is not None and record["ensemble"] is not None:
            text += f", weight {member['weight']:g}"
        for watch, labels in member["trades_in"].items():
            text += f", trades in {watch} {' or '.join(labels)}"
        if member["by_regime"]:
            text += f", own parameters in {' and '.join(member['by_regime'])}"
        lines.append(text)
    if record["ensemble"] is not None:
        lines = ["one of:" if record["ensemble"] == "one_of" else f"{record['ensemble']} of:", *lines]
    for watch in record["classifiers"]:
        text = f"{watch['name']}: {watch['classifier']}"
        text += f" of {watch['symbol']}" if watch["symbol"] else ""
        lines.append(text + (f", bars of {watch['timeframe']}" if watch["timeframe"] else ""))
    return lines


def fitted_text(classifier: str) -> str:
    """Say what the fitted numbers of a registered classifier are."""
    return _FITTED.get(classifier, "In the order in which its fit gives them.")


def fronts_text(summary: Mapping[str, Any]) -> str:
    """Say how large Pareto fronts are, and how winners are chosen out of them.

    Examples
    --------
    >>> fronts_text({"objective": "sharpe", "front": {"objectives": ["sharpe", "max_drawdown"], "sizes": [3, 7]}})
    'Pareto fronts of sharpe and max_drawdown: 3 to 7 sets; the one that is chosen is the best by sharpe.'
    """
    *others, last = summary["front"]["objectives"]
    sizes = summary["front"]["sizes"]
    few, many = min(sizes), max(sizes)
    shown = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    name = "Pareto front" if len(sizes) == 1 else "Pareto fronts"
    return (
        f"{name} of {', '.join(others)} and {last}: {shown} sets; the one that is chosen is the best by "
        f"{summary['objective']}."
    )


def certified_text(certified: int, what: str = "winners") -> str:
    """Say that winners or books came out bit for bit by both engines; where one does not, a run stops.

    Examples
    --------
    >>> certified_text(15)
    '15/15 winners come out bit for bit, compiled and in containers'
    """
    # All or none: where one does not, there is no result to tell of.
    return f"{certified}/{certified} {what} come out bit for bit, compiled and in containers"


def survived_text(share: float | None) -> str:
    """Say what share of the Sharpe ratio in training was left in the tests."""
    return "nothing to survive" if share is None or math.isnan(share) else f"{share:.0%} survived"


def tried_text(tried: Mapping[str, Any]) -> str:
    """Say how much was ever tried on the data of a run, by which the best of it is to be judged.

    Parameters
    ----------
    tried : mapping
        See `admf_ray.workflow.ledger.Ledger.tried`.

    Examples
    --------
    >>> counts = {"runs": 2, "candidates": 30, "trials": 90, "own": {"candidates": 10, "trials": 40}}
    >>> tried_text({**counts, "warm": 0, "openings": []})
    '30 sets in 90 trials on this data, 10 in 40 of them by this run, the others by 1'
    """
    own = tried["own"]
    text = f"{tried['candidates']:,} sets in {tried['trials']:,} trials on this data, "
    if tried["runs"] == 1:
        text += "all by this run"
    else:
        text += f"{own['candidates']:,} in {own['trials']:,} of them by this run, the others by {tried['runs'] - 1:,}"
    if tried["warm"]:
        text += f"; begun with the best of {tried['warm']:,} trials of an earlier run"
    for one in tried["openings"]:
        text += f"; holdout from {day_text(one['first'])} to {day_text(one['last'])} opened by {one['run']} {one['at']}"
    return text


def holdout_text(holdout: Mapping[str, Any]) -> str:
    """Say what is held out.

    Examples
    --------
    >>> holdout_text({"start": "2016-01-01", "open": False})
    'bars known after 2016-01-01 are kept back'
    """
    known = f"bars known after {holdout['start']}"
    return f"{known} are opened by this run, and by no other one" if holdout["open"] else f"{known} are kept back"


def reused_text(reused: Mapping[str, int]) -> str:
    """Say what was taken from earlier runs.

    Examples
    --------
    >>> reused_text({"chunks": 3, "trials": 4_000})
    '3 chunks (4,000 trials) of earlier runs'
    """
    return f"{reused['chunks']:,} chunks ({reused['trials']:,} trials) of earlier runs"
