"""LogisticRegression on vectors that classifier.ts has made: prints its accuracies on the held-out part as JSON."""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

given = json.loads(Path(sys.argv[1]).read_text())
(x, y), (held_x, held_y) = [
    (np.array(given[part]["vectors"]), np.array(given[part]["labels"])) for part in ("train", "validation")
]
models = {
    "standardised": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "plain": LogisticRegression(max_iter=2000),
}
print(json.dumps({name: model.fit(x, y).score(held_x, held_y) for name, model in models.items()}))
