"""PyTorch's side of optimizers.ts: does one step of the work that each line names, and answers with its times as JSON."""
import json
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
TOKENS = 1024


def shapes():
    yield from [(30522, 384), (512, 384), (2, 384), (384,), (384,)]
    for _ in range(6):
        for out, into in [(384, 384)] * 4 + [(1536, 384), (384, 1536)]:
            yield from [(out, into), (out,)]
        yield from [(384,)] * 4


def weights():
    result = []
    for shape in shapes():
        weight = torch.nn.Parameter(torch.randn(shape) * 0.02)
        weight.grad = torch.randn(shape) * 1e-3
        result.append(weight)
    return result


def stepper(work, **way):
    if work == "sparse table":
        table = torch.nn.Embedding(30522, 384, sparse=True)
        optimizer = torch.optim.SparseAdam(table.parameters())
        rows = torch.tensor([(i * i * 31) % 30522 for i in range(TOKENS)])
        values = torch.randn(TOKENS, 384) * 1e-3

        def step():
            table.weight.grad = torch.sparse_coo_tensor(rows[None], values, (30522, 384))
            optimizer.step()

        return step
    own = weights()
    if work == "sgd":
        return torch.optim.SGD(own, momentum=0.9, **way).step
    optimizer = torch.optim.AdamW(own, **way)
    if work == "adamw clip":

        def step():
            torch.nn.utils.clip_grad_norm_(own, 1.0)
            optimizer.step()

        return step
    if work == "adamw average":
        averages = [weight.detach().clone() for weight in own]

        def step():
            optimizer.step()
            torch._foreach_lerp_(averages, [weight.detach() for weight in own], weight=1e-3)

        return step
    if work == "adamw accumulate":
        micro = [torch.randn_like(weight) for weight in own]
        return lambda: torch._foreach_add_([weight.grad for weight in own], micro)
    return optimizer.step


WAYS = {"foreach": {"foreach": True}, "fused": {"fused": True}}
current, steppers = None, {}
for line in sys.stdin:
    name = line.strip()
    if name != current:
        ways = {"PyTorch": {}} if name in ("sparse table", "adamw accumulate") else WAYS
        current, steppers = name, None
        steppers = {f"PyTorch {way}": stepper(name, **options) for way, options in ways.items()}
    times = {}
    for way, step in steppers.items():
        start, before = time.perf_counter(), time.process_time()
        step()
        times[way] = {
            "wall": (time.perf_counter() - start) * 1000,
            "processor": (time.process_time() - before) * 1000,
        }
    print(json.dumps(times), flush=True)
