"""Peer of speed.ts: python speed.py WORK VECTORS.npy does the work once a line and prints its seconds as JSON."""
import json
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")
work, file = sys.argv[1:]
vectors = np.load(file)
labels = np.arange(len(vectors)) % 10


def neighbors():
    # Each by the others: of six, itself is the first.
    near = NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors).kneighbors(vectors, return_distance=False)[:, 1:]
    votes = np.zeros((len(vectors), 10), dtype=int)
    for column in near.T:
        votes[np.arange(len(vectors)), labels[column]] += 1
    return votes.argmax(1)


def probe():
    train, test, own, held = train_test_split(vectors, labels, test_size=0.2, random_state=0, stratify=labels)
    model = LogisticRegression(warm_start=True, max_iter=1000)
    best = (-1.0, 0.0)
    for c in (1e-3, 1e-2, 1e-1, 1, 10, 100, 1000):
        model.set_params(C=c).fit(train, own)
        right = model.score(test, held)
        if right > best[0]:
            best = (right, c)
    return LogisticRegression(C=best[1], max_iter=1000).fit(vectors, labels).predict(vectors)


run = {"neighbors": neighbors, "probe": probe}[work]
for _ in sys.stdin:
    start, before = time.perf_counter(), time.process_time()
    found = run()
    result = {"wall": time.perf_counter() - start, "cpu": time.process_time() - before}
    print(json.dumps({**result, "accuracy": float((found == labels).mean())}), flush=True)
