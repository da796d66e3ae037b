"""KEDA, Kubernetes and Knative are told the same; KEDA's own schema takes what it is told."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from freehold.adapters.kubernetes.hpa import HorizontalManifest
from freehold.adapters.kubernetes.keda import KedaManifest
from freehold.adapters.kubernetes.knative import KnativeManifest
from freehold.domain.errors import AdapterFailed
from freehold.domain.scaling import Warming
from freehold.endpoint.batching import Batching
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.request_log import LogSettings, RequestLog
from freehold.ports.contracts.scaling_manifest import SCALED, WARMING, ScalingManifestContract

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "reference" / "crds"


def schema(name: str) -> dict[str, Any]:
    """Of the reference data, which lie in `shared` beside the repository."""
    path = SCHEMAS / f"{name}.json.gz"
    if not path.is_file():
        pytest.fail(f"the schema {path.name} is not there: put the reference data at {SCHEMAS}")
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def spec(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)["spec"]
    return found


def unknown(document: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Fields that the schema does not name: a cluster would drop them in silence."""
    if isinstance(document, list):
        return [name for one in document for name in unknown(one, schema["items"], where)]
    if not isinstance(document, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    return [f"{where}.{key}" for key in document if key not in known] + [
        name
        for key, value in document.items()
        if key in known
        for name in unknown(value, known[key], f"{where}.{key}")
    ]


class TestKeda(ScalingManifestContract):
    @pytest.fixture
    def writer(self) -> KedaManifest:
        return KedaManifest()

    @pytest.mark.parametrize("accelerator", [True, False])
    def test_its_schema_takes_it(self, writer: KedaManifest, accelerator: bool) -> None:
        asked = replace(SCALED, warming=WARMING, accelerator=accelerator)
        document = yaml.safe_load(writer.manifest(asked).text)
        rules = schema("keda.sh_v1alpha1_ScaledObject")
        jsonschema.Draft202012Validator(rules).validate(document)
        assert unknown(document, rules) == []

    def test_the_schema_refuses_what_is_wrong(self, writer: KedaManifest) -> None:
        document = yaml.safe_load(writer.manifest(SCALED).text)
        document["spec"]["triggers"][0]["metadata"]["threshold"] = 0.7
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema("keda.sh_v1alpha1_ScaledObject"))
        document["spec"]["threshold"] = 1
        assert unknown(document, schema("keda.sh_v1alpha1_ScaledObject")) == [".spec.threshold"]

    def test_its_lines_are_ours(self, writer: KedaManifest) -> None:
        told = spec(writer.manifest(replace(SCALED, accelerator=True)).text)
        assert {one["name"]: one["metadata"]["threshold"] for one in told["triggers"]} == {
            "accelerator": "0.7",
            "use": "0.7",
            "queue": "2",
        }
        assert {one["metricType"] for one in told["triggers"]} == {"AverageValue"}
        down = told["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] == 300
        assert 0.7 * (1 - float(down["tolerance"])) == pytest.approx(0.3, abs=0.001)

    def test_hours_of_the_week_are_said_as_cron_does(self, writer: KedaManifest) -> None:
        warming = (Warming(8, 18, 7), Warming(160, 0, 5), Warming(0, 8, 6))
        told = spec(writer.manifest(replace(SCALED, warming=warming)).text)["triggers"]
        assert [one["metadata"] for one in told if one["type"] == "cron"] == [
            {"timezone": "UTC", "start": "55 7 * * 1", "end": "0 18 * * 1", "desiredReplicas": "7"},
            {"timezone": "UTC", "start": "55 15 * * 0", "end": "0 0 * * 1", "desiredReplicas": "5"},
            {"timezone": "UTC", "start": "55 23 * * 0", "end": "0 8 * * 1", "desiredReplicas": "6"},
        ]

    def test_what_was_warmed_may_go_again(self, writer: KedaManifest) -> None:
        """With a tolerance of more than a half, the second of two replicas would stay for good."""
        made = writer.manifest(replace(SCALED, warming=WARMING))
        behavior = spec(made.text)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"] == {"stabilizationWindowSeconds": 300}
        assert "30% is not in it" in made.left_out[0]

    def test_without_an_address_of_metrics_it_says_so(self, writer: KedaManifest) -> None:
        with pytest.raises(AdapterFailed) as caught:
            writer.manifest(replace(SCALED, metrics=""))
        assert caught.value.code == "scaling.no-metrics"


class TestHorizontalPodAutoscaler(ScalingManifestContract):
    @pytest.fixture
    def writer(self) -> HorizontalManifest:
        return HorizontalManifest()

    @pytest.mark.parametrize("accelerator", [True, False])
    def test_it_has_what_the_interface_requires(
        self, writer: HorizontalManifest, accelerator: bool
    ) -> None:
        """Required by autoscaling/v2: scaleTargetRef {kind, name}, maxReplicas; of a metric its
        type and the field named after it; of a policy type, value and periodSeconds."""
        document = yaml.safe_load(writer.manifest(replace(SCALED, accelerator=accelerator)).text)
        assert document["apiVersion"] == "autoscaling/v2"
        told = document["spec"]
        assert {"kind", "name"} <= set(told["scaleTargetRef"]) and told["maxReplicas"] == 17
        assert len(told["metrics"]) == 2 + accelerator
        for metric in told["metrics"]:
            assert set(metric) == {"type", metric["type"].lower()}
        cpu = next(one["resource"] for one in told["metrics"] if one["type"] == "Resource")
        assert cpu["target"] == {"type": "Utilization", "averageUtilization": 70}
        (policy,) = told["behavior"]["scaleUp"]["policies"]
        assert set(policy) == {"type", "value", "periodSeconds"}
        assert told["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300

    def test_how_quickly_it_follows_is_what_another_schema_of_it_takes(
        self, writer: HorizontalManifest
    ) -> None:
        """KEDA's schema carries the behaviour of the same interface."""
        rules = schema("keda.sh_v1alpha1_ScaledObject")["properties"]["spec"]["properties"]
        rules = rules["advanced"]["properties"]["horizontalPodAutoscalerConfig"]["properties"]
        told = spec(writer.manifest(SCALED).text)["behavior"]
        jsonschema.validate(told, rules["behavior"])
        assert unknown(told, rules["behavior"]) == []


class TestKnative(ScalingManifestContract):
    @pytest.fixture
    def writer(self) -> KnativeManifest:
        return KnativeManifest()

    def test_its_annotations_are_texts_under_its_prefix(self, writer: KnativeManifest) -> None:
        told = spec(writer.manifest(SCALED).text)["template"]["metadata"]["annotations"]
        assert all(isinstance(value, str) for value in told.values())
        assert {key.rpartition("/")[0] for key in told} == {"autoscaling.knative.dev"}
        assert told["autoscaling.knative.dev/scale-down-delay"] == "300s"
        assert told["autoscaling.knative.dev/target-utilization-percentage"] == "70"
        assert told["autoscaling.knative.dev/target"] == "3"


def test_the_names_are_those_of_the_endpoint(tmp_path: Path) -> None:
    """Every series that a manifest asks for, but an accelerator's, is one that the endpoint has."""
    log = RequestLog(tmp_path, lambda: 0, LogSettings(), lambda code: True)
    try:
        metrics = Metrics(log, Batching())
        metrics.counts_open(lambda: 1)
        series = set(re.findall(rb"^(freehold_\w+)", metrics.text(), re.MULTILINE))
    finally:
        log.close()
    for writer in (KedaManifest(), HorizontalManifest()):
        asked = set(re.findall(rb"freehold_\w+", writer.manifest(SCALED).text.encode()))
        assert asked and asked <= series
