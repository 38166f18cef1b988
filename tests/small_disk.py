"""A disk without room, by the kernel's own limit on the length of a file."""

import contextlib
import resource


@contextlib.contextmanager
def no_file_beyond(n_bytes):
    """The kernel refuses to let a file grow beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
