"""PyTorch's side of zoo.ts: answers each line of JSON with one.

Models are transformers' and timm's own, in float32, under `torch.inference_mode`. Each work is tried with several batch sizes,
numbers of threads and layouts of memory (as it comes, channels last); zoo.ts repeats the fastest.
"""
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

model = tokenizer = texts = pictures = None
shaped = {}


def open_model(kind, folder, name, **work):
    global model, tokenizer, texts, pictures
    shaped.clear()
    if kind == "text":
        from safetensors.torch import load_file
        from transformers import BertConfig, BertModel
        from tokenizers import Tokenizer

        model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
        weights = {key: value.float() for key, value in load_file(f"{folder}/{work['weights']}").items()}
        missing = model.load_state_dict(weights, strict=False).missing_keys
        assert not [key for key in missing if "position_ids" not in key], missing
        tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        tokenizer.no_padding()
        tokenizer.enable_truncation(work["maxLength"])
        texts = work["texts"]
    else:
        import timm

        model = timm.create_model(name, checkpoint_path=f"{folder}/model.safetensors")
        pictures = torch.from_numpy(np.fromfile(work["file"], np.float32).reshape(-1, 3, 224, 224)[: work["count"]].copy())
    model.eval()
    return {}


@torch.inference_mode()
def embed_texts(network, tokens):
    """Texts by length, longest first, in batches of so many tokens: little is padding."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    rows = [None] * len(ids)
    start = 0
    while start < len(order):
        length = len(ids[order[start]])
        batch = order[start : start + max(1, tokens // length)]
        start += len(batch)
        padded = torch.zeros(len(batch), length, dtype=torch.long)
        mask = torch.zeros(len(batch), length, dtype=torch.long)
        for row, i in enumerate(batch):
            padded[row, : len(ids[i])] = torch.tensor(ids[i])
            mask[row, : len(ids[i])] = 1
        # Without padding, attention needs no mask, and is faster.
        full = all(len(ids[i]) == length for i in batch)
        states = network(padded, attention_mask=None if full else mask).last_hidden_state
        weights = mask[..., None].float()
        vectors = F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)
        for i, vector in zip(batch, vectors):
            rows[i] = vector
    return torch.stack(rows)


@torch.inference_mode()
def embed_pictures(network, size, channels_last):
    rows = []
    for batch in pictures.split(size):
        if channels_last:
            batch = batch.to(memory_format=torch.channels_last)
        features = network.forward_head(network.forward_features(batch), pre_logits=True)
        rows.append(F.normalize(features, dim=-1))
    return torch.cat(rows)


def run(batch, threads, layout="", vectors=False):
    torch.set_num_threads(threads)
    if layout not in shaped:
        # Moving weights to the other layout is not part of the work.
        shaped.clear()
        shaped[layout] = model.to(memory_format=torch.channels_last if layout == "channels last" else torch.contiguous_format)
    network = shaped[layout]
    start = time.perf_counter()
    result = embed_pictures(network, batch, layout == "channels last") if pictures is not None and texts is None else embed_texts(network, batch)
    seconds = time.perf_counter() - start
    return {"milliseconds": seconds * 1000, **({"vectors": result.tolist()} if vectors else {})}


def close():
    global model, texts, pictures
    model = texts = pictures = None
    shaped.clear()
    return {}


commands = {"open": open_model, "run": run, "close": close}
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(commands[request.pop("do")](**request)), flush=True)
