"""Reference numbers of confident learning: python suspects_reference.py > suspects.json (needs cleanlab)"""
import json

import numpy as np
from cleanlab.filter import find_label_issues

rng = np.random.default_rng(0)
truth = rng.integers(0, 4, 200)
logits = rng.normal(size=(200, 4)) + 2.5 * np.eye(4)[truth]
probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
labels = np.where(rng.random(200) < 0.1, rng.integers(0, 4, 200), truth)
issues = find_label_issues(
    labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
)
print(json.dumps({
    "probabilities": probabilities.ravel().tolist(), "labels": labels.tolist(), "wrong": [int(i) for i in issues]
}, separators=(",", ":")))
