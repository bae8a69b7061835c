"""The ten categories of ``+experiment=selfcheck target=...``, and the cost of steps."""

from collections.abc import Callable

from admf_ray.app.selfcheck.batches import check_batch_processing, check_scaling
from admf_ray.app.selfcheck.containers import check_cleanup, check_isolation
from admf_ray.app.selfcheck.failures import check_error_handling
from admf_ray.app.selfcheck.flow import check_event_flow
from admf_ray.app.selfcheck.resources import check_latency, check_memory
from admf_ray.app.selfcheck.results import check_expected_results, check_reproducibility
from admf_ray.app.selfcheck.steps import COORDINATOR, MOST, Cost, chosen_steps, costs
from admf_ray.app.selfcheck.target import Target, assemble_target, target_settings

__all__ = [
    "CATEGORIES",
    "COORDINATOR",
    "MOST",
    "Cost",
    "Target",
    "assemble_target",
    "chosen_steps",
    "costs",
    "target_settings",
]

CATEGORIES: dict[str, tuple[Callable[[Target], str], str]] = {
    "isolation": (check_isolation, "containers hear what is theirs alone, whoever else runs or fails beside them"),
    "event_flow": (check_event_flow, "events are declared, have causes, and tell what the ledger tells"),
    "expected_results": (check_expected_results, "results are those that are worked out by hand"),
    "reproducibility": (check_reproducibility, "one result, however it is computed and however often"),
    "scaling": (check_scaling, "the same trials in this process, on one host and on two"),
    "latency": (check_latency, "a BAR below 1 ms, risk, SIGNAL, ORDER and FILL below 100 us, a year below 0.1 s"),
    "error_handling": (check_error_handling, "a failing strategy, a bad event and a missing bar do no other harm"),
    "cleanup": (check_cleanup, "nothing of a container is left when it is over"),
    "memory": (
        check_memory,
        "growth below 5%, peak below 1,000 MB, a year below 500 MB, ten reuses below 100 MB, residue below 50 MB",
    ),
    "batch_processing": (check_batch_processing, "1,000 candidates split, pooled and stored are the same trials"),
}
"""The checks by name: each gives what it measured of a target, or raises; and what it promises."""
