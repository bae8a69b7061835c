"""Search: spaces, candidates, objectives, walk-forward."""

from admf_ray.optimize.certification import certify, segment_fingerprint
from admf_ray.optimize.evaluation import EVALUATE, Known, Params, parted
from admf_ray.optimize.objective import COMPOSITES, OBJECTIVES, STATUSES, Choice, choose, trial_status
from admf_ray.optimize.place import JOURNAL, checked_place, shown_place
from admf_ray.optimize.remembering import Memory, longest_memory
from admf_ray.optimize.sampling import ADAPTIVE, Adaptive, Studied, draw_candidates
from admf_ray.optimize.search import Search, check_memory, compute_together, plan_search, sweep_spans
from admf_ray.optimize.space import Candidates, DrawnRange, Space, axis_values, expand_grid, plan_space
from admf_ray.optimize.trials import (
    BEST,
    MOST_RECORDED,
    RECORDS,
    Failed,
    Leaders,
    TrialChunk,
    recorded_metrics,
    recording,
)
from admf_ray.optimize.walk_forward import Stitched, WindowOutcome, buy_and_hold, evaluate_window, refill, stitch

__all__ = [
    "ADAPTIVE",
    "BEST",
    "COMPOSITES",
    "EVALUATE",
    "JOURNAL",
    "MOST_RECORDED",
    "OBJECTIVES",
    "RECORDS",
    "STATUSES",
    "Adaptive",
    "Candidates",
    "Choice",
    "DrawnRange",
    "Failed",
    "Known",
    "Leaders",
    "Memory",
    "Params",
    "Search",
    "Space",
    "Stitched",
    "Studied",
    "TrialChunk",
    "WindowOutcome",
    "axis_values",
    "buy_and_hold",
    "certify",
    "check_memory",
    "checked_place",
    "choose",
    "compute_together",
    "draw_candidates",
    "evaluate_window",
    "expand_grid",
    "longest_memory",
    "parted",
    "plan_search",
    "plan_space",
    "recorded_metrics",
    "recording",
    "refill",
    "segment_fingerprint",
    "shown_place",
    "stitch",
    "sweep_spans",
    "trial_status",
]
