"""What the harnesses of this folder share in Python: the Node process that builds and compares, and the log of what is done."""
import json
import os
import subprocess

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


class Log:
    """A file with a line of JSON for each thing that is done, so that a later run goes on."""

    def __init__(self, path, key):
        self.path, self.key, self.lines = path, key, {}
        if os.path.exists(path):
            with open(path) as file:
                self.lines = {line[key]: line for line in map(json.loads, file)}

    def agrees(self, name):
        return self.lines.get(name, {}).get("ok", False)

    def add(self, line):
        self.lines[line[self.key]] = line
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def write_report(name, versions, models):
    """One line a model, so that changes can be read."""
    with open(os.path.join(HERE, name), "w") as file:
        head = json.dumps(versions)
        body = ",\n".join("  " + json.dumps(model) for model in sorted(models, key=lambda m: (m["family"], m["name"])))
        file.write('{\n "versions": ' + head + ',\n "models": [\n' + body + "\n ]\n}\n")
