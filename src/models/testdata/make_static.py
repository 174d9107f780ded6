"""Writes static/<name>/: static embeddings as sentence-transformers and model2vec save them, with references.json: texts and vectors.

    python make_static.py     # needs sentence-transformers, numpy

- sentence: StaticEmbedding and Normalize, saved and embedded by sentence-transformers.
- dense: StaticEmbedding, Dense and Normalize in folders of their own, as torch.save writes them.
- model2vec: the files of a model2vec folder of a quantised vocabulary (`embeddings`, `mapping`, `weights`), embedded as
  `StaticModel.encode` of model2vec 0.6 does it (its code in numpy: unknown words left out, the mean, then normalised), and in
  sentence.json as sentence-transformers embeds the same table.
"""

import json
import shutil
from pathlib import Path

import numpy
import torch
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

here = Path(__file__).parent / "static"
shutil.rmtree(here, ignore_errors=True)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "bird", "##s", "sing", "##ing", "in", "the", "tree", ".", "on", "##e", "wing"]
tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
texts = ["Birds sing in the tree.", "a bird", "an unknown bird", "one wing on a tree", "the the the bird"]
random = numpy.random.default_rng(0)
torch.manual_seed(0)


def write(folder, references):
    (folder / "references.json").write_text(json.dumps(references) + "\n")


table = random.standard_normal((len(words), 8)).astype(numpy.float32)
model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table), Normalize()], device="cpu")
model.prompts = {"query": "a ", "document": ""}
folder = here / "sentence"
model.save(str(folder), create_model_card=False)
write(folder, {"texts": texts, "vectors": model.encode(texts).tolist(), "query": model.encode(texts, prompt_name="query").tolist()})

model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table), Dense(8, 5), Normalize()], device="cpu")
folder = here / "dense"
model.save(str(folder), create_model_card=False, safe_serialization=False)
write(folder, {"texts": texts, "vectors": model.encode(texts).tolist()})
(folder / "0_StaticEmbedding").mkdir()
for name in ["tokenizer.json", "pytorch_model.bin"]:
    (folder / name).rename(folder / "0_StaticEmbedding" / name)
modules = json.loads((folder / "modules.json").read_text())
modules[0]["path"] = "0_StaticEmbedding"
(folder / "modules.json").write_text(json.dumps(modules) + "\n")

folder = here / "model2vec"
folder.mkdir(parents=True)
embeddings = random.standard_normal((6, 8)).astype(numpy.float16)
mapping = random.integers(0, 6, len(words)).astype(numpy.int64)
weights = (0.5 + random.random(len(words))).astype(numpy.float64)
save_file({"embeddings": embeddings, "mapping": mapping, "weights": weights}, folder / "model.safetensors")
tokenizer.save(str(folder / "tokenizer.json"))
config = {"model_type": "model2vec", "architectures": ["StaticModel"], "tokenizer_name": "x", "hidden_dim": 8, "seq_length": 1000000, "normalize": True}
(folder / "config.json").write_text(json.dumps(config) + "\n")
unknown = tokenizer.token_to_id("[UNK]")
vectors = []
for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
    ids = [i for i in encoding.ids if i != unknown][:512]
    mean = (embeddings[mapping[ids]].astype(numpy.float64) * weights[ids][:, None]).mean(axis=0)
    vectors.append((mean / (numpy.linalg.norm(mean) + 1e-32)).tolist())
both = SentenceTransformer(modules=[StaticEmbedding.load(str(folder))], device="cpu")
write(folder, {"texts": texts, "vectors": vectors, "sentence": both.encode(texts).tolist()})

# - limits, unigram, int8: what model2vec 0.10 itself gives for long texts and unknown words (needs model2vec; without it they stay).
from model2vec import StaticModel  # noqa: E402

long = [*texts, "a unknown " * 30 + "bird", "🙂 the bird " * 20, "wingbirdsinging " * 3 + "the", "the a in on tree."]
pieces = [("<unk>", 0.0), ("▁", -2.0), ("▁the", -1.0), ("▁bird", -1.5), ("ing", -2.0), ("s", -3.0), ("a", -3.0), ("▁tree", -1.0), ("b", -4.0)]
unigram = Tokenizer(models.Unigram(pieces, unk_id=0))
unigram.pre_tokenizer = pre_tokenizers.Metaspace()
for name, tok, dtype, limit in [("limits", tokenizer, "float32", 6), ("unigram", unigram, "float32", None), ("int8", tokenizer, "int8", 512)]:
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = tok.get_vocab_size()
    made = (random.standard_normal((size, 8)) * (20 if dtype == "int8" else 1)).astype(dtype)
    tok = Tokenizer.from_str(tok.to_str())
    if name == "limits":
        tok.enable_truncation(3)  # model2vec sets its own
    model = StaticModel(made, tok, config={"model_type": "model2vec", "architectures": ["StaticModel"]}, normalize=name != "int8", max_length=limit)
    save_file({"embeddings": made}, folder / "model.safetensors")
    tok.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(dict(model.config)) + "\n")
    vectors = [model.encode([text])[0].astype(float).tolist() for text in long]
    both = SentenceTransformer(modules=[StaticEmbedding.load(str(folder))], device="cpu") if name == "limits" else None
    write(folder, {"texts": long, "vectors": vectors, **({"sentence": both.encode(long).tolist()} if both else {})})
