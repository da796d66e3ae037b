"""What every maker of bills of materials must do."""

from dataclasses import replace

import pytest

from freehold.domain.errors import AdapterFailed
from freehold.ports.bill_of_materials import BillOfMaterials, BillSubject

SUBJECT = BillSubject(
    model="flight-delay",
    version=3,
    digest="sha256:" + "ab" * 32,
    requirements=("numpy==2.4.6", "lightgbm == 4.7.0", "mlflow>=3.10,<4", "", "# a comment"),
)


class BillOfMaterialsContract:
    """Give the fixture `maker`."""

    def test_equal_questions_give_equal_bytes(self, maker: BillOfMaterials) -> None:
        assert maker.bill(SUBJECT) == maker.bill(SUBJECT)
        shuffled = replace(SUBJECT, requirements=tuple(reversed(SUBJECT.requirements)))
        assert maker.bill(shuffled) == maker.bill(SUBJECT)

    def test_it_names_the_model_its_hash_and_every_requirement(
        self, maker: BillOfMaterials
    ) -> None:
        text = maker.bill(SUBJECT).decode()
        for word in ("flight-delay", "ab" * 32, "numpy", "2.4.6", "lightgbm", "4.7.0", "mlflow"):
            assert word in text
        other = maker.bill(replace(SUBJECT, digest="sha256:" + "cd" * 32)).decode()
        assert "ab" * 32 not in other

    def test_lines_that_are_no_requirement_are_all_named(self, maker: BillOfMaterials) -> None:
        lines = ("numpy==2.4.6", "-r more.txt", "==1.0", "https://example.invalid/a.whl")
        with pytest.raises(AdapterFailed) as caught:
            maker.bill(replace(SUBJECT, requirements=lines))
        assert caught.value.code == "bill.unreadable-requirement"
        assert [fault.where for fault in caught.value.faults] == ["line 2", "line 3", "line 4"]
