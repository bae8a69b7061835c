"""Taking chunks of earlier runs out of the cache, and leaving those of this run there."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from admf_ray.files import write_text
from admf_ray.workflow.chunk_cache import ChunkCache
from admf_ray.workflow.results import read_json
from admf_ray.workflow.trials import StudyFiles, TrialFiles

__all__ = ["Reused", "reused_chunks", "reused_studies"]

_REUSED = "reused.json"


@dataclass(frozen=True, slots=True)
class Reused:
    """Chunks that were taken from the cache, and the trials in them; a study is a chunk."""

    chunks: int = 0
    trials: int = 0


def reused_chunks(cache: ChunkCache, key: str, files: TrialFiles, spans: int) -> Reused:
    """Take chunks out of the cache, unless an earlier attempt has left some: theirs would lie across each other."""
    if known := _known(files.folder):
        return known
    if files.done():
        return Reused()
    files.take(cache, key)
    done = files.done()
    return _told(files.folder, Reused(len(done), spans * sum(stop - first for first, stop in done)))


def reused_studies(cache: ChunkCache, keys: Sequence[str], files: StudyFiles) -> Reused:
    """Take the studies out of the cache that an earlier attempt has not left."""
    if known := _known(files.folder):
        return known
    there = files.studies().keys()
    taken = {window for window, key in enumerate(keys) if window not in there and cache.take(key, files.folder)}
    trials = [len(studied.params) for window, studied in files.studies().items() if window in taken]
    return _told(files.folder, Reused(len(trials), sum(trials)))


def _known(folder: Path) -> Reused | None:
    """Give what an earlier attempt had taken out of the cache."""
    return Reused(**read_json(folder / _REUSED)) if (folder / _REUSED).is_file() else None


def _told(folder: Path, reused: Reused) -> Reused:
    """Write down, for whoever goes on with the run, what was taken out of the cache."""
    if reused.chunks:
        write_text(folder / _REUSED, json.dumps(asdict(reused)))
    return reused
