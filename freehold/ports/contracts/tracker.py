"""What every tracker must do."""

from pathlib import Path

import pytest

from freehold.domain.errors import AdapterFailed
from freehold.ports.tracker import TrackedRun, Tracker

RUN = TrackedRun(
    experiment="flights",
    name="train",
    parameters={"learning_rate": 0.05, "rounds": 30, "balanced": False, "objective": "binary"},
    metrics={"auc": 0.731, "log_loss": 0.42},
    curves={"validation_auc": (0.6, 0.7, 0.73)},
    reliability=((0.1, 0.12), (0.5, 0.47), (0.9, 0.88)),
    strengths={"hour": 0.31, "origin <&>": 0.12},
    files={"card.md": b"# A model\n", "nested/notes.txt": b"notes"},
    tags={"freehold.run": "r-1"},
)


class TrackerContract:
    """Give the fixtures `tracker` and `broken`, one whose store cannot be written."""

    def test_runs_are_kept_apart(self, tracker: Tracker) -> None:
        first, second = tracker.record(RUN), tracker.record(RUN)
        assert first.run and second.run and first.run != second.run
        assert first.model_version == ""

    def test_a_run_may_be_bare(self, tracker: Tracker) -> None:
        assert tracker.record(TrackedRun(experiment="bare", name="bare")).run

    def test_without_a_location_it_finds_a_place_in_the_folder(
        self, tracker: Tracker, tmp_path: Path
    ) -> None:
        folder = tmp_path / "site"
        folder.mkdir()
        assert type(tracker).open("", folder).record(RUN).run
        assert any(folder.iterdir())

    def test_failure_is_one_kind_of_error(self, broken: Tracker) -> None:
        with pytest.raises(AdapterFailed) as caught:
            broken.record(RUN)
        assert caught.value.code == "tracker.failed"
        assert caught.value.why
