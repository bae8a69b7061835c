"""Machines on one machine: network namespaces with addresses of their own, and a link between them that can be cut."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PORT = 6379
_NUMBERS = itertools.count()


def are_permitted() -> bool:
    """Say whether this process may make network namespaces."""
    if shutil.which("ip") is None:
        return False
    name = f"admf{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    _ip("netns", "del", name)
    return True


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Machine:
    """A namespace.

    Attributes
    ----------
    name, address : str
    folder : Path
        For what its processes say.
    """

    name: str
    address: str
    folder: Path

    def start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start a process in it."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdout=log, stderr=log)

    def start_ray(self, *options: str) -> None:
        """Start a node of one CPU; it ends with the namespace."""
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
        self.start([*ray, f"--node-ip-address={self.address}", "--object-store-memory=150000000", *options])

    def said(self) -> str:
        """Give what its processes wrote."""
        path = self.folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def set_link(self, state: str) -> None:
        """Plug the cable in (``up``) or pull it out (``down``)."""
        _ip("-netns", self.name, "link", "set", self.name, state)

    def is_listening(self, port: int) -> bool:
        """Say whether something in it listens at a port."""
        table = _ip("netns", "exec", self.name, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        return any(f":{port:04X} " in line and " 0A " in line for line in table.splitlines())

    def end(self) -> None:
        """End all processes in it, and remove it."""
        processes = [psutil.Process(int(pid)) for pid in _ip("netns", "pids", self.name).split()]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)
        _ip("netns", "del", self.name)


@contextmanager
def two_machines(folder: Path) -> Iterator[tuple[Machine, Machine]]:
    """Give two machines that are joined by a cable."""
    number = next(_NUMBERS)
    names = [f"adm{os.getpid()}{end}{number}" for end in "ab"]
    machines = [Machine(name, f"10.199.{number}.{1 + index}", folder) for index, name in enumerate(names)]
    made = list[Machine]()
    try:
        for one in machines:
            _ip("netns", "add", one.name)
            made.append(one)
        # Each end has the name of its machine.
        _ip("link", "add", names[0], "netns", names[0], "type", "veth", "peer", "name", names[1], "netns", names[1])
        for one in machines:
            _ip("-netns", one.name, "addr", "add", f"{one.address}/24", "dev", one.name)
            for link in ("lo", one.name):
                _ip("-netns", one.name, "link", "set", link, "up")
        for one, other in itertools.permutations(machines, 2):
            # Ray asks by which way the world would be reached to learn its own address.
            _ip("-netns", one.name, "route", "add", "default", "via", other.address)
        yield machines[0], machines[1]
    finally:
        for one in made:
            one.end()


@contextmanager
def cluster_of(folder: Path, config: Mapping[str, int]) -> Iterator[tuple[Machine, Machine, str]]:
    """Give head and worker of a Ray of two machines, and its address."""
    with two_machines(folder) as (head, worker):
        head.start_ray("--head", f"--port={PORT}", "--include-dashboard=false", f"--system-config={json.dumps(config)}")
        address = f"{head.address}:{PORT}"
        while not head.is_listening(PORT):
            time.sleep(0.1)
        worker.start_ray(f"--address={address}")
        yield head, worker, address
