"""
Vision transformers of timm and transformers against Pipilo's: every parameter drawn at random, every stage compared.

    python bench/parity/zoo/vits.py 'vit_*' 'deit*' 'swin_*' 'swinv2_*' 'beit*' transformers openclip

Streams one model at a time to `vits.ts` (Node), through a folder of its own in /tmp. Appends a line of JSON a model to
/tmp/pipilo-zoo-vits.jsonl and skips what stands there already; the report goes to report-vits.json and report-vits.md.
"""
import fnmatch, json, os, shutil, subprocess, sys, tempfile, time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import timm
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
LOG = os.environ.get("LOG", "/tmp/pipilo-zoo-vits.jsonl")
LARGE = 100e6
FAMILIES = [
    ("Swin V2 CR", "swinv2_cr_*"), ("Swin V2", "swinv2_*"), ("Swin", "swin_*"), ("BEiT", "beit_*"), ("BEiT v2", "beitv2_*"),
    ("BEiT-3", "beit3_*"), ("DeiT III", "deit3_*"), ("DeiT", "deit_*"), ("ViT, relative positions", "vit_*relpos_*"),
    ("SigLIP towers", "vit_*siglip*"), ("CLIP towers", "vit_*clip*"), ("DINOv2", "vit_*dinov2"), ("RADIO, TIPS, InternViT", "vit_*radio*"),
    ("RADIO, TIPS, InternViT", "vit_*tips*"), ("RADIO, TIPS, InternViT", "vit_intern*"),
    ("ViT, hybrid", "vit_*_r*_s*"), ("ViT, hybrid", "vit_*resnet*"), ("ViT, hybrid", "vit_*mci*"),
    ("ViT, rotary (EVA code)", "vit_*rope*"), ("ViT, rotary (EVA code)", "vit_*dinov3*"), ("ViT, rotary (EVA code)", "vit_pe_*"),
    ("ViT, rotary (EVA code)", "vit_*lingbot*"), ("ViT, rotary (EVA code)", "vit_*sapiens2*"), ("ViT", "vit_*"),
]


def family(name):
    return next((title for title, pattern in FAMILIES if fnmatch.fnmatch(name, pattern)), "other")


def randomize(model, seed):
    """Draws all that a checkpoint holds, so that nothing is zero, one, or tiny."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith(("running_var",)) or (name.endswith(("weight", "gamma")) and tensor.ndim <= 1) or "gamma" in name or "lambda1" in name or "lambda_1" in name:
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("logit_scale"):
            tensor.uniform_(1.0, 2.0, generator=generator)
        elif tensor.ndim >= 2 and name.endswith("weight"):
            fan = tensor[0].numel()
            tensor.normal_(0, (1.0 / fan) ** 0.5, generator=generator)
        else:
            tensor.normal_(0, 0.3, generator=generator)


class Peer:
    """The Node process that builds and compares."""

    def __init__(self):
        root = os.path.abspath(os.path.join(HERE, "../../.."))
        self.process = subprocess.Popen(
            ["nice", "-n", "19", os.path.join(root, "node_modules/.bin/tsx"), os.path.join(HERE, "vits.ts")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)

    def ask(self, folder, request):
        request = {**request, "folder": folder}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.__init__()
            return {"error": "the process ended"}
        return json.loads(line)


def write(folder, name, array):
    array = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind == "i" else np.float32)
    array.tofile(os.path.join(folder, name + ".bin"))
    return list(array.shape)


def run(model, x):
    """Logits, features, what stands below the head, and every block, of a timm model."""
    taken = {}
    hooks = []
    def keep(name):
        def hook(_module, _inputs, output):
            taken["layer:" + name] = output
        return hook
    stages = [n for n, _ in model.named_modules() if n and (fnmatch.fnmatch(n, "blocks.*") and n.count(".") == 1 or fnmatch.fnmatch(n, "layers.*") and n.count(".") == 1 or fnmatch.fnmatch(n, "stages.*") and n.count(".") == 1)]
    for name in stages:
        hooks.append(model.get_submodule(name).register_forward_hook(keep(name)))
    features = model.forward_features(x)
    outputs = {"features": features, "penultimate": model.forward_head(features, pre_logits=True), **taken}
    if model.num_classes > 0:
        outputs["logits"] = model.forward_head(features)
    for hook in hooks:
        hook.remove()
    return {name: value.numpy() for name, value in outputs.items()}


def shallow(name):
    """Arguments that make a model shallower, by its class."""
    return {"depths": (1, 1, 2, 1)} if name.startswith("swin") else {"depth": 2}


def compare_timm(peer, name):
    with torch.device("meta"):
        whole = timm.create_model(name) if "_r" not in name and "resnet" not in name and "mci" not in name else None
    if whole is None:
        whole = timm.create_model(name)
    size = sum(p.numel() for p in whole.parameters())
    shapes = {k: list(v.shape) for k, v in whole.state_dict().items()}
    folder = tempfile.mkdtemp(prefix="pipilo-zoo-")
    try:
        request = {"kind": "timm", "name": name, "shapes": shapes}
        reduced = size > LARGE
        if reduced:
            request["config"] = json.loads(json.dumps(shallow(name)))
        model = timm.create_model(name, **(shallow(name) if reduced else {})).eval()
        randomize(model, 1)
        image = model.pretrained_cfg["input_size"] if not hasattr(model.patch_embed, "img_size") else (3, *model.patch_embed.img_size)
        x = torch.randn(1, *image, generator=torch.Generator().manual_seed(2))
        outputs = run(model, x)
        save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, os.path.join(folder, "model.safetensors"))
        request["inputs"] = {"pixel_values": write(folder, "pixel_values", x.numpy())}
        request["outputs"] = {n: write(folder, n, v) for n, v in outputs.items()}
        result = peer.ask(folder, request)
        return {**result, "parameters": size, "reduced": reduced}
    finally:
        shutil.rmtree(folder)


def check(peer, request, model, inputs, outputs, save=None):
    """Saves a model and what it gives, and asks for Pipilo's."""
    folder = tempfile.mkdtemp(prefix="pipilo-zoo-")
    try:
        if save:
            save(folder)
        else:
            save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, os.path.join(folder, "model.safetensors"))
        request = {**request, "inputs": {n: write(folder, n, v.numpy()) for n, v in inputs.items()},
                   "outputs": {n: write(folder, n, v.numpy()) for n, v in outputs.items()}}
        return {**peer.ask(folder, request), "parameters": sum(p.numel() for p in model.parameters())}
    finally:
        shutil.rmtree(folder)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


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
    import transformers as t
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


