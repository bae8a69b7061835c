"""Trials in files: a chunk each as they finish, and one table in the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from admf_ray.optimize import STATUSES, Candidates, Choice, Leaders, TrialChunk, trial_status
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.run_directory import write_whole
from admf_ray.workflow.stored import StoredTable, parquet_writer

__all__ = ["ROWS", "TrialFiles", "candidates_table", "trial_rows", "trials_table"]

ROWS = 1_000_000
"""Of a table that are held at a time, about."""

_SCHEMA = pa.schema(
    [
        ("window", pa.int16()),
        ("candidate", pa.int32()),
        ("status", pa.dictionary(pa.int8(), pa.string())),
        ("objective", pa.float64()),
        *((name, pa.float64()) for name in METRICS),
    ]
)


def candidates_table(folder: Path, candidates: Candidates) -> StoredTable:
    """Write one row a candidate: its number and its parameters."""
    schema = pa.schema([("candidate", pa.int32()), *((name, pa.float64()) for name in candidates.names)])

    def table(first: int, last: int) -> pa.Table:
        numbers = np.arange(first, last, dtype=np.int32)
        return pa.table([numbers, *candidates.block(first, last).T.copy()], schema=schema)

    path = folder / "candidates.parquet"
    write_whole(path, parquet_writer(schema, (table(*block) for block in candidates.blocks())))
    return StoredTable(path)


def trial_rows(
    window: int, first: int, columns: Mapping[str, npt.NDArray[np.float64]], leaders: Leaders, choice: Choice
) -> pa.Table:
    """Give the trials of consecutive candidates in one window.

    Parameters
    ----------
    window, first : int
        The window, and the first candidate.
    columns : mapping of str to float64 array, shape [candidate]
        Metrics that are recorded of all trials.
    leaders : Leaders
        Trials of which every metric is recorded; those of other candidates are left out.
    choice : Choice
    """
    scores, trades = columns[choice.objective], columns["trades"]
    low, high = np.searchsorted(leaders.candidates, [first, first + len(scores)])
    at, metrics = leaders.candidates[low:high] - first, leaders.metrics[low:high]
    unknown = np.ones(len(scores), dtype=np.bool_)
    unknown[at] = False

    def of_leaders(index: int) -> pa.Array:
        values = np.zeros(len(scores))
        values[at] = metrics[:, index]
        return pa.array(values, mask=unknown)

    status = pa.DictionaryArray.from_arrays(trial_status(scores, trades, choice), pa.array(STATUSES))
    return pa.table(
        [
            np.full(len(scores), window, dtype=np.int16),
            np.arange(first, first + len(scores), dtype=np.int32),
            status,
            scores,
            *(columns[name] if name in columns else of_leaders(index) for index, name in enumerate(METRICS)),
        ],
        schema=_SCHEMA,
    )


def trials_table(path: Path, tables: Iterator[pa.Table]) -> StoredTable:
    """Write trials that come in the order of windows and candidates."""
    write_whole(path, parquet_writer(_SCHEMA, tables))
    return StoredTable(path)


@dataclass(frozen=True, slots=True)
class TrialFiles:
    """Chunks of trials, a file each, named by the first candidate: doing a chunk twice changes nothing.

    Attributes
    ----------
    folder : Path
    choice : Choice
    """

    folder: Path
    choice: Choice

    def add(self, chunk: TrialChunk) -> None:
        """Write the trials of a chunk: its windows are row groups, with the columns of the table of all trials."""
        tables = (
            trial_rows(
                window, chunk.first, {name: values[window] for name, values in chunk.columns.items()}, own, self.choice
            )
            for window, own in enumerate(chunk.leaders)
        )
        write_whole(self.folder / f"{chunk.first:08d}.parquet", parquet_writer(_SCHEMA, tables, "none"))

    def rows(self, leaders: Sequence[Leaders], recorded: Sequence[str], offset: int) -> Iterator[pa.Table]:
        """Put the chunks together, window after window, not more than a part of a window at a time.

        Parameters
        ----------
        leaders : sequence of Leaders
            Of each window that the chunks have.
        recorded : sequence of str
            Metrics that are recorded of all trials.
        offset : int
            Number of the chunks' first window.
        """
        files = [(path, pq.read_metadata(path)) for path in sorted(self.folder.glob("*.parquet"))]
        for window, best in enumerate(leaders):
            first, parts = 0, list[pa.Table]()
            for number, (path, metadata) in enumerate(files, 1):
                with pq.ParquetFile(path, metadata=metadata) as file:
                    parts.append(file.read_row_group(window, columns=list(recorded)))
                count = sum(map(len, parts))
                if count >= ROWS or number == len(files):
                    columns: dict[str, Any] = {
                        name: np.concatenate([part[name].to_numpy() for part in parts]) for name in recorded
                    }
                    yield trial_rows(offset + window, first, columns, best, self.choice)
                    first, parts = first + count, []

    def remove(self) -> None:
        """Remove the files: what was in them is in the table."""
        for path in self.folder.glob("*.parquet"):
            path.unlink()
        self.folder.rmdir()
