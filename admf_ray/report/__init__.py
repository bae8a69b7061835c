"""Reports: read results, never compute them."""

from admf_ray.report.data_page import data_page
from admf_ray.report.progress import ProgressView
from admf_ray.report.tables import (
    print_backtest,
    print_check,
    print_data,
    print_findings,
    print_sweep,
    print_walk_forward,
)
from admf_ray.report.tearsheet import run_page

__all__ = [
    "ProgressView",
    "data_page",
    "print_backtest",
    "print_check",
    "print_data",
    "print_findings",
    "print_sweep",
    "print_walk_forward",
    "run_page",
]
