"""Distributed, bit-reproducible walk-forward optimization of trading strategies on Ray.

The functions `walk_forward`, `sweep`, `backtest` and `load_run` do in Python what
``python -m admf_ray.launch +experiment=...`` does on the command line.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Results are promised bit for bit, so nothing may depend on a thread count or on a vector library of the machine.
# numpy and numba read these when they are first loaded.
os.environ.update(
    {
        "NUMBA_DISABLE_INTEL_SVML": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
)

from admf_ray.fingerprint import kernel_cache_directory

os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache_directory())
if "numba" in sys.modules:
    _config = sys.modules["numba"].config
    if _config.USING_SVML:
        raise ImportError(
            "numba was loaded with SVML, whose bits differ between machines: import admf_ray before numba"
        )
    _config.DISABLE_INTEL_SVML = 1
    _config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]

if TYPE_CHECKING:
    from admf_ray.app.functions import backtest, sweep, walk_forward
    from admf_ray.core.bars import Bars
    from admf_ray.data.sources import load_bars
    from admf_ray.workflow.results import load_run

__all__ = ["Bars", "__version__", "backtest", "load_bars", "load_run", "sweep", "walk_forward"]

_LAZY = {
    "Bars": "admf_ray.core.bars",
    "backtest": "admf_ray.app.functions",
    "load_bars": "admf_ray.data.sources",
    "load_run": "admf_ray.workflow.results",
    "sweep": "admf_ray.app.functions",
    "walk_forward": "admf_ray.app.functions",
}


def __getattr__(name: str) -> Any:
    """Load the public names on first use: importing one layer must not load those above it."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
