"""A real PostgreSQL with pgvector on a socket, from the programs of a package of PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PORT = 5432  # names the socket in its folder, and is no port of this machine


@contextmanager
def run_postgres(programs: Path) -> Iterator[Path]:
    """Run a server for the length of a block.

    Args:
        programs: The folder of `initdb` and `postgres`.

    Yields:
        The folder of the socket.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # the path of a socket has 107 characters at most
    data = folder / "data"
    data.mkdir(mode=0o700)
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "nobody"
        for path in (folder, data):
            shutil.chown(path, user)
    try:
        command = [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder)
        flags = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), *flags],
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                _wait_for(folder / f".s.PGSQL.{PORT}", server)
                yield folder
            finally:
                server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert server.poll() is None, "the server has ended"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.02)
