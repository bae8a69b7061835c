"""The calculation path loads no Ray, Optuna, Hydra or frame library: seen in a process of its own."""

import subprocess
import sys

import pytest

CALCULATION = [
    "classifiers",
    "containers",
    "core",
    "events",
    "indicators",
    "strategies",
    "risk",
    "execution",
    "portfolio",
    "engine",
]
FORBIDDEN = [
    "ray",
    "optuna",
    "hydra",
    "omegaconf",
    "pandas",
    "polars",
    "plotly",
    "statsmodels",
    "arch",
    "hmmlearn",
    "sklearn",
]
LIST_MODULES = """
import importlib, pkgutil, sys
package = importlib.import_module("admf_ray." + sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("package", CALCULATION)
def test_a_calculation_package_loads_none_of_the_heavy_libraries(package: str) -> None:
    command = [sys.executable, "-c", LIST_MODULES, package]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(FORBIDDEN) == set()


def test_a_serial_walk_forward_loads_no_ray() -> None:
    code = (
        "import sys, admf_ray\n"
        "admf_ray.walk_forward(admf_ray.load_bars('sp500'), 'price_sma', {'period': [50, 200]})\n"
        "assert 'ray' not in sys.modules and 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_thread_and_no_svml_before_numpy_is_loaded() -> None:
    code = (
        "import os, admf_ray\n"
        "names = ('NUMBA_DISABLE_INTEL_SVML', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')\n"
        "assert all(os.environ[name] == '1' for name in names)\n"
        "from numba import config\n"
        "assert config.CACHE_DIR == os.environ['NUMBA_CACHE_DIR']\n"
        "assert not config.USING_SVML"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
