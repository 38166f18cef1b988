"""What a competition is, and how its settings are resolved: file, tuned values, then `--set`.

Stages and everything above them may import it; it imports only the libraries of settings.
"""

from __future__ import annotations
