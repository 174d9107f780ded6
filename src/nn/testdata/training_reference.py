"""Makes training-models.json: small networks in training mode, applied to two views one after the other, and then in inference mode.

    python training_reference.py     # needs torch, torchvision, timm, lightly

No weights are stored: tensors and inputs follow formula.py; all is computed in double precision. Of each value there are its shape, its root
mean square and a few of its elements; of each buffer the first two elements after both views.
"""
import json
from pathlib import Path

import timm
import torch
from lightly.models.modules import heads
from torch import nn

from formula import fill, formula


def lenet(channels, side, padding, relu):
    act = nn.ReLU if relu else nn.Tanh
    pool = nn.MaxPool2d if relu else nn.AvgPool2d
    flat = 16 * ((side + 2 * padding - 4) // 2 // 2 - 2) ** 2

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = nn.Linear(flat, 120), nn.Linear(120, 84), nn.Linear(84, 7)
            self.pool, self.act = pool(2), act()

        def forward(self, x):
            x = self.pool(self.act(self.conv1(x)))
            x = self.pool(self.act(self.conv2(x))).flatten(1)
            penultimate = self.act(self.fc2(self.act(self.fc1(x))))
            return {"logits": self.fc3(penultimate), "penultimate": penultimate}

    return LeNet()


class Block(nn.Module):
    """A block of the paper's networks for CIFAR, with shortcuts of kind A or B."""

    def __init__(self, before, channels, kind):
        super().__init__()
        stride = 1 if before == channels else 2
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.added = (channels - before) // 2
        if kind == "B" and stride == 2:
            self.downsample = nn.Sequential(nn.Conv2d(before, channels, 1, 2, bias=False), nn.BatchNorm2d(channels))

    def shortcut(self, x):
        if hasattr(self, "downsample"):
            return self.downsample(x)
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added)) if self.added else x

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


class CifarResNet(nn.Module):
    def __init__(self, depth, kind):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        before = 16
        for i, channels in enumerate((16, 32, 64)):
            blocks = []
            for _ in range((depth - 2) // 6):
                blocks.append(Block(before, channels, kind))
                before = channels
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, 7)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        penultimate = x.mean((2, 3))
        return {"logits": self.fc(penultimate), "penultimate": penultimate}


class SmallStem(nn.Module):
    """timm's network with another stem."""

    def __init__(self):
        super().__init__()
        net = timm.create_model("resnet18", layers=[1, 1, 1, 1], channels=[8, 8, 16, 16], num_classes=7, stem_width=64)
        net.conv1 = nn.Conv2d(1, 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
        self.__dict__["net"] = net
        for name, module in net.named_children():
            self.add_module(name, module)

    def forward(self, x):
        penultimate = self.net.forward_head(self.net.forward_features(x), pre_logits=True)
        return {"logits": self.net.fc(penultimate), "penultimate": penultimate}


class Autoencoder(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def forward(self, x):
        latent = self.encoder(x)
        return {"latent": latent, "reconstruction": self.decoder(latent)}


def mlp_autoencoder():
    encoder = [nn.Flatten(), nn.Linear(48, 20), nn.ReLU(), nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 3)]
    decoder = [nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 48), nn.Sigmoid(), nn.Unflatten(1, (3, 4, 4))]
    model = Autoencoder(encoder[1:], decoder[:-1])
    plain = model.forward
    model.forward = lambda x: {k: v.reshape(x.shape) if k == "reconstruction" else v for k, v in plain(x.flatten(1)).items()}
    return model


def conv_autoencoder(norm):
    bn = (lambda n: [nn.BatchNorm2d(n)]) if norm else (lambda n: [])
    conv = lambda a, b: [nn.Conv2d(a, b, 3, 2, 1, bias=not norm), *bn(b), nn.ReLU()]
    encoder = [*conv(2, 4), *conv(4, 6), nn.Flatten(), nn.Linear(6 * 2 * 3, 5)]
    up = [nn.ConvTranspose2d(6, 4, 4, 2, 1, bias=not norm), *bn(4), nn.ReLU(), nn.ConvTranspose2d(4, 2, 4, 2, 1)]
    return Autoencoder(encoder, [nn.Linear(5, 36), nn.ReLU(), nn.Unflatten(1, (6, 2, 3)), *up])


