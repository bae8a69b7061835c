"""The options of an account: risk, execution, portfolio and instruments."""

import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from admf_ray.app.assemble import check_account
from admf_ray.app.configuration import compose_settings
from admf_ray.app.doubts import doubts
from admf_ray.app.parsing import parse_settings
from admf_ray.app.settings import Settings
from admf_ray.core.records import Level, LimitKind
from admf_ray.engine.spec import AccountRules, LimitRule
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from tests.series import daily_bars

NUMBER_ABOVE = "is not allowed; allowed: greater than 0"
NUMBER_FROM = "is not allowed; allowed: greater than or equal to 0"


def settings_of(*options: str) -> Settings:
    values = OmegaConf.to_container(OmegaConf.from_dotlist(["experiment=backtest", *options]))
    assert isinstance(values, dict)
    return parse_settings({str(name): value for name, value in values.items()})


WRONG = {
    "risk.size=0": f"risk.size: 0 {NUMBER_ABOVE}",
    "risk.size=.nan": "risk.size: nan is not allowed; allowed: a finite number",
    "risk.size=true": "risk.size: true and false are not allowed; allowed: a number",
    "risk.cap=0": f"risk.cap: 0 {NUMBER_ABOVE}",
    "risk.lot=-1": f"risk.lot: -1 {NUMBER_FROM}",
    "risk.minimum_trade=-1": f"risk.minimum_trade: -1 {NUMBER_FROM}",
    "risk.rebalance=daily": "risk.rebalance: 'daily' is not allowed; allowed: 'none' or 'every_bar'",
    "risk.rebalance_threshold=-1": f"risk.rebalance_threshold: -1 {NUMBER_FROM}",
    "risk.reentry=never": "risk.reentry: 'never' is not allowed; allowed: 'reset' or 'immediate'",
    "risk.limits.account.max_position=1": "risk.limits.account: no option is named 'account'; allowed: portfolio, str",
    "risk.limits.portfolio.max_positon=1": "'max_positon' (did you mean max_position?); allowed: max_exposure, max_g",
    "risk.limits.portfolio.max_position=-1": f"risk.limits.portfolio.max_position: -1 {NUMBER_FROM}",
    "risk.limits.strategy.max_gross_leverage=-1": f"risk.limits.strategy.max_gross_leverage: -1 {NUMBER_FROM}",
    "risk.limits.strategy.max_exposure=-1": f"risk.limits.strategy.max_exposure: -1 {NUMBER_FROM}",
    "risk.limits.strategy.max_open_positions=1.5": "max_open_positions: 1.5 is not allowed; allowed: a valid integer",
    "risk.limits.symbol.max_open_positions=1": "'max_open_positions' (did you mean max_position?); allowed: max_expo",
    "risk.limits.symbol.max_position=-1": f"risk.limits.symbol.max_position: -1 {NUMBER_FROM}",
    "risk.limits.symbol.max_position.SPX=-1": f"max_position.SPX: -1 {NUMBER_FROM}",
    "risk.halts.max_drawdown=0": f"risk.halts.max_drawdown: 0 {NUMBER_ABOVE}",
    "risk.halts.max_drawdown=1": "risk.halts.max_drawdown: 1 is not allowed; allowed: less than 1",
    "risk.halts.daily_loss=3": "risk.halts.daily_loss: 3 is not allowed; allowed: less than 1",
    "risk.halts.drawdown_pause=0": "risk.halts.drawdown_pause: 0 is not allowed; allowed: greater than or equal to 1",
    "risk.exits.stop_loss.points=2": "stop_loss.points: no option is named 'points'; allowed: atr, percent, price",
    "risk.exits.stop_loss={percent: 0.1, atr: 2}": "risk.exits.stop_loss: percent and atr are given; allowed: one of",
    "risk.exits.stop_loss.percent=1.5": "risk.exits.stop_loss.percent: 1.5; allowed: a fraction below 1",
    "risk.exits.trailing_stop.percent=1": "risk.exits.trailing_stop.percent: 1; allowed: a fraction below 1",
    "risk.exits.take_profit.price=0": f"risk.exits.take_profit.price: 0 {NUMBER_ABOVE}",
    "risk.exits.stop_loss.atr=-2": f"risk.exits.stop_loss.atr: -2 {NUMBER_ABOVE}",
    "risk.exits.time_stop=0": "risk.exits.time_stop: 0 is not allowed; allowed: greater than or equal to 1",
    "execution.order=iceberg": "execution.order: 'iceberg' is not allowed; allowed: 'market', 'limit' or 'stop'",
    "execution.offset=1": "execution.offset: 1 is not allowed; allowed: less than 1",
    "execution.time_in_force=week": "'week' is not allowed; allowed: 'bar', 'day' or 'cancel'",
    "execution.slippage_bps=10000": "execution.slippage_bps: 10000 is not allowed; allowed: less than 10000",
    "execution.impact=-1": f"execution.impact: -1 {NUMBER_FROM}",
    "execution.participation=0": f"execution.participation: 0 {NUMBER_ABOVE}",
    "execution.participation=1.5": "execution.participation: 1.5 is not allowed; allowed: less than or equal to 1",
    "execution.account=ira": "execution.account: 'ira' is not allowed; allowed: 'cash' or 'margin'",
    "execution.allow_short=true": "execution.allow_short: a cash account has no shorts; allowed: execution.account=mar",
    "execution.allow_short=maybe": "execution.allow_short: 'maybe' is not allowed; allowed: a valid boolean",
    "execution={order: limit, fill: close}": "execution.order: limit orders wait for bars to come; allowed: market, or",
    "execution.margin_requirement=0": f"execution.margin_requirement: 0 {NUMBER_ABOVE}",
    "execution.margin_requirement=2": "margin_requirement: 2 is not allowed; allowed: less than or equal to 1",
    "execution.borrow_rate=-1": f"execution.borrow_rate: -1 {NUMBER_FROM}",
    "execution.loan_rate=-1": f"execution.loan_rate: -1 {NUMBER_FROM}",
    "portfolio={interest: -0.02, risk_free: 0}": f"portfolio.interest: -0.02 {NUMBER_FROM}",
    "portfolio.interest=0.02": "portfolio.risk_free: cash earns interest, so that ratios need the rate they are measur",
    "instruments.SPX.multiplier=0": f"instruments.SPX.multiplier: 0 {NUMBER_ABOVE}",
    "instruments.SPX.tick=-1": f"instruments.SPX.tick: -1 {NUMBER_FROM}",
    "instruments.SPX.lot=-1": f"instruments.SPX.lot: -1 {NUMBER_FROM}",
    "instruments.SPX.currency=5": "instruments.SPX.currency: 5 is not allowed; allowed: a valid string",
    "instruments.SPX.periods_per_year=0": f"instruments.SPX.periods_per_year: 0 {NUMBER_ABOVE}",
}


