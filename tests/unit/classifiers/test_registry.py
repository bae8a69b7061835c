"""What an entry of the registry refuses."""

from dataclasses import replace
from importlib import import_module

import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS
from admf_ray.strategies import STRATEGIES

TREND, VOLATILITY, HMM = CLASSIFIERS["trend"], CLASSIFIERS["volatility"], CLASSIFIERS["hmm"]


def test_defaults_are_filled_in_and_constraints_hold() -> None:
    assert TREND.complete({}) == {"period": 200.0}
    with pytest.raises(ConfigError, match=r"classifier\.params\.peroid: .*did you mean period"):
        TREND.complete({"peroid": 3})
    with pytest.raises(
        ConfigError, match=r"classifier\.params: trend_chop_volatile needs period < baseline; given: per"
    ):
        CLASSIFIERS["trend_chop_volatile"].complete({"period": 100})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": STRATEGIES["sma_cross"].kernel}, "kernel of 'trend' is compiled for"),
        ({"parameters": TREND.parameters * 2}, "'trend' has two parameters that are named 'period'"),
        ({"inputs": ("sma(close,{n})",)}, "inputs of 'trend': no parameter is named 'n'"),
        ({"labels": lambda params: ("up", "up")}, r"labels are \('up', 'up'\); allowed: at least one name, each once"),
        ({"labels": lambda params: ()}, r"labels are \(\); allowed: at least one name"),
        ({"outputs": lambda params: 2}, "outputs are 2; allowed: 1, or 3 with a probability for each label"),
        ({"fit": "somewhere.fit"}, "fit is 'somewhere.fit'; allowed: module:function"),
        ({"fit": "somewhere:fit"}, "fit is somewhere:fit and fitted_size 0; allowed: both, or neither"),
        ({"fitted_size": lambda params: 2}, "fit is None and fitted_size 2; allowed: both, or neither"),
    ],
)
def test_an_entry_that_does_not_add_up_is_refused(changes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(TREND, **changes)


def test_a_kernel_of_an_indicator_has_the_same_signature() -> None:
    replace(TREND, kernel=INDICATORS["sma"].kernel)


def test_only_what_reads_its_own_bar_alone_is_stateless() -> None:
    assert {entry.name for entry in CLASSIFIERS if entry.is_stateless} == {"trend", "trend_chop_volatile"}


@pytest.mark.parametrize("entry", [entry for entry in CLASSIFIERS if entry.fit], ids=lambda entry: entry.name)
def test_what_fits_a_classifier_is_there(entry) -> None:
    module, name = entry.fit.split(":")
    assert callable(getattr(import_module(module), name))


def test_labels_are_levels_of_volatility_from_low_to_high() -> None:
    names = [VOLATILITY.labels((20.0, float(states))) for states in (2, 3, 4, 5)]
    assert names == [
        ("low", "high"),
        ("low", "medium", "high"),
        ("lowest", "low", "high", "highest"),
        ("lowest", "low", "medium", "high", "highest"),
    ]
    assert HMM.labels((3.0,)) == ("low", "medium", "high")
    assert [(HMM.outputs((n,)), HMM.fitted_size((n,))) for n in (2.0, 4.0)] == [(3, 10), (5, 28)]
