"""Ctrl-C that comes while a destructor runs."""

import os
import subprocess
import sys

IN_A_DESTRUCTOR = """
import os, signal, sys, time
from pipelines import interrupts

class Lock:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

if sys.argv[1:] == ["keep"]:
    interrupts.keep()
lock = Lock()
try:
    del lock
    time.sleep(5)
    print("lost")
except KeyboardInterrupt:
    print("heard")
"""


def heard(*arguments):
    command = [sys.executable, "-c", IN_A_DESTRUCTOR, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ)


def test_it_is_heard_and_nothing_is_said_of_it():
    done = heard("keep")
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_python_alone_loses_it():
    """The reason for this module: where this fails, it can go."""
    done = heard()
    assert done.stdout == "lost\n"
    assert "Exception ignored in" in done.stderr
