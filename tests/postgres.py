"""A PostgreSQL server of the tests' own, which can be stopped and started."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER = "nobody"  # the server refuses to be run by root
PASSWORD = "Qu3er/word"


def missing():
    """Why there can be no server; None where there can."""
    if _programs() is None:
        return "needs PostgreSQL (apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "needs the package psycopg[binary]"
    return None


def _programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return found[-1].parent if found else None


class Postgres:
    """The server; its folder is removed at the end."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = _free_port()
        (self.folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (self.folder, self.folder / "password"):
                os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
        self._call("initdb", "-N", "-A", "scram-sha-256", "-U", "worker", "--pwfile=../password")

    def url(self, database, *, scheme="postgresql"):
        quoted = PASSWORD.replace("/", "%2F")
        return f"{scheme}://worker:{quoted}@127.0.0.1:{self.port}/{database}"

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        self._call("pg_ctl", "-w", "-o", options, "-l", "../log", "start")

    def stop(self):
        self._call("pg_ctl", "-w", "-m", "fast", "stop")

    def create(self, database):
        """A new database of that name; its address."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        return self.url(database)

    def close(self):
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def _call(self, program, *arguments):
        data = self.folder / "data"
        command = [_programs() / program, "-D", data, *arguments]
        user = USER if os.getuid() == 0 else None
        data.mkdir(mode=0o700, exist_ok=True)
        if user:
            os.chown(data, pwd.getpwnam(user).pw_uid, -1)
        # Not into a pipe: the server keeps it open.
        subprocess.run(command, check=True, user=user, cwd=data, stdout=subprocess.DEVNULL)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
