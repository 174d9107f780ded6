"""Writes sentence-transformers/: a folder of a random BERT (2 layers, 8 wide) as sentence-transformers saves it, with
references.json: token ids of a few texts and their embeddings under each pooling.

    python make_sentence_transformers.py     # needs torch, transformers, tokenizers, sentence-transformers (6.2)
"""

import json
import os
import shutil
import tempfile

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sentence-transformers")
letters = "abcdefghijklmnopqrstuvwxyz"
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters)]
words += ["foot", "##ball", "query", "document", ":", ".", ",", "the", "bird", "birds", "sing"]

tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]",
    pair="[CLS] $A [SEP] $B:1 [SEP]:1",
    special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
)
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer,
    unk_token="[UNK]",
    pad_token="[PAD]",
    cls_token="[CLS]",
    sep_token="[SEP]",
    mask_token="[MASK]",
    model_max_length=32,
)
torch.manual_seed(0)
config = BertConfig(
    vocab_size=len(words),
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=32,
    initializer_range=0.5,
)
with tempfile.TemporaryDirectory() as folder:
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    transformer = Transformer(folder, max_seq_length=12)

texts = ["the birds sing", "football", "the bird, the birds."]
tokens = fast(texts, padding=True)
references = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
for mode in ["mean", "max", "lasttoken", "cls"]:
    model = SentenceTransformer(
        modules=[transformer, Pooling(8, mode), Normalize()],
        prompts={"query": "query: ", "document": "document: "},
    )
    references[mode] = [[round(float(x), 6) for x in row] for row in model.encode(texts)]
shutil.rmtree(out, ignore_errors=True)
model.save(out, create_model_card=False)
os.chmod(os.path.join(out, "model.safetensors"), 0o644)
with open(os.path.join(out, "references.json"), "w") as file:
    json.dump(references, file)
