"""Search: spaces, candidates, objectives, walk-forward."""

from admf_ray.optimize.objective import OBJECTIVES, STATUSES, Choice, choose, trial_status
from admf_ray.optimize.search import Search, check_memory, plan_search, sweep_spans
from admf_ray.optimize.space import Candidates, axis_values, expand_grid
from admf_ray.optimize.walk_forward import Stitched, WindowOutcome, buy_and_hold, evaluate_window, refill, stitch

__all__ = [
    "OBJECTIVES",
    "STATUSES",
    "Candidates",
    "Choice",
    "Search",
    "Stitched",
    "WindowOutcome",
    "axis_values",
    "buy_and_hold",
    "check_memory",
    "choose",
    "evaluate_window",
    "expand_grid",
    "plan_search",
    "refill",
    "stitch",
    "sweep_spans",
    "trial_status",
]
