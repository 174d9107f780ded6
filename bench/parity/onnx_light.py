"""Seeded random weights in place of the constants of the onnx-light networks, and, for ResNet-50, every inner value by ONNX's
own reference implementation.

    python onnx_light.py FOLDER_WITH_ONNX_LIGHT OUTPUT_FOLDER

Writes <name>.onnx (weights as initializers, the first constant of the image's shape as the input), <name>.input.bin, and for
resnet50 reference/<n>.bin with index.json: { value: { file, shape } }.
"""
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

source, target = sys.argv[1:3]
os.makedirs(os.path.join(target, "reference"), exist_ok=True)

for name in ["resnet50", "squeezenet", "densenet121"]:
    model = onnx.load(os.path.join(source, f"light_{name}.onnx"))
    graph = model.graph
    rng = np.random.default_rng(17)
    constants = {init.name: numpy_helper.to_array(init) for init in graph.initializer}
    consumers = {}
    for node in graph.node:
        for place, value in enumerate(node.input):
            consumers.setdefault(value, (node.op_type, place))
    nodes, used_shapes, image = [], set(), None
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = [int(n) for n in constants[node.input[0]]]
        used_shapes.add(node.input[0])
        kind, place = consumers.get(node.output[0], ("", 0))
        if len(shape) == 4 and shape[1] == 3 and kind == "Conv" and place == 0:
            image = (node.output[0], shape)
            continue
        if kind == "BatchNormalization" and place in (1, 4):
            value = rng.uniform(0.5, 1.5, shape)
        elif kind == "Conv" and place == 1:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:
            value = rng.normal(0, 0.05, shape)
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), node.output[0]))
    for init in [init for init in graph.initializer if init.name in used_shapes]:
        graph.initializer.remove(init)
    for value in [value for value in graph.input if value.name in used_shapes]:
        graph.input.remove(value)
    del graph.node[:]
    graph.node.extend(nodes)
    if image is None:
        existing = {init.name for init in graph.initializer}
        first = next(v for v in graph.input if v.name not in existing)
        image = (first.name, [d.dim_value for d in first.type.tensor_type.shape.dim])
    else:
        graph.input.append(helper.make_tensor_value_info(image[0], TensorProto.FLOAT, image[1]))
    if name == "resnet50":
        # Up to operator set 13 the reference computes BatchNormalization's statistics from the batch, as if it were training;
        # nothing else in this network changed in between.
        model.opset_import[0].version = 15
    model.ir_version = 8  # initializers that are no inputs need IR 4
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(target, f"{name}.onnx"))
    x = rng.normal(0, 1, image[1]).astype(np.float32)
    x.tofile(os.path.join(target, f"{name}.input.bin"))
    with open(os.path.join(target, f"{name}.json"), "w") as file:
        json.dump({"input": image[0], "shape": image[1]}, file)
    if name != "resnet50":
        continue

    values = [out for node in graph.node for out in node.output if out]
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    known = {out.name for out in graph.output}
    for value in values:
        if value not in known:
            tapped.graph.output.append(helper.make_empty_tensor_value_info(value))
    evaluator = ReferenceEvaluator(tapped)
    results = dict(zip(evaluator.output_names, evaluator.run(None, {image[0]: x})))
    index = {}
    for number, value in enumerate(values):
        array = np.asarray(results[value])
        if array.dtype not in (np.float32, np.float64):
            continue
        file = f"reference/{number}.bin"
        array.astype(np.float32).tofile(os.path.join(target, file))
        index[value] = {"file": file, "shape": list(array.shape)}
    with open(os.path.join(target, "index.json"), "w") as file:
        json.dump(index, file)
    print(f"{name}: {len(index)} values")
