"""Makes masked_language.json: loss and gradients of transformers' BertForMaskedLM on one batch with hidden words.

    python masked_language_reference.py     # needs torch and transformers

Weights follow ../../../nn/testdata/formula.py under the names of the encoder alone; all is computed in double precision, without dropout.
"""
import json
import sys
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "nn" / "testdata"))

from formula import formula  # noqa: E402

torch.set_num_threads(1)
config = transformers.BertConfig.from_pretrained(HERE.parents[2] / "models" / "testdata" / "sentence-transformers")
model = transformers.BertForMaskedLM(config).double().eval()


def own(name):
    return name.removeprefix("bert.")


with torch.no_grad():
    for name, parameter in model.named_parameters():
        parameter.copy_(formula(own(name), tuple(parameter.shape)))

# [CLS] … [SEP], the second text padded; 4 is [MASK].
input_ids = torch.tensor([[2, 65, 4, 67, 4, 60, 3], [2, 58, 12, 64, 3, 0, 0]])
attention_mask = (input_ids != 0).long()
labels = torch.full_like(input_ids, -100)
labels[0, 2], labels[0, 4], labels[1, 2], labels[1, 3] = 58, 66, 59, 64
loss = model(input_ids=input_ids, attention_mask=attention_mask, labels=labels).loss
loss.backward()


def digits(values):
    return [float(f"{v:.8g}") for v in values]


gradients = {
    own(name): digits([p.grad.abs().mean().item(), *p.grad.flatten()[-3:].tolist()])
    for name, p in model.named_parameters()
    if p.grad is not None
}
found = {
    "input_ids": input_ids.tolist(),
    "attention_mask": attention_mask.tolist(),
    "labels": labels.tolist(),
    "loss": digits([loss.item()])[0],
    "gradients": gradients,
}
lines = [f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in found.items() if k != "gradients"]
rows = ",\n".join(f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in gradients.items())
(HERE / "masked_language.json").write_text("{\n" + ",\n".join(lines) + ',\n"gradients": {\n' + rows + "\n}\n}\n")
print(loss.item(), len(gradients))
