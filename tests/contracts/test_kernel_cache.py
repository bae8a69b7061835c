"""The cache of compiled kernels is never stale: an edit of what a kernel inlines from another file is seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import admf_ray

SELL_AT_100 = """
import numpy as np
from admf_ray.core.records import HOLDING, RULES
from admf_ray.core.kernels import compiled, records
from admf_ray.execution.costs import taker_price
from numba import types

@compiled(types.float64(records(HOLDING), records(RULES)))
def sell(holdings, rules):
    return taker_price(-1.0, 100.0, holdings[0], rules[0], None)

print(sell(np.zeros(1, HOLDING), np.zeros(1, RULES)))
"""


def run(copy: Path, cache: Path) -> float:
    (copy / "sell.py").write_text(SELL_AT_100)
    environment = {**os.environ, "PYTHONPATH": str(copy), "ADMF_CACHE_DIR": str(cache)}
    command = [sys.executable, str(copy / "sell.py")]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_an_edit_of_an_inlined_function_in_another_file_is_seen(tmp_path: Path) -> None:
    copy, cache = tmp_path / "copy", tmp_path / "cache"
    shutil.copytree(Path(admf_ray.__file__).parent, copy / "admf_ray", ignore=shutil.ignore_patterns("__pycache__"))
    assert run(copy, cache) == 100.0
    first = set((cache / "kernels").iterdir())
    costs = copy / "admf_ray" / "execution" / "costs.py"
    source = costs.read_text()
    assert "price = max(reference * " in source
    costs.write_text(source.replace("price = max(reference * ", "price = max(2.0 * reference * "))
    assert run(copy, cache) == 200.0
    second = set((cache / "kernels").iterdir()) - first
    assert len(first) == len(second) == 1


def test_the_directory_depends_on_settings_that_change_code(monkeypatch) -> None:
    from admf_ray.fingerprint import kernel_cache_directory

    plain = kernel_cache_directory()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert kernel_cache_directory() == plain
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert kernel_cache_directory() != plain
