"""A Ray cluster of two nodes on this machine: `two_nodes.py FILE` writes its address, as JSON.

It ends when its standard input does. It runs where nothing of this checkout can be imported.
"""

import json
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

STORE = {"object_store_memory": 100_000_000}


def main(told: Path) -> None:
    head = {"num_cpus": 1, "include_dashboard": False, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(num_cpus=1, **STORE)
    written = told.with_suffix(".writing")
    written.write_text(json.dumps({"address": cluster.address, "second": second.node_id}))
    written.rename(told)
    for line in sys.stdin:
        if line.strip() == "lose":
            cluster.remove_node(second, allow_graceful=False)
    cluster.shutdown()


main(Path(sys.argv[1]))
