"""Reference values for convolutional networks of timm and torchvision, one model a line.

Reads lines of JSON, {"name", "source": "timm" | "torchvision", "size", "folder", "changes"}, and answers each with one: the names,
strides and channels of the stages, the numbers of parameters, or an error. Every parameter and every buffer is drawn at random. In
`folder`: model.safetensors and values.safetensors (input, logits, embedding, features, stage.0, ...).

`list` answers with the names and sizes of all models; `shapes` only with the shapes of all tensors.
"""
import json
import math
import os
import sys
import zlib

os.environ.setdefault('OMP_NUM_THREADS', '1')
import timm
import torch
import torchvision
from safetensors.torch import save_file

torch.set_num_threads(1)
MODULES = ['resnet', 'senet', 'vgg', 'densenet', 'convnext', 'efficientnet', 'mobilenetv3']
TORCHVISION = ['alexnet', 'vgg', 'resnet', 'densenet', 'mobilenetv2', 'mobilenetv3', 'efficientnet', 'convnext']


def names():
    found = []
    pretrained = timm.list_models(pretrained=True)
    for module in MODULES:
        for name in timm.list_models(module=module):
            tags = [n for n in pretrained if n.split('.')[0] == name]
            found.append({'name': name, 'source': 'timm', 'family': module, 'pretrained': tags})
    for name in torchvision.models.list_models():
        family = torchvision.models.get_model_builder(name).__module__.split('.')[-1]
        if family in TORCHVISION and not name.startswith('quantized'):  # their weights are int8
            tags = [f'{name}.{weight.name}' for weight in torchvision.models.get_model_weights(name)]
            found.append({'name': name, 'source': 'torchvision', 'family': family, 'pretrained': tags})
    return found


def randomize(model, seed, gain):
    """Draws everything so that no branch is mute and activations stay finite."""
    generator = torch.Generator().manual_seed(seed)

    def normal(t, std):
        t.copy_(torch.randn(t.shape, generator=generator) * std)

    def uniform(t):
        t.copy_(torch.rand(t.shape, generator=generator) + 0.5)

    with torch.no_grad():
        for name, t in model.state_dict().items():
            if name.endswith('running_var'):
                uniform(t)
            elif not t.dtype.is_floating_point:
                continue
            elif name.endswith(('gamma', 'layer_scale', '.v')):
                uniform(t)
            elif t.ndim >= 2:
                fan_in = t[0].numel()
                normal(t, math.sqrt(gain / fan_in))
            elif name.endswith('weight'):
                uniform(t)
            else:
                normal(t, 0.2 if gain == 1 else 0.5)


def condition(model, x, seed):
    """Draws running statistics anew, of the size of what each layer sees.

    With statistics that have nothing to do with the activations, these grow without bounds in deep random networks, and rounding with
    them: PyTorch's float32 is then up to 4e-2 away from its own float64. Only the scale follows the activations: taking off
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


def create(job):
    if job['source'] == 'timm':
        return timm.create_model(job['name'], **job.get('changes', {}))
    return torchvision.models.get_model(job['name'], weights=None)


def gain_of(job):
    residual = ('resnet', 'resnext', 'senet', 'convnext')
    return 1 if any(word in job['name'] for word in residual) else 2


def reference(job):
    model = create(job).eval()
    randomize(model, zlib.crc32(job['name'].encode()), gain_of(job))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((2, 3, job['size'], job['size']), generator=generator)
    if gain_of(job) == 2:
        condition(model, x, zlib.crc32(job['name'].encode()) + 1)
    values = {'input': x}
    stages = []
    with torch.inference_mode():
        if job['source'] == 'torchvision':
            last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
            last.register_forward_pre_hook(lambda _, inputs: values.update(embedding=inputs[0].clone()))
        values['logits'] = model(x)
        if job['source'] == 'timm':
            values['features'] = model.forward_features(x)
            values['embedding'] = model.forward_head(values['features'], pre_logits=True)
            intermediates = model.forward_intermediates(x, intermediates_only=True)
            for i, (info, value) in enumerate(zip(model.feature_info, intermediates, strict=True)):
                values[f'stage.{i}'] = value
                stages.append([info['module'], info['reduction'], info['num_chs']])
        elif hasattr(model, 'features'):
            values['features'] = model.features(x)
            if job['name'].startswith('densenet'):  # torchvision has the last ReLU outside
                values['features'] = values['features'].relu()
    os.makedirs(job['folder'], exist_ok=True)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(state, f"{job['folder']}/model.safetensors")
    save_file({k: v.contiguous().clone() for k, v in values.items()}, f"{job['folder']}/values.safetensors")
    return {'stages': stages, 'parameters': sum(p.numel() for p in model.parameters())}


def shapes(job):
    with torch.device('meta'):
        model = create(job)
    state = {k: list(v.shape) for k, v in model.state_dict().items()}
    return {'shapes': state, 'parameters': sum(p.numel() for p in model.parameters())}


def answer(job):
    if job.get('list'):
        return {'models': names(), 'timm': timm.__version__, 'torchvision': torchvision.__version__}
    return shapes(job) if job.get('shapes') else reference(job)


for line in sys.stdin:
    job = json.loads(line)
    try:
        result = answer(job)
    except Exception as error:
        result = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(result), flush=True)
