"""LightGBM to ONNX: onnxmltools writes the trees, we put a plain graph around them."""

import warnings

import lightgbm
import onnx
from onnx import TensorProto, helper
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from freehold.adapters.onnx.thresholds import rounded_for_float32
from freehold.domain.errors import AdapterFailed
from freehold.ports.model_converter import ModelConverter

INPUT, OUTPUT = "matrix", "probability"
_OPSET, _TREES_OPSET, _IR = 15, 1, 8
"""Fixed, and old enough for every ONNX Runtime since 1.14, so that a package does not change with
the library that made it."""


class OnnxConverter(ModelConverter):
    source = "lightgbm"
    target = "onnx"

    def convert(self, data: bytes, width: int) -> bytes:
        try:
            text = rounded_for_float32(data.decode())
            booster = lightgbm.Booster(model_str=text)
            booster.params["objective"] = "binary"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = convert_lightgbm(
                    booster,
                    name="model",
                    initial_types=[(INPUT, FloatTensorType([None, width]))],
                    target_opset=_OPSET,
                    zipmap=False,
                )
        except (lightgbm.basic.LightGBMError, ValueError, RuntimeError) as exc:
            raise AdapterFailed(
                "the model does not convert to ONNX", why=str(exc), code="model.unreadable"
            ) from exc
        return bytes(_graph(_trees(model), width).SerializeToString(deterministic=True))


def _trees(model: onnx.ModelProto) -> onnx.NodeProto:
    found: list[onnx.NodeProto] = [
        node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier"
    ]
    if len(found) != 1:
        raise AdapterFailed(
            "the model does not convert to ONNX",
            why=f"{len(found)} tree ensembles came out of it instead of 1",
            code="model.unreadable",
        )
    return found[0]


def _graph(trees: onnx.NodeProto, width: int) -> onnx.ModelProto:
    """matrix [n, width] → trees → the second class's probability [n]."""
    nodes = [onnx.NodeProto(), helper.make_node("Gather", ["both", "one"], [OUTPUT], axis=1)]
    nodes[0].CopyFrom(trees)
    nodes[0].name = "trees"
    nodes[0].input[:] = [INPUT]
    nodes[0].output[:] = ["label", "both"]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["rows"])],
        initializer=[helper.make_tensor("one", TensorProto.INT64, [], [1])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _TREES_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="freehold")
    model.ir_version = _IR
    onnx.checker.check_model(model)
    return model
