"""Models that an older version logged, whose loader module had another name, still load."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines import competitions
from pipelines.prediction import mlflow_model
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.tracking import served

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def logged(tmp_path_factory, toy, narrator):
    """The folder of a toy run's logged model, and the workspace."""
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        runs.run(toy, RunRequest(source="sample", root=root), narrator)
    (model,) = (root / "mlartifacts").rglob("MLmodel")
    return model.parent, root


def test_a_model_with_the_old_loader_module_loads(logged, toy, monkeypatch, edit):
    import mlflow.pyfunc

    folder, root = logged
    monkeypatch.setattr(competitions, "load_competition", {"toy": toy}.__getitem__)
    rows = pd.read_csv(next((root / "data" / "toy").glob("*/test.csv")))
    expected = mlflow.pyfunc.load_model(str(folder)).predict(rows)
    edit(folder / "MLmodel", f"loader_module: {mlflow_model.__name__}", f"loader_module: {OLD}")
    old = mlflow.pyfunc.load_model(str(folder))
    assert old.metadata.flavors["python_function"]["loader_module"] == OLD
    pd.testing.assert_frame_equal(old.predict(rows), expected)
    submission = pd.read_csv(next(Path(root / "submissions" / "toy").glob("*.csv")))
    assert list(expected["win"]) == list(submission["win"])


OLD = "pipelines.tracking.served"


def test_the_old_name_is_the_module_s():
    assert served.__name__ == OLD
