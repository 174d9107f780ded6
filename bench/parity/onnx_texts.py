# Vectors of texts by onnxruntime and tokenizers alone, for onnxTexts.ts: python onnx_texts.py MODEL.onnx tokenizer.json POOLING < texts.json
import json
import sys

import numpy as np
import onnxruntime
import tokenizers

model, tokenizer, pooling = sys.argv[1:4]
tokens = tokenizers.Tokenizer.from_file(tokenizer)
tokens.enable_truncation(512)
tokens.no_padding()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options)
wanted = [given.name for given in session.get_inputs()]
vectors, ids = [], []
for text in json.load(sys.stdin):
    encoded = tokens.encode(text)
    row = np.array([encoded.ids], dtype=np.int64)
    feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    output = session.run(None, {name: feeds[name] for name in wanted})[0][0]
    vector = output[0] if pooling == "cls" else output.mean(0)
    vectors.append((vector / np.linalg.norm(vector)).tolist())
    ids.append(encoded.ids)
json.dump({"version": onnxruntime.__version__, "vectors": vectors, "ids": ids}, sys.stdout)
