"""Writes tokenizer_steps.json: small tokenizers of every step, texts that are hard, and the ids that Python's `tokenizers` 0.23 gives.

    python tokenizer_steps.py > tokenizer_steps.json
"""
import json

from tokenizers import Tokenizer

TEXTS = [
    "", " ", "Hello, world! It's 100% fine.", "naïve café e\u0301 Σίσυφος ΟΔΥΣΣΕΥΣ", "中文 and 日本語カー, 한국어", "x² ½ km³ №5", "a\u0085b\ufeffc\u3000d\u00a0e\u2028f",
    "SPECIAL special xSPECIALx  SPECIAL  ", "the-final--countdown, snake_case", "tabs\tand\r\nlines\n\n", "🙂👩‍👩‍👧 𠀀𝔸", "<unk> <s>", "  two  spaces  ", "\u0897\u1acf\U000105d2\u0307 İstanbul ﬁ",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BYTES = [chr(b) for b in range(33, 127)] + [chr(b) for b in range(161, 173)] + [chr(b) for b in range(174, 256)]
BYTES += [chr(256 + i) for i in range(256 - len(BYTES))]
words = ["<unk>", "<s>", "</s>", "hello", "world", "it", "fine", "the", "special", "SPECIAL", "final", "countdown", "two", "spaces", "and", "中", "cafe", "café", "km", ",", "!", "-", "--", "'", " ", "▁", "100"]
pieces = [*words, *LETTERS, *LETTERS.upper(), *(f"##{letter}" for letter in LETTERS), "σ", "ς", "é", "e\u0301", "ï", "²", "½", "_", "▁the", "▁a", "Ġ", "Ġt"]
vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
ids = lambda more: {**vocab, **{piece: len(vocab) + i for i, piece in enumerate(p for p in more if p not in vocab)}}
fallback = [f"<0x{byte:02X}>" for byte in range(256)]
word_level = {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}
word_piece = {"type": "WordPiece", "vocab": vocab, "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 8}
unigram = {"type": "Unigram", "unk_id": 0, "vocab": [[piece, -1 - 0.1 * (i % 7)] for i, piece in enumerate(vocab)], "byte_fallback": False}
merges = [["t", "h"], ["th", "e"], ["a", "n"], ["an", "d"]]


def bpe(more=(), merges_=merges, **options):
    plain = {"dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None}
    return {"type": "BPE", **plain, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **options, "vocab": ids([*(a + b for a, b in merges_), *more]), "merges": merges_}


def added(content, vocab_, size, **flags):
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": vocab_.get(content, size), "content": content, **usual, **flags}


metaspace = lambda scheme, split=True: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
split = lambda pattern, behavior, invert=False: {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
sequence = lambda *steps: {"type": "Sequence", "pretokenizers": list(steps)}
normal = lambda *steps: {"type": "Sequence", "normalizers": list(steps)}
bert = lambda **options: {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True, **options}
template = {
    "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
}
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
lower, space = {"type": "Lowercase"}, {"type": "Whitespace"}
SPLITS = {f"{behavior}{' inverted' if invert else ''}": split({"Regex": "-|[a-z]+"}, behavior, invert) for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] for invert in [False, True]}
files = {
    "a-01 unigram-byte-fallback": {"model": {**unigram, "byte_fallback": True, "vocab": unigram["vocab"] + [[byte, 0.0] for byte in fallback]}, "pre_tokenizer": metaspace("always")},
    "a-02 whitespace-ascii": {"model": word_piece, "normalizer": lower, "pre_tokenizer": space},
    "a-03 wordlevel-unknown": {"model": word_level, "normalizer": lower, "pre_tokenizer": space},
    "a-04 bpe-prefix-suffix": {"model": bpe(["e</w>", "##e", "##e</w>", "##d", "##d</w>", "s</w>"], [["a", "##n"], ["an", "##d</w>"]], continuing_subword_prefix="##", end_of_word_suffix="</w>") | {"vocab": ids(["##d</w>", "e</w>", "##e</w>", "s</w>", "an", "and</w>"])}, "pre_tokenizer": {"type": "BertPreTokenizer"}},
    "a-04 bpe-single-word": {"model": bpe(), "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, "added_tokens": [added("SPECIAL", vocab, 0, single_word=True), added("special", vocab, 0, lstrip=True, rstrip=True)]},
    "a-04 wp-noclean": {"model": word_piece, "normalizer": bert(clean_text=False), "pre_tokenizer": {"type": "BertPreTokenizer"}},
    "a-04 wp-splitstr-removed": {"model": word_piece, "normalizer": bert(), "pre_tokenizer": split({"String": " "}, "Removed")},
    **{f"a-04 split {name}": {"model": word_level, "pre_tokenizer": step} for name, step in SPLITS.items()},
    **{f"a-04 punctuation {behavior}": {"model": word_level, "pre_tokenizer": {"type": "Punctuation", "behavior": behavior}} for behavior in ["Removed", "Contiguous"]},
    "a-05 truncation-left": {"model": word_level, "pre_tokenizer": space, "truncation": {"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0}, "post_processor": template},
    "BPE with bytes": {"model": bpe(fallback, byte_fallback=True, fuse_unk=True, ignore_merges=True), "normalizer": normal({"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})},
    "BPE of letters for bytes": {"model": bpe(BYTES, unk_token=None), "pre_tokenizer": sequence(split({"Regex": GPT4}, "Isolated"), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False})},
    "ByteLevel as normalizer": {"model": bpe(BYTES), "normalizer": normal({"type": "NFC"}, {"type": "ByteLevel"}), "pre_tokenizer": {"type": "Digits", "individual_digits": True}},
    "UnicodeScripts": {"model": word_piece, "pre_tokenizer": sequence({"type": "UnicodeScripts"}, {"type": "WhitespaceSplit"})},
    "CharDelimiterSplit": {"model": word_level, "normalizer": normal({"type": "NFKD"}, {"type": "StripAccents"}, lower), "pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "-"}},
    "FixedLength": {"model": word_piece, "normalizer": {"type": "Nmt"}, "pre_tokenizer": {"type": "FixedLength", "length": 3}},
    "Metaspace of the first word": {"model": unigram, "normalizer": normal({"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFKC"}), "pre_tokenizer": sequence(metaspace("first", False), {"type": "Digits", "individual_digits": False}), "added_tokens": [added("SPECIAL", vocab, 0)]},
    "normalized tokens": {"model": word_level, "normalizer": bert(), "pre_tokenizer": space, "added_tokens": [added("SPECIAL", vocab, 0, normalized=True, special=False), added("Two", vocab, len(vocab), normalized=True, special=False, rstrip=True)]},
}
out = []
for name, file in files.items():
    plain = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    tokenizer = Tokenizer.from_str(json.dumps(plain | file))
    out.append({"name": name, "file": file, "ids": [tokenizer.encode(text).ids for text in TEXTS]})
print(json.dumps({"texts": TEXTS, "tokenizers": out}, ensure_ascii=True, separators=(",", ":")))
