"""Ranks labels by cleanlab's normalised margin: python suspects.py given.json; see suspects.ts."""
import json
import sys

import numpy as np
from cleanlab.rank import order_label_issues

given = json.load(open(sys.argv[1]))
labels = np.array(given["labels"])
probabilities = np.array(given["probabilities"]).reshape(len(labels), given["classes"])
everything = np.ones(len(labels), dtype=bool)
ranked = order_label_issues(everything, labels, probabilities, rank_by="normalized_margin")
print(json.dumps([int(i) for i in ranked]))
