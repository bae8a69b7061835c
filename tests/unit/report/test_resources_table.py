"""What a run took of its hosts, in words for the terminal and as a table for the page."""

from typing import Any

import polars as pl

from admf_ray._types import HostLimits
from admf_ray.report.resources_table import resources_lines, resources_table
from admf_ray.workflow.resources import MEASURED, phase_resources

ROWS: list[dict[str, Any]] = [
    dict.fromkeys(MEASURED)
    | {"host": host, "seconds": 4.0, "after": 10.0, "memory_mb": held, "peak_mb": held + 10.0, "growth_mb": 0.0}
    | {"collections": [20, 0, 0], "collected": [0, 0, 0], "gc_seconds": 0.1, "system": 0.3}
    | {"pool": "one strategy", "containers": 1, "retained_mb": 2.5}
    for host, held in (("host-0", 150.0), ("host-1", 170.0))
]


def summary() -> dict[str, Any]:
    frame = pl.DataFrame(ROWS, schema={"host": pl.String, "seconds": pl.Float64, **MEASURED})
    return {"resources": {"discovery": phase_resources(frame, 2, HostLimits(), {})}}


def test_the_terminal_has_a_line_for_each_phase() -> None:
    # 8 of 2 x 10 s, and 0.2 of 8 s.
    (line,) = resources_lines(summary())
    assert line == (
        "discovery: 2 worker(s) 60% idle, at most 180 MB each, collector 2.5%: hosts were idle 60% of the time (over "
        "20%): larger search.batch or cluster.chunk_seconds, or fewer cluster.workers"
    )


def test_the_page_lists_the_phase_its_hosts_and_its_pools() -> None:
    (table,) = resources_table(summary())
    assert [row[:2] for row in table.rows] == [
        ["discovery", "2 worker(s)"],
        ["discovery", "host-0"],
        ["discovery", "host-1"],
        ["discovery", "pool of 1: one strategy"],
    ]
    shown = [[cell[0] for cell in row[2:]] for row in table.rows]
    assert shown[0] == ["2", "60%", "180.0", "160.0", "0.0", "2.5%", "5.0"]
    # From 6 s, when its chunk began, it was busy.
    assert shown[2] == ["1", "0%", "180.0", "170.0", "0.0", "2.5%", "5.0"]
    assert shown[3][2:5] == ["2.5", "2.5", "0.0"]
    assert table.note.startswith("discovery: hosts were idle 60% of the time")


def test_a_run_that_searched_nothing_has_neither() -> None:
    assert resources_table({}) == list(resources_lines({})) == []
    assert resources_table({"resources": {}}) == []
