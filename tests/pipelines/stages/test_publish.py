"""What the ledger gets of a run."""

import pytest

from pipelines.stages import publish
from pipelines.stages.publish import Label
from pipelines.workspace.layout import LEDGER
from submissions import ledger
from tests.pipelines.runs.test_summary_page import make_summary


@pytest.fixture
def noted(tmp_path):
    """Notes the run with a label; gives its entry."""

    def note(label=None):
        publish.note(make_summary(), tmp_path, label)
        (entry,) = ledger.read(tmp_path / LEDGER)
        return entry

    return note


def test_a_run_comes_with_its_note_its_members_and_the_settings_that_differ(noted):
    entry = noted(Label("wider", {"mlp.model.hidden": (32, 16), "mlp.loss": None}))
    assert entry.note == "wider"
    assert entry.members == ("logistic", "mlp", "extra-trees", "gradient-boosting")
    assert entry.settings == {"mlp.model.hidden": [32, 16], "mlp.loss": None}


def test_a_later_note_replaces_an_earlier_one_and_no_note_leaves_it(noted):
    first = noted(Label("one", {"a": 1}))
    assert noted() == first
    assert noted(Label(None, {"a": 2})) == first
    changed = noted(Label("two"))
    assert changed == first.model_copy(update={"note": "two"})
    assert noted(Label("")).note == ""
