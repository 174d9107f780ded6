"""The networks, losses and optimisers of parity_reference.py."""
import math
from dataclasses import dataclass, field
from typing import Callable

import open_clip
import timm
import torch
import torch.nn.functional as F
import transformers
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules import heads
from sentence_transformers.sentence_transformer import losses as st
from torch import nn

from masked_reference import Mae, Masked
from training_reference import Autoencoder, CifarResNet, lenet

torch.set_grad_enabled(True)  # masked_reference.py, which only runs its networks, has it off


@dataclass
class Case:
    name: str
    rows: int
    picture: tuple
    model: Callable
    loss: Callable
    optimizer: Callable
    clip: float = 0
    # Of the teacher at a step, and its mode.
    momentum: Callable | None = None
    teacher_mode: str = "training"
    student_only: str = "(prediction|regression)_head|fc"
    # Parameters that begin otherwise than by formula.
    starts: dict = field(default_factory=dict)
    # Factor of kernels: He's deviation for a network whose gradients batch norms make the larger the smaller its kernels are.
    kernels: float = 1
    after: Callable = lambda model: None
    # Tensors that are not compared.
    ignores: Callable = lambda name: False


def sgd(**options):
    return lambda model: torch.optim.SGD(model.parameters(), **options)


def adam(**options):
    return lambda model: torch.optim.Adam(model.parameters(), **options)


def adamw(weight_decay, **options):
    """No decay for what has one axis, as timm does."""

    def make(model):
        parameters = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0},
        ]
        return torch.optim.AdamW(groups, **options)

    return make


# Keys' biases have no gradient but rounding errors, which Adam makes as large as any.
KEYS = lambda name: name.endswith(("qkv.bias", "in_proj_bias", "key.bias"))


def classification(classes, output=lambda y: y["logits"]):
    return lambda model, batch: F.cross_entropy(output(model(batch.pixels())), batch.labels(classes))


def mlp_autoencoder():
    encoder = [nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8)]
    decoder = [nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 784)]
    return Autoencoder(encoder, decoder)


def reconstruction(model, batch):
    pixels = batch.pixels().flatten(1)
    return F.mse_loss(model(pixels)["reconstruction"], pixels)


def vit(img_size, embed_dim, depth, num_heads):
    return timm.create_model("vit_tiny_patch16_224", img_size=img_size, patch_size=8, embed_dim=embed_dim, depth=depth, num_heads=num_heads, num_classes=7)


def with_heads(network, **modules):
    for name, module in modules.items():
        setattr(network, name, module)
    return network


def embedded(model, pixels):
    return model(pixels)["penultimate"]


def simclr(model, batch):
    first, second = (model.projection_head(embedded(model, batch.pixels(view))) for view in (0, 1))
    return NTXentLoss(temperature=0.5)(first, second)


def byol(model, batch, teacher):
    predictions = [model.prediction_head(model.projection_head(embedded(model, batch.pixels(view)))) for view in (0, 1)]
    targets = [teacher.projection_head(embedded(teacher, batch.pixels(view))).detach() for view in (0, 1)]
    criterion = NegativeCosineSimilarity()
    return 0.5 * (criterion(predictions[0], targets[1]) + criterion(predictions[1], targets[0]))


def triplets(model, batch):
    loss = st.BatchHardTripletLoss(None, margin=0.3)
    vectors = F.normalize(model(batch.pixels())["penultimate"])
    return loss.compute_loss_from_embeddings([vectors], batch.labels(4))


def mae():
    model = Mae(32, 8, 48, 2, 3, 32, 1, 2)
    model.pos_embed.requires_grad_(False)
    model.decoder_pos_embed.requires_grad_(False)
    return model


def patchify(pixels, patch):
    rows, channels, height, width = pixels.shape
    x = pixels.reshape(rows, channels, height // patch, patch, width // patch, patch)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(rows, -1, patch * patch * channels)


def painted(model, batch):
    pixels, order = batch.pixels(), batch.order(16)
    prediction = model(pixels, order[:, :4], order.argsort(1))["prediction"]
    target = patchify(pixels, 8)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
    mask = (order.argsort(1) >= 4).to(pixels.dtype)
    return ((prediction - target).square().mean(-1) * mask).sum() / mask.sum()


def data2vec(model, batch, teacher):
    pixels, mask = batch.pixels(), batch.noise(16) < 0
    prediction = model(pixels, mask)["prediction"]
    hidden = teacher(pixels, torch.zeros_like(mask))
    layers = [F.layer_norm(hidden[f"hidden_state_{i}"], (48,)) for i in (1, 2)]
    target = sum(layers) / len(layers)
    terms = F.smooth_l1_loss(prediction, target, beta=2, reduction="none").sum(-1)
    return terms[mask].mean() / math.sqrt(48)


CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 48, "head_width": 16, "layers": 2},
    "text_cfg": {"context_length": 12, "vocab_size": 40, "width": 32, "heads": 2, "layers": 2},
}


