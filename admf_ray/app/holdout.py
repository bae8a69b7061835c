"""The holdout: bars that are kept from everything that trades, until a backtest opens them, once."""

from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.data import date_index
from admf_ray.errors import ConfigError

__all__ = ["kept_back", "opened_span", "refuse_open"]


def kept_back(settings: Settings, bars: Bars) -> Bars:
    """Give what may be seen of bars: those before the holdout, or all of them where it is opened.

    Raises
    ------
    ConfigError
        Where nothing lies before the holdout, or one is to be opened that there is not.
    """
    start, is_open = settings.holdout.start, settings.holdout.open
    if start is None:
        if is_open:
            raise ConfigError("holdout.open: there is no holdout; allowed: holdout.start=<date>, or false")
        return bars
    first = date_index(bars, start, "holdout.start")
    if first == 0:
        raise ConfigError(f"holdout.start: no bar is known up to {start}; allowed: a date after the first bar")
    return bars if is_open or first == len(bars) else bars.head(first)


def opened_span(settings: Settings, bars: Bars) -> tuple[int, int]:
    """Give the bars of an opened holdout, half-open.

    Raises
    ------
    ConfigError
        Where there are fewer than 2.
    """
    first = date_index(bars, settings.holdout.start, "holdout.start")
    if len(bars) - first < 2:
        raise ConfigError(
            f"holdout.open: {len(bars) - first} bars are known after {settings.holdout.start}; allowed: 2 or more"
        )
    return first, len(bars)


def refuse_open(settings: Settings) -> None:
    """Refuse to open a holdout for anything but one evaluation that is entered in a ledger.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    if not settings.holdout.open:
        return
    if settings.experiment != "backtest":
        raise ConfigError(
            f"holdout.open: true, and {settings.experiment} chooses by what it sees; allowed: backtest, or false"
        )
    for option, is_given, allowed in (
        ("books", bool(settings.books), "{}: one of them, chosen before"),
        ("dataset", settings.dataset is not None, "null: the span is the holdout"),
        ("run_root", settings.run_root is None, "a directory, whose ledger says what was opened"),
    ):
        if is_given:
            raise ConfigError(f"{option}: it does not go with holdout.open=true; allowed: {allowed}")
