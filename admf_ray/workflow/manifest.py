"""The manifest: what a run was made from, and what it came to, so that it can be made again."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import llvmlite.binding

from admf_ray.core.bars import Bars
from admf_ray.core.findings import DataReport
from admf_ray.fingerprint import code_fingerprint, fingerprint_value
from admf_ray.plugins import active_plugins

__all__ = ["data_report", "describe_run", "made_by"]

_PACKAGES = ("arch", "cmaes", "exchange_calendars", "numba", "numpy", "optuna", "polars", "pyarrow", "ray", "scipy")


def describe_run(bars: Bars, config: Mapping[str, Any], fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Give the manifest of a finished run: what it was made by, from which data and options, and what it came to."""
    report = data_report(bars)
    return {
        "schema": 1,
        **made_by(),
        "data": {
            "symbols": bars.symbols,
            "bars": len(bars),
            "first_known_at": int(bars.known_at[0]),
            "last_known_at": int(bars.known_at[-1]),
            "periods_per_year": bars.periods_per_year,
            "adjustment": bars.adjustment,
            "calendar": bars.calendar,
            "fingerprint": bars.fingerprint(),
            "past": bars.past_fingerprint(),
            "min_history": bars.min_history,
            "checks": dict(report.checks),
            "findings": report.counts(),
            "repairs": report.lines("repaired"),
        },
        "config": fingerprint_value(config),
        "fingerprints": dict(fingerprints),
    }


def made_by() -> dict[str, Any]:
    """Say what computes: bits are promised equal for equal code, packages, CPU features and C library."""
    return {
        "code": {"version": _version("admf-ray"), "sha256": code_fingerprint()},
        "plugins": {plugin.name: plugin.sha256 for plugin in active_plugins()},
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": {
            "cpu": llvmlite.binding.get_host_cpu_name(),
            "cpu_features": fingerprint_value(dict(sorted(llvmlite.binding.get_host_cpu_features().items()))),
            "libc": " ".join(platform.libc_ver()),
        },
    }


def data_report(bars: Bars) -> DataReport:
    """Give what checks of the bars found; bars that were built in Python were not checked."""
    return bars.report or DataReport(origin="bars built in Python, not checked")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