def clip():
    model = open_clip.model.CLIP(CLIP["embed_dim"], dict(CLIP["vision_cfg"]), dict(CLIP["text_cfg"]))
    return model


def clip_loss(model, batch):
    ids, _ = batch.texts("text", 12, 40)
    images, texts, scale = model(batch.pixels(), ids)
    return open_clip.loss.ClipLoss()(images, texts, scale)


def clamp(model):
    with torch.no_grad():
        model.logit_scale.clamp_(0, math.log(100))


def bert():
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=16,
        type_vocab_size=2, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    return transformers.BertModel(config, add_pooling_layer=False)


def ranking(model, batch):
    def vectors(column):
        ids, mask = batch.texts(column, 8, 40)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        share = mask.to(hidden.dtype)[..., None]
        return F.normalize((hidden * share).sum(1) / share.sum(1))

    logits = 20 * vectors("anchor") @ vectors("positive").T
    return F.cross_entropy(logits, torch.arange(batch.rows))


def cosine(start, end):
    return lambda step, steps: end - (end - start) * (math.cos(math.pi * step / (steps - 1)) + 1) / 2


def line(start, end):
    return lambda step, steps: start + (end - start) * step / (steps - 1)


RESNET = lambda: CifarResNet(20, "A")
PICTURE = (3, 32, 32)
CASES = [
    Case("lenet", 16, (1, 32, 32), lambda: lenet(1, 32, 0, False), classification(7), sgd(lr=0.2, momentum=0.9)),
    Case("resnet20_cifar", 16, PICTURE, RESNET, classification(7), sgd(lr=0.003, momentum=0.9, weight_decay=5e-4), kernels=4),
    Case("vit", 8, PICTURE, lambda: vit(32, 64, 3, 4), classification(7, lambda y: y), adamw(0.05, lr=1e-3), clip=1, ignores=KEYS),
    Case("mlp_autoencoder", 16, (1, 28, 28), mlp_autoencoder, reconstruction, adam(lr=2e-3)),
    Case("simclr", 8, PICTURE, lambda: with_heads(RESNET(), projection_head=heads.SimCLRProjectionHead(64, 64, 32)), simclr,
         sgd(lr=0.00015, momentum=0.9, weight_decay=1e-4), kernels=4),
    Case("mae", 8, PICTURE, mae, painted, adamw(0.05, lr=1e-3, betas=(0.9, 0.95)), ignores=KEYS),
    Case("triplets", 12, (3, 28, 28), lambda: lenet(3, 28, 2, True), triplets, sgd(lr=0.01, momentum=0.9, nesterov=True),
         starts={f"{layer}.bias": 0 for layer in ("conv1", "conv2", "fc1", "fc2")}),
    Case("data2vec", 8, PICTURE, lambda: Masked(48, img_size=32, patch_size=8, embed_dim=48, depth=3, num_heads=3), data2vec,
         adamw(0.05, lr=1e-3), momentum=line(0.9, 0.99), teacher_mode="inference", ignores=KEYS),
    Case("clip", 8, PICTURE, clip, clip_loss, adamw(0.2, lr=1e-3, betas=(0.9, 0.98), eps=1e-6),
         starts={"logit_scale": math.log(1 / 0.07)}, after=clamp, ignores=KEYS),
    Case("byol", 8, PICTURE, lambda: with_heads(RESNET(), projection_head=heads.BYOLProjectionHead(64, 32, 16), prediction_head=heads.BYOLPredictionHead(16, 32, 16)),
         byol, sgd(lr=0.0003, momentum=0.9), momentum=cosine(0.9, 1), kernels=4),
    Case("bert", 8, (), bert, ranking, adamw(0.01, lr=1e-3), ignores=KEYS),
]
