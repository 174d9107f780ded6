"""
Vision transformers of timm and transformers against Pipilo's: every parameter drawn at random, every stage compared.

    python bench/parity/zoo/vits.py 'vit_*' 'deit*' 'swin_*' 'swinv2_*' 'beit*'

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


def main(patterns):
    lines = {}
    if os.path.exists(LOG):
        for text in open(LOG):
            line = json.loads(text)
            lines[line["name"]] = line
    peer = Peer()
    for name in [n for p in patterns for n in timm.list_models(p)]:
        if name in lines and (lines[name]["ok"] or not os.environ.get("RETRY")):
            continue
        started = time.time()
        try:
            result = compare_timm(peer, name)
        except Exception as error:  # the reference itself failed
            result = {"error": f"reference: {error!r}"[:300]}
        ok = "error" not in result and result["cosine"] >= 0.9999 and result["relative"] <= 1e-4
        line = {"name": name, "family": family(name), "ok": ok, "seconds": round(time.time() - started, 1), **result}
        lines[name] = line
        with open(LOG, "a") as file:
            file.write(json.dumps(line) + "\n")
        print("ok  " if ok else "FAIL", name, line["seconds"], {k: v for k, v in result.items() if k != "parameters"} if not ok else f'{result["relative"]:.1e}', flush=True)
    report(lines)


if __name__ == "__main__":
    main(sys.argv[1:] or ["vit_*", "deit*", "swin_*", "swinv2_*", "beit*"])
