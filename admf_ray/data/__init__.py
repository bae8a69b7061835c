"""Market data: sources in, bars out; windows over them."""

from admf_ray.data.checker import RULES
from admf_ray.data.combinatorial import CombinatorialPlan, Fold, FoldSeparation, Split
from admf_ray.data.request import DataRequest, Sanity
from admf_ray.data.sources import SOURCES, load_bars, request_bars
from admf_ray.data.spans import Span, parse_date
from admf_ray.data.stress import Stress, check_stress, stress_by_year, stress_of
from admf_ray.data.windows import DATASETS, Dataset, Separation, SplitPlan, Window, WindowPlan, date_index, date_span

__all__ = [
    "DATASETS",
    "RULES",
    "SOURCES",
    "CombinatorialPlan",
    "DataRequest",
    "Dataset",
    "Fold",
    "FoldSeparation",
    "Sanity",
    "Separation",
    "Span",
    "Split",
    "SplitPlan",
    "Stress",
    "Window",
    "WindowPlan",
    "check_stress",
    "date_index",
    "date_span",
    "load_bars",
    "parse_date",
    "request_bars",
    "stress_by_year",
    "stress_of",
]
