"""Peer of stsb.ts: python stsb.py FOLDER_OF_THE_WEIGHTS PAIRS.json prints Spearman's and Pearson's correlation of cosines and scores."""
import json
import pathlib
import shutil
import sys
import tempfile

from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models
from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator

source = pathlib.Path(sys.argv[1])
pairs = json.loads(pathlib.Path(sys.argv[2]).read_text("utf8"))
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    weights = load_file(source / "model.fp16.safetensors")
    full = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    save_file(full, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(source / "config.json", folder)
    shutil.copy(source / "tokenizer.json", folder)
    special = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    config = dict(tokenizer_class="BertTokenizerFast", do_lower_case=True, model_max_length=512, **special)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    transformer = models.Transformer(name, max_seq_length=256)
    pooling = models.Pooling(transformer.get_word_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling, models.Normalize()], device="cpu")
    evaluator = EmbeddingSimilarityEvaluator(
        [pair["sentence1"] for pair in pairs],
        [pair["sentence2"] for pair in pairs],
        [pair["score"] / 5 for pair in pairs],
        write_csv=False,
    )
    found = evaluator(model)
    print(json.dumps({"spearman": found["spearman_cosine"], "pearson": found["pearson_cosine"]}))
