"""A Ray cluster of two nodes on this machine: `two_nodes.py FILE` writes its address, as JSON.

It ends when its standard input does. It runs where nothing of this checkout can be imported; the
second node does not even see its files, where the system lets us hide them.
"""

import json
import subprocess
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

HERE = Path(__file__).resolve().parent
STORE = {"object_store_memory": 100_000_000}


def hidden() -> str | None:
    """Hide the checkout from the nodes that come; why it cannot be, or None."""
    sys.path.append(str(HERE))
    from hidden import hide  # before its own file is gone

    try:
        hide(HERE.parents[2])
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip()
    except OSError as error:
        return f"unshare: {error.strerror}"
    return None


def main(told: Path) -> None:
    """Start the nodes, tell, and do what standard input says."""
    head = {"num_cpus": 1, "include_dashboard": False, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    why_not = hidden()
    second = cluster.add_node(num_cpus=1, **STORE)
    found = {"address": cluster.address, "second": second.node_id, "not_hidden": why_not}
    written = told.with_suffix(".writing")
    written.write_text(json.dumps(found))
    written.rename(told)
    for line in sys.stdin:
        if line.strip() == "lose":
            cluster.remove_node(second, allow_graceful=False)
    cluster.shutdown()


main(Path(sys.argv[1]))
