"""Other platforms trade as ours does, set by set, wherever both can express the settings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from admf_ray.core.records import FillPolicy
from admf_ray.engine.spec import AccountRules
from tests.benchmarks.platforms import APART, COSTS, MARKED, PEERS, crossings, run_peer

pytestmark = pytest.mark.peers


def needs(stamp: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not stamp.is_file(), reason=f"{stamp.parent.name} is not there: make peers builds it")


@needs(PEERS)
@pytest.mark.parametrize("engine", ["numba", "rust"])
@pytest.mark.parametrize("rules", [COSTS, replace(COSTS, lot=0.0), AccountRules(fill=FillPolicy.CLOSE)])
def test_vectorbt_agrees_on_every_set(rules: AccountRules, engine: str) -> None:
    sets = crossings(rules)
    theirs, ours = run_peer("sweep_vectorbt.py", sets.exchanged | {"engine": engine, "block": 150}), sets.metrics()
    assert len(theirs["trades"]) == 4_950
    np.testing.assert_array_equal(theirs["trades"], ours["trades"])
    for name in ("total_return", "sharpe", "max_drawdown"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-9)


@needs(APART)
def test_nautilus_agrees_on_every_set_of_a_sample() -> None:
    sets = crossings(MARKED)
    theirs, chosen = run_peer("run_nautilus.py", sets.sampled(100), APART), sets.indices(100)
    ours = {name: values[chosen] for name, values in sets.metrics().items()}
    np.testing.assert_array_equal(theirs["trades"], ours["trades"])
    np.testing.assert_allclose(1.0 + theirs["total_return"], 1.0 + ours["total_return"], rtol=1e-9)


@needs(PEERS)
@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ("optimize_backtesting.py", MARKED),
        ("run_backtrader.py", MARKED),
        ("run_pybroker.py", replace(MARKED, fill=FillPolicy.NEXT_OPEN, commission_bps=0.0)),
    ],
)
def test_a_sample_agrees_where_no_order_is_left_on_the_last_bar(script: str, rules: AccountRules) -> None:
    sets = crossings(rules)
    theirs, chosen = run_peer(script, sets.sampled(20)), sets.indices(20)
    fast, slow = (sets.exchanged["averages"][part] for part in sets.exchanged["pairs"][chosen].T)
    settled = (fast[:, -1] > slow[:, -1]) == (fast[:, -2] > slow[:, -2])
    assert settled.sum() >= 15
    ours = {name: values[chosen][settled] for name, values in sets.metrics().items()}
    np.testing.assert_allclose(theirs["total_return"][settled], ours["total_return"], rtol=1e-9)
    if "trades" in theirs:
        np.testing.assert_array_equal(theirs["trades"][settled], ours["trades"])
