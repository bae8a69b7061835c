"""Halts and margin calls: when an account sells everything, and when it may trade again (SEMANTICS 3)."""

from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import AccountKind, Halt, Reentry
from admf_ray.core.signs import opposes, sign

__all__ = ["begin_block", "exposure_of", "follow_target", "halted_share", "is_called", "update_halt"]

_NONE = int(Halt.NONE)
_DRAWDOWN = int(Halt.DRAWDOWN)
_DAILY_LOSS = int(Halt.DAILY_LOSS)
_RUIN = int(Halt.RUIN)
_MARGIN = int(AccountKind.MARGIN)
_RESET = int(Reentry.RESET)


@shared
def exposure_of(target: float, rules: Any) -> float:
    """Give what a target stands for: a negative one is flat where shorts are not allowed."""
    return target if rules.allow_short != 0 else max(target, 0.0)


@shared
def halted_share(loss: float) -> float:
    """Give the share of an earlier equity at which an account is halted.

    0, where there is no such halt, still stands for ruin.
    """
    return 1.0 - loss if loss > 0.0 else 0.0


@shared
def update_halt(account: Any, rules: Any, equity: float, bar: int, is_new_session: bool) -> bool:
    """End halts whose time is over and begin new ones; say whether the account was trading and is halted now.

    Parameters
    ----------
    account : record of `ACCOUNT`
        ``equity`` is still that at the end of the bar before.
    rules : record of `RULES`
    equity : float
        At this bar's close.
    bar : int
    is_new_session : bool
        Whether this bar is the first one of a session, and not the first one of the segment.
    """
    if is_new_session:
        account.session_equity = account.equity
        if account.halt == _DAILY_LOSS:
            account.halt = _NONE
    if account.halt == _DRAWDOWN and rules.drawdown_pause > 0 and bar - account.halted_at >= rules.drawdown_pause:
        account.halt = _NONE
        account.halt_peak = equity
    account.halt_peak = max(account.halt_peak, equity)
    was_trading = account.halt == _NONE
    if account.halt == _RUIN or equity <= 0.0:
        account.halt = _RUIN
    elif (
        account.halt != _DRAWDOWN
        and rules.max_drawdown > 0.0
        and equity <= account.halt_peak * halted_share(rules.max_drawdown)
    ):
        account.halt = _DRAWDOWN
        account.halted_at = bar
    elif (
        account.halt == _NONE
        and rules.daily_loss > 0.0
        and equity <= account.session_equity * halted_share(rules.daily_loss)
    ):
        account.halt = _DAILY_LOSS
    return bool(was_trading and account.halt != _NONE)


@shared
def is_called(equity: float, gross: float, rules: Any) -> bool:
    """Say whether a margin account no longer has the equity that its positions ask for.

    Parameters
    ----------
    equity, gross : float
        ``gross`` is the sum of the values of positions, long and short, in money.
    rules : record of `RULES`
    """
    return bool(rules.account == _MARGIN and gross > 0.0 and equity < rules.margin_requirement * gross)


@shared
def begin_block(holding: Any, rules: Any) -> None:
    """Keep a symbol flat after a halt or margin call until its target has been 0 or of the other sign."""
    if rules.reentry == _RESET and holding.blocked == 0.0:
        holding.blocked = sign(exposure_of(holding.target, rules))


@shared
def follow_target(holding: Any, rules: Any, target: float) -> None:
    """Follow the targets of a symbol that must not trade: what is wanted meanwhile has to be wanted anew."""
    if rules.reentry == _RESET and target - target == 0.0:
        exposure = exposure_of(target, rules)
        if holding.blocked != 0.0 and (exposure == 0.0 or opposes(exposure, holding.blocked)):
            holding.blocked = 0.0
        if holding.blocked == 0.0:
            holding.blocked = sign(exposure)
