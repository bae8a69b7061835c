"""Trials in files: a chunk each as they finish, and one table in the end."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from admf_ray._types import Fault
from admf_ray.errors import ReproductionError
from admf_ray.files import cut_torn_line, sync, write_whole
from admf_ray.optimize import (
    STATUSES,
    Candidates,
    Choice,
    Failed,
    Known,
    Leaders,
    Params,
    Stage,
    Studied,
    TrialChunk,
    as_params,
    trial_status,
)
from admf_ray.optimize.blocks import WORST_BLOCK
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.chunk_cache import ChunkCache
from admf_ray.workflow.stored import StoredTable, parquet_writer

__all__ = ["ROWS", "StudyFiles", "TrialFiles", "candidates_table", "remove_chunks", "trial_rows", "trials_table"]

ROWS = 1_000_000
"""Of a table that are held at a time, about."""

_ARRAYS = ("params", "metrics", "worst_block", "pruned", "proposed", "told")
_NUMBERS = [("window", pa.int16()), ("candidate", pa.int32())]
_ALL = [(name, pa.float64()) for name in METRICS]
_METRICS = pa.schema([*_NUMBERS, *_ALL])
_RECORDED = pa.schema([*_METRICS, (WORST_BLOCK, pa.float64())])
_STATUS = ("status", pa.dictionary(pa.int8(), pa.string()))
_PLAIN = pa.schema([*_NUMBERS, _STATUS, ("objective", pa.float64()), *_ALL])
_OF_BLOCKS = pa.schema([*_PLAIN, (WORST_BLOCK, pa.float64())])


def candidates_table(folder: Path, candidates: Candidates) -> StoredTable:
    """Write one row a candidate: its number and its parameters."""
    schema = pa.schema([("candidate", pa.int32()), *((name, pa.float64()) for name in candidates.names)])

    def table(first: int, last: int) -> pa.Table:
        numbers = np.arange(first, last, dtype=np.int32)
        return pa.table([numbers, *candidates.block(first, last).T.copy()], schema=schema)

    path = folder / "candidates.parquet"
    write_whole(path, parquet_writer(schema, (table(*block) for block in candidates.blocks())))
    return StoredTable(path)


def _schema(choice: Choice) -> pa.Schema:
    return _OF_BLOCKS if choice.selection == WORST_BLOCK else _PLAIN


def trial_rows(
    window: int,
    first: int,
    columns: Mapping[str, npt.NDArray[np.float64]],
    leaders: Leaders,
    choice: Choice,
    pruned: npt.NDArray[np.bool_] | None = None,
) -> pa.Table:
    """Give the trials of consecutive candidates in one window.

    Parameters
    ----------
    window, first : int
        The window, and the first candidate.
    columns : mapping of str to float64 array, shape [candidate]
        What is recorded of all trials: metrics, and last the worst block where it decides.
    leaders : Leaders
        Trials of which every metric is recorded; those of other candidates are left out.
    choice : Choice
    pruned : bool array, shape [candidate], optional
        Those that their study gave up; none by default.
    """
    scores, trades = choice.scores(columns), columns["trades"]
    leading = leaders.within(first, first + len(scores))
    at = leading.candidates - first
    unknown = np.ones(len(scores), dtype=np.bool_)
    unknown[at] = False

    def of_leaders(index: int) -> pa.Array:
        values = np.zeros(len(scores))
        values[at] = leading.metrics[:, index]
        return pa.array(values, mask=unknown)

    status = trial_status(scores, trades, choice)
    if pruned is not None:
        status[pruned] = STATUSES.index("pruned")
    schema = _schema(choice)
    return pa.table(
        [
            np.full(len(scores), window, dtype=np.int16),
            np.arange(first, first + len(scores), dtype=np.int32),
            pa.DictionaryArray.from_arrays(status, pa.array(STATUSES)),
            scores,
            *(columns[name] if name in columns else of_leaders(index) for index, name in enumerate(METRICS)),
            *(columns[name] for name in schema.names[len(_PLAIN) :]),
        ],
        schema=schema,
    )


def trials_table(path: Path, tables: Iterator[pa.Table], choice: Choice) -> StoredTable:
    """Write trials that come in the order of windows and candidates, out of `trial_rows` for the same choice."""
    write_whole(path, parquet_writer(_schema(choice), tables))
    return StoredTable(path)


@dataclass(frozen=True, slots=True)
class TrialFiles:
    """Chunks of trials, in files named by the first candidate: doing a chunk twice changes nothing.

    A chunk has a file of the metrics that are recorded of all its trials, with a row group for each window, and one in
    ``best`` of those of its trials that led when it was done. The first one is written last: where it is, the chunk is
    there.

    Attributes
    ----------
    folder : Path
    choice : Choice
    recorded : tuple of str
        What is recorded of all trials; see `admf_ray.optimize.recorded_metrics`.
    """

    folder: Path
    choice: Choice
    recorded: tuple[str, ...]

    def add(self, chunk: TrialChunk, leaders: Sequence[Leaders]) -> None:
        """Write a chunk.

        Parameters
        ----------
        chunk : TrialChunk
        leaders : sequence of Leaders
            Of each window, out of all chunks so far with this one.
        """
        name, stop = f"{chunk.first:08d}.parquet", chunk.first + len(chunk.columns["trades"][0])
        leading = (_leading_rows(window, one.within(chunk.first, stop)) for window, one in enumerate(leaders))
        write_whole(self.folder / "best" / name, parquet_writer(_METRICS, [pa.concat_tables(leading)], "none"))
        schema = pa.schema([field for field in _RECORDED if field.name in ("window", "candidate", *self.recorded)])
        numbers = np.arange(chunk.first, stop, dtype=np.int32)
        tables = (
            pa.table(
                [
                    np.full(len(numbers), window, dtype=np.int16),
                    numbers,
                    *(chunk.columns[name][window] for name in self.recorded),
                ],
                schema=schema,
            )
            for window in range(len(leaders))
        )
        write_whole(self.folder / name, parquet_writer(schema, tables, "none"))

    def done(self) -> list[tuple[int, int]]:
        """Give the candidates whose chunks are there, as half-open ranges in order."""
        found = []
        for path in sorted(self.folder.glob("*.parquet")):
            first = int(path.stem)
            found.append((first, first + pq.read_metadata(path).row_group(0).num_rows))
        return found

    def missing(self, candidates: int) -> list[tuple[int, int]]:
        """Give those of so many candidates whose chunks are not there."""
        edges = [0, *(edge for part in self.done() for edge in part), candidates]
        return [(first, stop) for first, stop in zip(edges[::2], edges[1::2], strict=True) if first < stop]

    def sound(self) -> list[Path]:
        """Give the files of the chunks that are there, of each the one that makes it there last."""
        return [Path(part, f"{first:08d}.parquet") for first, _ in self.done() for part in ("best", "")]

    def drop_failed(self) -> None:
        """Remove the chunks of candidates that failed: each is a chunk by itself, without metrics."""
        for first, stop in self.done():
            path = self.folder / f"{first:08d}.parquet"
            if stop - first == 1 and np.isnan(pq.read_table(path, columns=["trades"])["trades"].to_numpy()).any():
                path.unlink()

    def take(self, cache: ChunkCache, key: str) -> None:
        """Take the chunks that an earlier run left in the cache."""
        taken = {*cache.take(key, self.folder)}
        for name in taken:
            if name.parent.name != "best" and Path("best", name) not in taken:
                (self.folder / name).unlink()

    def leaders(self, windows: int) -> list[Leaders]:
        """Give the best trials of each window out of the chunks that are there."""
        found = [Leaders.nobody() for _ in range(windows)]
        for first, _ in self.done():
            rows = pq.read_table(self.folder / "best" / f"{first:08d}.parquet")
            window = rows["window"].to_numpy()
            metrics = np.stack([rows[name].to_numpy() for name in METRICS], axis=1)
            numbers = rows["candidate"].to_numpy().astype(np.int64)
            for w in range(windows):
                own = Leaders(numbers[window == w], metrics[window == w])
                found[w] = found[w].joined(own, self.choice)
        return found

    def columns(self, window: int, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Give columns of all trials of a window that are there, by name, in the order of the candidates."""
        parts = []
        for path in sorted(self.folder.glob("*.parquet")):
            with pq.ParquetFile(path) as file:
                parts.append(file.read_row_group(window, columns=list(names), use_threads=False))
        return {name: np.concatenate([part[name].to_numpy() for part in parts]) for name in names}

    def rows(self, leaders: Sequence[Leaders], offset: int, candidates: int) -> Iterator[pa.Table]:
        """Put the chunks together, window after window, not much more than `ROWS` at a time.

        Parameters
        ----------
        leaders : sequence of Leaders
            Of each window that the chunks have.
        offset : int
            Number of the chunks' first window.
        candidates : int

        Raises
        ------
        ReproductionError
            Where a chunk is not there; names the candidates.
        """
        if lost := self.missing(candidates):
            raise ReproductionError(
                f"{self.folder}: the trials of candidates {lost[0][0]} to {lost[0][1] - 1} are gone"
            )
        most = -(-candidates // max(1, candidates // ROWS))
        files = [(path, pq.read_metadata(path)) for path in sorted(self.folder.glob("*.parquet"))]
        for window, best in enumerate(leaders):
            first, parts = 0, list[pa.Table]()
            for path, metadata in files:
                with pq.ParquetFile(path, metadata=metadata) as file:
                    parts.append(file.read_row_group(window, columns=list(self.recorded), use_threads=False))
                count = sum(map(len, parts))
                if count >= most or first + count == candidates:
                    columns: dict[str, npt.NDArray[np.float64]] = {
                        name: np.concatenate([part[name].to_numpy() for part in parts]) for name in self.recorded
                    }
                    yield trial_rows(offset + window, first, columns, best, self.choice)
                    first, parts = first + count, []

    def remove(self) -> None:
        """Remove the files: what was in them is in the table."""
        remove_chunks(self.folder)


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Studies that are done, in a file each by window, and the sets of those that are not, a line each.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def add(self, studied: Studied) -> None:
        """Write a study."""
        path = self.folder / self.name(studied.window)
        arrays = {name: getattr(studied, name) for name in _ARRAYS}
        failures = json.dumps([_plain_failure(one) for one in studied.failures])
        write_whole(path, lambda stream: np.savez(stream, **arrays, failures=np.array(failures)))

    @staticmethod
    def name(window: int) -> Path:
        """Give the file of a study, relative to the folder."""
        return Path(f"study-{window:05d}.npz")

    def studies(self) -> dict[int, Studied]:
        """Read those that are there, by window."""
        found = {}
        for path in sorted(self.folder.glob("study-*.npz")):
            window = int(path.stem.partition("-")[2])
            with np.load(path) as arrays:
                failures = [_failure(one) for one in json.loads(str(arrays["failures"]))]
                found[window] = Studied(window, **{name: arrays[name] for name in _ARRAYS}, failures=failures)
        return found

    @property
    def _sets(self) -> Path:
        return self.folder / "evaluated.jsonl"

    def keep(self, window: int, found: Mapping[tuple[Stage, Params], Known]) -> None:
        """Add sets that were evaluated for a study which is not done yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(
                {
                    "window": window,
                    "stage": stage,
                    "params": params,
                    "metrics": None if known.failed else known.metrics.tolist(),
                    "worst_block": known.worst_block,
                    "failed": _plain_failure(known.failed) if known.failed else None,
                }
            )
            for (stage, params), known in found.items()
        ]
        with self._sets.open("ab") as file:
            file.writelines(f"{line}\n".encode() for line in lines)
            sync(file)

    def kept(self) -> dict[int, dict[tuple[Stage, Params], Known]]:
        """Read the sets that were evaluated, by window."""
        found: dict[int, dict[tuple[Stage, Params], Known]] = {}
        cut_torn_line(self._sets)
        for line in self._sets.read_text(encoding="utf-8").splitlines() if self._sets.exists() else ():
            one = json.loads(line)
            failed = None if one["failed"] is None else _failure(one["failed"])
            metrics = np.full(len(METRICS), np.nan) if failed else np.array(one["metrics"], dtype=np.float64)
            key = one["stage"], as_params(one["params"])
            found.setdefault(one["window"], {})[key] = Known(metrics, one["worst_block"], failed)
        return found

    def drop_failed(self) -> None:
        """Forget the sets that failed, and with them the studies that went on without them."""
        for window, studied in self.studies().items():
            if studied.failures:
                (self.folder / self.name(window)).unlink()
        if self._sets.exists():
            cut_torn_line(self._sets)
            lines = self._sets.read_bytes().splitlines(keepends=True)
            sound = [line for line in lines if json.loads(line)["failed"] is None]
            write_whole(self._sets, lambda stream: stream.writelines(sound))

    def remove(self) -> None:
        """Remove the files: what was in them is in the table."""
        remove_chunks(self.folder)


def remove_chunks(folder: Path) -> None:
    """Remove the directory of chunks, at once for whoever looks at it afterwards, should the driver end meanwhile."""
    leaving = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(leaving, ignore_errors=True)
    if folder.exists():
        folder.replace(leaving)
        shutil.rmtree(leaving)


def _plain_failure(failed: Failed) -> dict[str, Any]:
    return {
        "candidate": failed.candidate,
        "window": failed.window,
        "fault": {name: getattr(failed.fault, name) for name in ("kind", "error", "message", "traceback")},
        "host": failed.host,
        "attempts": failed.attempts,
    }


def _failure(plain: Mapping[str, Any]) -> Failed:
    return Failed(**{**plain, "fault": Fault(**plain["fault"])})


def _leading_rows(window: int, leaders: Leaders) -> pa.Table:
    count = len(leaders.candidates)
    numbers = [np.full(count, window, dtype=np.int16), leaders.candidates.astype(np.int32)]
    return pa.table([*numbers, *leaders.metrics.T.copy()], schema=_METRICS)
