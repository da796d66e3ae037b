"""MLflow on SQLite holds the port's laws."""

from pathlib import Path

import pytest

from freehold.adapters.mlflow.tracker import MlflowTracker
from freehold.domain.errors import AdapterFailed
from freehold.ports.contracts.tracker import RUN, TrackerContract


class TestMlflowTracker(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> MlflowTracker:
        return MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> MlflowTracker:
        (tmp_path / "occupied").write_bytes(b"a file where a folder is wanted")
        return MlflowTracker(f"sqlite:///{tmp_path}/occupied/mlflow.db", tmp_path / "artifacts")

    def test_a_store_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_bytes(b"no database " * 1000)
        tracker = MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
        with pytest.raises(AdapterFailed) as caught:
            tracker.record(RUN)
        assert caught.value.code == "tracker.failed"
        assert "not a database" in caught.value.why
