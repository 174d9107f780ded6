"""Writes objectives.json: losses and their gradients by PyTorch, sentence-transformers, lightly, open_clip and transformers.

    pip install torch sentence-transformers lightly open_clip_torch transformers && python objectives_reference.py

Computed in float64 from float32 inputs. Where no package has a loss (supervised contrastive, data2vec, divergence of similarity
matrices), the equation of its paper is written out in loops.
"""
import json
import math
import pathlib
import types

import numpy
import open_clip.loss
import torch
import torch.nn.functional as F
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from sentence_transformers.sentence_transformer import losses as st
from sentence_transformers.sentence_transformer.losses.batch_hard_triplet import BatchHardTripletLossDistanceFunction
from sentence_transformers.sentence_transformer.losses.contrastive import SiameseDistanceMetric
from sentence_transformers.sentence_transformer.losses.triplet import TripletDistanceMetric
from sentence_transformers.util import cos_sim, dot_score, pairwise_cos_sim, pairwise_dot_score
from transformers import ViTMAEConfig, ViTMAEForPreTraining

N, D = 6, 8
random = numpy.random.RandomState(7)


def normal(*shape, scale=1.0):
    return (random.standard_normal(shape) * scale).round(3).astype("float32")


a = normal(N, D)
b = (a + normal(N, D, scale=0.7)).round(3).astype("float32")
c = normal(N, D)
d = normal(N, D)
e = normal(N, 5)
twins = a.copy()
twins[3] = twins[2]
twins[5] = twins[0]
near = b.copy()
near[1] = a[1]
holes = b.copy()
holes[4] = 0
tokens = [normal(2, 5, 4) for _ in range(3)]
inputs = {
    "a": a,
    "b": b,
    "c": c,
    "d": d,
    "e": e,
    "twins": twins,
    "near": near,
    "holes": holes,
    "classes": numpy.array([0, 0, 1, 1, 2, 0]),
    "alone": numpy.arange(N),
    "same": numpy.zeros(N, dtype="int64"),
    "pairs": numpy.array([1, 0, 1, 1, 0, 0]),
    "scores": numpy.array([0.75, -0.5, 1, 0.25, 0.75, 0], dtype="float32"),
    "logits": normal(N, 4, scale=3),
    "targets": numpy.array([3, 0, 1, 1, 2, 0]),
    "holed": numpy.array([3, -100, 1, 1, -100, 0]),
    "tokenLogits": normal(2, 3, 4),
    "tokenTargets": numpy.array([[1, -100, 0], [3, 2, 2]]),
    "answers": numpy.array([[1, 0, 1, 0]] * 3 + [[0, 1, 0.25, 1]] * 3, dtype="float32"),
    "scale": numpy.array(math.log(1 / 0.07), dtype="float32"),
    "bias": numpy.array(-10, dtype="float32"),
    "largeScale": numpy.array(4.8, dtype="float32"),
    "teacherTriples": normal(N, 3, scale=2),
    "teacherPairs": normal(N, 2, scale=2),
    "patches": normal(2, 4, 12),
    "pixels": normal(2, 3, 4, 4),
    "patchMask": numpy.array([[1, 0, 1, 1], [0, 0, 1, 0]]),
    "tokens0": tokens[0],
    "tokens1": tokens[1],
    "tokens2": tokens[2],
    "tokenMask": numpy.array([[1, 0, 0, 1, 1], [0, 1, 0, 0, 0]]),
}
cases = []


def digits(x):
    return float(f"{x:.10g}")


def case(function, names, run, options=None, by=None):
    """`by` are the inputs with a gradient; by default all vectors and logits among the first ones of one shape."""
    given = {}
    for name in dict.fromkeys(names):
        tensor = torch.tensor(inputs[name])
        given[name] = tensor.double() if tensor.is_floating_point() else tensor
    if by is None:
        by = [name for name in given if name in ("a", "b", "c", "d", "e", "twins", "near", "holes", "logits", "tokenLogits")]
    for name in by:
        given[name].requires_grad_()
    loss = run(*[given[name] for name in names])
    loss.backward()
    cases.append(
        {
            "function": function,
            "inputs": names,
            "options": options or {},
            "loss": digits(loss.item()),
            "gradients": {name: [digits(x) for x in given[name].grad.flatten().tolist()] for name in by},
        }
    )


