from hypothesis import given
from hypothesis import strategies as st

from admf_ray.errors import ConfigError
from admf_ray.indicators import template_keys
from admf_ray.optimize import Candidates, expand_grid
from admf_ray.optimize.requests import request_keys
from admf_ray.strategies import STRATEGIES

AXIS = st.lists(st.integers(2, 12), min_size=1, max_size=6)
TEMPLATES = ["close", "sma(close,{fast})", "sma(close,{slow})", "ema(sma(close,{slow}),{fast})"]
SYMBOLS = ("X", "Y")


@given(AXIS, AXIS, st.sampled_from([[], ["slow > 2 * fast"], ["slow != 5", "fast < 9"]]), st.integers(1, 7))
def test_requests_by_factor_are_those_of_every_candidate(fast, slow, constraints, size: int) -> None:
    try:
        grid = expand_grid(STRATEGIES["sma_cross"], {}, {"fast": fast, "slow": slow}, constraints)
    except ConfigError:
        return
    for candidates in (grid, Candidates.listed(grid.names, grid.values)):
        keys, wanted = template_keys(TEMPLATES, grid.names, grid.values, SYMBOLS)
        requests = request_keys(TEMPLATES, candidates, SYMBOLS)
        # The order of the keys is that of the rows of the hub.
        assert list(requests.keys) == keys
        for first in range(0, len(grid), size):
            last = min(first + size, len(grid))
            assert requests.wanted(candidates, first, last).tolist() == wanted[first:last].tolist()
