"""The run directory: every file is there whole or not at all."""

import io
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import polars as pl

from admf_ray._types import Observer
from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError
from admf_ray.files import cut_torn_line, write_text, write_whole
from admf_ray.logs import plain
from admf_ray.plugins import active_plugins
from admf_ray.workflow.lock import RunLock
from admf_ray.workflow.manifest import data_report, describe_run
from admf_ray.workflow.phase import PhaseResult
from admf_ray.workflow.recovery import Recovery
from admf_ray.workflow.results import RunResult, read_json, read_text
from admf_ray.workflow.trials import remove_chunks

__all__ = ["RunDirectory"]


class RunDirectory:
    """One run's directory; made when it is entered, so enter it only once conf, data and plan are valid.

    Parameters
    ----------
    root : Path
        Holds all runs; ``latest`` in it points to the newest.
    name : str or None
        Of the run; None makes one of the time and the experiment.
    config : mapping
        The resolved configuration, plain values.
    config_text : str
        The same as YAML.
    resumed : Path, optional
        A run directory that is gone on with, in place of a new one.
    """

    def __init__(
        self,
        root: Path,
        name: str | None,
        config: Mapping[str, Any],
        config_text: str,
        resumed: Path | None = None,
    ) -> None:
        self._config = config
        self._config_text = config_text
        self._begun = datetime.now(UTC) if resumed is None else _begun(resumed)
        self._is_named = name is not None
        self.path = root.expanduser().absolute() / (name or f"{self._begun:%Y%m%d-%H%M%S}-{config['experiment']}")
        if resumed is not None:
            self.path = resumed
        self._is_resumed = resumed is not None
        self._lock = RunLock(self.path / "lock")
        self._progress: IO[str] | None = None
        self._hosts: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        """Make the directory with the resolved configuration and a running status, or take one over.

        Raises
        ------
        ConfigError
            Where the name is taken, the root cannot be written, or another process works on the run.
        """
        if not self._is_resumed:
            self._make_directory()
            self._lock = RunLock(self.path / "lock")
        self._lock.acquire()
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        if self._is_resumed:
            # Whoever worked on it until now may have come to its end.
            if (self.path / "summary.json").exists():
                raise ConfigError(f"run: '{self.path.name}' is finished; allowed: a run that was stopped")
            cut_torn_line(self.path / "progress.jsonl")
        else:
            self.write_text("config.yaml", self._config_text)
        self._write_status("running")
        self._progress = (self.path / "progress.jsonl").open("a", encoding="utf-8")
        # In this directory, so that what a driver leaves that ends here is in nobody's way.
        link = self.path / ".latest"
        link.unlink(missing_ok=True)
        link.symlink_to(self.path.name)
        link.replace(self.path.parent / "latest")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the progress file and write the final status, as far as there is room for it."""
        state, said = "completed", None
        if isinstance(error, KeyboardInterrupt):
            state = "interrupted"
        elif error is not None:
            state, said = "failed", f"{type(error).__name__}: {error}"
        try:
            self._close(state, said)
        except OSError:
            # What stopped the run may keep that from being written down, too: a full disk.
            if error is None:
                raise
        finally:
            self._lock.release()

    def _close(self, state: str, error: str | None = None) -> None:
        try:
            if self._progress:
                self._progress.close()
        finally:
            self._write_status(state, error)

    def _make_directory(self) -> None:
        latest = self.path.parent / "latest"
        if latest.exists() and not latest.is_symlink():
            raise ConfigError(
                f"run_root: '{latest}' is in the way of the link to the newest run; allowed: another root"
            )
        stem, count = self.path.name, 1
        while True:
            try:
                self.path.mkdir(parents=True)
            except FileExistsError:
                if self._is_named and self._is_abandoned():
                    return
                if self._is_named:
                    message = f"run_name: '{self.path}' exists; allowed: a name that is free, or none for a new one"
                    raise ConfigError(message) from None
                count += 1
                self.path = self.path.with_name(f"{stem}-{count}")
            except OSError as error:
                raise ConfigError(f"run_root: '{self.path.parent}' cannot be written: {error.strerror}") from None
            else:
                return

    @property
    def begun(self) -> str:
        """When the run was begun, which going on with it does not change; no other run has both this and its name."""
        return self._begun.isoformat()

    def _is_abandoned(self) -> bool:
        """Say whether the directory was made by a driver that ended before it had written what the run is made from."""
        status = self.path / "status.json"
        begun = [name for name in ("manifest.json", "summary.json") if (self.path / name).exists()]
        return not begun and (not status.exists() or json.loads(status.read_text())["state"] == "running")

    def observing(self, other: Observer | None) -> Observer:
        """Give an observer that appends to ``progress.jsonl`` and tells another one.

        The newest that each host says of its containers stands in ``status.json``.
        """

        def observe(kind: str, record: Mapping[str, Any]) -> None:
            if self._progress:
                line = {"kind": kind, "at": datetime.now(UTC).isoformat(), **record}
                self._progress.write(json.dumps(plain(line)) + "\n")
                self._progress.flush()
            if kind == "CONTAINERS":
                self._hosts[record["host"]] = {"containers": record["containers"]}
                self._write_status("running")
            if other:
                other(kind, record)

        return observe

    def phase_folder(self, phase: str) -> Path:
        """Give the directory of a phase's tables."""
        return self.path / "phases" / phase

    def begin(self, bars: Bars, recovery: Recovery | None = None) -> None:
        """Write down what the run is made from, so that going on with it can tell whether it is still the same.

        Parameters
        ----------
        bars : Bars
        recovery : Recovery, optional
            Of a run that is gone on with. What it forces is added to ``forced.txt``; the configuration until then stays
            as ``config-1.yaml``, ``config-2.yaml``, ...; chunks of other options or data are removed.
        """
        is_forced = recovery is not None and bool(recovery.changes)
        if recovery is not None and is_forced:
            self._keep_forced(recovery)
        for plugin in active_plugins():
            self.write_text(f"plugins/{plugin.name}.py", plugin.source)
        if is_forced or not self._is_resumed:
            self.write_json("manifest.json", describe_run(bars, self._config, {}))

    def _keep_forced(self, recovery: Recovery) -> None:
        # In this order: a driver that ends in between has said too much, and left no chunks that are not its own.
        self.write_text("forced.txt", "".join(f"{line}\n" for line in (*self.forced, *recovery.changes)))
        if recovery.is_other:
            for chunks in self.path.glob("phases/*/chunks"):
                remove_chunks(chunks)
        number = 1 + len(list(self.path.glob("config-*.yaml")))
        self.write_text(f"config-{number}.yaml", read_text(self.path / "config.yaml"))
        self.write_text("config.yaml", self._config_text)

    @property
    def forced(self) -> list[str]:
        """What was not what it had been each time that the run was forced to go on."""
        path = self.path / "forced.txt"
        return read_text(path).splitlines() if path.exists() else []

    def finish(self, bars: Bars, phase: PhaseResult) -> RunResult:
        """Write the tables that are in memory and the manifest."""
        folder = self.phase_folder(phase.name)
        for name, table in phase.tables.frames.items():
            _write(folder / f"{name}.parquet", table.write_parquet)
        if "fills" in phase.tables:
            stamped = phase.tables["fills"].with_columns(
                pl.from_epoch("timestamp", time_unit="ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
            )
            _write(folder / "fills.csv", stamped.write_csv)
        result = RunResult(phase.summary, phase.tables, self.path)
        self.write_json("data_report.json", data_report(bars).plain())
        self.write_json("manifest.json", describe_run(bars, self._config, result.fingerprints()))
        return result

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file; numbers that are not finite become null."""
        self.write_text(name, json.dumps(plain(value), indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        write_text(self.path / name, text)

    def _write_status(self, state: str, error: str | None = None) -> None:
        now = datetime.now(UTC)
        status: dict[str, Any] = {"state": state, "pid": os.getpid()}
        status |= {"begun": self._begun.isoformat(), "updated": now.isoformat()}
        status |= {"hosts": self._hosts} if self._hosts else {}
        self.write_json("status.json", status | ({"error": error} if error else {}))


def _begun(run: Path) -> datetime:
    """Give when a run was begun."""
    return datetime.fromisoformat(read_json(run / "status.json")["begun"])


def _write(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a table; it is made in memory, as polars hides what kept a file from being written."""
    made = io.BytesIO()
    write(made)
    write_whole(path, lambda stream: stream.write(made.getbuffer()))
