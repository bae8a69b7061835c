"""What every registered kernel must hold, driven from the registries: new entries are tested without a new test."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.bars import FIELDS
from admf_ray.core.parameters import Parameter
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS, Indicator, Key, compute_hub, plan_keys
from admf_ray.strategies import STRATEGIES, Strategy
from tests.series import daily_bars

BARS = 1_100  # beyond two resynchronizations of running sums
Run = Any


def random_values(seed: int, missing: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, BARS)))
    open_ = close * np.exp(rng.normal(0, 0.01, BARS))
    rows = np.stack(
        [open_, np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99, close, rng.integers(1, 1_000, BARS)]
    ).astype(float)
    rows[:4, rng.random(BARS) < missing] = math.nan
    return rows


def draw_parameters(draw: st.DrawFn, parameters: tuple[Parameter, ...]) -> tuple[float, ...]:
    """Within bounds, and short enough that the series outlives the warm-up."""
    values = []
    for parameter in parameters:
        high = min(parameter.high, max(parameter.low, 600))
        kind = st.integers(int(parameter.low), int(high)) if parameter.kind == "int" else st.floats(parameter.low, high)
        values.append(float(draw(kind)))
    return tuple(values)


def indicator_run(indicator: Indicator, rows: np.ndarray, parameters: tuple[float, ...]) -> Run:
    def run(matrix: np.ndarray, cuts: list[int]) -> np.ndarray:
        out = np.full((len(indicator.outputs), BARS), -12345.0)
        state = np.zeros(indicator.state_size(parameters))
        reads = np.arange(3, 3 + indicator.inputs) % 5
        drive(indicator.kernel, matrix, reads, parameters, state, cuts, out)
        return out

    return run


def strategy_run(strategy: Strategy, rows: np.ndarray, parameters: tuple[float, ...]) -> Run:
    def run(matrix: np.ndarray, cuts: list[int]) -> np.ndarray:
        bars = daily_bars(matrix[3], open=matrix[0], high=matrix[1], low=matrix[2], volume=matrix[4])
        given_ = dict(zip(strategy.parameter_names, parameters, strict=True))
        keys = [
            Key.parse(text.format(**{n: f"{v:.17g}" for n, v in given_.items()})).bind("X") for text in strategy.inputs
        ]
        plan = plan_keys(("X",), keys)
        hub = compute_hub(bars, plan, len(keys), len(set(keys)))
        assert not hub.matrix.flags.writeable
        reads = np.array([[plan.rows[key] for key in keys]], dtype=np.int64)
        out = np.full((1, BARS), -12345.0)
        drive(strategy.kernel, hub.matrix, reads, parameters, np.zeros(strategy.state_size(parameters)), cuts, out)
        return out

    return run


def drive(kernel: Any, matrix: Any, reads: Any, parameters: Any, state: Any, cuts: list[int], out: Any) -> None:
    """Call a kernel over consecutive pieces, with inputs that cannot be written."""
    inputs = [np.array(matrix), np.array(reads), np.arange(BARS, dtype=np.int32), np.array(parameters, dtype=float)]
    before = [values.copy() for values in inputs]
    for values in inputs:
        values.flags.writeable = False
    edges = [0, *sorted(cuts), BARS]
    for start, stop in itertools.pairwise(edges):
        kernel(*inputs, state, start, stop, out)
    for values, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(values, copy)


ENTRIES = [*((indicator_run, entry) for entry in INDICATORS), *((strategy_run, entry) for entry in STRATEGIES)]
every_kernel = pytest.mark.parametrize(("make", "entry"), ENTRIES, ids=[entry.name for _, entry in ENTRIES])


def drawn_run(data: st.DataObject, make: Any, entry: Any) -> tuple[Run, np.ndarray, tuple[float, ...]]:
    parameters = data.draw(st.composite(lambda draw: draw_parameters(draw, entry.parameters))())
    rows = random_values(data.draw(st.integers(0, 10_000)), data.draw(st.sampled_from([0.0, 0.1])))
    return make(entry, rows, parameters), rows, parameters


@every_kernel
@given(st.data())
def test_any_partition_into_chunks_gives_the_same_bits(make: Any, entry: Any, data: st.DataObject) -> None:
    run, rows, _ = drawn_run(data, make, entry)
    near = st.sampled_from([511, 512, 513, 1_023, 1_024, 1_025])
    cuts = data.draw(st.lists(st.integers(0, BARS) | near, max_size=6))
    assert run(rows, cuts).tobytes() == run(rows, []).tobytes()


@every_kernel
@given(st.data())
def test_outputs_do_not_change_when_later_bars_do(make: Any, entry: Any, data: st.DataObject) -> None:
    run, rows, _ = drawn_run(data, make, entry)
    at = data.draw(st.integers(1, BARS - 1))
    changed = rows.copy()
    changed[:, at:] = random_values(data.draw(st.integers(10_001, 20_000)), 0.1)[:, at:]
    assert run(rows, [])[:, :at].tobytes() == run(changed, [])[:, :at].tobytes()


@every_kernel
@given(st.data())
def test_every_bar_is_written_and_again_the_same(make: Any, entry: Any, data: st.DataObject) -> None:
    run, rows, _ = drawn_run(data, make, entry)
    out = run(rows, [])
    assert not (out == -12345.0).any()
    assert not np.isinf(out).any()
    assert run(rows, []).tobytes() == out.tobytes()


@every_kernel
@given(st.data())
def test_values_begin_after_the_warm_up(make: Any, entry: Any, data: st.DataObject) -> None:
    run, _, parameters = drawn_run(data, make, entry)
    out = run(random_values(1, 0.0), [])
    warm_up = entry.warm_up(parameters)
    assert np.isnan(out[:, :warm_up]).all()
    assert warm_up >= BARS or np.isfinite(out[:, warm_up]).any()


@every_kernel
def test_only_missing_bars_give_no_value(make: Any, entry: Any) -> None:
    parameters = tuple(min(parameter.high, max(parameter.low, 5.0 + i)) for i, parameter in enumerate(entry.parameters))
    rows = random_values(1, 0.0)
    rows[:4] = math.nan
    assert np.isnan(make(entry, rows, parameters)(rows, [])).all()


@pytest.mark.parametrize("entry", list(STRATEGIES), ids=lambda entry: entry.name)
def test_targets_stay_within_full_exposure(entry: Strategy) -> None:
    parameters = tuple(min(parameter.high, max(parameter.low, 5.0 + i)) for i, parameter in enumerate(entry.parameters))
    rows = random_values(2, 0.1)
    targets = strategy_run(entry, rows, parameters)(rows, [])
    known = targets[np.isfinite(targets)]
    assert len(known)
    assert (np.abs(known) <= 1).all()


@pytest.mark.parametrize("registry", [INDICATORS, STRATEGIES])
def test_defaults_obey_their_own_bounds_and_every_entry_names_its_source(registry: Any) -> None:
    for entry in registry:
        assert entry.source
        for parameter in entry.parameters:
            parameter.check(parameter.default, entry.name)


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
