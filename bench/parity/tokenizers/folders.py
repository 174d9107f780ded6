"""Random folders of tokenizers, whose files say different things, and the ids that transformers' AutoTokenizer gives for hard texts.

    python folders.py OUT.ndjson [--count 2000] [--seed 1]      # needs transformers 5

The first line of OUT holds the texts and the vocabularies, each further one the files of a folder with the ids (null where Python refuses).
folders.ts compares. Those of the tests: --count 60 --seed 5 --brief, into src/embed/testdata/folders.ndjson.
"""

import argparse
import json
import os
import random
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers
from transformers import AutoTokenizer
from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--count", type=int, default=2000)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--brief", action="store_true", help="without the steps that Python made")
options = parser.parse_args()
random.seed(options.seed)

BRACKETS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ANGLES = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
LETTERS = "abcdefghilnorstuABT.,'!é中"
WORDS = ["the", "bird", "sing", "ing", "an", "ta", "red"]


def byte_letters():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(other))]


def ids(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def merged(words, start):
    merges, made = [], []
    for word in words:
        parts = [start, *word] if start else list(word)
        while len(parts) > 1:
            pair = parts[0] + " " + parts[1]
            if pair not in merges:
                merges.append(pair)
            parts = [parts[0] + parts[1], *parts[2:]]
            made.append(parts[0])
    return merges, made


byte_merges, byte_made = merged(WORDS, "")
g_merges, g_made = merged(WORDS, "Ġ")
spm_merges, spm_made = merged(WORDS, "")
u_merges, u_made = [f"▁ {c}" for c in "tbsr"], [f"▁{c}" for c in "tbsr"]
bytes_ = [f"<0x{b:02X}>" for b in range(256)]
VOCABS = {
    "WordPiece": (ids(BRACKETS + ANGLES + list(LETTERS) + ["##" + c for c in LETTERS] + WORDS + ["##" + w for w in WORDS]), None),
    "bytes": (ids(ANGLES + BRACKETS + ["<|endoftext|>", "<|startoftext|>"] + byte_letters() + byte_made + g_made), byte_merges + g_merges),
    "clip": (ids(byte_letters() + [c + "</w>" for c in byte_letters()] + byte_made + ["<|startoftext|>", "<|endoftext|>"]), byte_merges),
    "spm": (ids(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<s>", "</s>"] + bytes_ + ["▁"] + list(LETTERS) + u_made + spm_made), u_merges + spm_merges),
    "Unigram": (
        [[t, 0.0] for t in ["<s>", "<pad>", "</s>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]]
        + [["▁", -2.5]]
        + [[c, -4 - i / 10] for i, c in enumerate(LETTERS)]
        + [[p + w, -3 - len(w) / 7] for w in WORDS for p in ("", "▁")]
        + [["<mask>", 0.0]],
        None,
    ),
}
KIND = {
    "WordPiece": "Bert DistilBert Electra MPNet ConvBert DPRContextEncoder MobileBert",
    "bytes": "Roberta Bart GPT2 Qwen2 Deberta GPTNeoX Longformer",
    "clip": "CLIP",
    "spm": "Llama Gemma Siglip2",
    "Unigram": "Albert FNet BigBird XLMRoberta Camembert T5 DebertaV2",
}
TYPES = {
    "Bert": "bert", "DistilBert": "distilbert", "Electra": "electra", "MPNet": "mpnet", "Roberta": "roberta", "Bart": "bart", "GPT2": "gpt2",
    "Qwen2": "qwen3", "Deberta": "deberta", "GPTNeoX": "gpt_neox", "Longformer": "longformer", "CLIP": "clip", "Gemma": "gemma", "Siglip2": "siglip2",
    "Albert": "albert", "FNet": "fnet", "RemBert": "rembert", "BigBird": "big_bird", "XLMRoberta": "xlm-roberta", "Camembert": "camembert",
    "T5": "t5", "DebertaV2": "deberta-v2", "MobileBert": "mobilebert", "ConvBert": "convbert", "DPRContextEncoder": "dpr",
}
ODD = ["bert", "roberta", "qwen2", "umt5", "modernbert", "llama", "mistral", "nonesuch", "xlm-roberta"]
NEW = ["<new>", "[NEW]", "newword", "Tab", "<x y>", "bird", "ing"]
TEXTS = [
    "", " ", "The red bird sings.", "the bird  sings\n an\taria", "THE BIRD", "é É e\u0301 中文 bird", "``red'' 'bird'", " leading", "trailing ",
    "[CLS] the [SEP]", "a [MASK] b", "a <mask> b", "a<mask>b", " <mask> ", "<s>bird</s>", "<pad>[PAD]", "<unk>", "[UNK] bird", "<|endoftext|> the",
    "a <|startoftext|>", "<new>the", "the [NEW] bird", "newword", "NEWWORD newwords", "Tab table", "TAB <x y> <X Y>", "<extra_id_0> bird", "<extra_id_42>",
    "the\u00a0bird", "sing-sing, ta! don't", "▁the▁", "<bos>an<eos>", "bird's 12", "ﬁ ½ ①", "tab.tab", "<s>NOTUSED", "a  b   c    d", "[mask] <MASK>", "🙂 bird",
]


def maybe(p):
    return random.random() < p


def token_object(content, typed=True):
    flags = {f: maybe(0.3) for f in ("single_word", "lstrip", "rstrip", "normalized")}
    made = {"content": content, **flags}
    if typed:
        made["__type"] = "AddedToken"
    if maybe(0.5):
        made["special"] = maybe(0.5)
    return made


def own_file(name, vocab, merges):
    cls = tokenizer_class_from_name(name + "Tokenizer")
    given = {"vocab": [tuple(v) for v in vocab] if isinstance(vocab, list) else dict(vocab)}
    if merges is not None:
        given["merges"] = [tuple(m.split(" ")) for m in merges]
    return json.loads(cls(**given).backend_tokenizer.to_str())


NORMALIZERS = [None, {"type": "Lowercase"}, {"type": "NFKC"}, {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
               {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
               {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": False}]
WORDS_OF = [None, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}, {"type": "Whitespace"},
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]


def draw(plain=False):
    kind = random.choice(list(KIND) * 2 + ["WordPiece", "Unigram"])
    name = random.choice(KIND[kind].split())
    vocab, merges = VOCABS[kind]
    file = own_file(name, vocab, merges)
    size = len(vocab)
    odd = 0 if plain else 1
    if maybe(0.4 * odd):
        file["normalizer"] = random.choice(NORMALIZERS)
    if maybe(0.3 * odd):
        file["pre_tokenizer"] = random.choice(WORDS_OF)
    if maybe(0.2 * odd):
        file["post_processor"] = None
    if maybe(0.3 * odd):
        file["model"].update({k: random.choice(v) for k, v in {"fuse_unk": [True, False], "byte_fallback": [True, False], "unk_id": [0, 3], "max_input_chars_per_word": [5, 100]}.items() if k in file["model"]})
    if maybe(0.2 * odd):
        file["added_tokens"] = file["added_tokens"][: random.randint(0, 3)]
    file["added_tokens"] = [t for t in file["added_tokens"] if t["id"] < size or not maybe(0.5 * odd)]
    for i, token in enumerate(t for t in file["added_tokens"] if t["id"] >= size):
        token["id"] = size + i
    free = size + sum(t["id"] >= size for t in file["added_tokens"])
    config, files = {}, {}
    if maybe(0.8):
        config["tokenizer_class"] = name + ("TokenizerFast" if maybe(0.4) else "Tokenizer")
        if maybe(0.2 * odd):
            config["tokenizer_class"] = random.choice(["PreTrainedTokenizerFast", "TokenizersBackend", "NonesuchTokenizer", "BertTokenizer", "LlamaTokenizer"])
    if maybe(0.7):
        files["config.json"] = {"model_type": TYPES.get(name, "llama")}
        if maybe(0.2 * odd):
            files["config.json"]["model_type"] = random.choice(ODD)
        if maybe(0.1 * odd):
            files["config.json"]["tokenizer_class"] = name + "Tokenizer"
    for flag in "do_lower_case strip_accents tokenize_chinese_chars add_prefix_space keep_accents legacy split_by_punct add_bos_token add_eos_token".split():
        if maybe(0.2):
            config[flag] = maybe(0.5)
    if maybe(0.1):
        config["split_special_tokens"] = True
    if maybe(0.05):
        config["extra_ids"] = random.choice([0, 3])
    if maybe(0.1):
        config["truncation_side"] = random.choice(["left", "right"])
    specials = [t for t in BRACKETS + ANGLES + ["<|endoftext|>"] if t in (vocab if isinstance(vocab, dict) else [v[0] for v in vocab])]
    for role in "bos_token eos_token unk_token sep_token pad_token cls_token mask_token image_token".split():
        if maybe(0.2):
            content = random.choice(specials + (NEW if maybe(0.4) else []))
            config[role] = token_object(content) if maybe(0.3) else content
    if maybe(0.2):
        config["extra_special_tokens"] = random.choice([random.sample(NEW, 2), {"video_token": random.choice(NEW)}, []])
    if maybe(0.2):
        config["additional_special_tokens"] = random.sample(NEW, 2)
    if maybe(0.3):
        stated = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in file["added_tokens"] if not maybe(0.2)}
        for value in stated.values():
            if maybe(0.2):
                value[random.choice(["lstrip", "rstrip", "single_word", "normalized"])] ^= True
        if maybe(0.5):
            stated[str(free)] = token_object(random.choice(NEW[:3]), typed=False)
        config["added_tokens_decoder"] = stated
    if maybe(0.3):
        files["special_tokens_map.json"] = {
            **{role: token_object(random.choice(specials), typed=False) if maybe(0.4) else random.choice(specials) for role in ("mask_token", "sep_token", "cls_token") if maybe(0.5)},
            **({"additional_special_tokens": random.sample(NEW, 2)} if maybe(0.4) else {}),
        }
        for value in files["special_tokens_map.json"].values():
            if isinstance(value, dict):
                value.pop("special", None)
    if maybe(0.2):
        files["added_tokens.json"] = {random.choice(NEW[:3]): free}
    if config or maybe(0.5):
        files["tokenizer_config.json"] = config
    return kind, name, {"tokenizer.json": file, **files}


def answer(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            with open(os.path.join(folder, path), "w", encoding="utf-8") as out:
                json.dump(content, out, ensure_ascii=False)
        try:
            tok = AutoTokenizer.from_pretrained(folder)
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"[:200], None
    made = json.loads(tok.backend_tokenizer.to_str()) if hasattr(tok, "backend_tokenizer") else None
    answers = []
    for text in TEXTS:
        try:
            answers.append(tok(text)["input_ids"])
        except Exception:
            answers.append(None)
    return answers, type(tok).__name__, made


with open(options.out, "w", encoding="utf-8") as out:
    vocabs = {kind: {"vocab": v, **({"merges": m} if m else {})} for kind, (v, m) in VOCABS.items()}
    out.write(json.dumps({"texts": TEXTS, "vocabs": vocabs}, ensure_ascii=False) + "\n")
    for i in range(options.count):
        kind, name, files = draw(plain=maybe(0.3))
        answers, cls, made = answer(files)
        model = files["tokenizer.json"]["model"]
        files["tokenizer.json"]["model"] = {k: v for k, v in model.items() if k not in ("vocab", "merges")}
        steps = None if options.brief else made and {k: made[k] for k in ("normalizer", "pre_tokenizer", "post_processor", "added_tokens")}
        line = {"kind": kind, "name": name, "cls": cls, "files": files, "ids": answers, **({"other": True} if made and made["model"]["type"] != model["type"] else {}), **({} if options.brief else {"steps": steps})}
        out.write(json.dumps(line, ensure_ascii=False) + "\n")
