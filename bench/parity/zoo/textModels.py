"""Holds Pipilo's text architectures to transformers: random configurations, all parameters random, fp32, eager attention.

    python textModels.py [--cases 60] [--only qwen3,mpnet] [--seed 0]

Each case is written to a temporary folder, handed to textModels.ts (a Node process that answers line by line), compared and
deleted: last hidden state, pooler, every hidden state and every attention map, padded places included. A case agrees when the
cosine is at least 0.9999 and the largest error at most 1e-4 of the largest deviation from the mean everywhere. Results are appended
to pipilo-zoo-text.jsonl in the temporary folder (LOG), where a later run goes on; then it writes report-text.json. Needs torch, transformers, safetensors.
"""

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel

from peer import Log, Peer, farthest, parameters, shapes, write_report

torch.set_num_threads(1)
ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "quick_gelu", "tanh", "mish"]


def sizes(rng):
    heads, depth = rng.choice([1, 2, 3, 4, 8]), rng.choice([4, 8, 16, 32])
    return heads, heads * depth, rng.randint(1, 4), 4 * rng.randint(3, 40)


def bert_like(rng, **more):
    heads, hidden, layers, inner = sizes(rng)
    return {
        "vocab_size": rng.randint(20, 300),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": rng.randint(50, 80),
        "hidden_act": rng.choice(ACTIVATIONS),
        "layer_norm_eps": rng.choice([1e-12, 1e-6, 1e-5]),
        **more,
    }


def bert(rng):
    return bert_like(rng, type_vocab_size=rng.randint(1, 3))


def roberta(rng):
    return bert_like(rng, type_vocab_size=rng.choice([1, 1, 2, 4]), pad_token_id=rng.choice([0, 1, 1, 1, 3]))


def distilbert(rng):
    heads, hidden, layers, inner = sizes(rng)
    return {
        "vocab_size": rng.randint(20, 300),
        "dim": hidden,
        "n_layers": layers,
        "n_heads": heads,
        "hidden_dim": inner,
        "max_position_embeddings": rng.randint(45, 80),
        "activation": rng.choice(ACTIVATIONS),
        "sinusoidal_pos_embds": rng.random() < 0.3,
    }


def mpnet(rng):
    # Longer than the largest distance that has a bucket of its own now and then.
    return bert_like(rng, max_position_embeddings=rng.choice([60, 320]), relative_attention_num_buckets=rng.choice([32, 32, 40]))


def albert(rng):
    config = bert_like(rng, type_vocab_size=rng.randint(1, 3), embedding_size=rng.choice([4, 8, 24]))
    config["num_hidden_layers"] = rng.randint(1, 6)
    config["num_hidden_groups"] = rng.randint(1, min(3, config["num_hidden_layers"]))
    config["inner_group_num"] = rng.choice([1, 1, 2])
    return config


def modernbert(rng):
    heads, hidden, layers, inner = sizes(rng)
    config = {
        "vocab_size": rng.randint(20, 300),
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": rng.randint(1, 6),
        "num_attention_heads": heads,
        "hidden_activation": rng.choice(ACTIVATIONS),
        "local_attention": rng.choice([2, 5, 8, 16, 128]),
        "global_attn_every_n_layers": rng.randint(1, 4),
        "norm_eps": rng.choice([1e-5, 1e-6]),
        "pad_token_id": 0, "bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2,
    }
    for bias in ["norm_bias", "attention_bias", "mlp_bias"]:
        config[bias] = rng.random() < 0.3
    if rng.random() < 0.5:
        config["global_rope_theta"], config["local_rope_theta"] = rng.choice([160000.0, 5000.0]), rng.choice([10000.0, 300.0])
    else:
        linear = {"rope_type": "linear", "factor": 2.5, "rope_theta": 8000.0}
        plain = {"rope_type": "default", "rope_theta": 700.0}
        config["rope_parameters"] = {"full_attention": rng.choice([linear, plain]), "sliding_attention": plain}
    return config


def qwen3(rng):
    groups, key_heads, depth = rng.choice([1, 2, 3, 4]), rng.choice([1, 2, 4]), rng.choice([4, 8, 16, 32])
    config = {
        "vocab_size": rng.randint(20, 300),
        "hidden_size": 4 * rng.randint(2, 24),
        "intermediate_size": 4 * rng.randint(3, 40),
        "num_hidden_layers": rng.randint(1, 4),
        "num_attention_heads": groups * key_heads,
        "num_key_value_heads": key_heads,
        "head_dim": depth,
        "hidden_act": rng.choice(["silu", "silu", *ACTIVATIONS]),
        "rms_norm_eps": rng.choice([1e-6, 1e-5]),
        "attention_bias": rng.random() < 0.3,
        "tie_word_embeddings": rng.random() < 0.5,
        "max_position_embeddings": 512,
    }
    if rng.random() < 0.4:
        config |= {"use_sliding_window": True, "sliding_window": rng.randint(1, 12), "max_window_layers": rng.randint(0, 2)}
    if rng.random() < 0.6:
        config["rope_theta"] = rng.choice([1e4, 1e6, 500.0])
        if rng.random() < 0.3:
            config["rope_scaling"] = {"type": "linear", "factor": 3.0}
    return config


FAMILIES = {
    "bert": bert, "distilbert": distilbert, "roberta": roberta, "xlm-roberta": roberta, "mpnet": mpnet, "albert": albert,
    "modernbert": modernbert, "qwen3": qwen3,
}