# Classes and numbers.
weight = [0.5, 2, 1, 0.25]
for options in ({}, {"labelSmoothing": 0.1}, {"weight": weight}, {"labelSmoothing": 0.3, "weight": weight}):
    torch_options = {
        "label_smoothing": options.get("labelSmoothing", 0),
        "weight": torch.tensor(weight).double() if "weight" in options else None,
    }
    for labels in ("targets", "holed"):
        case("crossEntropy", ["logits", labels], lambda x, y: F.cross_entropy(x, y, **torch_options), options)
case("crossEntropy", ["logits", "targets"], lambda x, y: F.cross_entropy(x, y, ignore_index=1), {"ignoreIndex": 1})
case(
    "crossEntropy",
    ["tokenLogits", "tokenTargets"],
    lambda x, y: F.cross_entropy(x.transpose(1, 2), y, label_smoothing=0.1),
    {"labelSmoothing": 0.1},
)
case("meanSquaredError", ["a", "b"], F.mse_loss)
for beta in (1.0, 0.5, 0.0):
    case("smoothL1", ["a", "b"], lambda x, y: F.smooth_l1_loss(x, y, beta=beta), {"beta": beta})
bce = F.binary_cross_entropy_with_logits
case("binaryCrossEntropyWithLogits", ["logits", "answers"], bce)
case(
    "binaryCrossEntropyWithLogits",
    ["logits", "answers"],
    lambda x, y: bce(x, y, pos_weight=torch.tensor(3.0).double()),
    {"posWeight": 3},
)

# Pairs and triplets. PyTorch adds 1e-6 to differences in pairwise_distance, which is no distance of equal vectors then.
plain = {
    "cosine": SiameseDistanceMetric.COSINE_DISTANCE,
    "euclidean": lambda x, y: F.pairwise_distance(x, y, eps=0),
    "manhattan": lambda x, y: F.pairwise_distance(x, y, p=1, eps=0),
}
for distance, margin, second in (
    ("cosine", 0.5, "b"),
    ("cosine", 1.2, "c"),
    ("cosine", 0.5, "holes"),
    ("euclidean", 3.0, "b"),
    ("manhattan", 8.0, "c"),
):
    loss = st.ContrastiveLoss(None, distance_metric=plain[distance], margin=margin)
    case(
        "contrastive",
        ["a", second, "pairs"],
        lambda x, y, labels: loss.compute_loss_from_embeddings([x, y], labels),
        {"distance": distance, "margin": margin},
    )
for distance, margin, positive in (
    ("euclidean", 5, "b"),
    ("euclidean", 1, "near"),
    ("cosine", 0.7, "b"),
    ("cosine", 0.7, "holes"),
    ("manhattan", 5, "near"),
):
    loss = st.TripletLoss(None, distance_metric=getattr(TripletDistanceMetric, distance.upper()), triplet_margin=margin)
    case(
        "tripletLoss",
        ["a", positive, "c"],
        lambda x, y, z: loss.compute_loss_from_embeddings([x, y, z], None),
        {"distance": distance, "margin": margin},
    )
matrix = {
    "euclidean": BatchHardTripletLossDistanceFunction.euclidean_distance,
    "cosine": BatchHardTripletLossDistanceFunction.cosine_distance,
}
for function, kind in (
    ("batchAllTriplet", st.BatchAllTripletLoss),
    ("batchHardTriplet", st.BatchHardTripletLoss),
    ("batchSemiHardTriplet", st.BatchSemiHardTripletLoss),
):
    for rows, labels, distance, margin in (
        ("a", "classes", "euclidean", 5),
        ("a", "classes", "euclidean", 0.5),
        ("a", "classes", "cosine", 0.3),
        ("twins", "classes", "euclidean", 1),
        ("a", "alone", "euclidean", 1),
        ("a", "same", "euclidean", 1),
    ):
        loss = kind(None, distance_metric=matrix[distance], margin=margin)
        case(
            function,
            [rows, labels],
            lambda x, y: loss.compute_loss_from_embeddings([x], y),
            {"distance": distance, "margin": margin},
        )
