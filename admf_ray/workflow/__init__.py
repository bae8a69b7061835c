"""Workflow: phases, run directories, manifests."""

from admf_ray.workflow.phase import PhaseResult, Variant
from admf_ray.workflow.results import RunResult, load_run
from admf_ray.workflow.run_directory import RunDirectory

__all__ = ["PhaseResult", "RunDirectory", "RunResult", "Variant", "load_run"]
