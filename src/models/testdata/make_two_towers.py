"""Writes two-towers/: small models of texts and pictures with random weights, and references.json: what transformers and OpenCLIP make of
a few texts and pictures with them.

    python make_two_towers.py     # needs torch, transformers (5.24), open_clip_torch (3.3), Pillow

The vocabularies are those of ../../embed/testdata/vocabularies (clip, siglip); the tests put them beside the weights. Weights are rounded to
half precision and computed with in single precision. Picture i has at (x, y) the colours (7x + 13y + 29c + 31i + 3xy) mod 256, c = 0, 1, 2.
"""

import json
import os
import shutil

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, SiglipConfig, SiglipModel, SiglipTokenizer

torch.set_grad_enabled(False)
here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "two-towers")
vocabularies = os.path.join(here, "../../embed/testdata/vocabularies")
texts = ["a photo of a bird", "Two dogs, by the sea!", "snow", " ".join(["a cat and a dog"] * 30)]
side = 32
references = {"texts": texts, "side": side}


def picture(i):
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 29 * c + 31 * i + 3 * x * y) % 256).astype(np.uint8)


def pixels(mean, std):
    stack = np.stack([picture(i) for i in range(3)]).astype(np.float32) / 255
    return torch.from_numpy(((stack - np.array(mean, np.float32)) / np.array(std, np.float32)).transpose(0, 3, 1, 2).copy())


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("logit_scale"):
            tensor.fill_(1.5)
        elif name.endswith("logit_bias"):
            tensor.fill_(-1.25)
        elif "token_embedding" in name or "position" in name:
            tensor.normal_(0, 0.7, generator=generator)
        elif tensor.ndim >= 2:
            tensor.normal_(0, (1.5 / tensor[0].numel()) ** 0.5, generator=generator)
        else:
            tensor.normal_(0, 0.3, generator=generator)
        tensor.copy_(tensor.half().float())


def rounded(tensor):
    return [[float(f"{x:.7g}") for x in row] for row in tensor.tolist()]


def save(name, model, config, weights="model.safetensors", config_name="config.json"):
    folder = os.path.join(out, name)
    os.makedirs(folder)
    state = {key: value.half().contiguous() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    if weights.endswith(".pt"):
        torch.save(state, os.path.join(folder, weights))
    else:
        save_file(state, os.path.join(folder, weights), metadata={"format": "pt"})
    if config:
        with open(os.path.join(folder, config_name), "w") as file:
            json.dump(config, file)


def refer(name, ids, text_embeds, image_embeds, logits, probabilities):
    references[name] = {
        "input_ids": ids.tolist(),
        "text_embeds": rounded(text_embeds),
        "image_embeds": rounded(image_embeds),
        "logits_per_image": rounded(logits),
        "probabilities": rounded(probabilities),
    }


shutil.rmtree(out, ignore_errors=True)
vision = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=side, patch_size=8)
text = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
clip_mean, clip_std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD

# transformers' CLIP
tokenizer = CLIPTokenizer.from_pretrained(os.path.join(vocabularies, "clip"))
end = tokenizer.eos_token_id
config = CLIPConfig(text_config={**text, "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": end}, vision_config=vision, projection_dim=6)
model = CLIPModel(config).eval()
randomize(model, 1)
save("clip", model, json.loads(config.to_json_string()))
given = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
result = model(**given, pixel_values=pixels(clip_mean, clip_std))
features = model.get_text_features(**given).pooler_output
pictures = model.get_image_features(pixels(clip_mean, clip_std)).pooler_output
refer("clip", given["input_ids"], features, pictures, result.logits_per_image, result.logits_per_image.softmax(1))
with open(os.path.join(out, "clip", "preprocessor_config.json"), "w") as file:
    json.dump({"crop_size": side, "do_center_crop": True, "do_normalize": True, "do_resize": True, "image_mean": clip_mean, "image_std": clip_std, "resample": 3, "size": side}, file)

# transformers' SigLIP
tokenizer = SiglipTokenizer(os.path.join(vocabularies, "siglip", "spiece.model"), model_max_length=64)
config = SiglipConfig(text_config={**text, "vocab_size": len(tokenizer), "projection_size": 8, "max_position_embeddings": 64}, vision_config=vision)
model = SiglipModel(config).eval()
randomize(model, 2)
save("siglip", model, json.loads(config.to_json_string()))
given = tokenizer(texts, padding="max_length", truncation=True, max_length=64, return_tensors="pt")["input_ids"]
half = pixels((0.5,) * 3, (0.5,) * 3)
result = model(input_ids=given, pixel_values=half)
refer("siglip", given, model.get_text_features(given).pooler_output, model.get_image_features(half).pooler_output, result.logits_per_image, result.logits_per_image.sigmoid())
for name, content in {
    "preprocessor_config.json": {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3, "rescale_factor": 1 / 255, "size": {"height": side, "width": side}},
    "tokenizer_config.json": {"tokenizer_class": "SiglipTokenizer", "model_max_length": 64, "pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>", "do_lower_case": True},
}.items():
    with open(os.path.join(out, "siglip", name), "w") as file:
        json.dump(content, file)

# OpenCLIP's CLIP, and OpenAI's ResNet as its state dict alone
tokenizer = CLIPTokenizer.from_pretrained(os.path.join(vocabularies, "clip"))
words = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
ids = words["input_ids"] * words["attention_mask"]
texts_config = {"context_length": 77, "vocab_size": len(tokenizer), "width": 8, "heads": 2, "layers": 2}
cases = {
    "open-clip": {"embed_dim": 6, "vision_cfg": {"image_size": side, "layers": 2, "width": 8, "head_width": 4, "patch_size": 8}, "text_cfg": texts_config},
    "openai": {"embed_dim": 6, "quick_gelu": True, "vision_cfg": {"image_size": side, "layers": [1, 1, 1, 1], "width": 2, "patch_size": None}, "text_cfg": {**texts_config, "heads": 1, "layers": 1}},
}
for seed, (name, config) in enumerate(cases.items()):
    model = CLIP(**config).eval()
    randomize(model, 3 + seed)
    preprocess = {"mean": clip_mean, "std": clip_std}
    x = pixels(clip_mean, clip_std)
    if name == "openai":
        save(name, model, None, "RN.pt")
    else:
        save(name, model, {"model_cfg": config, "preprocess_cfg": preprocess}, "open_clip_model.safetensors", "open_clip_config.json")
    logits, _ = model.get_logits(x, ids)
    refer(name, ids, model.encode_text(ids), model.encode_image(x), logits, logits.softmax(1))

with open(os.path.join(out, "references.json"), "w") as file:
    json.dump(references, file)
for folder, _, names in os.walk(out):
    for name in names:
        os.chmod(os.path.join(folder, name), 0o644)