for distance in ("euclidean", "cosine"):
    loss = st.BatchHardSoftMarginTripletLoss(None, distance_metric=matrix[distance])
    case(
        "batchHardTriplet",
        ["a", "classes"],
        lambda x, y: loss.compute_loss_from_embeddings([x], y),
        {"distance": distance, "margin": "soft"},
    )


# Views.
def supervised(views, labels, temperature, rescale):
    """Equation 2 of https://arxiv.org/abs/2004.11362, anchor by anchor."""
    rows = F.normalize(torch.cat(views), dim=1)
    classes = labels.repeat(len(views)).tolist()
    costs = []
    for i, own in enumerate(classes):
        others = [j for j in range(len(classes)) if j != i]
        positives = [j for j in others if classes[j] == own]
        if not positives:
            continue
        total = torch.logsumexp(torch.stack([rows[i] @ rows[j] / temperature for j in others]), 0)
        costs.append(-sum(rows[i] @ rows[j] / temperature - total for j in positives) / len(positives))
    return torch.stack(costs).mean() * (temperature if rescale else 1)


for names, labels, options in (
    (["a", "b"], "classes", {"temperature": 0.5, "rescale": True}),
    (["a", "b"], "classes", {"temperature": 0.07, "rescale": False}),
    (["a", "b", "c"], "alone", {"temperature": 0.2, "rescale": True}),
    (["a"], "classes", {"temperature": 0.1, "rescale": True}),
):
    case("supervisedContrastive", [*names, labels], lambda *xs: supervised(xs[:-1], xs[-1], **options), options)
for temperature in (0.5, 0.1):
    case("ntXent", ["a", "b"], NTXentLoss(temperature=temperature), {"temperature": temperature})
case("ntXent", ["a", "holes"], NTXentLoss(), {"temperature": 0.5})
case("negativeCosineSimilarity", ["a", "b"], NegativeCosineSimilarity())
case("negativeCosineSimilarity", ["a", "holes"], NegativeCosineSimilarity())

# Pictures and texts.
clip, siglip = open_clip.loss.ClipLoss(), open_clip.loss.SigLipLoss()
unit = lambda x: F.normalize(x, dim=1)
factor = lambda x: x.clamp(max=math.log(100)).exp()
case("clipLoss", ["a", "b", "scale"], lambda x, y, s: clip(unit(x), unit(y), factor(s)), by=["a", "b", "scale"])
case("clipLoss", ["a", "b", "largeScale"], lambda x, y, s: clip(unit(x), unit(y), factor(s)), by=["a", "b", "largeScale"])
case("clipLoss", ["a", "b"], lambda x, y: clip(x, y, torch.tensor(0.5).double().exp()), {"logitScale": 0.5, "normalize": False})
case(
    "sigLipLoss",
    ["a", "b", "scale", "bias"],
    lambda x, y, s, t: siglip(unit(x), unit(y), factor(s), t),
    by=["a", "b", "scale", "bias"],
)
case(
    "sigLipLoss",
    ["a", "b"],
    lambda x, y: siglip(x, y, torch.tensor(2.0).double(), -1),
    {"logitScale": math.log(2), "logitBias": -1, "normalize": False},
)

# Reconstruction.
mae = ViTMAEForPreTraining(
    ViTMAEConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        image_size=4,
        patch_size=2,
        decoder_hidden_size=8,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=1,
        decoder_intermediate_size=8,
    )
)


class Gives(torch.nn.Module):
    """Stands for a part of a model: gives what it was made with."""

    def __init__(self, **output):
        super().__init__()
        self.output = types.SimpleNamespace(hidden_states=None, attentions=None, **output)

    def forward(self, *inputs, **options):
        return self.output


