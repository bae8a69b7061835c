"""Random compositions: members, classifiers, gates, parameters by regime, ensembles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules
from admf_ray.ensembles import ENSEMBLES
from admf_ray.errors import ConfigError
from admf_ray.indicators import Hub
from admf_ray.optimize import Candidates, Search, compute_together, plan_search
from admf_ray.optimize.fitting import fit_watch
from admf_ray.strategies import STRATEGIES, Strategy
from tests.parity.cases import Panel, account_rules, panels, usual_price

# What a wild strategy wants, by the number that it draws.
_WISHES = (-1.0, -0.4, 0.0, 0.3, 0.7, 1.0, math.nan)


@compiled(STRATEGY, cache=False)
def wild(matrix, rows, session, params, state, start, stop, out):  # type: ignore[no-untyped-def]
    """Wish something else now and then, by a congruential generator whose number is the state of each symbol."""
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            if t == 0:
                state[2 * s] = params[0] + s
            state[2 * s] = (state[2 * s] * 137.0 + 187.0) % 256.0
            if t == 0 or state[2 * s] < params[1]:
                state[2 * s + 1] = (state[2 * s] * 7.0) // 3.0 % 7.0
            out[s, t] = _WISHES[int(state[2 * s + 1])]


WILD = Strategy(
    name="wild",
    parameters=(Parameter("seed", 1, 0, 255), Parameter("often", 64, 0, 256)),
    inputs=("close",),
    kernel=wild,
    state_size=lambda params: 2,
    warm_up=lambda params: 0,
    convergence=lambda params: 0,
    source="tests",
)

Small = dict[str, tuple[float, ...]]
STRATEGY_PARAMS: dict[str, Small] = {
    "wild": {"seed": (0, 3, 100, 201), "often": (30, 128, 256)},
    "sma_cross": {"fast": (1, 2), "slow": (3, 5)},
    "price_sma": {"period": (2, 4)},
    "rsi_reversion": {"period": (2, 3), "oversold": (30, 45), "exit": (50, 70)},
    "donchian_breakout": {"entry": (3, 5), "exit": (1, 2)},
    "bollinger_reversion": {"period": (3, 5), "width": (0.5, 1.0)},
    "atr_trend": {"period": (2, 4), "atr_period": (2, 3), "width": (0.1, 0.5)},
    "time_series_momentum": {"lag": (1, 3)},
    "volatility_breakout": {"period": (2, 3), "width": (0.5, 1.0)},
    "pairs_zscore": {"length": (3, 4), "exit": (0.0, 0.5), "entry": (0.8, 1.0)},
}
CLASSIFIER_PARAMS: dict[str, Small] = {
    "trend": {"period": (2, 3, 6)},
    "pattern": {"period": (2, 4)},
    "trend_chop_volatile": {"period": (2, 3), "baseline": (4, 5), "ratio": (1.0, 1.2), "threshold": (0.3, 0.6)},
    "volatility": {"period": (2, 4), "states": (2, 3)},
    "hmm": {"states": (2, 3)},
}


def _strategy(name: str) -> Strategy:
    return WILD if name == "wild" else STRATEGIES[name]


@dataclass(frozen=True)
class Book:
    """What is composed, its parameters, and the rules of its account."""

    composition: Composition
    params: dict[str, float]
    rules: AccountRules


@dataclass(frozen=True)
class Books:
    """Bars, books on them, and numbers for classifiers that a few bars cannot be fitted on."""

    panel: Panel
    books: dict[str, Book]
    seed: int

    def setups(self) -> tuple[dict[str, Setup], Hub]:
        """Plan the books together and fit their classifiers on the first half of the bars."""
        try:
            searches = {
                name: plan_search(self.panel.bars, one.composition, Candidates.single(one.params), one.rules)
                for name, one in self.books.items()
            }
        except ConfigError as error:
            # Too few bars for an indicator, which is refused before anything is simulated.
            assume("the series has" not in str(error))
            raise
        hub = compute_together(searches.values())
        return {name: self._setup(search, hub) for name, search in searches.items()}, hub

    def _setup(self, search: Search, hub: Hub) -> Setup:
        setup = search.setup(hub, 0)
        watches = range(len(search.composition.watches))
        return replace(setup, fitted=tuple(self._fitted(setup, watch) for watch in watches))

    def _fitted(self, setup: Setup, watch: int) -> np.ndarray:
        classifier = setup.composition.watches[watch].classifier
        try:
            return fit_watch(setup, watch, (0, len(setup.bars) // 2))
        except ConfigError:
            declared = tuple(setup.params[setup.composition.watched(watch)[1]].tolist())
            rng = np.random.default_rng(self.seed)
            if classifier.name == "volatility":
                return np.sort(rng.lognormal(-3.0, 1.0, classifier.fitted_size(declared)))
            return _model(rng, int(declared[0]))


def _model(rng: np.random.Generator, states: int) -> np.ndarray:
    """Give a hidden Markov model of ordinary returns, as `hmm` takes it."""
    rows = rng.dirichlet(np.ones(states), states + 1)
    variances = np.sort(rng.choice([1e-4, 1e-3, 1e-2], states, replace=False))
    return np.concatenate([rows.ravel(), rng.normal(0.0, 0.02, states), variances])


@st.composite
def compositions(draw: st.DrawFn, symbols: Sequence[str]) -> tuple[Composition, dict[str, float]]:
    """Up to two classifiers, one to three members with gates and sets of their own; and parameters that suit."""
    watches, labels = [], {}
    params: dict[str, float] = {}

    def choose(prefix: str, small: Small) -> None:
        params.update({f"{prefix}{name}": float(draw(st.sampled_from(values))) for name, values in small.items()})

    for name in draw(st.sampled_from([(), ("regime",), ("regime",), ("regime", "filter")])):
        classifier = CLASSIFIERS[draw(st.sampled_from(sorted(CLASSIFIER_PARAMS)))]
        watches.append(Watch(name, classifier, draw(st.sampled_from([None, *symbols]))))
        own = {one: draw(st.sampled_from(values)) for one, values in CLASSIFIER_PARAMS[classifier.name].items()}
        labels[name] = classifier.labels(tuple(float(value) for value in own.values()))
        params |= {f"{name}_{one}": float(value) for one, value in own.items()}
    known = [name for name in STRATEGY_PARAMS if name != "pairs_zscore" or len(symbols) == 2]
    members = []
    for index in range(draw(st.integers(1, 3))):
        strategy = _strategy(draw(st.sampled_from([*known, "wild", "wild"])))
        gates = tuple(
            (watch, tuple(draw(st.lists(st.sampled_from(labels[watch]), unique=True))))
            for watch in labels
            if draw(st.booleans())
        )
        sets = tuple(draw(st.lists(st.sampled_from(labels["regime"]), unique=True))) if labels else ()
        members.append(Member(f"m{index}", strategy, gates, sets))
        for prefix in ("", *(f"{label}_" for label in sets)):
            choose(f"m{index}_{prefix}" if index else prefix, STRATEGY_PARAMS[strategy.name])
    ensemble = draw(st.sampled_from(sorted(ENSEMBLES.names()))) if len(members) > 1 else None
    shares = [draw(st.sampled_from([0.0, 0.1, 0.2, 0.3])) for _ in members]
    weights = tuple(shares) if any(shares) else (1.0 / len(members),) * len(members)
    composition = Composition(tuple(members), tuple(watches), ensemble, weights if ensemble else (1.0,))
    return composition, composition.complete(params)


def briefly(rules: AccountRules) -> AccountRules:
    """Give the same rules with volatility and ATR of a few bars."""
    return replace(rules, volatility="volatility(close,3)", atr="atr(high,low,close,3)")


@st.composite
def books(draw: st.DrawFn, count: int = 1) -> Books:
    """Bars with so many books on them."""
    panel = draw(panels())
    symbols = panel.bars.symbols
    found = {}
    for number in range(count):
        composition, params = draw(compositions(symbols))
        found[f"book{number}"] = Book(
            composition, params, briefly(draw(account_rules(symbols, usual_price(panel.bars))))
        )
    return Books(panel, found, draw(st.integers(0, 2**16)))
