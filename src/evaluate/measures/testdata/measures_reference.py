"""Reference numbers of the measures: python measures_reference.py > measures.json

scikit-learn, SciPy and pytrec-eval-terrier on small random data; everything in float64.
"""
import json
import warnings

import numpy as np
import pytrec_eval
from scipy import stats
from sklearn import cluster, linear_model, metrics, neighbors

warnings.filterwarnings("ignore")
rng = np.random.default_rng(0)
out = {}


def numbers(array):
    return np.asarray(array, dtype=float).ravel().tolist()


# Correlation, with equal numbers among them.
a = np.round(rng.normal(size=40), 1)
b = np.round(a + rng.normal(size=40), 1)
out["correlation"] = {
    "a": numbers(a), "b": numbers(b),
    "pearson": stats.pearsonr(a, b).statistic, "spearman": stats.spearmanr(a, b).statistic,
    "ranks": numbers(stats.rankdata(a)),
}

# Rankings: graded judgements, a query without results, one without relevant documents among its results.
qrels, run, ranked = {}, {}, {}
for q in range(12):
    qrels[f"q{q}"] = {f"d{d}": int(rng.integers(0, 4)) for d in rng.choice(60, 15, replace=False)}
    qrels[f"q{q}"][f"d{q}"] = 2
    order = [f"d{d}" for d in rng.permutation(60)[: 0 if q == 3 else 40]]
    run[f"q{q}"] = {d: float(100 - i) for i, d in enumerate(order)}
    ranked[f"q{q}"] = order
names = {"recall": "recall_", "precision": "P_", "ndcg": "ndcg_cut_", "map": "map_cut_"}
ks = [1, 5, 10, 100]
wanted = {
    "recall.1,5,10,100", "P.1,5,10,100", "ndcg_cut.1,5,10,100", "map_cut.1,5,10,100", "map", "recip_rank"}
results = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
per_query = {}
for q in qrels:
    found = results.get(q, {})
    one = {f"{ours}@{k}": found.get(f"{trec}{k}", 0.0) for ours, trec in names.items() for k in ks}
    per_query[q] = {**one, "map": found.get("map", 0.0), "mrr": found.get("recip_rank", 0.0)}
out["ranking"] = {"relevant": qrels, "results": ranked, "queries": per_query}

# One query has relevant documents, the other grades of 0 only.
qrels = {"some": {"a": 1, "b": 0}, "nothing": {"a": 0, "b": 0}}
ranked = {"some": ["b", "a"], "nothing": ["a", "b"]}
run = {q: {d: float(-i) for i, d in enumerate(order)} for q, order in ranked.items()}
results = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
means = {name: float(np.mean([one[name] for one in results.values()])) for name in results["some"]}
out["unanswerable"] = {
    "relevant": qrels, "results": ranked,
    "mean": {**{f"{ours}@10": means[f"{trec}10"] for ours, trec in names.items()}, "map": means["map"], "mrr": means["recip_rank"]},
}

# Classes.
labels = rng.integers(0, 4, 60)
predictions = np.where(rng.random(60) < 0.6, labels, rng.integers(0, 5, 60))
out["classification"] = {
    "labels": labels.tolist(), "predictions": predictions.tolist(),
    "accuracy": metrics.accuracy_score(labels, predictions),
    "balancedAccuracy": metrics.balanced_accuracy_score(labels, predictions),
    "macroF1": metrics.f1_score(labels, predictions, average="macro"),
    "confusion": metrics.confusion_matrix(labels, predictions, labels=range(5)).tolist(),
}

# Clusters.
clusters = rng.integers(0, 6, 60)
clusters[labels == 1] = 2
out["clusters"] = {
    "clusters": clusters.tolist(), "classes": labels.tolist(),
    "adjustedRand": metrics.adjusted_rand_score(labels, clusters),
    "normalizedMutualInformation": metrics.normalized_mutual_info_score(labels, clusters),
    "homogeneity": metrics.homogeneity_score(labels, clusters),
    "completeness": metrics.completeness_score(labels, clusters),
    "vMeasure": metrics.v_measure_score(labels, clusters),
}

# Neighbours, k-means and logistic regression on the same float32 vectors.
centers = rng.normal(size=(4, 6))
vectors = (centers[labels] + rng.normal(size=(60, 6))).astype(np.float32)
asked = (centers[rng.integers(0, 4, 20)] + rng.normal(size=(20, 6))).astype(np.float32)
data = {"vectors": numbers(vectors), "asked": numbers(asked), "labels": labels.tolist(), "columns": 6}
for weights in ("uniform", "distance"):
    knn = neighbors.KNeighborsClassifier(5, metric="cosine", weights=weights).fit(vectors.astype(float), labels)
    data[f"neighbors.{weights}"] = numbers(knn.predict_proba(asked.astype(float)))
start = vectors[:3]
means = cluster.KMeans(3, init=start.astype(float), n_init=1, algorithm="lloyd").fit(vectors.astype(float))
data["kMeans"] = {"labels": means.labels_.tolist(), "centers": numbers(means.cluster_centers_), "inertia": means.inertia_}
for name, chosen in (("pair", labels < 2), ("all", labels >= 0)):
    model = linear_model.LogisticRegression(C=0.5, tol=1e-12, max_iter=100000).fit(vectors[chosen].astype(float), labels[chosen])
    data[f"logistic.{name}"] = {
        "rows": np.flatnonzero(chosen).tolist(), "coef": numbers(model.coef_), "intercept": numbers(model.intercept_),
        "probabilities": numbers(model.predict_proba(asked.astype(float))),
    }
out["vectors"] = data

# The space, by its definitions.
unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
other = asked.astype(float) / np.linalg.norm(asked.astype(float), axis=1, keepdims=True)
cosines = unit @ unit.T
rest = ~np.eye(60, dtype=bool)
squared = 2 - 2 * cosines
nearest = np.argsort(-np.where(rest, cosines, -np.inf), axis=1, kind="stable")[:, :5]
times = np.bincount(nearest.ravel(), minlength=60)
singular = np.linalg.svd(vectors.astype(float), compute_uv=False)
share = singular / singular.sum()
out["space"] = {
    "alignment": float(np.mean(np.sum((unit[:20] - other) ** 2, axis=1))),
    "uniformity": float(np.log(np.mean(np.exp(-2 * squared[rest])))),
    "anisotropy": float(cosines[rest].mean()),
    "skewness": float(stats.skew(times)), "orphans": float(np.mean(times == 0)), "largest": float(times.max() / 5),
    "rankMe": float(np.exp(-np.sum(share * np.log(share)))),
}
print(json.dumps(out, separators=(",", ":")))