def masked_autoencoder(prediction, pixels, mask):
    mae.vit = Gives(last_hidden_state=None, ids_restore=None, mask=mask)
    mae.decoder = Gives(logits=prediction)
    return mae(pixels).loss


for norm in (False, True):
    mae.config.norm_pix_loss = norm
    case(
        "maskedReconstruction",
        ["patches", "pixels", "patchMask"],
        masked_autoencoder,
        {"normPixLoss": norm},
        by=["patches"],
    )


def data2vec_target(layers, k, layer_norm, target_norm):
    """As fairseq's examples/data2vec."""
    norms = {
        "none": lambda x: x,
        "layer": lambda x: F.layer_norm(x, x.shape[-1:]),
        "instance": lambda x: F.instance_norm(x.transpose(1, 2)).transpose(1, 2),
        "batch": lambda x: F.batch_norm(x.transpose(1, 2), None, None, training=True).transpose(1, 2),
    }
    return norms[target_norm](sum(norms[layer_norm](x) for x in layers[-k:]) / k)


def data2vec(prediction, target, mask, beta, scale=None):
    x, y = prediction[mask.bool()], target[mask.bool()]
    terms = F.mse_loss(x, y, reduction="none") if beta == 0 else F.smooth_l1_loss(x, y, reduction="none", beta=beta)
    return terms.sum(-1).mean() * (scale or 1 / math.sqrt(x.shape[-1]))


for k, layer_norm, target_norm, loss_options in (
    (2, "layer", "none", {"beta": 0}),
    (2, "instance", "layer", {"beta": 2}),
    (1, "batch", "instance", {"beta": 0.5, "scale": 3}),
    (2, "none", "none", {"beta": 0}),
):
    case(
        "data2vec",
        ["tokens0", "tokens1", "tokens2", "tokenMask"],
        lambda x, y, z, mask: data2vec(x, data2vec_target([y, z], k, layer_norm, target_norm), mask, **loss_options),
        {"averageTopKLayers": k, "layerNorm": layer_norm, "targetNorm": target_norm, **loss_options},
        by=["tokens0"],
    )

# Scored pairs.
for second in ("b", "holes"):
    case(
        "cosineSimilarityLoss",
        ["a", second, "scores"],
        lambda x, y, labels: st.CosineSimilarityLoss(None).compute_loss_from_embeddings([x, y], labels),
    )
for options, function in (({"scale": 20}, pairwise_cos_sim), ({"scale": 0.5, "similarity": "dot"}, pairwise_dot_score)):
    loss = st.CoSENTLoss(None, scale=options["scale"], similarity_fct=function)
    case("coSent", ["a", "b", "scores"], lambda x, y, labels: loss.compute_loss_from_embeddings([x, y], labels), options)
loss = st.CoSENTLoss(None)
case("coSent", ["a", "b", "same"], lambda x, y, labels: loss.compute_loss_from_embeddings([x, y], labels))
loss = st.AnglELoss(None)
case("angleLoss", ["a", "b", "scores"], lambda x, y, labels: loss.compute_loss_from_embeddings([x, y], labels))

# Ranking.
for names, symmetric, similarity, scale in (
    (["a", "b"], False, "cosine", 20),
    (["a", "holes"], False, "cosine", 20),
    (["a", "b"], True, "cosine", 20),
    (["a", "b", "c", "d"], False, "cosine", 20),
    (["a", "b", "c"], True, "cosine", 10),
    (["a", "b", "c"], False, "dot", 0.5),
):
    loss = st.MultipleNegativesRankingLoss(
        None,
        scale=scale,
        similarity_fct={"cosine": cos_sim, "dot": dot_score}[similarity],
        directions=("query_to_doc", "doc_to_query") if symmetric else ("query_to_doc",),
        partition_mode="per_direction" if symmetric else "joint",
    )
    case(
        "multipleNegativesRanking",
        names,
        lambda *xs: loss.compute_loss_from_embeddings(list(xs), None),
        {"scale": scale, "similarity": similarity, "symmetric": symmetric},
    )
