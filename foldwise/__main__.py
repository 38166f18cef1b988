"""`python -m foldwise`, the same as the command `foldwise`."""

from __future__ import annotations

from pipelines.__main__ import main

if __name__ == "__main__":
    main()
