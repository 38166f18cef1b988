"""Environments made of this one's libraries: without some of them, and without a network."""

import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEALED = """\
import socket


def refuse(*_):
    raise OSError("this environment has no network")


socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse
"""


def installation(folder, lacking):
    """This environment in a new folder, by links, without those libraries; its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    packages = packages_of(folder)
    for entry in site_packages().iterdir():
        distribution = entry.name.partition("-")[0].partition(".")[0].lower()
        is_ours = "foldwise" in entry.name
        if not is_ours and distribution not in lacking and not (packages / entry.name).exists():
            (packages / entry.name).symlink_to(entry)
    return python


def sealed(folder, lacking):
    """The same without a network."""
    python = installation(folder, lacking)
    # Not sitecustomize: some systems have one of their own, which comes first.
    (packages_of(folder) / "sealed_off.py").write_text(SEALED)
    (packages_of(folder) / "sealed_off.pth").write_text("import sealed_off\n")
    return python


def environment_of(home):
    """The variables of a process there: none of this one's, and no path to the checkout."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}


def packages_of(folder):
    """Where an environment's libraries lie."""
    (packages,) = folder.glob("lib/*/site-packages")
    return packages


def site_packages():
    """Where this environment's libraries lie."""
    (found,) = {Path(p) for p in sys.path if p.endswith("site-packages")}
    return found
