"""Market data: sources in, bars out; windows over them."""

from admf_ray.data.request import DataRequest
from admf_ray.data.sources import SOURCES, load_bars, request_bars
from admf_ray.data.spans import Span
from admf_ray.data.windows import DATASETS, Dataset, Separation, SplitPlan, Window, WindowPlan, date_span

__all__ = [
    "DATASETS",
    "SOURCES",
    "DataRequest",
    "Dataset",
    "Separation",
    "Span",
    "SplitPlan",
    "Window",
    "WindowPlan",
    "date_span",
    "load_bars",
    "request_bars",
]
