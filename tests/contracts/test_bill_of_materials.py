"""CycloneDX holds the port's laws, and its own library reads the bill."""

import json

import pytest
from cyclonedx.model.bom import Bom

from freehold.adapters.cyclonedx.bill import CycloneDXBill
from freehold.ports.contracts.bill_of_materials import SUBJECT, BillOfMaterialsContract


class TestCycloneDXBill(BillOfMaterialsContract):
    @pytest.fixture
    def maker(self) -> CycloneDXBill:
        return CycloneDXBill()

    def test_it_says_what_the_model_depends_on(self, maker: CycloneDXBill) -> None:
        bill = json.loads(maker.bill(SUBJECT))
        read = Bom.from_json(bill)
        assert read.validate()
        assert {str(part.purl) for part in read.components} >= {"pkg:pypi/numpy@2.4.6"}
        assert bill["specVersion"] == "1.6"
        assert "timestamp" not in bill["metadata"]
        assert bill["metadata"]["component"]["type"] == "machine-learning-model"
        assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
        versions = {part["name"]: part.get("version") for part in bill["components"]}
        assert versions == {"lightgbm": "4.7.0", "mlflow": None, "numpy": "2.4.6"}
        needs = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
        assert needs["flight-delay@3"] == ["lightgbm@4.7.0", "mlflow", "numpy@2.4.6"]

    def test_extras_markers_and_comments_are_read_past(self, maker: CycloneDXBill) -> None:
        line = "Uvicorn_Worker[standard]==0.34.0 ; python_version > '3.11'  # why"
        text = maker.bill(type(SUBJECT)("m", 1, "sha256:" + "00" * 32, (line,))).decode()
        assert "pkg:pypi/uvicorn-worker@0.34.0" in text
