"""What the harnesses of this folder share in Python: the Node process that builds and compares, the log of what is done, the report."""
import json
import os
import shutil
import subprocess
import tempfile
import time

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../../.."))


class Peer:
    """A program of this folder in Node: a line with a request, a line with an answer."""

    def __init__(self, script):
        self.script = script
        tsx = os.path.join(ROOT, "node_modules/.bin/tsx")
        command = ["nice", "-n", "19", tsx, os.path.join(HERE, script)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.__init__(self.script)
        return {"failure": "the process ended"}


def hand_over(peer, request, model, inputs, outputs):
    """Saves a model, what it is given and what it gives, and asks for Pipilo's."""
    folder = tempfile.mkdtemp(prefix="pipilo-zoo-")
    save = lambda name, tensors: save_file({k: v.contiguous() for k, v in tensors.items()}, f"{folder}/{name}.safetensors")
    try:
        if hasattr(model, "save_pretrained"):
            model.save_pretrained(folder)  # by other names than in memory
        else:
            save("model", model.state_dict())
        # One value may be a part of another.
        save("values", {**inputs, **{f"expected.{name}": value.clone() for name, value in outputs.items()}})
        return peer.ask({**request, "folder": folder})
    finally:
        shutil.rmtree(folder)


def undrawn(module=torch.nn.init, names=("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "uniform_", "normal_", "trunc_normal_")):
    """Leaves new parameters as they come, which takes half the time: all are drawn afterwards."""
    for name in names:
        setattr(module, name, lambda tensor, *_, **__: tensor)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def shapes(model):
    return {k: list(v.shape) for k, v in model.state_dict().items()}


def farthest(values, exact):
    """How far values are from exact ones at most, as compare.ts measures it."""
    pairs = ((values[name].double(), exact[name]) for name in exact)
    return max(float((x - y).abs().max() / (y - y.mean()).abs().max()) for x, y in pairs)


def millions(otherwise):
    """From so many parameters on a model is large: LARGE, in millions."""
    return float(os.environ.get("LARGE", otherwise)) * 1e6


class Log:
    """A file with a line of JSON for each thing that is done (LOG names it), so that a later run goes on."""

    def __init__(self, name):
        self.path = os.environ.get("LOG", os.path.join(tempfile.gettempdir(), name))
        self.lines = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.lines = {(line["family"], line["name"]): line for line in map(json.loads, file)}

    def done(self, family, name, large):
        line = self.lines.get((family, name), {"ok": False})
        return line["ok"] and not (line["way"] == "reduced" and line.get("parameters", large) < large)

    def sweep(self, cases, large=0):
        """
        Compares what does not agree yet, and as a whole what did so only with fewer blocks and is not `large`.

        A case is its family, its name, what else the report says of it, and a function.
        """
        for family, name, more, compare in cases:
            if self.done(family, name, large):
                continue
            started = time.time()
            try:
                result = compare()
            except Exception as error:  # the reference itself failed
                result = {"failure": f"reference: {error!r}"[:300]}
            line = {"family": family, "name": name, "ok": "failure" not in result, **more, **result}
            self.lines[family, name] = line
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
            end = f'FAILS {line["failure"]}' if not line["ok"] else f'{line["error"]:.1e}' if "error" in line else "agrees"
            print(f"{family}, {name}: {end} ({time.time() - started:.1f} s)", flush=True)
        return sorted(self.lines.values(), key=lambda line: (line["family"], line["name"]))


def write_report(name, versions, models):
    """One line a model, so that changes can be read."""
    with open(os.path.join(HERE, name), "w") as file:
        body = ",\n".join("  " + json.dumps(model) for model in models)
        file.write('{\n "versions": ' + json.dumps(versions) + ',\n "models": [\n' + body + "\n ]\n}\n")
