"""Writes sentence-modules/: modules to go behind the network of sentence-transformers/ (see make_sentence_transformers.py), that
network as pytorch_model.bin, and references.json: embeddings of its texts with the modules of each case.

    python make_sentence_modules.py     # needs torch, sentence-transformers (6.2)
"""

import json
import os
import shutil
import tempfile

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling

here = os.path.dirname(os.path.abspath(__file__))
network = os.path.join(here, "sentence-transformers")
out = os.path.join(here, "sentence-modules")
texts = ["the birds sing", "football", "the bird, the birds."]

torch.manual_seed(1)
transformer = Transformer(network, max_seq_length=12)
norm = LayerNorm(6)
torch.nn.init.normal_(norm.norm.weight)
torch.nn.init.normal_(norm.norm.bias)
cases = {
    "cls+max+mean": [Pooling(8, ("cls", "max", "mean"))],
    "mean_sqrt_len_tokens": [Pooling(8, "mean_sqrt_len_tokens"), Normalize()],
    "weightedmean": [Pooling(8, "weightedmean")],
    "lasttoken+weightedmean": [Pooling(8, ("lasttoken", "weightedmean")), Normalize()],
    "dense": [Pooling(8, "mean"), Dense(8, 6), norm, Normalize()],
    "residual": [
        Pooling(8, "cls"),
        Normalize(),
        Dense(8, 5, bias=False, activation_function=torch.nn.GELU(), use_residual=True),
        Dense(5, 5, activation_function=torch.nn.Identity(), use_residual=True),
    ],
}
references = {}
shutil.rmtree(out, ignore_errors=True)
for name, modules in cases.items():
    model = SentenceTransformer(modules=[transformer, *modules])
    references[name] = [[round(float(x), 6) for x in row] for row in model.encode(texts)]
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder, create_model_card=False, safe_serialization=name != "residual")
        os.makedirs(os.path.join(out, name))
        for part in sorted(os.listdir(folder)):
            if part == "modules.json" or part[0].isdigit():
                move = shutil.copytree if os.path.isdir(os.path.join(folder, part)) else shutil.copy
                move(os.path.join(folder, part), os.path.join(out, name, part))
torch.save(transformer.model.state_dict(), os.path.join(out, "pytorch_model.bin"))
with open(os.path.join(out, "references.json"), "w") as file:
    json.dump(references, file)
for folder, _, names in os.walk(out):
    for name in names:
        os.chmod(os.path.join(folder, name), 0o644)