case(
    "simCse",
    ["a", "b", "c"],
    lambda *xs: st.MultipleNegativesRankingLoss(None, scale=20).compute_loss_from_embeddings(list(xs), None),
    {"temperature": 0.05},
)


class Given(torch.nn.Module):
    """A model that gives the embedding that it is fed."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}

    def get_embedding_dimension(self):
        return D


def cut(kind, xs, labels, dims, weights):
    model = Given()
    loss = st.MatryoshkaLoss(model, kind(model), dims, weights)
    return loss([{"vectors": x} for x in xs], labels)


for dims, weights in (([8, 5, 2], None), ([3, 8], [0.5, 2])):
    case(
        "matryoshkaRanking",
        ["a", "b"],
        lambda *xs: cut(st.MultipleNegativesRankingLoss, xs, None, dims, weights),
        {"dims": dims, **({"weights": weights} if weights else {})},
    )
case(
    "matryoshkaScores",
    ["a", "b", "scores"],
    lambda x, y, labels: cut(st.CoSENTLoss, [x, y], labels, [4, 8], [1, 0.5]),
    {"dims": [4, 8], "weights": [1, 0.5]},
)
dot_ranking = st.MultipleNegativesRankingLoss(None, scale=1, similarity_fct=dot_score)
case(
    "matryoshkaRanking",
    ["a", "b"],
    lambda x, y: sum(dot_ranking.compute_loss_from_embeddings([x[:, :k], y[:, :k]], None) for k in (8, 3)),
    {"dims": [8, 3], "normalize": False, "similarity": "dot", "scale": 1},
)

# Teachers.
for metric in ("mse", "l2", "cosine"):
    loss = st.EmbedDistillLoss(None, distance_metric=metric)
    case(
        "embeddingDistillation",
        ["a", "near"],
        lambda x, y: loss.compute_loss_from_embeddings([x], [y]),
        {"distanceMetric": metric},
    )


def matrices(student, teacher, divergence, similarity="cosine", temperature=1.0):
    function = {"cosine": cos_sim, "dot": dot_score}[similarity]
    x, y = function(student, student), function(teacher, teacher)
    if divergence == "mse":
        return F.mse_loss(x, y)
    others = ~torch.eye(len(x)).bool()
    x, y = (z[others].view(len(x), -1) / temperature for z in (x, y))
    return F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean") * temperature**2


for options in (
    {"divergence": "mse"},
    {"divergence": "mse", "similarity": "dot"},
    {"divergence": "kl", "temperature": 0.1},
):
    case("similarityDistillation", ["a", "e"], lambda x, y: matrices(x, y, **options), options)
for names, labels in ((["a", "b", "c"], "teacherPairs"), (["a", "b", "c", "d"], "teacherTriples")):
    loss = st.MarginMSELoss(None)
    case("marginMse", [*names, labels], lambda *xs: loss.compute_loss_from_embeddings(list(xs[:-1]), xs[-1]))
for temperature, similarity in ((1, "dot"), (2, "cosine")):
    function = {"cosine": pairwise_cos_sim, "dot": pairwise_dot_score}[similarity]
    loss = st.DistillKLDivLoss(None, similarity_fct=function, temperature=temperature)
    case(
        "scoreDistillation",
        ["a", "b", "c", "d", "teacherTriples"],
        lambda *xs: loss.compute_loss_from_embeddings(list(xs[:-1]), xs[-1]),
        {"temperature": temperature, "similarity": similarity},
    )

written = {
    name: {
        "dtype": {"float32": "float32", "int64": "int64"}[str(value.dtype)],
        "shape": list(value.shape),
        "data": [json.loads(str(x)) for x in value.flatten()],
    }
    for name, value in inputs.items()
}
target = pathlib.Path(__file__).with_name("objectives.json")
lines = lambda items: ",\n".join(items)
target.write_text(
    '{"inputs":{\n'
    + lines(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in written.items())
    + '\n},"cases":[\n'
    + lines(json.dumps(one) for one in cases)
    + "\n]}\n"
)
print(len(cases), "cases")
