"""Makes the small networks of this folder and, with ONNX's reference evaluator, their reference numbers.

    python networks.py        (needs onnx 1.20 or later and numpy)

`<name>.onnx` is a network, `<name>.json` holds the inputs and every floating-point value of the main graph.
`older.onnx` has none: the reference evaluator normalises by the batch in operator set 9. `dtypes.onnx` has an initializer of every element type, in typed fields; `dtypes.json` their bytes.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def weight(name, *shape, scale=0.5):
    return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


def model(graph, functions=(), opsets=(), opset=17, ir_version=8):
    made = h.make_model(
        graph,
        functions=list(functions),
        opset_imports=[h.make_opsetid("", opset), *opsets],
        ir_version=ir_version,
        producer_name="networks.py",
    )
    onnx.checker.check_model(made)
    return made


def plain(array):
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.ravel().tolist()}


def reference(name, made, feeds, external=False):
    if external:
        onnx.save(made, HERE / f"{name}.onnx", save_as_external_data=True, location=f"{name}.onnx.data", size_threshold=64)
        made = onnx.load(HERE / f"{name}.onnx")
    else:
        onnx.save(made, HERE / f"{name}.onnx")
    values = ReferenceEvaluator(made).run(None, feeds, intermediate=True)
    produced = {output for node in made.graph.node for output in node.output if output}
    floats = {
        key: plain(value)
        for key, value in values.items()
        if key in produced and isinstance(value, np.ndarray) and value.dtype == np.float32
    }
    record = {"feeds": {key: plain(value) for key, value in feeds.items()}, "values": floats}
    (HERE / f"{name}.json").write_text(json.dumps(record) + "\n")


def convolutional():
    """Names as PyTorch's exporter writes them."""
    nodes = [
        h.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["/layer1/layer1.0/conv1/Conv_output_0"],
                    name="/layer1/layer1.0/conv1/Conv", pads=[1, 1, 1, 1]),
        h.make_node("Relu", ["/layer1/layer1.0/conv1/Conv_output_0"], ["/layer1/layer1.0/relu/Relu_output_0"],
                    name="/layer1/layer1.0/relu/Relu"),
        h.make_node("MaxPool", ["/layer1/layer1.0/relu/Relu_output_0"], ["/pool/MaxPool_output_0"],
                    name="/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        h.make_node("Conv", ["/pool/MaxPool_output_0", "conv2.weight"], ["/layer2/conv/Conv_output_0"],
                    name="/layer2/conv/Conv", strides=[2, 2]),
        h.make_node("BatchNormalization", ["/layer2/conv/Conv_output_0", "bn.weight", "bn.bias", "bn.mean", "bn.var"],
                    ["/layer2/bn/BatchNormalization_output_0"], name="/layer2/bn/BatchNormalization"),
        h.make_node("Clip", ["/layer2/bn/BatchNormalization_output_0", "", "six"], ["/layer2/act/Clip_output_0"],
                    name="/layer2/act/Clip"),
        h.make_node("GlobalAveragePool", ["/layer2/act/Clip_output_0"], ["/avgpool/GlobalAveragePool_output_0"],
                    name="/avgpool/GlobalAveragePool"),
        h.make_node("Flatten", ["/avgpool/GlobalAveragePool_output_0"], ["/Flatten_output_0"], name="/Flatten"),
        h.make_node("Gemm", ["/Flatten_output_0", "fc.weight", "fc.bias"], ["logits"], name="/fc/Gemm", transB=1),
    ]
    var = numpy_helper.from_array(rng.uniform(0.5, 2, 4).astype(np.float32), "bn.var")
    six = numpy_helper.from_array(np.float32(6), "six")
    graph = h.make_graph(
        nodes, "convolutional",
        [h.make_tensor_value_info("image", T.FLOAT, ["batch", 2, 8, 8])],
        [h.make_tensor_value_info("logits", T.FLOAT, ["batch", 5])],
        [weight("conv1.weight", 3, 2, 3, 3), weight("conv1.bias", 3), weight("conv2.weight", 4, 3, 2, 2),
         weight("bn.weight", 4), weight("bn.bias", 4), weight("bn.mean", 4), var, six,
         weight("fc.weight", 5, 4), weight("fc.bias", 5)],
    )
    feeds = {"image": rng.standard_normal((2, 2, 8, 8)).astype(np.float32)}
    reference("convolutional", model(graph), feeds)


