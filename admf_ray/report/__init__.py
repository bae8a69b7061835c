"""Reports: read results, never compute them."""

from admf_ray.report.progress import ProgressView
from admf_ray.report.tables import print_backtest, print_data, print_sweep, print_walk_forward

__all__ = ["ProgressView", "print_backtest", "print_data", "print_sweep", "print_walk_forward"]
