"""Latency statistics against numpy."""

import numpy as np
import pytest

from admf_ray.events import Event, LatencyStatistics, System

EVENT = Event(System("x"), "someone", "a")


@pytest.mark.parametrize("draw", ["lognormal", "uniform", "constant", "small"])
def test_moments_are_exact_and_quantiles_within_1_6_percent(draw: str) -> None:
    rng = np.random.default_rng(1)
    values = {
        "lognormal": rng.lognormal(7, 2, 10_000).astype(int),
        "uniform": rng.integers(0, 10**9, 10_000),
        "constant": np.full(1_000, 123_456),
        "small": rng.integers(0, 60, 1_000),
    }[draw]
    statistics = LatencyStatistics()
    for value in values.tolist():
        statistics.on_handled(EVENT, "handler", value)
    (found,) = statistics.latencies()
    assert (found.count, found.min, found.max) == (len(values), values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-9)
    for percent in (50, 95, 99):
        exact = np.percentile(values, percent, method="inverted_cdf")
        assert getattr(found, f"p{percent}") == pytest.approx(exact, rel=0.016)


def test_each_handler_and_type_has_its_own() -> None:
    statistics = LatencyStatistics()
    for handler, nanoseconds in (("b", 5), ("a", 1), ("a", 3)):
        statistics.on_handled(EVENT, handler, nanoseconds)
    assert [(one.handler, one.count, one.mean) for one in statistics.latencies()] == [("a", 2, 2.0), ("b", 1, 5.0)]
