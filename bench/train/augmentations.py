"""Pictures a second of SimCLR's augmentation by torchvision: one picture at a time (as a data loader does), and the batch with one draw."""
import json
import sys
import time

import torch
from torchvision.transforms import v2 as T

size, before, count, threads, rounds = map(int, sys.argv[1:6])
torch.set_num_threads(threads)
kernel = 2 * (size // 10 // 2) + 1
augment = T.Compose([
    T.RandomResizedCrop(size, scale=(0.08, 1), antialias=True),
    T.RandomHorizontalFlip(0.5),
    T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
    T.RandomGrayscale(0.2),
    T.RandomApply([T.GaussianBlur(kernel, (0.1, 2))], p=0.5),
    T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])  # fmt: skip
pixels = torch.rand(count, 3, before, before)
kinds = {"one by one": lambda: torch.stack([augment(x) for x in pixels]), "one draw a batch": lambda: augment(pixels)}
for kind, run in kinds.items():
    run()
    times = []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        times.append([1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)])
    print(json.dumps({"kind": kind, "times": times}))
