"""What every registered kernel must hold, driven from the registries: new entries are tested without a new test."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.core.bars import FIELDS
from admf_ray.errors import ConfigError, ContractError
from admf_ray.indicators import INDICATORS
from admf_ray.risk.sizing import SIZINGS, SizingRule
from admf_ray.strategies import STRATEGIES, Strategy
from admf_ray.testing import kernels
from admf_ray.testing.runs import BARS, kernel_run, obeys, random_rows, small_parameters


@st.composite
def drawn_parameters(draw: st.DrawFn, entry: Any) -> tuple[float, ...]:
    """Within bounds and constraints, and short enough that the series outlives the warm-up."""
    values = []
    for parameter in entry.parameters:
        high = min(parameter.high, max(parameter.low, 600))
        kind = st.integers(int(parameter.low), int(high)) if parameter.kind == "int" else st.floats(parameter.low, high)
        values.append(float(draw(kind)))
    assume(obeys(entry, values))
    return tuple(values)


ENTRIES = [*INDICATORS, *CLASSIFIERS, *STRATEGIES]
every_kernel = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
rows = st.builds(random_rows, st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
others = st.builds(random_rows, st.integers(10_001, 20_000), st.just(0.1))
cuts = st.lists(st.integers(0, BARS) | st.sampled_from([511, 512, 513, 1_023, 1_024, 1_025]), max_size=6)


@every_kernel
@given(st.data())
def test_any_partition_into_chunks_gives_the_same_bits(entry: Any, data: st.DataObject) -> None:
    run = kernel_run(entry, data.draw(drawn_parameters(entry)))
    kernels.check_chunks(run, data.draw(rows), data.draw(cuts))


@every_kernel
@given(st.data())
def test_outputs_do_not_change_when_later_bars_do(entry: Any, data: st.DataObject) -> None:
    run = kernel_run(entry, data.draw(drawn_parameters(entry)))
    kernels.check_prefix(run, data.draw(rows), data.draw(others), data.draw(st.integers(1, BARS - 1)))


@every_kernel
@given(st.data())
def test_every_bar_is_written_and_again_the_same(entry: Any, data: st.DataObject) -> None:
    kernels.check_written(kernel_run(entry, data.draw(drawn_parameters(entry))), data.draw(rows))


@every_kernel
@given(st.data())
def test_values_begin_after_the_warm_up(entry: Any, data: st.DataObject) -> None:
    parameters = data.draw(drawn_parameters(entry))
    kernels.check_warm_up(entry, kernel_run(entry, parameters), parameters)


@every_kernel
def test_missing_bars_give_no_value_and_spoil_none_for_ever(entry: Any) -> None:
    parameters = small_parameters(entry)
    kernels.check_missing(entry, kernel_run(entry, parameters), parameters)


@pytest.mark.parametrize("entry", list(STRATEGIES), ids=lambda entry: entry.name)
def test_targets_stay_within_full_exposure(entry: Strategy) -> None:
    run, rows_ = kernel_run(entry, small_parameters(entry)), random_rows(2, 0.1)
    assert np.isfinite(run(rows_, [])).any()
    kernels.check_bounds(run, rows_)


@pytest.mark.parametrize("entry", list(CLASSIFIERS), ids=lambda entry: entry.name)
def test_labels_are_those_that_have_a_name(entry: Classifier) -> None:
    parameters = small_parameters(entry)
    run, rows_, count = kernel_run(entry, parameters), random_rows(2, 0.02), len(entry.labels(parameters))
    assert len(set(run(rows_, [])[0])) > 2
    kernels.check_labels(run, rows_, count)


@pytest.mark.parametrize("entry", list(SIZINGS), ids=lambda entry: entry.name)
@given(st.floats(-1, 1), *[st.floats(1e-3, 1e6)] * 3)
def test_quantities_have_the_sign_of_their_target(
    entry: SizingRule, target: float, size: float, close: float, equity: float
) -> None:
    kernels.check_sizing(entry, target, size, close, equity)


@pytest.mark.parametrize("registry", [INDICATORS, CLASSIFIERS, STRATEGIES, SIZINGS])
def test_defaults_obey_their_own_bounds_and_every_entry_names_its_source(registry: Any) -> None:
    for entry in registry:
        assert entry.source
        for parameter in getattr(entry, "parameters", ()):
            parameter.check(parameter.default, entry.name)


def broken(change: Any) -> Any:
    """A run that gives the close, changed."""

    def run(rows: np.ndarray, cuts: Any, unwritten: float = -12345.678) -> np.ndarray:
        out = rows[3:4].copy()
        change(rows, list(cuts), out)
        return out

    return run


def put(bar: int, value: Any) -> Any:
    def change(rows: np.ndarray, cuts: Any, out: np.ndarray) -> None:
        out[0, bar] = value(rows, cuts) if callable(value) else value

    return broken(change)


def spoilt(rows: np.ndarray, cuts: Any, out: np.ndarray) -> None:
    """A value that never comes back after a missing one."""
    out[0] = np.cumsum(rows[3])


def other_label(rows: np.ndarray, cuts: Any, out: np.ndarray) -> None:
    """A label between two, the others known."""
    out[0] = 1.0
    out[0, 7] = 1.5


CROSS = STRATEGIES["sma_cross"]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda: kernels.check_chunks(put(7, lambda rows, cuts: len(cuts)), random_rows(1, 0), [5]),
            "bar 7 is another",
        ),
        (
            lambda: kernels.check_prefix(
                put(6, lambda rows, cuts: rows[3, 7]), random_rows(1, 0), random_rows(2, 0), 7
            ),
            "bar 6 changes when bars from 7 on do: it looks ahead",
        ),
        (lambda: kernels.check_written(put(3, -12345.678), random_rows(1, 0)), "bar 3 is not written"),
        (lambda: kernels.check_written(put(3, math.inf), random_rows(1, 0)), "bar 3 is infinite"),
        (
            lambda: kernels.check_missing(CROSS, put(9, 1.0), (5.0, 9.0)),
            "bar 9 has a value, though all bars are missing",
        ),
        (
            lambda: kernels.check_missing(CROSS, broken(spoilt), (5.0, 9.0)),
            "there is no value from bar 119 on, though no bar from 110 on is missing",
        ),
        (lambda: kernels.check_bounds(put(9, 1.0), random_rows(1, 0)), "a target is 1"),
        (
            lambda: kernels.check_labels(broken(other_label), random_rows(1, 0), 2),
            "a label is 1.5; allowed: whole numbers from -1 to 1",
        ),
        (
            lambda: kernels.check_labels(lambda rows, cuts: np.array([[0.0, 1.0], [0.5, 1.5]]), random_rows(1, 0), 2),
            "a probability is 1.5; allowed: 0 to 1, or NaN",
        ),
        (
            lambda: kernels.check_prefix(
                put(6, lambda rows, cuts: rows.shape[1]), random_rows(1, 0), random_rows(2, 0), 7
            ),
            "bar 6 changes when the series ends at 7: it looks ahead",
        ),
        (
            lambda: kernels.check_warm_up(CROSS, put(0, 1.0), (5.0, 9.0)),
            "bar 0 has a value; the warm-up is said to be 8 bars",
        ),
    ],
)
def test_a_broken_contract_is_told_with_its_bar(check: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check()


def test_a_kernel_of_another_signature_is_refused() -> None:
    sma, cross = INDICATORS["sma"], STRATEGIES["sma_cross"]
    fields = {name: getattr(cross, name) for name in Strategy.__dataclass_fields__}
    with pytest.raises(ConfigError, match="kernel of 'sma_cross' is compiled for"):
        Strategy(**{**fields, "kernel": sma.kernel})
    with pytest.raises(ConfigError, match="compiled for nothing"):
        Strategy(**{**fields, "kernel": lambda: None})


def test_raw_rows_are_the_fields_in_order() -> None:
    assert FIELDS == ("open", "high", "low", "close", "volume")


def test_inputs_may_name_only_parameters_that_are_there() -> None:
    cross = STRATEGIES["sma_cross"]
    fields = {name: getattr(cross, name) for name in Strategy.__dataclass_fields__}
    with pytest.raises(ConfigError, match=r"inputs of 'sma_cross': no parameter is named 'fats' \(did you mean fast"):
        Strategy(**{**fields, "inputs": ("sma(close,{fats})",)})
