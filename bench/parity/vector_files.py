"""NumPy and pyarrow read what `pipilo embed` writes, and find the same numbers in all three formats.

    python parity/vector_files.py          # in bench/, after npm run build in the root; needs numpy and pyarrow
"""
import json
import os
import subprocess
import tempfile

import numpy as np
import pyarrow.parquet as parquet

main = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../dist/cli/main.js")
texts = [f"sentence number {n}, with some words" for n in range(300)]
with tempfile.TemporaryDirectory() as folder:
    for name in ["v.npy", "v.parquet", "v.jsonl"]:
        subprocess.run(["node", main, "embed", "-", "--out", name], cwd=folder, check=True, input="\n".join(texts), text=True)
    lines = [json.loads(line) for line in open(os.path.join(folder, "v.jsonl"))]
    expected = np.array([line["vector"] for line in lines], dtype=np.float32)
    ids = [line["id"] for line in lines]

    array = np.load(os.path.join(folder, "v.npy"))
    assert array.dtype == np.float32 and array.shape == (300, 384), (array.dtype, array.shape)
    assert np.array_equal(array, expected)
    assert [json.loads(line) for line in open(os.path.join(folder, "v.ids.jsonl"))] == ids
    print("NumPy reads v.npy:", array.shape, array.dtype, "equal to the JSON lines")

    table = parquet.read_table(os.path.join(folder, "v.parquet"))
    assert table.column("id").to_pylist() == ids
    assert np.array_equal(np.array(table.column("vector").to_pylist(), dtype=np.float32), expected)
    print("pyarrow reads v.parquet:", table.schema.to_string(show_field_metadata=False).replace("\n", ", "), "equal to the JSON lines")
