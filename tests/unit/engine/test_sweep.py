"""Sweeps of compositions: on both engines each trial is the metrics of its candidate, simulated by itself."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from admf_ray import Bars, load_bars, sweep, walk_forward
from admf_ray.app.assemble import assemble_search
from admf_ray.app.parsing import parse_settings
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.records import DistanceKind, Level, LimitKind
from admf_ray.engine import hosting
from admf_ray.engine import sweep as compiled
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.spec import AccountRules, Distance, LimitRule
from admf_ray.optimize import Choice, Search, expand_grid, plan_search
from admf_ray.plugins import activate, find_plugins
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult

SPANS = [(0, 400), (250, 650), (650, 800)]
CROSS, DIP, BREAKOUT = (STRATEGIES[name] for name in ("sma_cross", "rsi_reversion", "donchian_breakout"))
TREND, LEVEL, HMM = (CLASSIFIERS[name] for name in ("trend", "volatility", "hmm"))
COSTS = AccountRules(commission_bps=1.0, slippage_bps=2.0)
# All that makes an account look at rows of the hub: volatility for sizes and impact, ATR for exits.
BUSY = replace(
    COSTS,
    sizing="volatility_target",
    size=0.2,
    cap=2.0,
    lot=0.0,
    impact=0.1,
    stop_loss=Distance(DistanceKind.ATR, 2.0),
    trailing_stop=Distance(DistanceKind.ATR, 3.0),
    max_drawdown=0.1,
    drawdown_pause=20,
    limits=(LimitRule(Level.PORTFOLIO, LimitKind.MAX_OPEN_POSITIONS, 1.0),),
)
COMPOSITIONS = {
    "gated": Composition((Member("cross", CROSS, (("regime", ("up",)),)),), (Watch("regime", TREND),)),
    "by regime": Composition((Member("cross", CROSS, sets=("down",)),), (Watch("regime", TREND),)),
    "combined": Composition((Member("cross", CROSS), Member("dip", DIP)), (), "weighted", (0.6, 0.4)),
    "fitted": Composition(
        (Member("cross", CROSS, (("level", ("low", "medium")),)), Member("breakout", BREAKOUT, sets=("high",))),
        (Watch("level", LEVEL), Watch("hmm", HMM)),
        "strongest",
        (0.5, 0.5),
    ),
    "levelled": Composition((Member("cross", CROSS, (("level", ("low", "medium")),)),), (Watch("level", LEVEL),)),
    "plain": Composition((Member("cross", CROSS),), (Watch("regime", TREND),)),
    "one of": Composition(
        (Member("cross", CROSS, sets=("down",)), Member("dip", DIP)), (Watch("regime", TREND),), "one_of", (0.5, 0.5)
    ),
}
FIXED = {"slow": 40.0, "down_slow": 60.0, "regime_period": 20.0, "dip_period": 3.0, "level_states": 3.0}
SEARCHED = {
    "fast": [5.0, 10.0],
    "regime_period": [10.0, 50.0],
    "dip_exit": [50.0, 60.0],
    "level_period": [10.0, 20.0],
    "breakout_high_entry": [15.0, 30.0],
}


@pytest.fixture(scope="module")
def indices() -> Bars:
    """Two symbols, which must not be mistaken for each other."""
    return load_bars("indices").head(800)


def searched(name: str, bars: Bars, rules: AccountRules) -> Search:
    composition = COMPOSITIONS[name]
    known = composition.parameter_names
    params = {key: value for key, value in FIXED.items() if key in known}
    space = {key: values for key, values in SEARCHED.items() if key in known}
    return plan_search(bars, composition, expand_grid(composition, params, space), rules)


def alone(search: Search) -> np.ndarray:
    """Metrics of each candidate over each span, simulated by itself and fitted on that span."""
    hub = search.hub()
    return np.array(
        [
            [list(search.segment(hub, candidate, *span, span).metrics.values()) for span in SPANS]
            for candidate in range(len(search.candidates))
        ]
    )


def swept(search: Search, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What both engines make of a chunk of candidates."""
    bundle = search.bundle(search.hub(), SPANS, Choice("sharpe", 1), METRICS)
    chunk = first, len(search.candidates)
    params, wanted = search.candidates.block(*chunk), search.requests.wanted(search.candidates, *chunk)
    driven = replace(search, engine="event_driven").bundle(search.hub(), SPANS, Choice("sharpe", 1), METRICS)
    return compiled.run_chunk(params, wanted, bundle), hosting.run_chunk(params, wanted, driven)


@pytest.mark.parametrize("rules", [COSTS, BUSY], ids=["costs", "busy"])
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_every_trial_is_its_candidate_simulated_by_itself(indices: Bars, name: str, rules: AccountRules) -> None:
    search = searched(name, indices, rules)
    expected = alone(search)
    assert expected[:, :, METRICS.index("trades")].min() > 0
    assert len(np.unique(expected[:, :, METRICS.index("final_equity")])) > len(SPANS)
    for found in swept(search):
        assert found.tobytes() == expected.tobytes()


