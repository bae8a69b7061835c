"""Search: spaces, candidates, objectives, walk-forward."""

from admf_ray.optimize.blocks import EARLIEST, blocks_of, check_blocks
from admf_ray.optimize.capacity import check_memory
from admf_ray.optimize.certification import certify, rerun, segment_fingerprint
from admf_ray.optimize.evaluation import EVALUATE, Known, Params, Proposed, Stage, as_params, parted
from admf_ray.optimize.objective import COMPOSITES, OBJECTIVES, SELECTIONS, STATUSES, Choice, choose, trial_status
from admf_ray.optimize.place import JOURNAL, checked_place, shown_place
from admf_ray.optimize.remembering import Memory, longest_memory
from admf_ray.optimize.sampling import ADAPTIVE, Adaptive, Studied, draw_candidates
from admf_ray.optimize.search import Search, Tested, compute_together, plan_search, sweep_spans
from admf_ray.optimize.selection import Chosen, check_plateau, select
from admf_ray.optimize.space import Candidates, DrawnRange, Space, axis_values, expand_grid, plan_space
from admf_ray.optimize.trials import (
    BEST,
    MOST_RECORDED,
    RECORDS,
    Failed,
    Leaders,
    TrialChunk,
    failed_trials,
    recorded_metrics,
    recording,
    undivided,
)
from admf_ray.optimize.walk_forward import (
    Stitched,
    WindowOutcome,
    buy_and_hold,
    evaluate_window,
    refill,
    stitch,
    trained,
)

__all__ = [
    "ADAPTIVE",
    "BEST",
    "COMPOSITES",
    "EARLIEST",
    "EVALUATE",
    "JOURNAL",
    "MOST_RECORDED",
    "OBJECTIVES",
    "RECORDS",
    "SELECTIONS",
    "STATUSES",
    "Adaptive",
    "Candidates",
    "Choice",
    "Chosen",
    "DrawnRange",
    "Failed",
    "Known",
    "Leaders",
    "Memory",
    "Params",
    "Proposed",
    "Search",
    "Space",
    "Stage",
    "Stitched",
    "Studied",
    "Tested",
    "TrialChunk",
    "WindowOutcome",
    "as_params",
    "axis_values",
    "blocks_of",
    "buy_and_hold",
    "certify",
    "check_blocks",
    "check_memory",
    "check_plateau",
    "checked_place",
    "choose",
    "compute_together",
    "draw_candidates",
    "evaluate_window",
    "expand_grid",
    "failed_trials",
    "longest_memory",
    "parted",
    "plan_search",
    "plan_space",
    "recorded_metrics",
    "recording",
    "refill",
    "rerun",
    "segment_fingerprint",
    "select",
    "shown_place",
    "stitch",
    "sweep_spans",
    "trained",
    "trial_status",
    "undivided",
]