def control():
    """If, Loop and Scan whose bodies read values from around them, a sequence, and a function. Nodes have no names."""
    info = h.make_tensor_value_info
    then = h.make_graph([h.make_node("Mul", ["hidden", "two"], ["doubled"])], "then", [], [info("doubled", T.FLOAT, None)])
    other = h.make_graph([h.make_node("Sub", ["hidden", "shift"], ["shifted"])], "else", [], [info("shifted", T.FLOAT, None)],
                         [weight("shift", 4)])
    loop = h.make_graph(
        [h.make_node("Add", ["state", "hidden"], ["sum"]),
         h.make_node("Tanh", ["sum"], ["next"]),
         h.make_node("Identity", ["keep"], ["still"])],
        "loop_body",
        [info("i", T.INT64, []), info("keep", T.BOOL, []), info("state", T.FLOAT, ["n", 4])],
        [info("still", T.BOOL, []), info("next", T.FLOAT, ["n", 4])],
    )
    scan = h.make_graph(
        [h.make_node("Add", ["carry", "line"], ["carried"]), h.make_node("Identity", ["carried"], ["row"])],
        "scan_body",
        [info("carry", T.FLOAT, [4]), info("line", T.FLOAT, [4])],
        [info("carried", T.FLOAT, [4]), info("row", T.FLOAT, [4])],
    )
    gelu = h.make_function(
        "example.functions", "ScaledTanh", ["x"], ["y"],
        [h.make_node("Tanh", ["x"], ["t"]),
         h.make_node("Constant", [], ["s"]),
         h.make_node("Mul", ["t", "s"], ["y"])],
        [h.make_opsetid("", 17)], ["scale"],
    )
    gelu.node[1].attribute.append(onnx.AttributeProto(name="value_float", ref_attr_name="scale", type=onnx.AttributeProto.FLOAT))
    nodes = [
        h.make_node("MatMul", ["x", "w"], ["hidden"]),
        h.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        h.make_node("Greater", ["total", "zero"], ["positive"]),
        h.make_node("If", ["positive"], ["branch"], then_branch=then, else_branch=other),
        h.make_node("Loop", ["three", "yes", "branch"], ["looped"], body=loop),
        h.make_node("Scan", ["start", "looped"], ["last", "rows"], num_scan_inputs=1, body=scan),
        h.make_node("ScaledTanh", ["rows"], ["scaled"], domain="example.functions", scale=1.5),
        h.make_node("SequenceConstruct", ["scaled", "looped"], ["pair"]),
        h.make_node("ConcatFromSequence", ["pair"], ["joined"], axis=1),
        h.make_node("LayerNormalization", ["joined", "gain"], ["normal", "", "spread"]),
        h.make_node("Mul", ["normal", "spread"], ["y"]),
    ]
    graph = h.make_graph(
        nodes, "control", [info("x", T.FLOAT, ["n", 3])], [info("y", T.FLOAT, ["n", 8])],
        [weight("w", 3, 4), numpy_helper.from_array(np.float32(2), "two"), numpy_helper.from_array(np.float32(0), "zero"),
         numpy_helper.from_array(np.int64(3), "three"),
         numpy_helper.from_array(np.bool_(True), "yes"), weight("start", 4), weight("gain", 8)],
        value_info=[h.make_tensor_sequence_value_info("pair", T.FLOAT, None)],
    )
    made = model(graph, [gelu], [h.make_opsetid("example.functions", 1)])
    reference("control", made, {"x": rng.standard_normal((2, 3)).astype(np.float32)})


def external():
    graph = h.make_graph(
        [h.make_node("MatMul", ["x", "w1"], ["a"], name="encoder.0/MatMul"),
         h.make_node("Add", ["a", "b1"], ["b"], name="encoder.0/Add"),
         h.make_node("Erf", ["b"], ["c"], name="encoder.1/Erf"),
         h.make_node("MatMul", ["c", "w2"], ["y"], name="head/MatMul")],
        "external", [h.make_tensor_value_info("x", T.FLOAT, ["batch", 6])],
        [h.make_tensor_value_info("y", T.FLOAT, ["batch", 3])],
        [weight("w1", 6, 8), weight("b1", 8), weight("w2", 8, 3)],
    )
    (HERE / "external.onnx.data").unlink(missing_ok=True)
    reference("external", model(graph), {"x": rng.standard_normal((3, 6)).astype(np.float32)}, external=True)


