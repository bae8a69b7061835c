"""Reports: read results, never compute them."""

from admf_ray.report.comparison import compare_page, print_comparison
from admf_ray.report.data_page import data_page
from admf_ray.report.progress import ProgressView
from admf_ray.report.tables import (
    print_backtest,
    print_books,
    print_check,
    print_combinatorial,
    print_data,
    print_findings,
    print_holdout,
    print_sweep,
    print_today,
    print_walk_forward,
)
from admf_ray.report.tearsheet import run_page

__all__ = [
    "ProgressView",
    "compare_page",
    "data_page",
    "print_backtest",
    "print_books",
    "print_check",
    "print_combinatorial",
    "print_comparison",
    "print_data",
    "print_findings",
    "print_holdout",
    "print_sweep",
    "print_today",
    "print_walk_forward",
    "run_page",
]
