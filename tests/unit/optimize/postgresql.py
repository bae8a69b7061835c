"""A PostgreSQL of its own, out of Debian's package, for as long as a test needs it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER = "postgres"
_SECONDS = 60


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server on a free port of this machine; give the URL of its database, and stop it in the end.

    It asks for a password, and refuses to run as root: then it is run as its own user.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        pytest.skip("PostgreSQL is not installed (no /usr/lib/postgresql)")
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam(_USER)
        except KeyError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {_USER}")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "password").write_text("se:cret\n")
    (folder / "password").chmod(0o644)
    data = str(folder / "data")
    locale = ["--locale=C", "--encoding=UTF8", "--no-sync", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    server = None
    try:
        made = subprocess.run(
            [*as_user, str(programs[-1] / "initdb"), "-D", data, "-U", "ann", *locale],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip().splitlines()[-1]}")
        server = subprocess.Popen(
            [
                *(*as_user, str(programs[-1] / "postgres"), "-D", data, "-p", str(port), "-k", str(folder)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        _wait(server, [str(programs[-1] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)])
        yield f"postgresql+psycopg2://ann:se%3Acret@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            # What PostgreSQL calls fast: it does not wait for those that are connected.
            server.send_signal(signal.SIGINT)
            server.wait()
        shutil.rmtree(folder)


def _wait(server: subprocess.Popen[bytes], is_ready: list[str]) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _SECONDS:
        if server.poll() is not None:
            pytest.skip(f"PostgreSQL ended as it started (exit {server.returncode})")
        if subprocess.run(is_ready, check=False).returncode == 0:
            return
        time.sleep(0.05)
    pytest.skip(f"PostgreSQL did not start in {_SECONDS} s")