def compare_transformers(peer, name, kind, config, options):
    model = kind(config).eval()
    randomize(model, 1)
    vision = getattr(config, "vision_config", config)
    image = vision.image_size if isinstance(vision.image_size, (tuple, list)) else (vision.image_size,) * 2
    size = options.get("size", image)
    x = drawn(2 if size[0] < 100 else 1, 3, *size)
    more = {"interpolate_pos_encoding": True} if options.get("interpolate") else {}
    request = {"kind": "transformers", "name": config.model_type, "config": json.loads(config.to_json_string(use_diff=False)), "size": list(size)}
    save = lambda folder: model.save_pretrained(folder)
    if config.model_type in ("clip", "siglip"):
        eos = 97 if config.text_config.eos_token_id == 97 else config.text_config.vocab_size - 1
        ids, mask = texts(config.text_config.max_position_embeddings, config.text_config.vocab_size, eos)
        given = {"input_ids": ids, "attention_mask": mask} if config.model_type == "clip" else {"input_ids": ids}
        text = model.text_model(**given)
        outputs = {"text_embeds": model.get_text_features(**given).pooler_output, "last_hidden_state": text.last_hidden_state}
        if config.model_type == "clip":
            outputs["pooler_output"] = text.pooler_output
        results = [check(peer, {**request, "kind": "clip", "tower": "text"}, model, given, outputs, save)]
        image = model.vision_model(x, output_hidden_states=True, **more)
        outputs = {"image_embeds": model.get_image_features(x, **more).pooler_output, "last_hidden_state": image.last_hidden_state}
        outputs.update({f"layer:vision_model.encoder.layers.{i}": h for i, h in enumerate(image.hidden_states[1:-1])})
        results.append(check(peer, {**request, "kind": "clip", "tower": "image", "scale": float(model.logit_scale.exp())}, model, {"pixel_values": x}, outputs, save))
        return worse(results)
    if config.model_type == "vit_mae":
        patches = (size[0] // config.patch_size) * (size[1] // config.patch_size)
        more["noise"] = torch.arange(patches).float().expand(len(x), -1)
        base = getattr(model, "vit", model)
        hidden = base(x, output_hidden_states=True, **more)
        outputs = {"last_hidden_state": hidden.last_hidden_state}
    else:
        result = model(x, output_hidden_states=True, **more)
        prefix = model.base_model_prefix
        base = getattr(model, prefix, model)
        hidden = base(x, output_hidden_states=True, **more)
        outputs = {"last_hidden_state": hidden.last_hidden_state}
        if "logits" in result:
            logits = result.logits
            outputs["logits"] = logits
        if "logits" not in result and getattr(hidden, "pooler_output", None) is not None:
            outputs["pooler_output"] = hidden.pooler_output
    if hidden.hidden_states is not None and config.model_type != "swin":
        outputs.update({f"layer:encoder.layer.{i}": h for i, h in enumerate(hidden.hidden_states[1:-1])})
    return check(peer, request, model, {"pixel_values": x}, outputs, save)


def worse(results):
    return next((r for r in results if "error" in r or "worst" in r), None) or max(results, key=lambda r: r["relative"])


def compare_openclip(peer, name):
    import open_clip
    config = open_clip.get_model_config(name)
    vision = config["vision_cfg"]
    reduced = vision["width"] > 768 if "width" in vision and not isinstance(vision["layers"], list) else "timm_model_name" not in vision and name != "RN50"
    from open_clip.model import CLIP, CustomTextCLIP
    kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    whole = json.loads(json.dumps(config))
    if reduced:
        vision["layers"] = [1, 1, 2, 1] if isinstance(vision["layers"], list) else 2
    config["text_cfg"]["layers"] = min(config["text_cfg"]["layers"], 3)
    model = kind(**config).eval()
    with torch.device("meta"):
        shapes = {k: list(v.shape) for k, v in kind(**whole).state_dict().items()}
    randomize(model, 1)
    cfg = config["text_cfg"]
    ids, _ = texts(cfg["context_length"], cfg["vocab_size"], cfg.get("eos_id", cfg["vocab_size"] - 1))
    size = vision["image_size"]
    x = drawn(1, 3, size, size)
    request = {"kind": "clip", "config": config, "name": name, "whole": {"config": whole, "shapes": shapes}}
    text = check(peer, {**request, "tower": "text"}, model, {"input_ids": ids}, {"text_embeds": model.encode_text(ids)})
    image = check(peer, {**request, "tower": "image", "scale": float(model.logit_scale.exp())}, model, {"pixel_values": x}, {"image_embeds": model.encode_image(x)})
    return {**worse([text, image]), "reduced": reduced}


def openclip_names():
    import open_clip
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        vision, text = config["vision_cfg"], config["text_cfg"]
        trunk = vision.get("timm_model_name")
        if "multimodal_cfg" in config or "hf_model_name" in text:
            continue
        if trunk is None or (trunk.startswith("vit_base") and "siglip" in trunk):
            yield name


def report(lines):
    pretrained = timm.list_pretrained()
    families = {}
    for line in lines.values():
        entry = families.setdefault(line["family"], {"agree": 0, "total": 0, "pretrained": 0, "failures": []})
        entry["total"] += 1
        if line["ok"]:
            entry["agree"] += 1
            entry["pretrained"] += sum(p.split(".")[0] == line["name"] for p in pretrained)
        else:
            entry["failures"].append({"name": line["name"], "why": line.get("error") or line.get("worst")})
    with open(os.path.join(HERE, "report-vits.json"), "w") as file:
        json.dump({"versions": {"timm": timm.__version__, "torch": torch.__version__}, "families": families,
                   "models": sorted(lines.values(), key=lambda l: l["name"])}, file, indent=1)
    total = {key: sum(f[key] for f in families.values()) for key in ("agree", "total", "pretrained")}
    with open(os.path.join(HERE, "report-vits.md"), "w") as file:
        file.write("| family | agree | of | pretrained names |\n|---|---|---|---|\n")
        for title, entry in sorted(families.items()):
            file.write(f"| {title} | {entry['agree']} | {entry['total']} | {entry['pretrained']} |\n")
        file.write(f"| together | {total['agree']} | {total['total']} | {total['pretrained']} |\n")
        for entry in families.values():
            for failure in entry["failures"]:
                file.write(f"\n- {failure['name']}: {failure['why']}")
    print(open(os.path.join(HERE, "report-vits.md")).read())


def cases(peer, patterns):
    """Name, family and comparison of all that the patterns ask for."""
    for pattern in patterns:
        if pattern == "transformers":
            for name, *rest in transformers_cases():
                yield "transformers " + name, "transformers: " + rest[1].model_type, lambda n=name, r=rest: compare_transformers(peer, n, *r)
        elif pattern == "openclip":
            for name in openclip_names():
                yield "openclip " + name, "OpenCLIP", lambda n=name: compare_openclip(peer, n)
        else:
            for name in timm.list_models(pattern):
                yield name, family(name), lambda n=name: compare_timm(peer, n)


def main(patterns):
    lines = {}
    if os.path.exists(LOG):
        for text in open(LOG):
            line = json.loads(text)
            lines[line["name"]] = line
    for name, title, compare in cases(Peer(), patterns):
        if name in lines and (lines[name]["ok"] or not os.environ.get("RETRY")):
            continue
        started = time.time()
        try:
            result = compare()
        except Exception as error:  # the reference itself failed
            result = {"error": f"reference: {error!r}"[:300]}
        ok = "error" not in result and "worst" not in result and result["cosine"] >= 0.9999 and result["relative"] <= 1e-4
        line = {"name": name, "family": title, "ok": ok, "seconds": round(time.time() - started, 1), **result}
        lines[name] = line
        with open(LOG, "a") as file:
            file.write(json.dumps(line) + "\n")
        print("ok  " if ok else "FAIL", name, line["seconds"], f'{result["relative"]:.1e}' if ok else result, flush=True)
    report(lines)


if __name__ == "__main__":
    main(sys.argv[1:] or ["vit_*", "deit*", "swin_*", "swinv2_*", "beit*", "transformers", "openclip"])