class Head(nn.Module):
    def __init__(self, name, head):
        super().__init__()
        setattr(self, name, head)
        self.head = lambda x: getattr(self, name)(x)

    def forward(self, x):
        return {"projection": self.head(x)}


class Norms(nn.Module):
    """Batch norms of vectors and of sequences, one after the other."""

    def __init__(self):
        super().__init__()
        self.vectors, self.sequences = nn.BatchNorm1d(6, eps=1e-3, momentum=0.3), nn.BatchNorm1d(3)

    def forward(self, x):
        y = self.vectors(x)
        return {"vectors": y, "sequences": self.sequences(y.reshape(-1, 3, 2))}


CASES = [
    ("lenet", {"num_classes": 7}, "pixel_values", (4, 1, 32, 32), lambda: lenet(1, 32, 0, False)),
    ("lenet", {"num_classes": 7, "in_chans": 3, "input_size": [28, 28], "padding": 2, "act": "relu", "pool": "max"}, "pixel_values", (4, 3, 28, 28), lambda: lenet(3, 28, 2, True)),
    ("resnet20_cifar", {"num_classes": 7}, "pixel_values", (4, 3, 16, 16), lambda: CifarResNet(20, "A")),
    ("resnet20_cifar", {"num_classes": 7, "shortcut": "B"}, "pixel_values", (4, 3, 16, 16), lambda: CifarResNet(20, "B")),
    ("resnet18_small", {"num_classes": 7, "layers": [1, 1, 1, 1], "channels": [8, 8, 16, 16], "in_chans": 1}, "pixel_values", (4, 1, 16, 24), SmallStem),
    ("mlp_autoencoder", {"shape": [3, 4, 4], "hidden": [20, 10], "latent": 3, "out_act": "sigmoid"}, "pixel_values", (4, 3, 4, 4), mlp_autoencoder),
    ("conv_autoencoder", {"input_size": [8, 12], "in_chans": 2, "channels": [4, 6], "latent": 5}, "pixel_values", (4, 2, 8, 12), lambda: conv_autoencoder(True)),
    ("conv_autoencoder", {"input_size": [8, 12], "in_chans": 2, "channels": [4, 6], "latent": 5, "batch_norm": False}, "pixel_values", (4, 2, 8, 12), lambda: conv_autoencoder(False)),
    ("simclr", {}, "features", (8, 12), lambda: Head("projection_head", heads.SimCLRProjectionHead(12, 12, 5))),
    ("byol", {}, "features", (8, 12), lambda: Head("projection_head", heads.BYOLProjectionHead(12, 16, 5))),
    ("simsiam", {}, "features", (8, 12), lambda: Head("projection_head", heads.SimSiamProjectionHead(12, 16, 5))),
    ("barlowtwins", {}, "features", (8, 12), lambda: Head("projection_head", heads.BarlowTwinsProjectionHead(12, 16, 5))),
    ("norms", {}, "features", (8, 6), Norms),
]


def digits(tensor):
    return [float(f"{v:.7g}") for v in tensor]


def digest(tensor):
    flat = tensor.detach().flatten()
    step = max(1, flat.numel() // 8)
    return {"shape": list(tensor.shape), "rms": digits([flat.square().mean().sqrt()])[0], "step": step, "values": digits(flat[::step].tolist())}


def main():
    cases = []
    for name, config, given, shape, make in CASES:
        model = fill(make()).double()
        views = [formula(f"{given}{suffix}", shape).double() for suffix in ("", "_2")]
        digests = lambda found: {k: digest(v) for k, v in found.items()}
        training = [digests(model.train()(view)) for view in views]
        buffers = {k: digits(v.flatten()[:2].tolist()) for k, v in model.named_buffers()}
        inference = digests(fill(model.float()).double().eval()(views[0]))
        state = {k: list(v.shape) for k, v in model.state_dict().items()}
        cases.append({"name": name, "config": config, "input": given, "shape": shape, "state": state, "training": training, "buffers": buffers, "inference": inference})
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_name("training-models.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