def randomise(model, seed):
    """Every parameter and buffer: scales of norms in 0.5 to 1.5, tables and shifts of deviation 1 and 0.3, the rest by fan-in."""
    generator = torch.Generator().manual_seed(seed)
    norms = [n for n, m in model.named_modules() if "Norm" in type(m).__name__]
    tables = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Embedding)]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            module, _, kind = name.rpartition(".")
            if module in norms and kind == "weight":
                parameter.copy_(torch.rand(parameter.shape, generator=generator) + 0.5)
            else:
                std = 0.3 if kind == "bias" else 1.0 if module in tables else 1.3 / parameter.shape[-1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)


def inputs(config, rng, generator):
    batch, length = rng.randint(1, 4), rng.randint(1, 40)
    if getattr(config, "model_type", "") == "mpnet" and config.max_position_embeddings > 300 and rng.random() < 0.3:
        batch, length = 1, 300
    padding = getattr(config, "pad_token_id", None) or 0
    padding = 1 if config.model_type == "mpnet" else padding
    ids = torch.randint(0, config.vocab_size, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.long)
    side = rng.choice(["left", "right", "none"])
    if side != "none":
        for row in range(batch):
            count = rng.randint(0, length - 1)
            cells = slice(0, count) if side == "left" else slice(length - count, length)
            mask[row, cells] = 0
            ids[row, cells] = padding
    feeds = {"input_ids": ids, "attention_mask": mask}
    if getattr(config, "type_vocab_size", 1) > 1 or config.model_type in ["bert", "albert"]:
        feeds["token_type_ids"] = torch.randint(0, config.type_vocab_size, (batch, length), generator=generator)
    return feeds, side


def make(folder, model_type, options, seed):
    rng = random.Random(f"{model_type}/{seed}")
    options = dict(options or FAMILIES[model_type](rng))
    given = {key: value for key, value in options.items() if key != "model_type"}
    config = AutoConfig.for_model(model_type, **json.loads(json.dumps(given)))
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    randomise(model, seed)
    feeds, side = inputs(model.config, rng, torch.Generator().manual_seed(seed + 1))
    with torch.no_grad():
        out = model(**feeds, output_hidden_states=True, output_attentions=True)
    # What is written beside the weights: what transformers saves, or what was said, as older versions saved it.
    saved = rng.random() < 0.5
    if saved:
        config.save_pretrained(folder)
    else:
        (folder / "config.json").write_text(json.dumps({"model_type": model_type, **options}))
    prefix = rng.choice(["", model.base_model_prefix + "."])
    tensors = {prefix + name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    tensors["cls.predictions.decoder.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    expected = {"last_hidden_state": out.last_hidden_state}
    if getattr(out, "pooler_output", None) is not None:
        expected["pooler_output"] = out.pooler_output
    for i, tensor in enumerate(out.hidden_states):
        expected[f"hidden_states.{i}"] = tensor
    for i, tensor in enumerate(out.attentions):
        expected[f"attentions.{i}"] = tensor
    save_file({**feeds, **{f"expected.{k}": v.clone().contiguous() for k, v in expected.items()}}, folder / "case.safetensors")
    case = {"config": options, "padding": side, "prefix": prefix, "saved_config": saved, "shape": list(feeds["input_ids"].shape)}
    return case, lambda: rounding(model, feeds, out)


def rounding(model, feeds, out):
    """How far PyTorch's float32 is from its float64."""
    with torch.no_grad():
        exact = model.double()(**feeds, output_hidden_states=True, output_attentions=True)
    listed = lambda o: {str(i): value for i, value in enumerate([*o.hidden_states, *o.attentions])}
    return farthest(listed(out), listed(exact))



def reduced(preset):
    """A preset at its real width, with two layers and a small vocabulary (and special tokens within it)."""
    depth = "n_layers" if preset["model_type"] == "distilbert" else "num_hidden_layers"
    special = {key: 0 for key in ["pad_token_id", "bos_token_id", "cls_token_id", "eos_token_id", "sep_token_id"]}
    return preset | {"vocab_size": 500, depth: 2} | (special if preset["model_type"] == "modernbert" else {})


def names_and_shapes(peer, name, preset):
    """Parameters at full size: names and shapes, on the meta device."""
    options = {key: value for key, value in preset.items() if key != "model_type"}
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.for_model(preset["model_type"], **options))
    return {**peer.ask({"preset": name, "shapes": shapes(model)}), "parameters": parameters(model), "way": "shapes"}


def compare(peer, family, options, seed, show):
    folder = Path(tempfile.mkdtemp(prefix="pipilo-text-"))
    try:
        case, rounding = make(folder, family, options, seed)
        if show:
            print(json.dumps(case))
        result = {**peer.ask({"folder": str(folder)}), "way": "reduced" if options else "whole"}
        return {**result, "rounding": rounding()} if "failure" in result else result
    finally:
        shutil.rmtree(folder)


def cases(peer, args):
    families = args.only.split(",")
    for family in families:
        for seed in range(args.seed, args.seed + args.cases):
            yield family, f"configuration {seed}", {}, lambda f=family, s=seed: compare(peer, f, None, s, args.show)
    for name, preset in peer.ask({"presets": True}).items():
        family = preset["model_type"]
        if family not in families:
            continue
        yield family, f"{name}, names and shapes", {}, lambda n=name, p=preset: names_and_shapes(peer, n, p)
        if preset.get("hidden_size", 0) <= 1024:
            options = reduced(preset)
            yield family, f"{name}, 2 layers", {}, lambda f=family, o=options: compare(peer, f, o, 7, args.show)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--only", default=",".join(FAMILIES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print each configuration")
    args = parser.parse_args()
    lines = Log("pipilo-zoo-text.jsonl").sweep(cases(Peer("textModels.ts"), args))
    write_report("report-text.json", {"torch": torch.__version__, "transformers": transformers.__version__}, lines)


main()
