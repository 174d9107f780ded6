"""The works of speed.ts in PyTorch: answers each line, a number of steps, with milliseconds and the peak of memory."""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

name, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)


def numbers(*shape):
    return torch.rand(*shape)


class BasicBlock(nn.Module):
    def __init__(self, into, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.more = stride, out - into

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride > 1 or self.more:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(x + y)


def resnet20():
    blocks, into = [], 16
    for stage, out in enumerate([16, 32, 64]):
        for block in range(3):
            blocks.append(BasicBlock(into, out, 2 if stage > 0 and block == 0 else 1))
            into = out
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def classifying(model, x, optimizer):
    labels = torch.arange(x.shape[0]) % 10
    return model, lambda: F.cross_entropy(model(x), labels), [optimizer(model.parameters())]


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, fused=True)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4, fused=True)


def minilm(sparse):
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    model = BertModel(config, add_pooling_layer=False)
    ids = (torch.arange(1024) ** 2 * 31 + 7) % 30522
    ids = ids.reshape(32, 32)
    mask = torch.ones(32, 32, dtype=torch.int64)
    own = torch.arange(16)

    def loss():
        hidden = model(input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids)).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        vectors = F.normalize((hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9), dim=-1)
        return F.cross_entropy(vectors[:16] @ vectors[16:].T * 20, own)

    if not sparse:
        return model, loss, [adamw(model.parameters())]
    words = model.embeddings.word_embeddings
    words.sparse, words.padding_idx = True, None
    rest = [weight for weight in model.parameters() if weight is not words.weight]
    return model, loss, [adamw(rest), torch.optim.SparseAdam([words.weight], lr=1e-4)]


def mlp():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    x = numbers(128, 1, 28, 28)
    return model, lambda: F.mse_loss(model(x), x), [torch.optim.Adam(model.parameters(), fused=True)]


def vit():
    from timm.models.vision_transformer import VisionTransformer

    model = VisionTransformer(img_size=64, patch_size=8, embed_dim=192, depth=4, num_heads=3, num_classes=10)
    return classifying(model, numbers(32, 3, 64, 64), adamw)


works = {
    "mlp": mlp,
    "vit": vit,
    "lenet": lambda: classifying(lenet(), numbers(128, 1, 28, 28), sgd),
    "resnet20": lambda: classifying(resnet20(), numbers(64, 3, 32, 32), sgd),
    "minilm": lambda: minilm(False),
    "minilm-sparse": lambda: minilm(True),
}
model, loss_of, optimizers = works[name]()
model.train()


def step():
    loss = loss_of()
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    return loss.item()


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


print("ready", flush=True)
for line in sys.stdin:
    start, before = time.perf_counter(), time.process_time()
    for _ in range(int(line)):
        loss = step()
    milliseconds = 1000 * (time.perf_counter() - start)
    processor = 1000 * (time.process_time() - before)
    print(json.dumps({"milliseconds": milliseconds, "processor": processor, "loss": loss, "memory": peak()}), flush=True)
