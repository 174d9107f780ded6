"""Writes mining.json: what sentence-transformers' functions of mining give for small random vectors.

python mining.py > mining.json      (sentence-transformers 6.2.0, torch on the CPU)

Vectors are integers over 1,000, so that both sides compute with the same float32 numbers.
"""

import json
import sys

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import util
from sentence_transformers.util import cos_sim, dot_score

DIMENSIONS = 12
random = np.random.default_rng(20240917)


def integers(rows):
    return np.clip(np.round(rows * 1000), -9999, 9999).astype(int)


def vectors(rows):
    return torch.from_numpy((rows / 1000).astype(np.float32))


centers = random.normal(size=(6, DIMENSIONS))
corpus = integers(np.concatenate([
    np.repeat(centers, [14, 9, 8, 5, 4, 2], axis=0) + 0.35 * random.normal(size=(42, DIMENSIONS)),
    random.normal(size=(28, DIMENSIONS)),
])[random.permutation(70)])
queries = integers(random.normal(size=(9, DIMENSIONS)))
c, q = vectors(corpus), vectors(queries)


def search(**options):
    found = util.semantic_search(q, c, **options)
    return [[[hit["corpus_id"], hit["score"]] for hit in hits] for hits in found]


def pairs(**options):
    return [[a, b, score] for score, a, b in util.paraphrase_mining_embeddings(c, **options)]


class Model:
    """Gives the vectors that texts name: a3 is query 3, c17 is row 17 of the corpus."""

    device = torch.device("cpu")
    similarity = staticmethod(cos_sim)

    def encode(self, texts, **_):
        rows = [(q if text[0] == "a" else c)[int(text[1:])] for text in texts]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()

    encode_query = encode_document = encode

    @staticmethod
    def similarity_pairwise(a, b):
        return util.pairwise_cos_sim(torch.as_tensor(a), torch.as_tensor(b))


# Anchor 0 has three positives, one of them twice; anchor 1 two.
anchors = ["a0", "a1", "a0", "a2", "a0", "a1", "a3", "a4", "a5", "a6", "a7", "a8", "a0"]
nearest = [[hit[0] for hit in hits] for hits in search(top_k=12)]
places = [0, 1, 3, 2, 0, 4, 0, 5, 1, 7, 3, 9, 6]
positives = [f"c{nearest[int(a[1:])][place]}" for a, place in zip(anchors, places)]


def negatives(with_corpus=True, **options):
    mined = util.mine_hard_negatives(
        Dataset.from_dict({"anchor": anchors, "positive": positives}),
        Model(),
        corpus=[f"c{i}" for i in range(len(corpus))] if with_corpus else None,
        output_scores=True,
        verbose=False,
        **options,
    )
    return [[row["anchor"], row["positive"], row["negative"], *row["scores"]] for row in mined]


json.dump(
    {
        "queries": queries.tolist(),
        "corpus": corpus.tolist(),
        "search": {"cosine": search(top_k=5), "dot": search(top_k=5, score_function=dot_score)},
        "pairs": {"few": pairs(top_k=3, max_pairs=20), "all": pairs()[:200], "count": len(pairs())},
        "communities": {
            f"{threshold}/{size}": util.community_detection(c, threshold=threshold, min_community_size=size)
            for threshold, size in [(0.75, 3), (0.6, 4), (0.9, 2), (0.3, 10)]
        },
        "pairsOfTexts": [anchors, positives],
        "negatives": {
            "default": negatives(),
            "positives": negatives(with_corpus=False),
            "margin": negatives(absolute_margin=0.1, num_negatives=4),
            "relative": negatives(relative_margin=0.05, num_negatives=4, range_max=30),
            "scores": negatives(max_score=0.6, min_score=0.2),
            "range": negatives(range_min=3, range_max=9, num_negatives=5),
        },
    },
    sys.stdout,
)