@pytest.mark.parametrize(("option", "message"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_option_is_named_with_what_is_allowed(option: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings_of(option)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_option_of_an_instrument_is_named_with_those_that_are_allowed() -> None:
    with pytest.raises(ConfigError, match=r"'tik' \(did you mean tick\?\); allowed: currency, lot, multiplier"):
        settings_of("instruments.SPX.tik=0.1")


BARS = daily_bars([10.0, 11.0, 12.0], symbol="SPX")
UNFIT = {
    "instruments.GOLD.tick=0.1": "instruments: no symbol of the data is named 'GOLD'; allowed: SPX",
    "risk.limits.symbol.max_position.GOLD=0.1": "risk.limits.symbol: no symbol of the data is named 'GOLD'; allowed",
    "instruments.SPX.periods_per_year=365": "periods_per_year: 365, but the data has 252 bars a year; allowed: the sa",
    "execution.participation=0.1": "execution.participation: SPX has no volume; allowed: data with volume, or none",
    "execution.impact=0.1": "execution.impact: SPX has no volume; allowed: data with volume, or none",
}


@pytest.mark.parametrize(("option", "message"), UNFIT.items(), ids=UNFIT.keys())
def test_an_account_that_does_not_fit_the_data_is_refused(option: str, message: str) -> None:
    bars = daily_bars([10.0, 11.0, 12.0], symbol="SPX", volume=[math.nan, 0.0, math.nan])
    with pytest.raises(ConfigError) as refused:
        check_account(settings_of(option).account, bars)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "option",
    [
        "instruments.SPX={multiplier: 50, tick: 0.25, lot: 1, currency: EUR, periods_per_year: 252}",
        "risk.limits.symbol.max_position.SPX=0.1",
        "execution.participation=0.1",
    ],
)
def test_an_account_that_fits_the_data_is_taken(option: str) -> None:
    check_account(settings_of(option).account, BARS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["risk=volatile"], "risk: no risk is named 'volatile'; allowed: balanced, fully_invested, low, strict"),
        (["risk.sizing=kelly"], "risk.sizing: no sizing is named 'kelly'; allowed: fixed_cash, fixed_quantity, perc"),
        (["risk.halts.daily_loss=3"], "risk.halts.daily_loss: 3 is not allowed; allowed: less than 1"),
        (["execution.allow_short=true"], "execution.allow_short: a cash account has no shorts"),
        (["+instruments.GOLD={tick:0.1}"], "instruments: no symbol of the data is named 'GOLD'; allowed: SPX"),
        (
            ["data=synthetic", "data.synthetic.symbols=2", "+instruments.S1={currency:EUR}"],
            "instruments: one account holds several currencies (S0 USD, S1 EUR); allowed: one for all symbols",
        ),
        (
            ['risk.exits.atr="atrr(high,low,close,14)"', "risk.exits.stop_loss.atr=2"],
            "risk.exits.atr: no indicator is named 'atrr' (did you mean atr?)",
        ),
    ],
)
def test_the_command_line_exits_2_and_leaves_nothing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["+experiment=backtest", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_limits_come_from_the_environment_and_the_command_line_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAX_POSITION_PCT", "10")
    monkeypatch.setenv("MAX_GROSS_LEVERAGE", "1.5")
    monkeypatch.setenv("DAILY_LOSS_CUT_PCT", "2")
    rules = compose_settings(["+experiment=backtest", "risk=balanced", "risk.halts.daily_loss=0.05"]).account
    assert set(rules.limits) == {
        LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.1),
        LimitRule(Level.PORTFOLIO, LimitKind.MAX_GROSS_LEVERAGE, 1.5),
    }
    assert rules.daily_loss == 0.05


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "MAX_GROSS_LEVERAGE",
            "two",
            "MAX_GROSS_LEVERAGE: 'two' is not allowed; allowed: a number above 0, for risk.limits.por",
        ),
        (
            "DAILY_LOSS_CUT_PCT",
            "300",
            "DAILY_LOSS_CUT_PCT: '300' is not allowed; allowed: a number above 0 and below 100",
        ),
    ],
)
def test_a_wrong_limit_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        compose_settings(["+experiment=backtest"])
    assert message in str(refused.value)


