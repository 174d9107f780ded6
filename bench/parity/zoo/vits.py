"""
Vision transformers of timm, transformers and OpenCLIP against Pipilo's: every parameter drawn at random, every block compared.

    python bench/parity/zoo/vits.py [timm] [resized] [transformers] [openclip] [a pattern of timm's names …]

Streams one model at a time to `vision.ts` (Node), through a folder of its own. Models of more than 100 million parameters (LARGE, in millions) must agree in
the names and shapes of all tensors, and in numbers with two blocks (a stage). Pictures have at most 256 pixels a side. Appends a line of JSON a model to
pipilo-zoo-vits.jsonl in the temporary folder (LOG) and does not run again what agrees there; then writes report-vits.json, or
report-openclip.json where only openclip is asked for. Needs torch, timm, transformers, safetensors, open_clip_torch.
"""
import fnmatch
import json
import os
import re
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
import timm
import torch
import transformers

from peer import Log, Peer, hand_over, millions, parameters, shapes, undrawn, write_report

torch.set_num_threads(1)
torch.set_grad_enabled(False)
undrawn()
undrawn(timm.layers.weight_init, ["_trunc_normal_"])
LARGE = millions(100)
MODULES = ["deit", "beit", "swin_transformer", "swin_transformer_v2", "swin_transformer_v2_cr", "eva", "vision_transformer_relpos",
           "vision_transformer", "vision_transformer_hybrid"]
# Checkpoints of one size, pictures of another.
RESIZED = [
    ("vit_small_patch16_224", (160, 192)), ("vit_small_patch14_reg4_dinov2", (224, 224)), ("vit_small_patch14_dinov2", (224, 280)),
    ("deit_tiny_distilled_patch16_224", (256, 192)), ("vit_base_patch16_siglip_224", (256, 256)), ("deit3_small_patch16_224", (320, 320)),
    ("vit_medium_patch16_reg4_gap_256", (192, 224)), ("eva02_tiny_patch14_224", (336, 336)), ("vit_small_patch16_rope_ape_224", (256, 320)),
    ("swinv2_cr_tiny_ns_224", (192, 256)), ("vit_tiny_r_s16_p8_224", (256, 320)), ("vit_small_r26_s32_224", (200, 256)),
]


def randomize(model, seed):
    """Draws all that a checkpoint holds, so that nothing is zero, one, or tiny."""
    generator = torch.Generator().manual_seed(seed)
    scale = re.compile(r"running_var$|gamma|lambda_?1$|bn.*weight$")
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if scale.search(name) or (name.endswith("weight") and tensor.ndim <= 1):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("logit_scale"):
            tensor.uniform_(1.0, 2.0, generator=generator)
        elif tensor.ndim >= 2 and name.endswith("weight"):
            tensor.normal_(0, (1.0 / tensor[0].numel()) ** 0.5, generator=generator)
        else:
            tensor.normal_(0, 0.3, generator=generator)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def run(model, x):
    """Logits, features, what stands below the head, and every block or stage, of a timm model."""
    taken = {}
    hooks = []
    for name, module in model.named_modules():
        if re.fullmatch(r"(blocks|layers|stages)\.\d+", name):
            keep = lambda _module, _inputs, output, name=name: taken.update({"layer:" + name: output})
            hooks.append(module.register_forward_hook(keep))
    features = model.forward_features(x)
    outputs = {"features": features, "penultimate": model.forward_head(features, pre_logits=True), **taken}
    if model.num_classes > 0:
        outputs["logits"] = model.forward_head(features)
    for hook in hooks:
        hook.remove()
    return outputs


