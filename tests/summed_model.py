"""A small model for tests that release one without training."""

from onnx import TensorProto, helper


def sigmoid_of_the_sum(bias: float) -> bytes:
    """A model of two columns, as ONNX: missing values count as nothing."""
    nodes = [
        helper.make_node("IsNaN", ["rows"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "rows"], ["known"]),
        helper.make_node("ReduceSum", ["known", "axis"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "bias"], ["shifted"]),
        helper.make_node("Sigmoid", ["shifted"], ["score"]),
    ]
    constants = [
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
