"""A Qwen3 of 1.3 G parameters, drawn at random in fp16, in shards as transformers writes them; and what PyTorch makes of a text.

    python large.py make FOLDER TOKENIZER_JSON
    python large.py run FOLDER IDS_JSON
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3Model

command, folder, argument = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

if command == "make":
    config = Qwen3Config(
        vocab_size=30522, hidden_size=2048, intermediate_size=6144, num_hidden_layers=24, num_attention_heads=16,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=2048, architectures=["Qwen3Model"],
    )
    folder.mkdir(parents=True)
    with torch.device("meta"):
        shapes = {name: tuple(one.shape) for name, one in Qwen3Model(config).named_parameters()}
    generator = torch.Generator().manual_seed(1)
    layers = sorted({name.split(".")[1] for name in shapes if name.startswith("layers.")}, key=int)
    parts = [[name for name in shapes if not name.startswith("layers.")]]
    parts += [[name for name in shapes if name.split(".")[1:2] == [layer]] for layer in layers]
    # A few layers a shard, one in memory at a time.
    groups = [sum(parts[start : start + 5], []) for start in range(0, len(parts), 5)]
    where = {}
    for i, names in enumerate(groups):
        file = f"model-{i + 1:05}-of-{len(groups):05}.safetensors"
        tensors = {}
        for name in names:
            drawn = torch.randn(shapes[name], generator=generator)
            tensors[name] = (1 + 0.1 * drawn if "norm" in name else 0.02 * drawn).half()
            where[name] = file
        save_file(tensors, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    config.save_pretrained(folder)
    shutil.copy(argument, folder / "tokenizer.json")
else:
    ids = torch.tensor([json.loads(argument)])
    model = Qwen3Model.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        state = model(ids).last_hidden_state[0, -1]
    print(json.dumps(torch.nn.functional.normalize(state, dim=0).tolist()))