def profile(name: str) -> AccountRules:
    settings = compose_settings(["+experiment=backtest", f"risk={name}"])
    assert settings.risk.profile == name
    return settings.account


def test_the_balanced_profile() -> None:
    rules = profile("balanced")
    assert (rules.sizing, rules.size) == ("volatility_target", 0.15)
    assert set(rules.limits) == {
        LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.15),
        LimitRule(Level.PORTFOLIO, LimitKind.MAX_GROSS_LEVERAGE, 2.0),
    }
    assert (rules.max_drawdown, rules.daily_loss) == (0.20, 0.03)


@pytest.mark.parametrize(("tighter", "wider"), [("strict", "low"), ("low", "balanced")])
def test_profiles_tighten_everywhere(tighter: str, wider: str) -> None:
    tight, wide = profile(tighter), profile(wider)
    for name in ("size", "cap", "max_drawdown", "daily_loss"):
        assert 0 < getattr(tight, name) < getattr(wide, name), name
    assert [(rule.level, rule.kind) for rule in tight.limits] == [(rule.level, rule.kind) for rule in wide.limits]
    for own, other in zip(tight.limits, wide.limits, strict=True):
        assert 0 < own.value < other.value, own


def test_the_default_profile_has_neither_limits_nor_halts_nor_exits() -> None:
    rules = profile("fully_invested")
    assert rules == AccountRules(commission_bps=1.0, slippage_bps=2.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["execution.offset=0.01"], "execution.offset does nothing without execution.order=limit or stop"),
        (["execution.borrow_rate=0.1"], "execution.borrow_rate does nothing without execution.allow_short"),
        (["risk.halts.drawdown_pause=5"], "risk.halts.drawdown_pause does nothing without risk.halts.max_drawdown"),
        (["risk.sizing=volatility_target"], "risk.size=1 is a volatility of 100% a year: risk.cap binds nearly always"),
        (["risk=balanced", "execution=margin"], None),
    ],
)
def test_options_that_do_nothing_are_told(options: list[str], said: str | None) -> None:
    found = doubts(compose_settings(["+experiment=backtest", *options]), BARS, [])
    assert found == ([] if said is None else [said])
