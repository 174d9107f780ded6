"""A model as transformers.js' `q8` takes it: what ONNX Runtime's dynamic quantisation makes of the float32 one.

    python quantize.py MODEL.onnx MODEL_QUANTIZED.onnx

Unsigned weights where there are convolutions, as ONNX Runtime has no signed ones for them, signed ones otherwise.
"""
import sys

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

source, target = sys.argv[1:]
convolves = any(node.op_type == "Conv" for node in onnx.load(source).graph.node)
quantize_dynamic(source, target, weight_type=QuantType.QUInt8 if convolves else QuantType.QInt8)
