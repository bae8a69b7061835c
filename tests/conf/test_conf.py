"""The configuration: everything composes, defaults agree, wrong options are refused in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from admf_ray.app.configuration import compose_settings, config_directory, experiments
from admf_ray.app.dispatch import COMMANDS
from admf_ray.app.parsing import parse_settings
from admf_ray.app.settings import Settings
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from admf_ray.strategies import STRATEGIES

CONF = config_directory()
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "experiment")


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_composes_and_has_a_command_and_a_line_of_help(name: str) -> None:
    settings = compose_settings([f"+experiment={name}"])
    assert settings.experiment in COMMANDS
    assert experiments()[name]


def test_every_command_has_an_experiment() -> None:
    assert set(COMMANDS) == {compose_settings([f"+experiment={name}"]).experiment for name in experiments()}


@pytest.mark.parametrize(
    ("group", "option"), [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
)
def test_every_option_of_every_group_composes(group: str, option: str) -> None:
    compose_settings(["+experiment=backtest", f"{group}={option}"])


def test_defaults_of_the_functions_are_those_of_the_command_line() -> None:
    composed = compose_settings(["+experiment=walkforward"]).plain()
    bare = parse_settings({"experiment": "walkforward"}).plain()
    # Functions write nothing and start no Ray unless they are told to; strategy and data are given to them.
    assert composed["run_root"] == str(Path("runs").absolute())
    assert bare["run_root"] is None
    assert (composed["cluster"].pop("kind"), bare["cluster"].pop("kind")) == ("local", "serial")
    for name in ("run_root", "strategy", "data"):
        del composed[name], bare[name]
    assert composed == bare


@pytest.mark.parametrize("strategy", list(STRATEGIES), ids=lambda entry: entry.name)
def test_the_configuration_of_a_strategy_is_that_of_its_registry_entry(strategy) -> None:
    config = OmegaConf.load(CONF / "strategy" / f"{strategy.name}.yaml")
    assert config.name == strategy.name
    assert dict(config.params) == {parameter.name: parameter.default for parameter in strategy.parameters}
    assert set(config.space) == set(strategy.parameter_names)


def test_settings_are_frozen() -> None:
    settings = compose_settings(["+experiment=backtest"])
    with pytest.raises(ValueError, match="frozen"):
        settings.portfolio.cash = 5  # type: ignore[misc]


def test_a_searched_parameter_can_become_a_list_a_number_or_fixed() -> None:
    space = compose_settings(
        ["+experiment=sweep", "strategy.space.fast=[5,10]", "strategy.space.slow.high=100", "strategy.params.fast=7"]
    ).strategy
    assert list(space.space["fast"]) == [5, 10]  # type: ignore[arg-type]
    assert space.space["slow"].high == 100  # type: ignore[union-attr]
    assert space.params["fast"] == 7
    fixed = compose_settings(["+experiment=sweep", "~strategy.space.slow", "strategy.space.fast=30"]).strategy
    assert dict(fixed.space) == {"fast": 30}


def test_an_option_is_searched_by_its_path_as_one_name_or_one_below_the_other() -> None:
    size, stop = "{low: 0.1, high: 1, log: true}", "{low: 0.01, high: 0.2, log: true}"
    one = ["search.space.risk.size=" + size, "search.space.risk.exits.stop_loss.percent=" + stop]
    other = ["search.space={risk.size: " + size + ", risk: {exits: {stop_loss.percent: " + stop + "}}}"]
    members = "ensemble.members.rsi_reversion.space.period={low: 2, high: 20, log: true}"
    spaces = []
    for given in (one, other):
        settings = compose_settings(["+experiment=sweep", *given, members])
        spaces.append(dict(settings.search.space))
        assert settings.ensemble.members["rsi_reversion"].space["period"].log  # type: ignore[union-attr]
    assert list(spaces[0]) == ["risk.size", "risk.exits.stop_loss.percent"]
    assert spaces[0] == spaces[1]
    with pytest.raises(ConfigError, match=r"search.space.risk.size: true and false are not allowed"):
        compose_settings(["+experiment=sweep", "search.space.risk.size=true"])


def test_expanding_is_anchored() -> None:
    for option in ("windows=expanding", "windows.kind=expanding", "windows=anchored"):
        assert compose_settings(["+experiment=walkforward", option]).windows.kind == "anchored"


def test_genetic_is_nsga2() -> None:
    expected = compose_settings(["+experiment=sweep", "search=nsga2"])
    assert expected.search.sampler == "nsga2"
    for option in ("search=genetic", "search.sampler=genetic"):
        assert compose_settings(["+experiment=sweep", option]) == expected


def test_users_bring_experiments_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nexperiment: sweep\nsearch:\n  objective: calmar\n"
    )
    settings = compose_settings(["+experiment=mine"], config_dir=str(tmp_path))
    assert (settings.experiment, settings.search.objective) == ("sweep", "calmar")


def test_an_experiment_may_search_a_space_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    mine = tmp_path / "experiment" / "mine.yaml"
    space = "experiment: sweep\nstrategy:\n  name: sma_cross\n  space:\n    fast: [5, 10]\n"
    mine.write_text(f"# @package _global_\ndefaults:\n  - override /strategy: custom\n{space}")
    settings = compose_settings(["+experiment=mine"], config_dir=str(tmp_path))
    assert dict(settings.strategy.space) == {"fast": [5, 10]}
    mine.write_text(f"# @package _global_\n{space}")
    with pytest.raises(
        ConfigError, match=r"experiment/mine: a list or a number stands where .*override /strategy: cus"
    ):
        compose_settings(["+experiment=mine"], config_dir=str(tmp_path))


WRONG = {
    "no experiment": (
        [],
        "experiment: none was chosen: +experiment=NAME; allowed:\n  backtest                 Simulate one",
    ),
    "unknown experiment": (
        ["+experiment=walkfroward"],
        "did you mean walkforward?); allowed: backtest, check_data, compare",
    ),
    "unknown group option": (
        ["+experiment=sweep", "strategy=foo"],
        "allowed: atr_trend, bollinger_reversion, buy_and_hold",
    ),
    "unknown strategy": (["+experiment=sweep", "strategy.name=sma_cros"], "did you mean sma_cross?"),
    "unknown section": (["+experiment=sweep", "riks.size=1"], "riks: no option is named 'riks' (did you mean risk?)"),
    "key of another choice": (
        ["+experiment=walkforward", "windows=cpcv", "windows.train=4y"],
        "windows.train: what is chosen for windows has no such option; allowed: windows=<one that has it>",
    ),
    "unknown kind": (
        ["+experiment=walkforward", "windows.kind=cpvc"],
        "windows.kind: no kind of windows is named 'cpvc' (did you mean cpcv?); allowed: rolling, anchored, expanding",
    ),
    "what resume sets": (["+experiment=sweep", "recovery=1"], "plugins, portfolio, print, protocol, report, risk, run"),
    "unknown key": (["+experiment=sweep", "risk.sise=1"], "risk.sise: no option is named 'sise' (did you mean size?)"),
    "added key": (
        ["+experiment=sweep", "+risk.foo=1"],
        "risk.foo: no option is named 'foo'; allowed: cap, exits, halts, limits, lot, minimum_trade, profile",
    ),
    "unknown parameter": (["+experiment=backtest", "strategy.params.fats=3"], "strategy.params.fats: no parameter"),
    "unknown searched": (["+experiment=sweep", "strategy.space.fats=[3]"], "strategy.space.fats: no parameter"),
    "bad constraint": (["+experiment=sweep", "search.constraints=['fast <']"], "constraint 'fast <' is no expression"),
    "wrong type": (["+experiment=sweep", "portfolio.cash=plenty"], "portfolio.cash: 'plenty' is not allowed"),
    "wrong choice": (["+experiment=sweep", "execution.fill=noon"], "allowed: 'next_open' or 'close'"),
    "wrong space": (["+experiment=sweep", "strategy.space.fast=many"], "strategy.space.fast: 'many' is not allowed"),
    "wrong span": (["+experiment=walkforward", "windows.train=4x"], "windows.train: '4x' is no span; allowed"),
    "wrong windows": (["+experiment=walkforward", "windows.kind=sliding"], "windows.kind: no kind of windows"),
    "wrong objective": (
        ["+experiment=sweep", "search.objective=sharp"],
        "did you mean sharpe?); allowed: sharpe, sort",
    ),
    "wrong grammar": (["+experiment=sweep", "a=[1"], "no viable alternative"),
    "too long": (["+experiment=walkforward", "windows.train=30y"], "windows: train 30y + gap 0b + test 1y do not fit"),
    "overlap": (["+experiment=walkforward", "windows.step=6mo"], "windows.step: 6mo is shorter than windows.test: 1y"),
    "empty space": (["+experiment=walkforward", "strategy=buy_and_hold"], "strategy.space: empty"),
    "no values": (["+experiment=walkforward", "strategy.space.fast=[]"], "strategy.space.fast: no values"),
    "nothing obeys": (["+experiment=sweep", "strategy.space.fast=[300]"], "obeys 'fast < slow'"),
    "fast >= slow": (["+experiment=backtest", "strategy.params.fast=200"], "sma_cross needs fast < slow"),
    "no cash": (["+experiment=sweep", "portfolio.cash=0"], "portfolio.cash: 0 is not allowed; allowed: greater than 0"),
    "negative cost": (["+experiment=sweep", "execution.commission_bps=-1"], "allowed: greater than or equal to 0"),
    "no path": (["+experiment=sweep", "data=csv"], "data.path: source csv needs the path of a file"),
    "missing file": (["+experiment=sweep", "data=csv", "data.path=nope.csv"], "data.path: there is no file"),
    "wrong column": (["+experiment=sweep", "data=csv", "data.path=wrong.csv"], "wrong.csv: no column for close"),
    "dataset alone": (["+experiment=backtest", "dataset=test"], "dataset: test needs windows=split"),
    "span beyond": (
        ["+experiment=backtest", "span.start=2030-01-01"],
        "span: from 2030-01-01 to None there are 0 bars",
    ),
    "no run": (["+experiment=fingerprint"], "run: which run? allowed: run=<dir>"),
    "run that is none": (["+experiment=fingerprint", "run=nowhere"], "holds no finished run"),
    "bad run name": (["+experiment=backtest", "run_name=a/b"], "run_name: 'a/b' is no name; allowed: up to 100"),
    "space emptied": (["+experiment=sweep", "strategy.space={}"], "strategy.space: empty"),
    "true is no number": (
        ["+experiment=sweep", "portfolio.cash=true"],
        "portfolio.cash: true and false are not allowed",
    ),
    "true is no parameter": (["+experiment=backtest", "strategy.params.fast=true"], "strategy.params.fast: true and"),
    "several values": (["+experiment=sweep", "portfolio.cash=1,2"], "portfolio.cash=1,2: several values; allowed: one"),
    "no plus": (["experiment=sweep"], "experiment: choose it with a plus: +experiment=NAME; allowed:\n  backtest"),
    "spaces": (["+experiment=sweep", "a b"], "an option cannot be read"),
    "no condition": (["+experiment=sweep", "search.constraints=['fast']"], "is a number; allowed: a comparison"),
    "division by 0": (["+experiment=sweep", "search.constraints=['1/0 < 2']"], "cannot be computed: division by zero"),
    "span over centuries": (
        ["+experiment=walkforward", "windows.train=588y"],
        "windows: train 588y + gap 0b + test 1y do not",
    ),
    "far gap": (["+experiment=walkforward", "windows.gap=99999999mo"], "do not fit the data"),
    "far date": (
        ["+experiment=backtest", "span.start=9999-01-01"],
        "span.start: '9999-01-01' is out of range; allowed: years",
    ),
    "timezone": (["+experiment=sweep", "data.timezone=Mars"], "data.timezone: 'Mars' is no time zone"),
    "bars of a year": (
        ["+experiment=sweep", "data=csv", "data.path=good.csv", "data.min_history_bars=0"],
        "set data.calendar or data.periods_per_year",
    ),
    "no history": (
        ["+experiment=sweep", "data=csv", "data.path=good.csv", "data.calendar=XNYS"],
        "allowed: at least 120",
    ),
    "wrong mode": (
        ["+experiment=sweep", "data.sanity.mode=strict"],
        "data.sanity.mode: 'strict' is not allowed; allowed",
    ),
    "wrong profile": (["+experiment=sweep", "data.sanity.profile=lax"], "data.sanity.profile: 'lax' is not allowed"),
    "wrong sanity": (["+experiment=sweep", "data.sanity.max_na=1"], "data.sanity.max_na: no option is named 'max_na'"),
    "no share": (["+experiment=sweep", "data.sanity.max_na_fraction=2"], "allowed: less than or equal to 1"),
    "no truth": (
        ["+experiment=sweep", "data.sanity.hold_on_nan=maybe"],
        "data.sanity.hold_on_nan: 'maybe' is not allowed",
    ),
    "wrong kind": (
        ["+experiment=sweep", "data=synthetic", "data.synthetic.kind=gmb"],
        "data.synthetic.kind: no kind is named 'gmb' (did you mean gbm?)",
    ),
    "wrong timeframe": (
        ["+experiment=sweep", "data.timeframe=5x"],
        "data.timeframe: '5x' is no length of a bar; allowed",
    ),
    "wrong delimiter": (
        ["+experiment=sweep", "data.delimiter=ab"],
        "data.delimiter: 'ab' is not allowed; allowed: one",
    ),
    "two ways to name": (["+experiment=sweep", "data.symbols=[A]"], "data.symbol, data.symbols: both are given"),
    "wrong stress": (
        ["+experiment=walkforward", "windows.require_stress=maybe"],
        "windows.require_stress: 'maybe' is not allowed; allowed: 'warn' or 'enforce'",
    ),
    "no option to search": (
        ["+experiment=sweep", "search.space.risk.sise=[1]"],
        "search.space.risk.sise: no option that can be searched is named 'risk.sise' (did you mean risk.size?)",
    ),
    "parameter among options": (
        ["+experiment=sweep", "search.space.fast=[1]"],
        "search.space.fast: no option that can",
    ),
    "option among parameters": (
        ["+experiment=sweep", "strategy.space={risk.size: [1]}"],
        "strategy.space.risk.size: no parameter of sma_cross is named 'risk.size'",
    ),
    "wrong range of an option": (
        ["+experiment=sweep", "search.space={risk.size: many}"],
        "search.space.risk.size: 'many' is not allowed; allowed: a number, a list of numbers",
    ),
    "grid without steps": (
        ["+experiment=sweep", "search.space.risk.size={low: 0.1, high: 1}"],
        "search.space.risk.size.step: which? a grid needs one",
    ),
    "two kinds of a stop": (
        ["+experiment=sweep", "search.space.risk.exits.stop_loss={percent: [0.1], atr: [2]}"],
        "stop_loss.atr: risk.exits.stop_loss.percent is searched, too",
    ),
    "one of one": (["+experiment=sweep", "ensemble=one_of"], "ensemble.kind: one_of, and no members"),
    "weights of one": (
        ["+experiment=sweep", "ensemble=one_of", "ensemble.members.rsi_reversion={}", "ensemble.weights.sma_cross=1"],
        "ensemble.weights: of one_of the member that trades has all of it",
    ),
    "no member": (
        ["+experiment=sweep", "ensemble=one_of", "ensemble.members.rsi_reversion={}", "strategy.space.member=[2]"],
        "strategy.space.member: 2.0 is out of bounds; allowed: int from 0 to 1",
    ),
    "space of a member": (
        ["+experiment=sweep", "ensemble=one_of", "ensemble.members.rsi_reversion={space: {perod: [2]}}"],
        "ensemble.members.rsi_reversion.space: no parameter is named 'perod' (did you mean period?)",
    ),
    "no config dir": (["--config-dir", "nowhere", "+experiment=sweep"], "--config-dir: there is no directory"),
    "no config": (["--config-name", "nothing"], "--config-name: there is no configuration 'nothing'"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_option_is_named_with_what_is_allowed_and_leaves_nothing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (elsewhere / "wrong.csv").write_text("date,open,high,low,cl\n2020-01-02,1,1,1,1\n")
    (elsewhere / "good.csv").write_text("date,open,high,low,close\n2020-01-02,1,1,1,1\n2020-01-03,1,1,1,1\n")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert sorted(path.name for path in elsewhere.iterdir()) == ["good.csv", "wrong.csv"]


def test_the_process_exits_2_without_a_traceback_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "admf_ray.launch", "+experiment=sweep", "risk.sise=1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: risk.sise: no option is named 'sise' (did you mean size?); allowed: cap, exits, halts, limits, lot, "
        "minimum_trade, profile, rebalance, rebalance_threshold, reentry, size, sizing, volatility\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_help_lists_the_experiments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for name, line in experiments().items():
        assert name in printed
        assert line in printed


def test_unknown_options_of_settings_are_refused_by_the_functions_too() -> None:
    with pytest.raises(Exception, match="risk.sise"):
        parse_settings({"experiment": "sweep", "risk": {"sise": 1}})
    assert set(Settings.model_fields) >= {"data", "windows", "strategy", "risk", "execution", "portfolio", "search"}
