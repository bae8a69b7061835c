"""A set that ends its host inside a study: it fails alone, and all other trials are those of a search without it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import admf_ray
from admf_ray import Bars
from tests.cluster import poison

KERNEL = """import math

from admf_ray.plugins import Parameter, strategy


@strategy(inputs=("close",), parameters=(Parameter("lag", 2, 1, 400),), warm_up=lambda given: int(given[0]))
def poisoned(matrix, rows, session, params, state, start, stop, out):
    lag = int(params[0])
    if lag == 2:
        # Far beyond the array: the process ends.
        out[0, 1 << 44] = 1.0
    for t in range(start, stop):
        out[0, t] = math.nan
        if t >= lag:
            out[0, t] = 1.0 if matrix[rows[0, 0], t] > matrix[rows[0, 0], t - lag] else 0.0
"""
LAGS = [3, 6, 10, 20, 30, 40]


@pytest.mark.chaos
@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "python"])
def test_a_set_that_ends_hosts_costs_itself_only(sp500: Bars, tmp_path: Path, is_compiled: bool) -> None:
    plugin = tmp_path / "poison.py"
    plugin.write_text(KERNEL if is_compiled else poison.SOURCE)
    given: dict[str, Any] = {"plugins": [str(plugin)], "windows": {"train": "1y", "test": "1y"}}
    hosts = {"kind": "local", "workers": 2, "max_retries": 1}
    bars, search = sp500.head(1_000), {"sampler": "tpe", "trials": 12}
    found = admf_ray.walk_forward(bars, "poisoned", {"lag": [*LAGS, 2]}, **given, search=search, cluster=hosts)
    failed = found.failures.join(found.candidates, on="candidate").sort("window")
    assert failed.select("window", "lag", "attempts").rows() == [(0, 2.0, 2), (1, 2.0, 2)]
    assert all(message.startswith("its host ended: ") for message in failed["message"])
    assert found.trials.filter(pl.col("status") == "failed")["candidate"].to_list() == failed["candidate"].to_list()
    whole = admf_ray.walk_forward(bars, "poisoned", {"lag": LAGS}, **given)
    assert poison.by_lag(found).filter(pl.col("lag") != 2.0).equals(poison.by_lag(whole))
    assert found.windows.drop("candidate").equals(whole.windows.drop("candidate"))
    assert found.equity.equals(whole.equity)
