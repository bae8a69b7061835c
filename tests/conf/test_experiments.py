"""Every experiment that is shipped and trades runs on both engines, and they agree."""

import pytest
from omegaconf import DictConfig, OmegaConf

from admf_ray import load_bars
from admf_ray.app.commands import backtest, sweep, walkforward
from admf_ray.app.configuration import compose_settings, config_directory, experiments
from admf_ray.app.dispatch import COMMANDS
from admf_ray.core.bars import Bars
from admf_ray.workflow import RunResult

COMPUTE = {"backtest": backtest.compute, "sweep": sweep.compute, "walkforward": walkforward.compute}


def named(name: str) -> DictConfig:
    """Give what the file of an experiment says."""
    found = OmegaConf.load(config_directory() / "experiment" / f"{name}.yaml")
    assert isinstance(found, DictConfig)
    return found


SEARCHED = ["strategy.space.fast=[10,20]", "strategy.space.slow=[50]", "cluster=serial"]
# Steps are other names of these, which is tested below.
TRADING = [name for name in experiments() if named(name).get("experiment") in COMPUTE]


@pytest.fixture(scope="module")
def bars() -> dict[str, Bars]:
    """The first seven years, by source: enough for two windows, and for what is fitted until the end of 2003."""
    return {name: load_bars(name).head(1_800) for name in ("sp500", "indices")}


def run(name: str, engine: str, bars: dict[str, Bars]) -> RunResult:
    searched = [] if named(name).experiment == "backtest" else SEARCHED
    settings = compose_settings([f"+experiment={name}", f"engine={engine}", "run_root=null", *searched])
    assert settings.engine.kind == engine
    return COMPUTE[settings.experiment](settings, bars[settings.data.source])


@pytest.mark.parametrize("name", TRADING)
def test_both_engines_give_one_fingerprint(name: str, bars: dict[str, Bars]) -> None:
    compiled, driven = (run(name, engine, bars) for engine in ("compiled", "event_driven"))
    assert compiled.fingerprints() == driven.fingerprints()
    assert {"candidates"} < set(compiled.fingerprints())
    if "books" in compiled.tables:
        assert compiled.summary["certified"] == len(compiled.books) > 1
    if "trades" in compiled.tables:
        assert compiled.trades.height > 0


def test_what_is_left_out_is_no_trading_or_a_step() -> None:
    left = {name: named(name).get("experiment") for name in experiments() if name not in TRADING}
    assert {name for name, command in left.items() if command is None} == {f"step{number}" for number in range(1, 7)}
    assert {command for command in left.values() if command is not None} <= set(COMMANDS) - set(COMPUTE)


@pytest.mark.parametrize("step", range(1, 7))
def test_a_step_is_the_experiment_that_it_names(step: int) -> None:
    (chosen,) = named(f"step{step}").defaults
    assert experiments()[f"step{step}"] == f"Step {step} of the compositions: {chosen}."
    assert compose_settings([f"+experiment=step{step}"]) == compose_settings([f"+experiment={chosen}"])