def shallow(name, whole):
    """Arguments that make a model shallower."""
    if name.startswith("swin"):
        return {"depths": [1, 1, 2, 1]}
    if "sapiens2" in name:
        heads = whole.blocks[0].attn.num_heads
        return {"depth": 2, "num_kv_heads": [heads, heads // 2]}
    return {"depth": 2}


def size_of(model, name):
    """As the model asks for, but not much larger than 256: nothing else in a model depends on it, except in Swin."""
    patch = model.patch_embed
    own = getattr(patch, "strict_img_size", True) and getattr(patch, "img_size", None)
    size = list(own or model.pretrained_cfg["input_size"][1:])
    if max(size) <= 256 or name.startswith("swin"):
        return size, {}
    smaller = [side // model.feature_info[0]["reduction"] * model.feature_info[0]["reduction"] for side in (256, 256 * size[1] // size[0])]
    return smaller, {"img_size": smaller} if own else {}


def compare_timm(peer, name):
    with torch.device("meta"):
        whole = timm.create_model(name)
    reduced = parameters(whole) > LARGE
    config = shallow(name, whole) if reduced else {}
    size, other = size_of(whole, name)
    model = timm.create_model(name, **config, **other).eval()
    randomize(model, 1)
    x = drawn(1, 3, *size)
    stages = [[info["module"], info["reduction"], info["num_chs"]] for info in model.feature_info]
    request = {"kind": "named", "name": name, "shapes": shapes(whole), "config": config, "size": size, "stages": stages}
    result = hand_over(peer, request, model, {"pixel_values": x}, run(model, x))
    return {**result, "parameters": parameters(whole), "way": "reduced" if reduced else "whole"}


def compare_resized(peer, name, size):
    """timm resamples the positions of a checkpoint when it reads it."""
    checkpoint = timm.create_model(name)
    randomize(checkpoint, 1)
    model = timm.create_model(name, img_size=size).eval()
    module = sys.modules[type(model).__module__]
    fit = getattr(module, "checkpoint_filter_fn", timm.models.vision_transformer.checkpoint_filter_fn)
    model.load_state_dict(fit(dict(checkpoint.state_dict()), model))
    x = drawn(1, 3, *size)
    result = hand_over(peer, {"kind": "named", "name": name, "size": size}, checkpoint, {"pixel_values": x}, run(model, x))
    return {**result, "parameters": parameters(model), "way": "whole"}


def texts(longest, vocabulary, end):
    """Two texts of other lengths, padded at their right, and their mask."""
    ids = torch.randint(3, vocabulary - 2, (2, longest), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    for row, length in enumerate((longest, longest // 2)):
        ids[row, length - 1] = end
        ids[row, length:] = 1
        mask[row, length:] = 0
    return ids, mask


def transformers_cases():
    """Name, class, configuration, and other arguments, of models of transformers."""
    t = transformers
    small = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=80, image_size=32, patch_size=8)
    text = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64, vocab_size=99, max_position_embeddings=20)
    big = {"size": (48, 64)}
    yield "vit", t.ViTModel, t.ViTConfig(), {}
    yield "vit small, other size", t.ViTForImageClassification, t.ViTConfig(**small, num_labels=5), {**big, "interpolate": True}
    yield "vit without biases", t.ViTModel, t.ViTConfig(**small, qkv_bias=False, hidden_act="gelu_new"), {}
    yield "deit", t.DeiTModel, t.DeiTConfig(), {}
    yield "deit classifier", t.DeiTForImageClassification, t.DeiTConfig(**small, num_labels=7), {}
    yield "deit with teacher", t.DeiTForImageClassificationWithTeacher, t.DeiTConfig(**small, num_labels=7), {}
    yield "vit_mae", t.ViTMAEModel, t.ViTMAEConfig(mask_ratio=0.0), {}
    yield "vit_mae with decoder", t.ViTMAEForPreTraining, t.ViTMAEConfig(**small, mask_ratio=0.0), {}
    yield "dinov2", t.Dinov2Model, t.Dinov2Config(), {}
    yield "dinov2 of 518 for 224", t.Dinov2Model, t.Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14), {"size": (224, 224)}
    yield "dinov2 classifier, SwiGLU, other size", t.Dinov2ForImageClassification, t.Dinov2Config(**small, use_swiglu_ffn=True, num_labels=9), big
    yield "dinov2_with_registers", t.Dinov2WithRegistersModel, t.Dinov2WithRegistersConfig(hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14), {"size": (224, 224)}
    yield "dinov2_with_registers classifier", t.Dinov2WithRegistersForImageClassification, t.Dinov2WithRegistersConfig(**small, num_labels=9), big
    yield "beit", t.BeitModel, t.BeitConfig(use_relative_position_bias=True), {}
    yield "beit classifier", t.BeitForImageClassification, t.BeitConfig(**small, use_relative_position_bias=True, num_labels=4), {}
    yield "beit shared, class token", t.BeitModel, t.BeitConfig(**small, use_shared_relative_position_bias=True, use_absolute_position_embeddings=True, use_mean_pooling=False), {}
    yield "swin", t.SwinForImageClassification, t.SwinConfig(num_labels=10), {}
    yield "swin small", t.SwinModel, t.SwinConfig(image_size=36, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4), {}
    yield "clip", t.CLIPModel, t.CLIPConfig(), {}
    yield "clip small", t.CLIPModel, t.CLIPConfig(text_config={**text, "eos_token_id": 97}, vision_config=small, projection_dim=24), {**big, "interpolate": True}
    yield "clip of the first release", t.CLIPModel, t.CLIPConfig(text_config={**text, "eos_token_id": 2}, vision_config=small, projection_dim=24), {}
    yield "siglip", t.SiglipModel, t.SiglipConfig(), {}
    yield "siglip small", t.SiglipModel, t.SiglipConfig(text_config={**text, "projection_size": 48}, vision_config=small), {**big, "interpolate": True}


def compare_transformers(peer, kind, config, options):
    model = kind(config).eval()
    randomize(model, 1)
    vision = getattr(config, "vision_config", config)
    image = vision.image_size if isinstance(vision.image_size, (tuple, list)) else (vision.image_size,) * 2
    size = options.get("size", image)
    x = drawn(2 if size[0] < 100 else 1, 3, *size)
    more = {"interpolate_pos_encoding": True} if options.get("interpolate") else {}
    request = {"kind": "transformers", "name": config.model_type, "config": json.loads(config.to_json_string(use_diff=False)), "size": list(size)}
    whole = {"parameters": parameters(model), "way": "whole"}
    if config.model_type in ("clip", "siglip"):
        return {**compare_towers(peer, request, model, x, more), **whole}
    if config.model_type == "vit_mae":
        patches = (size[0] // config.patch_size) * (size[1] // config.patch_size)
        more["noise"] = torch.arange(patches).float().expand(len(x), -1)
        hidden = getattr(model, "vit", model)(x, output_hidden_states=True, **more)
        outputs = {"last_hidden_state": hidden.last_hidden_state}
    else:
        result = model(x, output_hidden_states=True, **more)
        hidden = getattr(model, model.base_model_prefix, model)(x, output_hidden_states=True, **more)
        outputs = {"last_hidden_state": hidden.last_hidden_state}
        if "logits" in result:
            outputs["logits"] = result.logits
        elif getattr(hidden, "pooler_output", None) is not None:
            outputs["pooler_output"] = hidden.pooler_output
    if config.model_type == "swin":
        maps = hidden.reshaped_hidden_states[1:]
        outputs.update({f"layer:encoder.layers.{i}": h.permute(0, 2, 3, 1) for i, h in enumerate(maps)})
    elif hidden.hidden_states is not None:
        outputs.update({f"layer:encoder.layer.{i}": h for i, h in enumerate(hidden.hidden_states[1:-1])})
    return {**hand_over(peer, request, model, {"pixel_values": x}, outputs), **whole}


def compare_towers(peer, request, model, x, more):
    config = model.config
    eos = 97 if config.text_config.eos_token_id == 97 else config.text_config.vocab_size - 1
    ids, mask = texts(config.text_config.max_position_embeddings, config.text_config.vocab_size, eos)
    given = {"input_ids": ids, "attention_mask": mask} if config.model_type == "clip" else {"input_ids": ids}
    text = model.text_model(**given)
    outputs = {"text_embeds": model.get_text_features(**given).pooler_output, "last_hidden_state": text.last_hidden_state}
    if config.model_type == "clip":
        outputs["pooler_output"] = text.pooler_output
    results = [hand_over(peer, {**request, "kind": "clip", "tower": "text"}, model, given, outputs)]
    image = model.vision_model(x, output_hidden_states=True, **more)
    outputs = {"image_embeds": model.get_image_features(x, **more).pooler_output, "last_hidden_state": image.last_hidden_state}
    outputs.update({f"layer:vision_model.encoder.layers.{i}": h for i, h in enumerate(image.hidden_states[1:-1])})
    request = {**request, "kind": "clip", "tower": "image", "scale": float(model.logit_scale.exp())}
    return worse([*results, hand_over(peer, request, model, {"pixel_values": x}, outputs)])


def worse(results):
    return next((r for r in results if "failure" in r), None) or max(results, key=lambda r: r["error"])


def compare_openclip(peer, name):
    import open_clip
    from open_clip.model import CLIP, CustomTextCLIP
    config = open_clip.get_model_config(name)
    vision = config["vision_cfg"]
    stages = isinstance(vision.get("layers"), list)
    reduced = vision["width"] > 768 if "width" in vision and not stages else "timm_model_name" not in vision and name != "RN50"
    kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    whole = json.loads(json.dumps(config))
    if reduced:
        vision["layers"] = [1, 1, 2, 1] if stages else 2
    config["text_cfg"]["layers"] = min(config["text_cfg"]["layers"], 3)
    model = kind(**config).eval()
    with torch.device("meta"):
        complete = kind(**whole)
    randomize(model, 1)
    cfg = config["text_cfg"]
    ids, _ = texts(cfg["context_length"], cfg["vocab_size"], cfg.get("eos_id", cfg["vocab_size"] - 1))
    x = drawn(1, 3, vision["image_size"], vision["image_size"])
    request = {"kind": "clip", "config": config, "name": name, "whole": {"config": whole, "shapes": shapes(complete)}}
    text = hand_over(peer, {**request, "tower": "text"}, model, {"input_ids": ids}, {"text_embeds": model.encode_text(ids)})
    request = {**request, "tower": "image", "scale": float(model.logit_scale.exp())}
    image = hand_over(peer, request, model, {"pixel_values": x}, {"image_embeds": model.encode_image(x)})
    return {**worse([text, image]), "parameters": parameters(complete), "way": "reduced" if reduced else "whole"}


def openclip_names():
    import open_clip
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        vision, text = config["vision_cfg"], config["text_cfg"]
        trunk = vision.get("timm_model_name")
        if "multimodal_cfg" in config or "hf_model_name" in text:
            continue
        if trunk is None or ("siglip" in trunk and "giantopt" not in trunk):
            yield name


def cases(peer, patterns):
    pretrained = [name.split(".")[0] for name in timm.list_pretrained()]
    for pattern in patterns:
        if pattern == "transformers":
            for name, *rest in transformers_cases():
                yield "transformers: " + rest[1].model_type, name, {}, lambda r=rest: compare_transformers(peer, *r)
        elif pattern == "openclip":
            for name in openclip_names():
                yield "OpenCLIP", name, {}, lambda n=name: compare_openclip(peer, n)
        elif pattern == "resized":
            for name, size in RESIZED:
                yield "timm: other sizes", f"{name} for {size[0]} x {size[1]}", {}, lambda n=name, s=size: compare_resized(peer, n, s)
        else:
            for module in MODULES:
                for name in timm.list_models(module=module):
                    if pattern == "timm" or fnmatch.fnmatch(name, pattern):
                        more = {"pretrained": pretrained.count(name)}
                        yield f"timm: {module}", name, more, lambda n=name: compare_timm(peer, n)


def main(patterns):
    lines = Log("pipilo-zoo-vits.jsonl").sweep(cases(Peer("vision.ts"), patterns), LARGE)
    clip = [line for line in lines if line["family"] == "OpenCLIP"]
    versions = {"timm": timm.__version__, "torch": torch.__version__, "transformers": transformers.__version__}
    if patterns != ["openclip"]:
        write_report("report-vits.json", versions, [line for line in lines if line["family"] != "OpenCLIP"])
    if clip:
        import open_clip
        write_report("report-openclip.json", {"open_clip": open_clip.__version__, **versions}, clip)


main(sys.argv[1:] or ["timm", "resized", "transformers", "openclip"])
