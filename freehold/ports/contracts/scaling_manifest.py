"""What every writer of scaling manifests must do."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from freehold.domain.scaling import Targets, Warming
from freehold.ports.scaling_manifest import Scaled, ScalingManifest

SCALED = Scaled(
    name="flight-delay",
    targets=Targets(minimum=3, maximum=17),
    metrics="http://prometheus.monitoring:9090",
)
WARMING = (Warming(8, 18, 7), Warming(160, 4, 5))


class ScalingManifestContract:
    """Give the fixture `writer`."""

    def test_equal_questions_give_equal_text(self, writer: ScalingManifest) -> None:
        asked = replace(SCALED, warming=WARMING)
        assert writer.manifest(asked) == writer.manifest(asked)

    def test_it_is_one_document_about_the_deployment(self, writer: ScalingManifest) -> None:
        (document,) = yaml.safe_load_all(writer.manifest(SCALED).text)
        assert {"apiVersion", "kind", "metadata", "spec"} <= set(document)
        assert document["metadata"]["name"] == "flight-delay"

    @pytest.mark.parametrize(("minimum", "maximum"), [(3, 17), (1, 1), (2, 131)])
    def test_it_holds_the_bounds(self, writer: ScalingManifest, minimum: int, maximum: int) -> None:
        asked = replace(SCALED, targets=Targets(minimum=minimum, maximum=maximum))
        told = leaves(yaml.safe_load(writer.manifest(asked).text))
        assert {str(minimum), str(maximum)} <= told

    def test_the_line_and_the_calm_are_in_it(self, writer: ScalingManifest) -> None:
        texts = {
            writer.manifest(replace(SCALED, targets=targets)).text
            for targets in (Targets(), Targets(high=0.8), Targets(calm=600.0), Targets(queue=9.0))
        }
        assert len(texts) == 4

    def test_hours_to_warm_are_in_it_or_told(self, writer: ScalingManifest) -> None:
        plain, warmed = writer.manifest(SCALED), writer.manifest(replace(SCALED, warming=WARMING))
        if warmed.text == plain.text:
            assert len(warmed.left_out) == len(plain.left_out) + 1
            return
        before, after = (leaves(yaml.safe_load(one.text)) for one in (plain, warmed))
        assert {"7", "5"} <= after - before


def leaves(document: Any) -> set[str]:
    if isinstance(document, dict):
        return set().union(*map(leaves, document.values())) if document else set()
    if isinstance(document, list):
        return set().union(*map(leaves, document)) if document else set()
    return {str(document)}
