"""Makes lora/ (a folder of PEFT) and lora.json: what a tiny BERT with this LoRA gives, and what merged weights are.

    python peft_reference.py     # needs torch, transformers, peft

The weights of BERT and the LoRA's follow ../../nn/testdata/formula.py; those of the LoRA are in the folder.
"""
import json
import sys
from pathlib import Path

import peft
import torch
import transformers

here = Path(__file__).parent
sys.path.insert(0, str(here.parent.parent / "nn" / "testdata"))
from formula import fill, formula

torch.set_grad_enabled(False)
SIZES = dict(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, max_position_embeddings=8)
IDS, MASK = [[1, 5, 7, 2], [3, 4, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 0]]


def digits(tensor):
    return [float(f"{v:.7g}") for v in tensor.flatten().tolist()]


config = transformers.BertConfig(**SIZES)
bert = fill(transformers.BertModel(config, add_pooling_layer=False))
plain = bert(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK)).last_hidden_state
lora = peft.LoraConfig(r=3, lora_alpha=12, lora_dropout=0.25, target_modules=["query", "value", "attention.output.dense"], use_rslora=False)
model = peft.get_peft_model(bert, lora)
state = peft.get_peft_model_state_dict(model)
peft.set_peft_model_state_dict(model, {k: formula(k, tuple(v.shape)) for k, v in state.items()})
model.eval()
adapted = model(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK)).last_hidden_state
model.save_pretrained(here / "lora")
(here / "lora" / "README.md").unlink(missing_ok=True)
merged = model.merge_and_unload().state_dict()
names = ["encoder.layer.0.attention.self.query.weight", "encoder.layer.1.attention.output.dense.weight"]
found = {
    "config": {"model_type": "bert", **SIZES, "type_vocab_size": 2},
    "input_ids": IDS,
    "attention_mask": MASK,
    "plain": digits(plain),
    "adapted": digits(adapted),
    "merged": {name: digits(merged[name]) for name in names},
}
(here / "lora.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
