"""What can be computed but means less than it seems to."""

from collections.abc import Sequence

from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.data import check_stress, date_span
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    ADAPTIVE,
    BEST,
    EARLIEST,
    JOURNAL,
    MOST_RECORDED,
    recording,
)
from admf_ray.risk.sizing import SIZINGS

__all__ = ["doubts", "left_out"]


def doubts(settings: Settings, bars: Bars, spans: Sequence[tuple[str, int, int]]) -> list[str]:
    """Name what can be computed but means less than it seems to: rules that do not fit the data, spans without stress.

    Parameters
    ----------
    settings : Settings
    bars : Bars
    spans : sequence of (name, start, stop)
        That are trained or tested on.

    Raises
    ------
    ConfigError
        Where ``windows.require_stress`` is ``enforce`` and a span lacks stress or calm.
    """
    found = []
    if settings.windows.require_stress and (lacking := check_stress(bars, spans)):
        if settings.windows.require_stress == "enforce":
            raise ConfigError(f"{lacking}; allowed: other spans, or windows.require_stress=warn")
        found.append(lacking)
    found += _idle_options(settings)
    fit = settings.classifier.fit
    if settings.experiment == "backtest" and (fit.start is not None or fit.stop is not None):
        fitted = date_span(bars, fit.start, fit.stop, "classifier.fit")
        seen = sum(max(0, min(stop, fitted[1]) - max(start, fitted[0])) for _, start, stop in spans)
        if seen:
            found.append(f"classifier.fit: {seen:,} bars that are tested were fitted on: that result is no test")
    if bars.adjustment == "none":
        return found
    adjusted = f"prices are adjusted ({bars.adjustment})"
    if settings.risk.lot > 0:
        found.append(f"{adjusted}: whole lots (risk.lot={settings.risk.lot:g}) are not those of the day")
    if settings.execution.commission_per_share > 0 or settings.execution.half_spread > 0:
        found.append(f"{adjusted}: commission_per_share and half_spread are not in proportion to the prices of the day")
    return found


def _idle_options(settings: Settings) -> list[str]:
    """Name options that were changed and do nothing for want of another one, and a size that is hardly a volatility."""
    risk, execution, rules, search = settings.risk, settings.execution, settings.account, settings.search
    by_volatility = SIZINGS[risk.sizing].by_volatility
    found = [
        f"{option} does nothing {without}"
        for option, is_changed, without in (
            ("risk.cap", risk.cap != 1.0 and not by_volatility, "without risk.sizing=volatility_target"),
            (
                "risk.rebalance_threshold",
                risk.rebalance_threshold > 0.0 and not rules.rebalance,
                "without risk.rebalance=every_bar",
            ),
            (
                "risk.halts.drawdown_pause",
                rules.drawdown_pause > 0 and rules.max_drawdown == 0.0,
                "without risk.halts.max_drawdown",
            ),
            (
                "execution.offset",
                execution.offset > 0.0 and execution.order == "market",
                "without execution.order=limit or stop",
            ),
            (
                "execution.borrow_rate",
                execution.borrow_rate > 0.0 and not execution.allow_short,
                "without execution.allow_short",
            ),
            (
                "search.blocks",
                search.blocks != 4 and search.selection != "worst_block" and search.pruning == "none",
                "without search.selection=worst_block or search.pruning",
            ),
            ("search.top", search.top != 5 and search.selection != "top_n", "without search.selection=top_n"),
            (
                "search.storage",
                search.sampler not in ADAPTIVE and search.storage not in (JOURNAL, None),
                f"without search={'|'.join(ADAPTIVE)}",
            ),
            (
                "execution.loan_rate",
                execution.loan_rate > 0.0 and execution.account == "cash",
                "without execution.account=margin",
            ),
        )
        if is_changed or option in settings.search.space
    ]
    if search.pruning != "none" and search.blocks == EARLIEST:
        found.append(
            f"search.blocks={EARLIEST}: a set is pruned after {EARLIEST} blocks at the earliest; more of them save more"
        )
    if search.sampler in ADAPTIVE and search.batch >= search.trials:
        found.append(
            f"search.batch={search.batch}: all of search.trials are proposed before any is told: nothing is learnt"
        )
    if search.pruning != "none" and settings.engine.kind == "compiled":
        found.append(
            f"search.pruning={search.pruning} pays where an evaluation is slow, in containers or in Python; compiled, "
            "blocks cost more than is saved"
        )
    if by_volatility and risk.size >= 1.0:
        found.append(f"risk.size={risk.size:g} is a volatility of {risk.size:.0%} a year: risk.cap binds nearly always")
    return found


def left_out(settings: Settings, trials: int) -> list[str]:
    """Say what is not recorded although it was asked for."""
    if recording(settings.search.record, trials) == settings.search.record:
        return []
    known = f"objective, sharpe and trades of all are recorded, and every metric of the best {BEST:,} of each window"
    return [f"search.record=objective: {trials:,} trials are more than {MOST_RECORDED:,}: {known}"]
