"""
The convolutional networks of timm and torchvision against Pipilo's: every parameter and every buffer drawn at random, logits,
features, the layer below the head and every stage compared.

    python bench/parity/zoo/cnn.py [a pattern of names …]

Streams one model at a time to `vision.ts` (Node), through a folder of its own. Networks of more than 150 million parameters (LARGE, in millions) that
can be made shallower must agree in the names and shapes of all tensors, and in numbers with few blocks; all others as they are. Appends a
line of JSON a model to pipilo-zoo-cnn.jsonl in the temporary folder (LOG) and does not run again what agrees there; then writes
report-cnn.json. Needs torch, timm, torchvision, safetensors.
"""
import fnmatch
import math
import os
import sys
import zlib

os.environ.setdefault("OMP_NUM_THREADS", "1")
import timm
import torch
import torchvision

from peer import Log, Peer, farthest, hand_over, millions, parameters, shapes, write_report

torch.set_num_threads(1)
LARGE = millions(150)
MODULES = ["resnet", "resnetv2", "senet", "vgg", "densenet", "convnext", "efficientnet", "mobilenetv3"]
TORCHVISION = ["alexnet", "vgg", "resnet", "densenet", "mobilenetv2", "mobilenetv3", "efficientnet", "convnext", "vision_transformer",
               "swin_transformer"]


def randomize(model, seed, gain):
    """Draws everything so that no branch is mute and activations stay finite."""
    generator = torch.Generator().manual_seed(seed)

    def normal(t, std):
        t.copy_(torch.randn(t.shape, generator=generator) * std)

    def uniform(t):
        t.copy_(torch.rand(t.shape, generator=generator) + 0.5)

    with torch.no_grad():
        for name, t in model.state_dict().items():
            if name.endswith("running_var"):
                uniform(t)
            elif not t.dtype.is_floating_point or name.endswith("relative_coords_table"):  # follows from the window
                continue
            elif name.endswith(("gamma", "layer_scale", ".v")):
                uniform(t)
            elif t.ndim >= 2:
                fan_in = t[0].numel()
                normal(t, math.sqrt(gain / fan_in))
            elif name.endswith("weight"):
                uniform(t)
            else:
                normal(t, 0.2 if gain == 1 else 0.5)


def condition(model, x, seed):
    """Draws running statistics anew, of the size of what each layer sees.

    With statistics that have nothing to do with the activations, these grow without bounds in deep random networks, and rounding with
    them: PyTorch"s float32 is then up to 4e-2 away from its own float64. Only the scale follows the activations: taking off
    their mean as well would amplify rounding in each layer.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(module, inputs):
        power = inputs[0].square().mean((0, 2, 3))
        power = power + 0.1 * power.mean()
        noise = torch.randn(power.shape, generator=generator)
        factor = 2 * torch.rand(power.shape, generator=generator) + 1
        module.running_mean.copy_(0.2 * noise * power.sqrt())
        module.running_var.copy_(factor * power)

    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(draw) for norm in norms]
    with torch.inference_mode():
        model(x)
    for hook in hooks:
        hook.remove()


def create(source, name, changes={}):
    if changes and name.endswith("_bit"):  # timm's function of that name takes no other depth
        return timm.models.resnetv2._create_resnetv2_bit(name, width_factor=int(name.split("x")[1][0]), **changes)
    return timm.create_model(name, **changes) if source == "timm" else torchvision.models.get_model(name, weights=None)


def size_of(name):
    """Small pictures, larger where a network asks for them."""
    if name.startswith("vgg") or name == "alexnet":
        return 128
    if name.startswith(("vit_", "swin_")):
        return 256 if "_v2_" in name else 224
    return 100 if "efficientnet" in name or "mixnet" in name else 96


def shallow(source, name):
    """Arguments that make a network shallower."""
    if source == "timm" and name.startswith("convnext"):
        return {"depths": [1, 1, 2, 1]}
    return {"layers": [1, 1, 2, 1]} if source == "timm" and "resne" in name else {}


def run(source, name, model, x):
    """What the network gives, and timm's stages: names, strides, channels."""
    values, stages = {}, []
    if source == "torchvision":
        last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
        last.register_forward_pre_hook(lambda _, inputs: values.update(penultimate=inputs[0].clone()))
    values["logits"] = model(x)
    if source == "timm":
        values["features"] = model.forward_features(x)
        values["penultimate"] = model.forward_head(values["features"], pre_logits=True)
        maps = model.forward_intermediates(x, intermediates_only=True)
        for info, value in zip(model.feature_info, maps, strict=True):
            values[f"layer:{info['module']}"] = value
            stages.append([info["module"], info["reduction"], info["num_chs"]])
    elif hasattr(model, "features") and not name.startswith("swin_"):
        values["features"] = model.features(x)
        if name.startswith("densenet"):  # torchvision has the last ReLU outside
            values["features"] = values["features"].relu()
    return values, stages


def compare(peer, source, name):
    with torch.device("meta"):
        whole = create(source, name)
    changes = shallow(source, name) if parameters(whole) > LARGE else {}
    residual = any(word in name for word in ("resnet", "resnext", "senet", "convnext", "vit_", "swin_"))
    seed = zlib.crc32(name.encode())
    model = create(source, name, changes).eval()
    randomize(model, seed, 1 if residual else 2)
    size = size_of(name)
    x = torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(1))
    if not residual or sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules()) > 400:
        condition(model, x, seed + 1)
    with torch.inference_mode():
        values, stages = run(source, name, model, x)
    request = {"kind": "named", "name": name, "shapes": shapes(whole), "config": changes, "size": [size, size]}
    result = hand_over(peer, request | ({"stages": stages} if stages else {}), model, {"pixel_values": x}, values)
    if "failure" in result:  # how far PyTorch's float32 is from its float64
        with torch.inference_mode():
            result["rounding"] = farthest(values, run(source, name, model.double(), x.double())[0])
    return {**result, "parameters": parameters(whole), "way": "reduced" if changes else "whole"}


def cases(peer, patterns):
    chosen = lambda name: not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    pretrained = [name.split(".")[0] for name in timm.list_pretrained()]
    for module in MODULES:
        for name in filter(chosen, timm.list_models(module=module)):
            yield f"timm: {module}", name, {"pretrained": pretrained.count(name)}, lambda n=name: compare(peer, "timm", n)
    for name in filter(chosen, torchvision.models.list_models()):
        module = torchvision.models.get_model_builder(name).__module__
        family = module.split(".")[-1]
        # Not those of int8 weights, nor of videos.
        if family in TORCHVISION and ".quantization" not in module and ".video" not in module:
            more = {"pretrained": len(torchvision.models.get_model_weights(name))}
            yield f"torchvision: {family}", name, more, lambda n=name: compare(peer, "torchvision", n)


lines = Log("pipilo-zoo-cnn.jsonl").sweep(cases(Peer("vision.ts"), sys.argv[1:]), LARGE)
write_report("report-cnn.json", {"timm": timm.__version__, "torchvision": torchvision.__version__, "torch": torch.__version__}, lines)