def dtypes():
    tensors, expected = [], {}

    def add(name, tensor, raw):
        tensors.append(tensor)
        expected[name] = raw.hex()

    def typed(name, number, field, values, raw, dims):
        tensor = T(name=name, data_type=number, dims=dims)
        getattr(tensor, field).extend(values)
        add(name, tensor, raw)

    def array(name, number, field, values):
        numbers = values.astype(np.uint8) if values.dtype == np.bool_ else values
        typed(name, number, field, numbers.ravel().tolist(), values.tobytes(), values.shape)

    array("float32", T.FLOAT, "float_data", np.array([1.5, -0.0, 3e38], np.float32))
    array("float64", T.DOUBLE, "double_data", np.array([[1e300], [-2.5]]))
    array("int8", T.INT8, "int32_data", np.array([-128, 127], np.int8))
    array("uint8", T.UINT8, "int32_data", np.array([0, 255], np.uint8))
    array("int16", T.INT16, "int32_data", np.array([-32768, 32767], np.int16))
    array("uint16", T.UINT16, "int32_data", np.array([0, 65535], np.uint16))
    array("int32", T.INT32, "int32_data", np.array([-(2**31), 2**31 - 1], np.int32))
    array("uint32", T.UINT32, "uint64_data", np.array([0, 2**32 - 1], np.uint32))
    array("int64", T.INT64, "int64_data", np.array([-(2**63), 2**63 - 1], np.int64))
    array("uint64", T.UINT64, "uint64_data", np.array([0, 2**64 - 1], np.uint64))
    array("bool", T.BOOL, "int32_data", np.array([1, 0, 1], np.bool_))
    half = np.array([1.5, -2, 65504], np.float16)
    typed("float16", T.FLOAT16, "int32_data", half.view(np.uint16).tolist(), half.tobytes(), [3])
    brain = np.array([0x3FC0, 0xC000], np.uint16)
    typed("bfloat16", T.BFLOAT16, "int32_data", brain.tolist(), brain.tobytes(), [2])
    single = np.array([1 + 2j, -3.5j], np.complex64)
    typed("complex64", T.COMPLEX64, "float_data", single.view(np.float32).tolist(), single.tobytes(), [2])
    double = np.array([1 + 2j], np.complex128)
    typed("complex128", T.COMPLEX128, "double_data", double.view(np.float64).tolist(), double.tobytes(), [1])
    for name in ["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8e8m0"]:
        typed(name, getattr(T, name.upper()), "int32_data", [1, 200, 255], bytes([1, 200, 255]), [3])
    for name in ["uint4", "int4", "float4e2m1"]:
        typed(name, getattr(T, name.upper()), "int32_data", [0xA1, 0x03], bytes([0xA1, 0x03]), [3])
    for name in ["uint2", "int2"]:
        typed(name, getattr(T, name.upper()), "int32_data", [0xE4, 0x02], bytes([0xE4, 0x02]), [5])
    for name, number in [("float6e2m3", 27), ("float6e3m2", 28)]:
        codes = [1, 63, 32, 5, 42]
        bits = sum(code << (6 * i) for i, code in enumerate(codes))
        typed(name, number, "int32_data", codes, bits.to_bytes(4, "little"), [5])
    tensors.append(h.make_tensor("string", T.STRING, [2], [b"towhee", b"\xff\xfe"]))
    graph = h.make_graph(
        [h.make_node("Identity", ["float32"], ["y"], name="identity")], "dtypes", [],
        [h.make_tensor_value_info("y", T.FLOAT, [3])], tensors,
    )
    made = h.make_model(graph, opset_imports=[h.make_opsetid("", 23)], ir_version=13, producer_name="networks.py")
    onnx.save(made, HERE / "dtypes.onnx")
    (HERE / "dtypes.json").write_text(json.dumps(expected) + "\n")


def older():
    """Operators in the form and meaning that they had in operator set 9; initializers are inputs as well, as before IR version 4."""
    weights = [
        weight("conv.weight", 4, 2, 3, 3), weight("scale", 4), weight("shift", 4), weight("mean", 4, scale=0.1),
        numpy_helper.from_array(rng.uniform(0.5, 2, 4).astype(np.float32), "variance"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    node = h.make_node
    nodes = [
        node("Pad", ["image"], ["padded"], name="pad", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.25),
        node("Conv", ["padded", "conv.weight"], ["conv"], name="conv", kernel_shape=[3, 3]),
        node("BatchNormalization", ["conv", "scale", "shift", "mean", "variance"], ["normal"], name="bn", epsilon=1e-3),
        node("Clip", ["normal"], ["clipped"], name="clip", min=-0.5, max=1.5),
        node("Dropout", ["clipped"], ["dropped"], name="dropout", ratio=0.4),
        node("Upsample", ["dropped", "scales"], ["larger"], name="upsample", mode="nearest"),
        node("Slice", ["larger"], ["part"], name="slice", axes=[2, 3], starts=[1, -6], ends=[9999, -1]),
        node("Softmax", ["part"], ["shares"], name="softmax", axis=2),
        node("Split", ["shares"], ["some", "rest"], name="split", axis=1, split=[1, 3]),
        node("Squeeze", ["some"], ["flat"], name="squeeze", axes=[1]),
        node("ReduceSum", ["rest"], ["sum"], name="sum", axes=[1], keepdims=0),
        node("Unsqueeze", ["sum"], ["wide"], name="unsqueeze", axes=[0]),
        node("Add", ["flat", "wide"], ["y"], name="add"),
    ]
    inputs = [h.make_tensor_value_info("image", T.FLOAT, ["batch", 2, 5, 6])]
    inputs += [h.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights]
    graph = h.make_graph(nodes, "older", inputs, [h.make_tensor_value_info("y", T.FLOAT, [1, "batch", "h", "w"])], weights)
    onnx.save(model(graph, opset=9, ir_version=3), HERE / "older.onnx")


convolutional()
control()
external()
dtypes()
older()
