"""Rules of selection against hand calculations, brute force, and single backtests of blocks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import admf_ray
from admf_ray import Bars
from admf_ray.app.assemble import assemble_search
from admf_ray.app.parsing import parse_settings
from admf_ray.core.parameters import Parameter
from admf_ray.engine.composition import Composition, Member
from admf_ray.engine.result import run_segment
from admf_ray.errors import CapacityError
from admf_ray.optimize import (
    Candidates,
    Choice,
    Chosen,
    DrawnRange,
    Leaders,
    Space,
    blocks_of,
    check_plateau,
    expand_grid,
    plan_search,
    select,
)
from admf_ray.optimize.selection import neighbourhood_means
from admf_ray.optimize.space import Dimension
from admf_ray.optimize.walk_forward import chain
from admf_ray.portfolio.metrics import METRICS
from admf_ray.statistics import per_bar_returns
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult

CROSS = STRATEGIES["sma_cross"]
FLOAT = Parameter("x", 1.0, 0.0, 1_000.0, "float")


def grid(*lengths: int, places: Sequence[int] | None = None) -> Candidates:
    """A grid, or some combinations of one."""
    axes = tuple(np.arange(float(length))[:, np.newaxis] for length in lengths)
    known = np.arange(np.prod(lengths)) if places is None else np.array(places)
    return Candidates(tuple("abcde"[: len(lengths)]), axes, known.astype(np.int32))


def chosen(choice: Choice, candidates: Candidates, sharpe: Any, trades: Any = 5, **given: Any) -> Chosen | None:
    """Select among trials of which Sharpe and trades are known."""
    scores = np.asarray(sharpe, dtype=float).reshape(-1)
    columns = {"sharpe": scores, "trades": np.broadcast_to(np.asarray(trades, dtype=float), scores.shape), **given}
    metrics = np.zeros((len(scores), len(METRICS)))
    for name in ("sharpe", "trades"):
        metrics[:, METRICS.index(name)] = columns[name]
    leaders = Leaders.of(np.arange(len(scores)), metrics, choice)
    return select(choice, leaders, lambda names: {name: columns[name] for name in names}, candidates)


PEAK_AND_PLATEAU = [[9.0, 0.0, 0.0], [0.0, 5.0, 6.0], [0.0, 5.0, 6.0]]


def test_a_plateau_goes_before_a_lone_peak() -> None:
    best = chosen(Choice("sharpe", 1), grid(3, 3), PEAK_AND_PLATEAU)
    assert best is not None
    assert (best.candidates, best.score) == ((0,), 9.0)
    # The corner of the peak: (9 + 0 + 0 + 5) / 4 = 3.5; the opposite one: (5 + 6 + 5 + 6) / 4 = 5.5.
    plateau = chosen(Choice("sharpe", 1, selection="plateau"), grid(3, 3), PEAK_AND_PLATEAU)
    assert plateau is not None
    assert (plateau.candidates, plateau.objective, plateau.score) == ((8,), 6.0, 5.5)
    assert plateau.train is not None
    assert plateau.train["sharpe"] == 6.0


def test_a_neighbour_that_may_not_win_counts_as_the_lowest_that_may() -> None:
    # Place 5 made too few trades; the lowest of the others is 0: the corner has (5 + 0 + 5 + 6) / 4 = 4 now, while
    # the peak has what it had.
    trades = [5, 5, 5, 5, 5, 1, 5, 5, 5]
    found = chosen(Choice("sharpe", 2, selection="plateau"), grid(3, 3), PEAK_AND_PLATEAU, trades)
    assert found is not None
    assert (found.candidates, found.score) == ((8,), 4.0)
    # One that may not win does not, whatever its neighbours are: the next best is place 7, (0+5+6+0+5+6) / 6 = 22/6
    # with all of them and (0+5+0+0+5+0) / 6 without the two; the peak has 3.5.
    trades[8] = 1
    found = chosen(Choice("sharpe", 2, selection="plateau"), grid(3, 3), PEAK_AND_PLATEAU, trades)
    assert found is not None
    assert (found.candidates, found.score) == ((0,), 3.5)


def test_combinations_that_are_no_candidates_have_no_say() -> None:
    # Only the diagonal and the last place of the first row: (9 + 5) / 2, (9 + 1 + 5 + 6) / 4, (1 + 5) / 2, (5 + 6) / 2.
    found = neighbourhood_means(np.array([9.0, 1.0, 5.0, 6.0]), grid(3, 3, places=[0, 2, 4, 8]), 0, None)
    assert found.tolist() == [7.0, 3.0, 5.25, 5.5]


def test_of_equal_plateaus_the_lowest_candidate_wins_and_without_trades_nobody() -> None:
    plateau = Choice("sharpe", 1, selection="plateau")
    found = chosen(plateau, grid(4), [1.0, 1.0, 1.0, 1.0])
    assert found is not None
    assert found.candidates == (0,)
    assert chosen(plateau, grid(3), [1.0, 2.0, 3.0], 0) is None
    assert chosen(plateau, grid(2), [np.nan, np.inf]) is None


SPARSE = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), min_size=1, unique=True)


def beside(places: np.ndarray, values: np.ndarray) -> list[float]:
    """Means over neighbourhoods by comparing every candidate with every other."""
    near = np.abs(places[:, np.newaxis] - places[np.newaxis]).max(axis=2) <= 1.0 + 1e-9
    return [float(values[one].sum() / one.sum()) for one in near]


@given(SPARSE, st.randoms(use_true_random=False))
def test_sums_along_axes_and_the_tree_give_what_comparing_all_gives(cells, random) -> None:
    places = np.array(sorted(cells))
    # Whole numbers, so that no sum depends on its order.
    values = np.array([float(random.randint(-50, 50)) for _ in cells])
    numbers = np.ravel_multi_index(tuple(places.T), (6, 4, 3))
    on_grid = neighbourhood_means(values, grid(6, 4, 3, places=numbers.tolist()), 0, None)
    assert on_grid.tolist() == beside(places, values)
    space = Space(CROSS, tuple(Dimension(FLOAT, np.arange(float(length))) for length in (6, 4, 3)))
    listed = Candidates.listed(("a", "b", "c"), np.concatenate([np.full((7, 3), 99.0), places]))
    assert neighbourhood_means(values, listed, 7, space).tolist() == on_grid.tolist()


@given(st.lists(st.tuples(st.floats(1.0, 100.0), st.floats(1.0, 100.0)), min_size=1, max_size=40, unique=True))
def test_in_a_range_a_tenth_of_it_is_near_of_its_logarithm_with_log(sets) -> None:
    values = np.array(sets)
    space = Space(CROSS, (Dimension(FLOAT, DrawnRange(1.0, 101.0)), Dimension(FLOAT, DrawnRange(1.0, 100.0, log=True))))
    places = np.stack([values[:, 0] / 10.0, np.log10(values[:, 1]) * 5.0], axis=1)
    scores = np.arange(float(len(sets)))
    # What lies on the border of a neighbourhood is in it or not by rounding.
    apart = np.abs(places[:, np.newaxis] - places[np.newaxis])
    if not (np.abs(apart - 1.0) < 1e-8).any():
        assert neighbourhood_means(scores, Candidates.listed(("a", "b"), values), 0, space).tolist() == beside(
            places, scores
        )


@pytest.mark.parametrize(
    ("kind", "span", "values", "places"),
    [
        ("float", np.array([0.5, 2.0, 8.0]), [0.5, 2.0, 8.0, 5.0], [0, 1, 2, 1.5]),
        ("float", np.array([3.0]), [3.0, 7.0], [0, 0]),
        ("float", DrawnRange(0.1, 0.7, 0.1), [0.1, 0.3, 0.7], [0, 2, 6]),
        ("int", DrawnRange(0, 200), [0, 20, 200], [0, 1, 10]),
        ("int", DrawnRange(2, 6), [2, 3, 6], [0, 1, 4]),  # never less than one whole number
        ("float", DrawnRange(4.0, 4.0), [4.0], [0]),
        ("float", DrawnRange(1.0, 1e10, log=True), [0.0, 1.0, 10.0, 1e10], [0, 0, 1, 10]),
    ],
)
def test_where_values_lie(kind: Any, span: Any, values: list[float], places: list[float]) -> None:
    dimension = Dimension(replace(FLOAT, kind=kind), span)
    np.testing.assert_allclose(dimension.coordinates(np.array(values)), places, rtol=1e-12)


def test_sets_with_the_same_neighbours_have_the_same_mean_to_the_last_bit() -> None:
    # More neighbours than are held at a time, and all of them near each other.
    rng = np.random.default_rng(3)
    space = Space(CROSS, (Dimension(FLOAT, DrawnRange(0.0, 100.0)),))
    listed = Candidates.listed(("x",), rng.uniform(40.0, 49.0, (2_500, 1)))
    found = neighbourhood_means(rng.normal(size=2_500), listed, 0, space)
    assert len(set(found.tolist())) == 1


def test_neighbourhoods_of_too_many_drawn_sets_are_refused_and_those_of_a_grid_are_not() -> None:
    space = Space(CROSS, ())
    with pytest.raises(CapacityError, match="plateau of 100,001 sets that are no grid; allowed: search=grid"):
        check_plateau(Choice("sharpe", 1, selection="plateau"), 100_001, space)
    check_plateau(Choice("sharpe", 1, selection="plateau"), 20_000_000, None)
    check_plateau(Choice("sharpe", 1), 100_001, space)


def test_a_grid_of_a_million_has_its_plateau() -> None:
    x, y = np.meshgrid(np.arange(1_000.0), np.arange(1_000.0), indexing="ij")
    values = -np.hypot(x - 700, y - 200)
    values[3, 3] = 1e3
    found = chosen(Choice("sharpe", 1, selection="plateau"), grid(1_000, 1_000), values)
    assert found is not None
    # Neither the peak, whose mean is some 1000/9 less 700, nor anywhere else.
    assert found.candidates == (700 * 1_000 + 200,)
    assert found.score == pytest.approx(-(4 + 4 * np.sqrt(2)) / 9)


def test_the_worst_block_decides_among_those_that_may_win() -> None:
    worst = Choice("sharpe", 2, selection="worst_block")
    blocks = {"worst_block": np.array([0.1, 0.9, np.nan, 0.4, 0.4])}
    found = chosen(worst, grid(5), [3.0, 2.0, 4.0, 1.0, 2.0], [5, 1, 5, 5, 5], **blocks)
    assert found is not None
    assert (found.candidates, found.objective, found.score) == ((3,), 1.0, 0.4)
    assert chosen(worst, grid(2), [1.0, 2.0], worst_block=np.array([np.nan, np.nan])) is None


def test_the_best_together_are_those_that_may_win_the_best_first() -> None:
    several = Choice("sharpe", 2, selection="top_n", top=3)
    found = chosen(several, grid(6), [1.0, 3.0, np.nan, 2.0, 3.0, 9.0], [5, 5, 5, 5, 5, 1])
    assert found is not None
    assert (found.candidates, found.objective, found.score) == ((1, 4, 3), 3.0, 8.0 / 3.0)
    assert found.train is None
    few = chosen(several, grid(3), [1.0, 3.0, 2.0], [5, 1, 1])
    assert few is not None
    assert few.candidates == (0,)
    assert few.train is not None
    assert chosen(several, grid(2), [1.0, 3.0], 1) is None


WINDOWS = {"train": "6y", "test": "4y"}
SPACE = {"fast": [5, 10, 20, 40], "slow": [15, 40, 90]}


@pytest.mark.parametrize("kind", ["compiled", "event_driven"])
def test_the_winner_has_the_best_worst_block_of_its_train_span(sp500: Bars, kind: str) -> None:
    bars = sp500.head(3_000)
    rules = {"selection": "worst_block", "blocks": 3}
    found = admf_ray.walk_forward(bars, "sma_cross", SPACE, windows=WINDOWS, search=rules, engine={"kind": kind})
    plain = admf_ray.walk_forward(bars, "sma_cross", SPACE, windows=WINDOWS)
    assert found.trials.drop("worst_block").equals(plain.trials, null_equal=True)
    settings = parse_settings({"experiment": "walkforward", "strategy": {"name": "sma_cross", "space": SPACE}})
    search = assemble_search(settings, bars)
    hub = search.hub()
    for window in found.windows.iter_rows(named=True):
        start, stop = (int(at) for at in np.searchsorted(bars.known_at, [window["train_start"], window["train_stop"]]))
        worst = [
            min(search.segment(hub, c, *block).metrics["sharpe"] for block in blocks_of((start, stop), 3))
            for c in range(len(search.candidates))
        ]
        trials = found.trials.filter(window=window["window"])
        np.testing.assert_array_equal(trials["worst_block"], worst)
        assert (window["candidate"], window["selected_by"]) == (int(np.argmax(worst)), max(worst))
        assert window["objective"] == trials["objective"][window["candidate"]] == window["train_sharpe"]


def test_in_blocks_classifiers_are_those_that_were_fitted_on_the_train_span(sp500: Bars) -> None:
    bars = sp500.head(2_600)
    sections: dict[str, Any] = {
        "windows": {"train": "6y", "test": "4y"},
        "search": {"selection": "worst_block", "blocks": 2},
        "classifier": {"name": "volatility"},
        "ensemble": {
            "kind": "weighted",
            "members": {"dip": {"strategy": "rsi_reversion", "trades_in": {"classifier": ["low"]}}},
        },
    }
    space = {"fast": [10, 20], "dip_period": [5.0]}
    found = admf_ray.walk_forward(bars, "sma_cross", space, **sections)
    strategy = {"name": "sma_cross", "space": space}
    search = assemble_search(parse_settings({"experiment": "walkforward", **sections, "strategy": strategy}), bars)
    hub, (window,) = search.hub(), found.windows.iter_rows(named=True)
    train = tuple(int(at) for at in np.searchsorted(bars.known_at, [window["train_start"], window["train_stop"]]))
    for candidate, worst in found.trials.select("candidate", "worst_block").rows():
        blocks = [search.segment(hub, candidate, *block, train).metrics["sharpe"] for block in blocks_of(train, 2)]
        assert worst == min(blocks)
    assert found.summary["certified"] == 1


def test_several_together_are_the_ensemble_that_is_made_by_hand(sp500: Bars) -> None:
    bars = sp500.head(3_000)
    together = {"selection": "top_n", "top": 3}
    found, plain = (
        admf_ray.walk_forward(bars, "sma_cross", SPACE, windows=WINDOWS, search=search) for search in (together, {})
    )
    assert found.trials.equals(plain.trials, null_equal=True)
    assert found.summary["certified"] == len(found.windows) == 1
    (window,) = found.windows.iter_rows(named=True)
    best = found.trials.sort("objective", "candidate", descending=[True, False]).head(3)
    assert window["candidate"] == best["candidate"][0] == plain.windows["candidate"][0]
    assert window["selected_by"] == pytest.approx(best["objective"].mean(), rel=1e-15)

    members = tuple(Member(name, CROSS) for name in ("one", "two", "three"))
    by_hand = Composition(members, ensemble="weighted", weights=(1 / 3, 1 / 3, 1 / 3))
    sets = [found.candidates.row(candidate)[1:] for candidate in best["candidate"]]
    values = dict(zip(by_hand.parameter_names, np.concatenate(sets).tolist(), strict=True))
    settings = parse_settings({"experiment": "walkforward", "strategy": {"name": "sma_cross"}})
    search = plan_search(bars, by_hand, Candidates.single(values), settings.account)
    setup = search.setup(search.hub(), 0)
    for part in ("train", "test"):
        span = np.searchsorted(bars.known_at, [window[f"{part}_start"], window[f"{part}_stop"]])
        segment = run_segment(setup, *(int(at) for at in span))
        assert {name: window[f"{part}_{name}"] for name in METRICS} == segment.metrics
    chained = chain(per_bar_returns(segment.equity, 100_000.0), 100_000.0)
    np.testing.assert_array_equal(found.equity["equity"], chained)
    assert set("+".join(found.trades["strategies"]).split("+")) == {"sma_cross", "sma_cross_2", "sma_cross_3"}
    assert [member["name"] for member in found.summary["composition"]["members"]] == [
        *("sma_cross", "sma_cross_2", "sma_cross_3"),
    ]


def test_windows_with_fewer_than_asked_for_trade_what_there_is(sp500: Bars) -> None:
    space, windows = {"fast": [10, 20, 40], "slow": [60, 90]}, {"train": "4y", "test": "2y"}
    search = {"selection": "top_n", "top": 5, "min_trades": 11}
    found = admf_ray.walk_forward(sp500, "sma_cross", space, windows=windows, search=search)
    eligible = found.trials.filter(status="complete").group_by("window").len()
    counts = [dict(eligible.rows()).get(window, 0) for window in range(len(found.windows))]
    assert {0, 1, 2} <= set(counts)
    sets = [0 if text is None else text.count("fast") for text in found.windows["parameters"].to_list()]
    assert sets == counts
    assert found.summary["certified"] == sum(count > 0 for count in counts)
    assert len(found.summary["composition"]["members"]) == max(counts)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_plateau_of_drawn_sets_is_among_those_of_its_window(sp500: Bars, sampler: str) -> None:
    space = {"fast": {"low": 2, "high": 52}, "slow": {"low": 60, "high": 200, "step": 20}}
    search = {"sampler": sampler, "trials": 25, "selection": "plateau"}
    found = admf_ray.walk_forward(sp500, "sma_cross", space, windows={"train": "4y", "test": "6y"}, search=search)
    for window in found.windows.iter_rows(named=True):
        trials = found.trials.filter(window=window["window"]).join(found.candidates, on="candidate")
        places = np.stack([trials["fast"].to_numpy() / 5.0, trials["slow"].to_numpy() / 20.0], axis=1)
        assert set(trials["status"]) == {"complete"}
        means = beside(places, trials["objective"].to_numpy())
        assert window["selected_by"] == pytest.approx(max(means), rel=1e-12)
        assert window["candidate"] == trials["candidate"][int(np.argmax(means))]


def test_a_sweep_selects_by_the_same_rules(sp500: Bars) -> None:
    bars = sp500.head(1_500)
    axes = {name: [float(value) for value in values] for name, values in SPACE.items()}
    scores = admf_ray.sweep(bars, "sma_cross", SPACE).trials["objective"].to_numpy()
    means = neighbourhood_means(scores, expand_grid(CROSS, {}, axes), 0, None)
    best = admf_ray.sweep(bars, "sma_cross", SPACE, search={"selection": "plateau"}).summary["best"]
    assert (best["candidate"], best["selected_by"]) == (int(np.argmax(means)), means.max())
    assert best["metrics"]["sharpe"] == scores[best["candidate"]]


def one_of(bars: Bars, space: dict[str, Any], period: Any, **search: Any) -> RunResult:
    """Sweep two strategies in one search, and choose by the plateau."""
    ensemble = {"kind": "one_of", "members": {"rsi_reversion": {"space": {"period": period}}}}
    return admf_ray.sweep(bars, "sma_cross", space, ensemble=ensemble, search={"selection": "plateau", **search})


def test_on_a_plateau_of_one_strategy_sets_of_another_are_not_near(sp500: Bars) -> None:
    bars = sp500.head(1_500)
    found = one_of(bars, {"fast": [5, 10, 20], "slow": [50, 100]}, [2, 5, 9])
    members = found.candidates["member"].to_list()
    assert members == [0.0] * 6 + [1.0] * 3
    scores = found.trials["objective"].to_numpy()
    places = [*np.ndindex(3, 2), *((place, 99) for place in range(3))]
    means = beside(np.array(places, dtype=float), scores)
    best = found.summary["best"]
    assert (best["candidate"], best["selected_by"]) == (int(np.argmax(means)), pytest.approx(max(means)))


def test_nor_are_they_among_drawn_sets(sp500: Bars) -> None:
    bars = sp500.head(1_500)
    drawn = {"low": 2, "high": 12}
    found = one_of(bars, {"fast": drawn, "slow": {"low": 20, "high": 120}}, drawn, sampler="random", trials=60)
    sets = found.trials.join(found.candidates, on="candidate").with_columns(
        pl.col("member") * 2.0, pl.col("slow") / 10.0
    )
    means = beside(
        sets.select("member", "fast", "slow", "rsi_reversion_period").fill_nan(0.0).to_numpy(),
        sets["objective"].to_numpy(),
    )
    best = found.summary["best"]
    assert set(sets["member"]) == {0.0, 2.0}
    assert (best["candidate"], best["selected_by"]) == (int(np.argmax(means)), pytest.approx(max(means)))
