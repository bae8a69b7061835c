"""A strategy that follows a trend, and raises at one bar."""

from pathlib import Path

SOURCE = """
from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 3, 1, 400), Parameter("fails", 10_000, 0, 10_000)))
def late(view):
    lag = view.params.lag
    if view.bar == view.params.fails:
        raise ValueError("too late")
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]
"""


def written(folder: Path) -> str:
    """Write the plugin; give its path."""
    path = folder / "late.py"
    path.write_text(SOURCE)
    return str(path)
