"""Gradients of ONNX files by PyTorch: each operator as ONNX describes it, in float64 and, for comparison, in float32.

    python reference.py FOLDER     # reads FOLDER/case.json, model.onnx and the inputs; writes the gradients beside them
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

folder = Path(sys.argv[1])
case = json.loads((folder / "case.json").read_text())
model = onnx.load(folder / "model.onnx")
OPSET = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
torch.set_num_threads(1)
TYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64,
}


class Network:
    """Runs a graph; floats of every width are computed in `dtype`."""

    def __init__(self, dtype):
        self.dtype = dtype

    def tensor(self, array):
        value = torch.from_numpy(np.array(array))
        return value.to(self.dtype) if value.is_floating_point() else value

    def run(self, graph, values):
        values = dict(values)
        for tensor in graph.initializer:
            if tensor.name not in values:
                values[tensor.name] = self.tensor(numpy_helper.to_array(tensor))
        for node in graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "If":
                inner = attributes["then_branch" if bool(values[node.input[0]]) else "else_branch"]
                results = [self.run(inner, values)[o.name] for o in inner.output]
            else:
                inputs = [values[name] if name else None for name in node.input]
                results = getattr(self, node.op_type)(inputs, attributes, len(node.output))
            for name, result in zip(node.output, results if isinstance(results, (list, tuple)) else [results]):
                if name:
                    values[name] = result
        return values

    # Arithmetic
    def Add(self, i, a, n): return i[0] + i[1]
    def Sub(self, i, a, n): return i[0] - i[1]
    def Mul(self, i, a, n): return i[0] * i[1]
    def Div(self, i, a, n):
        if i[0].is_floating_point():
            return i[0] / i[1]
        return torch.div(i[0], i[1], rounding_mode="trunc")
    def Pow(self, i, a, n): return torch.pow(i[0], i[1]).to(i[0].dtype)
    def Sum(self, i, a, n): return sum(i[1:], i[0])
    def Max(self, i, a, n):
        out = i[0]
        for x in i[1:]: out = torch.maximum(out, x)
        return out
    def Min(self, i, a, n):
        out = i[0]
        for x in i[1:]: out = torch.minimum(out, x)
        return out
    def Neg(self, i, a, n): return -i[0]
    def Abs(self, i, a, n): return i[0].abs()
    def Exp(self, i, a, n): return i[0].exp()
    def Log(self, i, a, n): return i[0].log()
    def Sqrt(self, i, a, n): return i[0].sqrt()
    def Erf(self, i, a, n): return i[0].erf()
    def Tanh(self, i, a, n): return i[0].tanh()
    def Floor(self, i, a, n): return i[0].floor()
    def Ceil(self, i, a, n): return i[0].ceil()
    def Reciprocal(self, i, a, n): return 1 / i[0]
    def Mod(self, i, a, n): return torch.fmod(i[0], i[1]) if a.get("fmod") else torch.remainder(i[0], i[1])
    def And(self, i, a, n): return i[0] & i[1]
    def Or(self, i, a, n): return i[0] | i[1]
    def Not(self, i, a, n): return ~i[0]
    def Equal(self, i, a, n): return i[0] == i[1]
    def Less(self, i, a, n): return i[0] < i[1]
    def Greater(self, i, a, n): return i[0] > i[1]
    def GreaterOrEqual(self, i, a, n): return i[0] >= i[1]
    def LessOrEqual(self, i, a, n): return i[0] <= i[1]
    def IsNaN(self, i, a, n): return i[0].isnan()
    def Where(self, i, a, n): return torch.where(i[0], i[1], i[2])
    def Identity(self, i, a, n): return i[0]
    def Dropout(self, i, a, n): return [i[0], torch.ones_like(i[0], dtype=torch.bool)]
    def Cast(self, i, a, n):
        to = TYPES[a["to"]]
        return i[0].to(self.dtype if to.is_floating_point else to)
    def MatMul(self, i, a, n): return i[0] @ i[1]
    def Gemm(self, i, a, n):
        x = i[0].T if a.get("transA") else i[0]
        y = i[1].T if a.get("transB") else i[1]
        out = a.get("alpha", 1.0) * (x @ y)
        return out if len(i) < 3 or i[2] is None else out + a.get("beta", 1.0) * i[2]

    # Activations
    def Relu(self, i, a, n): return F.relu(i[0])
    def Sigmoid(self, i, a, n): return i[0].sigmoid()
    def LeakyRelu(self, i, a, n): return F.leaky_relu(i[0], a.get("alpha", 0.01))
    def PRelu(self, i, a, n): return torch.where(i[0] < 0, i[0] * i[1], i[0])
    def Elu(self, i, a, n): return F.elu(i[0], a.get("alpha", 1.0))
    def HardSigmoid(self, i, a, n):
        return torch.clamp(a.get("alpha", 0.2) * i[0] + a.get("beta", 0.5), 0, 1)
    def HardSwish(self, i, a, n): return i[0] * torch.clamp(i[0] / 6 + 0.5, 0, 1)
    def Softplus(self, i, a, n): return F.softplus(i[0])
    def Clip(self, i, a, n):
        low = i[1] if len(i) > 1 else a.get("min")
        high = i[2] if len(i) > 2 else a.get("max")
        out = i[0]
        if low is not None: out = torch.clamp(out, min=low)
        if high is not None: out = torch.clamp(out, max=high)
        return out
    def Softmax(self, i, a, n):
        x = i[0]
        if OPSET >= 13:
            return x.softmax(a.get("axis", -1))
        axis = a.get("axis", 1) % x.dim()
        rows = int(np.prod(x.shape[:axis]))
        return x.reshape(rows, -1).softmax(1).reshape(x.shape)

    # Shapes
    def Constant(self, i, a, n):
        (name, value), = a.items()
        if name == "value": return self.tensor(numpy_helper.to_array(value))
        if name.startswith("value_float"): return self.tensor(np.array(value, np.float32))
        return self.tensor(np.array(value, np.int64))
    def ConstantOfShape(self, i, a, n):
        value = self.tensor(numpy_helper.to_array(a["value"])) if "value" in a else self.tensor(np.zeros(1, np.float32))
        return value.reshape(()).expand(i[0].tolist()).clone()
    def Shape(self, i, a, n):
        return torch.tensor(list(i[0].shape)[a.get("start", 0):a.get("end", None)], dtype=torch.int64)
    def Size(self, i, a, n): return torch.tensor(i[0].numel())
    def Reshape(self, i, a, n):
        sizes = i[1].tolist()
        if not a.get("allowzero"):
            sizes = [i[0].shape[k] if size == 0 else size for k, size in enumerate(sizes)]
        return i[0].reshape(sizes)
    def Flatten(self, i, a, n):
        axis = a.get("axis", 1)
        axis = axis + i[0].dim() if axis < 0 else axis
        return i[0].reshape(int(np.prod(i[0].shape[:axis])), -1)
    def Transpose(self, i, a, n): return i[0].permute(a.get("perm") or list(range(i[0].dim()))[::-1])
    def axes(self, i, a, index=1, name="axes"):
        if name in a: return list(a[name])
        return i[index].tolist() if len(i) > index and i[index] is not None else None
    def Squeeze(self, i, a, n):
        axes = self.axes(i, a)
        if axes is None: return i[0].squeeze()
        for axis in sorted((x % i[0].dim() for x in axes), reverse=True): i[0] = i[0].squeeze(axis)
        return i[0]
    def Unsqueeze(self, i, a, n):
        axes = self.axes(i, a)
        rank = i[0].dim() + len(axes)
        for axis in sorted(x % rank for x in axes): i[0] = i[0].unsqueeze(axis)
        return i[0]
    def Concat(self, i, a, n): return torch.cat(i, a["axis"])
    def Split(self, i, a, n):
        axis = a.get("axis", 0)
        sizes = self.axes(i, a, 1, "split")
        if sizes is None:
            size = -(-i[0].shape[axis] // n)
            return torch.split(i[0], size, axis)
        return torch.split(i[0], sizes, axis)
    def Slice(self, i, a, n):
        if OPSET < 10:
            starts, ends, axes, steps = a["starts"], a["ends"], a.get("axes"), None
        else:
            starts, ends = i[1].tolist(), i[2].tolist()
            axes = i[3].tolist() if len(i) > 3 and i[3] is not None else None
            steps = i[4].tolist() if len(i) > 4 and i[4] is not None else None
        axes = axes or list(range(len(starts)))
        steps = steps or [1] * len(starts)
        x = i[0]
        for start, end, axis, step in zip(starts, ends, axes, steps):
            size = x.shape[axis]
            places = list(range(size))[slice(start, end if step > 0 or end >= -size else None, step)]
            x = x.index_select(axis, torch.tensor(places, dtype=torch.int64))
        return x
    def Expand(self, i, a, n): return i[0] * torch.ones(i[1].tolist(), dtype=i[0].dtype)
    def Tile(self, i, a, n): return i[0].repeat(i[1].tolist())
    def Gather(self, i, a, n):
        axis = a.get("axis", 0) % i[0].dim()
        index = torch.where(i[1] < 0, i[1] + i[0].shape[axis], i[1]).long()
        out = i[0].index_select(axis, index.reshape(-1))
        return out.reshape([*i[0].shape[:axis], *index.shape, *i[0].shape[axis + 1:]])
    def GatherND(self, i, a, n):
        assert a.get("batch_dims", 0) == 0
        return i[0][tuple(i[1].long().movedim(-1, 0))]
    def Range(self, i, a, n): return torch.arange(i[0].item(), i[1].item(), i[2].item()).to(i[0].dtype)
    def Pad(self, i, a, n):
        pads = list(a["pads"]) if "pads" in a else i[1].tolist()
        value = a.get("value", 0.0) if OPSET < 11 else (float(i[2]) if len(i) > 2 and i[2] is not None else 0.0)
        mode = a.get("mode", b"constant").decode()
        if not any(pads):
            return i[0]
        rank = i[0].dim()
        axes = i[3].tolist() if len(i) > 3 and i[3] is not None else list(range(rank))
        before, after = [0] * rank, [0] * rank
        for k, axis in enumerate(axes): before[axis], after[axis] = pads[k], pads[k + len(axes)]
        if mode == "constant":
            flat = [p for k in reversed(range(rank)) for p in (before[k], after[k])]
            return F.pad(i[0], flat, value=value)
        x = i[0]
        for axis in range(rank):
            size = x.shape[axis]
            places = np.arange(-before[axis], size + after[axis])
            if mode == "reflect":
                places = np.abs(places)
                places = np.where(places >= size, 2 * (size - 1) - places, places)
            else:
                places = np.clip(places, 0, size - 1)
            x = x.index_select(axis, torch.from_numpy(places))
        return x

    # Reductions
    def reduced(self, i, a):
        axes = self.axes(i, a)
        if axes is None or len(axes) == 0:
            axes = [] if a.get("noop_with_empty_axes") else list(range(i[0].dim()))
        return axes, bool(a.get("keepdims", 1))
    def ReduceSum(self, i, a, n):
        axes, keep = self.reduced(i, a)
        return i[0].sum(axes, keep) if axes else i[0]
    def ReduceMean(self, i, a, n):
        axes, keep = self.reduced(i, a)
        return i[0].mean(axes, keep)
    def ReduceMax(self, i, a, n):
        axes, keep = self.reduced(i, a)
        return i[0].amax(axes, keep)
    def ReduceMin(self, i, a, n):
        axes, keep = self.reduced(i, a)
        return i[0].amin(axes, keep)
    def ReduceL2(self, i, a, n):
        axes, keep = self.reduced(i, a)
        return i[0].pow(2).sum(axes, keep).sqrt()
    def ReduceProd(self, i, a, n):
        axes, keep = self.reduced(i, a)
        x = i[0]
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True): x = x.prod(axis, keep)
        return x
    def TopK(self, i, a, n):
        k = int(i[1]) if len(i) > 1 else a["k"]
        return list(i[0].topk(k, a.get("axis", -1), bool(a.get("largest", 1))))
    def ArgMax(self, i, a, n): return i[0].argmax(a.get("axis", 0), bool(a.get("keepdims", 1)))
    def GlobalAveragePool(self, i, a, n): return i[0].mean(list(range(2, i[0].dim())), True)
    def GlobalMaxPool(self, i, a, n): return i[0].amax(list(range(2, i[0].dim())), True)

    # Convolutions
    def pads(self, x, a, kernel, strides, dilations):
        rank = len(kernel)
        mode = a.get("auto_pad", b"NOTSET").decode()
        if mode in ("NOTSET", ""):
            return list(a.get("pads", [0] * 2 * rank))
        if mode == "VALID":
            return [0] * 2 * rank
        before, after = [], []
        for k in range(rank):
            size = x.shape[2 + k]
            out = -(-size // strides[k])
            total = max(0, (out - 1) * strides[k] + (kernel[k] - 1) * dilations[k] + 1 - size)
            small = total // 2
            before.append(small if mode == "SAME_UPPER" else total - small)
            after.append(total - before[-1])
        return before + after
    def padded(self, x, pads, value):
        rank = len(pads) // 2
        flat = [p for k in reversed(range(rank)) for p in (pads[k], pads[k + rank])]
        return F.pad(x, flat, value=value) if any(pads) else x
    def Conv(self, i, a, n):
        x, weight = i[:2]
        rank = x.dim() - 2
        strides = list(a.get("strides", [1] * rank))
        dilations = list(a.get("dilations", [1] * rank))
        pads = self.pads(x, a, weight.shape[2:], strides, dilations)
        conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        bias = i[2] if len(i) > 2 else None
        return conv(self.padded(x, pads, 0), weight, bias, strides, 0, dilations, a.get("group", 1))
    def ConvTranspose(self, i, a, n):
        x, weight = i[:2]
        rank = x.dim() - 2
        strides = list(a.get("strides", [1] * rank))
        dilations = list(a.get("dilations", [1] * rank))
        added = list(a.get("output_padding", [0] * rank))
        assert "output_shape" not in a
        convolution = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
        mode = a.get("auto_pad", b"NOTSET").decode()
        pads = list(a.get("pads", [0] * 2 * rank))
        if mode.startswith("SAME"):
            pads = [0] * 2 * rank
            for k in range(rank):
                total = max(0, (weight.shape[2 + k] - 1) * dilations[k] + 1 + added[k] - strides[k])
                small = total // 2
                pads[k] = small if mode == "SAME_UPPER" else total - small
                pads[k + rank] = total - pads[k]
        whole = convolution(x, weight, i[2] if len(i) > 2 else None, strides, 0, 0, a.get("group", 1), dilations)
        whole = F.pad(whole, [p for k in reversed(range(rank)) for p in (0, added[k])])
        for k in range(rank):
            whole = whole.narrow(2 + k, pads[k], whole.shape[2 + k] - pads[k] - pads[k + rank])
        return whole
    def pooled(self, x, a, value):
        kernel = list(a["kernel_shape"])
        rank = len(kernel)
        strides = list(a.get("strides", [1] * rank))
        dilations = list(a.get("dilations", [1] * rank))
        pads = self.pads(x, a, kernel, strides, dilations)
        extra = [0] * rank
        if a.get("ceil_mode"):
            for k in range(rank):
                span = x.shape[2 + k] + pads[k] + pads[k + rank] - (kernel[k] - 1) * dilations[k] - 1
                out = -(-span // strides[k]) + 1
                if (out - 1) * strides[k] >= x.shape[2 + k] + pads[k]: out -= 1
                extra[k] = max(0, (out - 1) * strides[k] - span)
        windows = self.padded(x, pads[:rank] + [pads[k + rank] + extra[k] for k in range(rank)], value)
        for k in range(rank):
            size = windows.shape[2 + k]
            out = (size - (kernel[k] - 1) * dilations[k] - 1) // strides[k] + 1
            places = torch.arange(out)[:, None] * strides[k] + torch.arange(kernel[k])[None] * dilations[k]
            axis = 2 + 2 * k if k == 0 else 2 + k
            windows = windows.index_select(2 + k, places.reshape(-1))
        # Each axis is places × kernel now.
        sizes = list(windows.shape[:2])
        for k in range(rank): sizes += [windows.shape[2 + k] // kernel[k], kernel[k]]
        windows = windows.reshape(sizes)
        order = [0, 1] + [2 + 2 * k for k in range(rank)] + [3 + 2 * k for k in range(rank)]
        return windows.permute(order).flatten(2 + rank)
    def MaxPool(self, i, a, n):
        windows = self.pooled(i[0], a, -torch.inf)
        return windows.gather(-1, windows.argmax(-1, True)).squeeze(-1)
    def AveragePool(self, i, a, n):
        if a.get("count_include_pad"):
            assert not a.get("ceil_mode")
            return self.pooled(i[0], a, 0.0).mean(-1)
        return self.pooled(i[0], a, 0.0).sum(-1) / self.pooled(torch.ones_like(i[0]), a, 0.0).sum(-1)
    def LRN(self, i, a, n):
        x, size = i[0], a["size"]
        squares = F.pad(x.pow(2), [0, 0] * (x.dim() - 2) + [(size - 1) // 2, size // 2])
        total = sum(squares.narrow(1, k, x.shape[1]) for k in range(size))
        return x / (a.get("bias", 1.0) + a.get("alpha", 1e-4) / size * total).pow(a.get("beta", 0.75))
    def Resize(self, i, a, n):
        x = i[0]
        scales = i[1] if OPSET < 11 else i[2]
        if scales is not None and scales.numel():
            scales = scales.tolist()
            sizes = [int(np.floor(size * scale)) for size, scale in zip(x.shape, scales)]
        else:
            sizes = i[3].tolist()
            scales = [to / size for to, size in zip(sizes, x.shape)]
        place = a.get("coordinate_transformation_mode", b"half_pixel" if OPSET >= 11 else b"asymmetric").decode()
        nearest = a.get("nearest_mode", b"round_prefer_floor" if OPSET >= 11 else b"floor").decode()
        for axis, (size, to, scale) in enumerate(zip(list(x.shape), sizes, scales)):
            if size == to and scale == 1: continue
            out = np.arange(to)
            if place == "asymmetric": at = out / scale
            elif place == "align_corners": at = out * (size - 1) / max(1, to - 1)
            elif place == "pytorch_half_pixel" and to <= 1: at = out * 0.0
            else: at = (out + 0.5) / scale - 0.5
            if a.get("mode", b"nearest") == b"nearest":
                rounded = {"floor": np.floor, "ceil": np.ceil, "round_prefer_floor": lambda v: np.ceil(v - 0.5),
                           "round_prefer_ceil": lambda v: np.floor(v + 0.5)}[nearest](at)
                x = x.index_select(axis, torch.from_numpy(np.clip(rounded, 0, size - 1).astype(np.int64)))
            else:
                assert a["mode"] == b"linear"
                at = np.clip(at, 0, size - 1)
                low = np.floor(at).astype(np.int64)
                high = np.minimum(low + 1, size - 1)
                part = self.tensor(at - low).reshape([-1] + [1] * (x.dim() - axis - 1))
                x = x.index_select(axis, torch.from_numpy(low)) * (1 - part) + x.index_select(axis, torch.from_numpy(high)) * part
        return x
    Upsample = Resize

    # Normalisation
    def BatchNormalization(self, i, a, n):
        shape = [1, -1] + [1] * (i[0].dim() - 2)
        scale, bias, mean, var = (x.reshape(shape) for x in i[1:])
        return (i[0] - mean) / (var + a.get("epsilon", 1e-5)).sqrt() * scale + bias
    def InstanceNormalization(self, i, a, n):
        return F.instance_norm(i[0], weight=i[1], bias=i[2], eps=a.get("epsilon", 1e-5))
    def LayerNormalization(self, i, a, n):
        axis = a.get("axis", -1) % i[0].dim()
        return F.layer_norm(i[0], i[0].shape[axis:], i[1], i[2] if len(i) > 2 else None, a.get("epsilon", 1e-5))

    # Recurrence
    def LSTM(self, i, a, n):
        i = i + [None] * (8 - len(i))
        x, w, r, b, lengths, h0, c0, peep = i
        assert lengths is None and peep is None and "activations" not in a and not a.get("layout")
        hidden = a["hidden_size"]
        direction = a.get("direction", b"forward").decode()
        outputs, hs, cs = [], [], []
        for d in range(w.shape[0]):
            zeros = x.new_zeros(x.shape[1], hidden)
            h = h0[d] if h0 is not None else zeros
            c = c0[d] if c0 is not None else zeros
            bias = b[d, :4 * hidden] + b[d, 4 * hidden:] if b is not None else 0
            back = direction == "reverse" or d == 1
            steps = []
            for t in reversed(range(x.shape[0])) if back else range(x.shape[0]):
                gi, go, gf, gc = (x[t] @ w[d].T + h @ r[d].T + bias).chunk(4, 1)
                c = gf.sigmoid() * c + gi.sigmoid() * gc.tanh()
                h = go.sigmoid() * c.tanh()
                steps.append(h)
            outputs.append(torch.stack(steps[::-1] if back else steps))
            hs.append(h)
            cs.append(c)
        return [torch.stack(outputs, 1), torch.stack(hs), torch.stack(cs)]


def read(entry):
    kind = np.dtype(entry["dtype"])
    return np.fromfile(folder / entry["file"], kind).reshape(entry["shape"])


def initial(graph):
    return {t.name: numpy_helper.to_array(t) for t in graph.initializer}


def loss_of(network, values, case):
    results = network.run(model.graph, values)
    return sum((results[o["name"]] * network.tensor(read(o))).sum() for o in case["outputs"])


def gradients(dtype):
    network = Network(dtype)
    values = {entry["name"]: network.tensor(read(entry)) for entry in case["inputs"]}
    starts = initial(model.graph)
    for name in case["weights"]:
        values[name] = network.tensor(starts[name])
    leaves = case["weights"] + case["by"]
    for name in leaves:
        values[name] = values[name].clone().requires_grad_()
    loss = loss_of(network, values, case)
    found = torch.autograd.grad(loss, [values[name] for name in leaves], allow_unused=True)
    return values, float(loss.detach()), {
        name: (torch.zeros_like(values[name]) if g is None else g).detach().double() for name, g in zip(leaves, found)
    }


def difference(names, values, found):
    """The derivative along one random direction: by differences, and by the gradients; both in float64."""
    network = Network(torch.float64)
    generator = torch.Generator().manual_seed(3)
    along = {name: torch.randn(values[name].shape, generator=generator, dtype=torch.float64) for name in names}
    length = max(1e-30, sum(float((d**2).sum()) for d in along.values()) ** 0.5)
    with torch.no_grad():
        def at(step):
            moved = {**values, **{name: values[name] + step / length * along[name] for name in names}}
            return float(loss_of(network, moved, case))
        step = 1e-5
        by_differences = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    return by_differences, {name: d / length for name, d in along.items()}


values, loss, exact = gradients(torch.float64)
_, loss32, single = gradients(torch.float32)
with torch.no_grad():
    values = {name: value.detach() for name, value in values.items()}
report = {"loss": loss, "loss32": loss32, "tensors": [], "groups": {}}
for k, (name, gradient) in enumerate(exact.items()):
    gradient.numpy().tofile(folder / f"gradient{k}.bin")
    single[name].numpy().tofile(folder / f"single{k}.bin")
    report["tensors"].append({"name": name, "gradient": f"gradient{k}.bin", "single": f"single{k}.bin"})
for group, names in (("weights", case["weights"]), ("inputs", case["by"])):
    if not names: continue
    by_differences, along = difference(names, values, exact)
    for k, name in enumerate(along):
        along[name].numpy().tofile(folder / f"along-{group}{k}.bin")
    report["groups"][group] = {
        "differences": by_differences,
        "analytic": sum(float((exact[name] * along[name]).sum()) for name in names),
        "along": [f"along-{group}{k}.bin" for k in range(len(names))],
    }
(folder / "report.json").write_text(json.dumps(report))