def test_a_chunk_begins_with_any_candidate(indices: Bars) -> None:
    search = searched("levelled", indices, BUSY)
    expected = alone(search)
    for found in swept(search, first=3):
        assert found.tobytes() == expected[3:].tobytes()


def test_a_search_may_name_the_bars_that_classifiers_are_fitted_on_for_all_spans(indices: Bars) -> None:
    each = searched("levelled", indices, COSTS)
    named = replace(each, fit=(0, 300))
    expected = alone(named)
    assert expected.tobytes() != alone(each).tobytes()
    for found in swept(named):
        assert found.tobytes() == expected.tobytes()


def test_classifiers_are_fitted_once_for_each_of_their_parameters_and_spans(indices: Bars) -> None:
    search = searched("fitted", indices, COSTS)
    fits = search.bundle(search.hub(), SPANS, Choice("sharpe", 1), METRICS)["fits"]
    assert sorted(fits) == [(0, (10.0, 3.0)), (0, (20.0, 3.0)), (1, (2.0,))]
    assert {len(numbers) for numbers in fits.values()} == {len(SPANS)}


TRAILING = '''"""Long until the close is `fall` below its highest one."""

import math

from admf_ray.plugins import Parameter, strategy


@strategy(name="trailing", inputs=("sma(close,{lag})",), parameters=(
    Parameter("fall", 0.1, 0.01, 0.9, "float"), Parameter("lag", 20, 2, 500)
))
class Trailing:
    def __init__(self, fall, lag):
        self.fall, self.highest = fall, 0.0

    def on_bar(self, view):
        close, average = view.close[-1], view.inputs[0][-1]
        if math.isnan(average):
            return None
        self.highest = max(self.highest, close)
        return close > average or close > self.highest * (1 - self.fall)
'''
SPACE = {"fall": [0.02, 0.05], "lag": [20, 40]}


class TestInPython:
    @pytest.fixture
    def plugin(self, tmp_path: Path) -> Iterator[str]:
        path = tmp_path / "trailing.py"
        path.write_text(TRAILING)
        yield str(path)
        activate(())

    def walked(self, bars: Bars, plugin: str, **options: object) -> RunResult:
        windows = {"train": "2y", "test": "1y"}
        return walk_forward(bars, "trailing", SPACE, plugins=[plugin], windows=windows, **options)

    def test_a_search_without_a_kernel_runs_in_containers_whatever_was_asked_for(
        self, sp500: Bars, plugin: str
    ) -> None:
        activate(find_plugins([plugin]))
        for kind in ("compiled", "event_driven"):
            settings = parse_settings(
                {
                    "experiment": "sweep",
                    "strategy": {"name": "trailing", "space": SPACE},
                    "engine": {"kind": kind},
                }
            )
            assert assemble_search(settings, sp500).engine == "event_driven"

    def test_a_sweep_gives_the_metrics_of_each_candidate(self, sp500: Bars, plugin: str) -> None:
        bars = sp500.head(600)
        found = sweep(bars, "trailing", SPACE, plugins=[plugin])
        search = plan_search(
            bars, STRATEGIES["trailing"], expand_grid(STRATEGIES["trailing"], {}, SPACE), AccountRules()
        )
        hub = search.hub()
        expected = [search.segment(hub, candidate, 0, 600).metrics for candidate in range(4)]
        assert found.trials["candidate"].to_list() == [0, 1, 2, 3]
        assert found.trials["trades"].to_list() == [one["trades"] for one in expected]

    def test_the_winners_of_a_walk_forward_are_certified_by_the_other_engine(self, sp500: Bars, plugin: str) -> None:
        found = self.walked(sp500.head(1_100), plugin)
        assert found.summary["certified"] == len(found.windows) == 2
        assert found.windows["candidate"].null_count() == 0
        again = self.walked(sp500.head(1_100), plugin, engine={"kind": "event_driven"})
        assert again.fingerprints() == found.fingerprints()


def test_a_composition_is_certified_window_by_window_with_the_fit_of_its_train_span(sp500: Bars) -> None:
    dip = {
        "strategy": "rsi_reversion",
        "params": {"period": 4},
        "trades_in": {"classifier": ["low", "high"]},
        "by_regime": {"high": {"period": 2}},
    }
    prints = {}
    for kind in ("compiled", "event_driven"):
        found = walk_forward(
            sp500.head(1_800),
            "sma_cross",
            {"fast": [5, 20], "classifier_period": [10, 20]},
            params={"slow": 50},
            windows={"train": "4y", "test": "1y"},
            engine={"kind": kind},
            classifier={"name": "volatility"},
            ensemble={"kind": "vote", "members": {"dip": dip}},
        )
        assert found.summary["certified"] == len(found.windows) == 3
        assert [one["window"] for one in found.summary["fitted"]] == [0, 1, 2]
        prints[kind] = found.fingerprints()
    assert prints["compiled"] == prints["event_driven"]
    assert {"regimes", "switches"} <= set(prints["compiled"])
