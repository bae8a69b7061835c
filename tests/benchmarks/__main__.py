"""``make benchmark [ONLY=part of a name]``: measure, print, write ``.benchmarks/latest.{md,json}``."""

import argparse
import sys

from tests.benchmarks import (  # noqa: F401  (they register their rows)
    containers,
    engine,
    events,
    indicators,
    launching,
    loading,
    platforms,
    scaling,
    searching,
)
from tests.benchmarks.harness import run_rows

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="part of a row's name")
    sys.exit(0 if run_rows(parser.parse_args().only) else "no row has that in its name")
