"""Random tokenizers: combinations of all steps of Python's `tokenizers`, and the ids that it gives for hard texts.

    python draw.py OUT.ndjson [--count 1000] [--texts 500] [--seed 1]      # needs tokenizers 0.23, sentencepiece

The first line of OUT holds the texts, each further one a tokenizer.json with its ids (null for a text that Python refuses too).
compare.ts compares.
"""

import argparse
import io
import json
import os
import random
import select
import signal
import time

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--count", type=int, default=1000)
parser.add_argument("--texts", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
random.seed(options.seed)

SENTENCES = [
    "The quick brown fox doesn't jump over the lazy dogs' den, does it?",
    "Wir haben 1.234,56 € für Öl, Äpfel und Straßenbahnfahrten ausgegeben!",
    "L’été dernier, nous avons mangé des crêpes à Nîmes; c’était «délicieux».",
    "¿Dónde está el niño? ¡Mañana irá al colegio, señor Peña!",
    "Съешь ещё этих мягких французских булок, да выпей же чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ΟΔΥΣΣΕΥΣ και Σίσυφος.",
    "عندما يريد العالم أن ‪يتكلّم‬ فهو يتحدّث بلغة يونيكود.",
    "דג סקרן שט בים מאוכזב ולפתע מצא לו חברה.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में स्वतन्त्रता प्राप्त है।",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "いろはにほへと ちりぬるを。ﾊﾝｶｸｶﾅとＦＵＬＬＷＩＤＴＨ１２３！カー",
    "我能吞下玻璃而不伤身体。他買了三本書、兩支筆。𠀀𠮷野家",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "ყველა ადამიანი იბადება თავისუფალი. Ⴀ",
    "İstanbul'da ılık bir gün; ÇĞÖŞÜ ığdır.",
    "🙂👩‍👩‍👧‍👦 flags 🇩🇪🇯🇵, tones 👍🏽 and hearts ❤️‍🔥!",
    "x² + y³ ≤ ½ · √(a÷b) ≈ 3.14159e-10; ﬁnal ﬂow ™ ℃ Ⅷ ㍿ ſs",
    "def f(x):\n\treturn {'a': [x, *y]}  # it's 100% fine, e.g. a_b-c/d\\e\r\n",
    "e\u0301 combining n\u0303\u0316, zero\u200bwidth\u200djoin\u00adhy, nbsp\u00a0and\u3000wide  spaces   ",
    "`` quoted '' and 'single' I'll we've they'd HE'S",
    "line\u0085next\ufeffbom\u2028sep\u2029par\x0bvt\x0cff\x1fus\x00nul",
    "snake_case CamelCase kebab-case a--b...c!!??  1,000,000 v2.0.1",
    "\u1b06\u1b35 \uac01\u11a8 \u0344 \u212b \u2126 \u1e9b\u0323 \ufb2c \u0958",
    "\U0001e030 \U00016d63\U00016d67 \u0c5c \U000105d2\u0307 \u1acf \u0897 \u20c1 \u088f",
]
RANGES = [(0x21, 0x7E), (0xA1, 0x17F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5EA), (0x610, 0x66F)]
RANGES += [(0x900, 0x97F), (0xE01, 0xE5B), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x218B)]
RANGES += [(0x2E00, 0x2E5D), (0x3000, 0x30FF), (0x3300, 0x33FF), (0x4E00, 0x4FFF), (0xA700, 0xA7FF), (0xAC00, 0xACFF)]
RANGES += [(0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFEF), (0x10400, 0x10FFF), (0x11000, 0x11FFF), (0x1D400, 0x1D7FF)]
RANGES += [(0x1E000, 0x1E95F), (0x1F100, 0x1FAFF), (0x20000, 0x200FF), (0xE0000, 0xE01EF), (0x0, 0x20), (0x7F, 0xA0)]
SPECIAL = ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "<s>", "</s>", "<unk>", "<mask>", "[MASK]", "SPECIAL", "special", "ßtok", "中", "▁"]
SPACES = [" ", " ", " ", "  ", "\t", "\n", "\r\n", "\u0085", "\ufeff", "\u00a0", "\u3000", "", "-", "▁"]


def char():
    if random.random() < 0.02:
        return chr(random.choice([c for c in (random.randrange(0x110000) for _ in range(9)) if not 0xD800 <= c < 0xE000]))
    low, high = random.choice(RANGES)
    return chr(random.randint(low, high))


def word():
    kind = random.random()
    if kind < 0.25:
        return random.choice(SPECIAL)
    if kind < 0.7:
        return random.choice(random.choice(SENTENCES).split(" "))
    return "".join(char() for _ in range(random.randint(1, 6)))


def text(i):
    if i < len(SENTENCES):
        return SENTENCES[i]
    if i < len(SENTENCES) + 6:
        return ["", " ", "\n", "▁", "  a", "a  "][i - len(SENTENCES)]
    if i < len(SENTENCES) + 9:
        # Longer than what is tokenised in one go.
        return " ".join(random.choice(SENTENCES) + random.choice(SPACES) + word() for _ in range(150))
    return "".join(word() + random.choice(SPACES) for _ in range(random.randint(1, 14)))


texts = [text(i) for i in range(options.texts)]
sure = lambda p: random.random() < p
flag = lambda: sure(0.5)

# Oniguruma's patterns: published ones, and pieces to make others of.
PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    r"[一-龥぀-ゟ゠-ヿ]+", r"\p{N}{1,3}", r"\s+", r" ", r"\w+|[^\w\s]+", r"[A-Z]?[a-z]+", r"(?<=\d)(?=\D)", r"\b", r"^|$", r"\d(?=(?:\d{3})+\b)",
    r"[[:punct:]]", r"[^[:alnum:][:space:]]", r"\p{Han}", r"[\p{L}&&[^\p{Lu}]]+", r"(?i)the|a", r"x*", r".", r"(?m).", r"\h+", r"\R", r"[\p{Greek}\p{Cyrillic}]+",
    r"(?:\r?\n)+", r"\p{Mn}", r"\P{L}+", r"\p{^L}", r"(?>a|ab)c", r"(a+)+b", r"\X", r"[a-z&&[^aeiou]]", r"\A.", r".\z", r"\u0041|\x41", r"[\u4e00-\u9fff]", r"\S+", r"\W",
]
ATOMS = [r"\p{L}", r"\p{N}", r"\s", r"\w", r"\d", "[a-e]", "[^a-e]", ".", "e", "t", " ", r"\p{P}", r"\p{Lu}", r"[\p{M}\p{S}]", "(?:th|an)", "(?i:k|s)", r"[^\s\p{L}]", r"\p{Ll}"]


def regex():
    if sure(0.6):
        return random.choice(PATTERNS)
    row = lambda: "".join(random.choice(ATOMS) + random.choice(["", "", "+", "*", "?", "{2}", "{1,3}", "++", "+?"]) for _ in range(random.randint(1, 3)))
    return "|".join(row() for _ in range(random.randint(1, 3))) + random.choice(["", "", "(?!e)", r"(?=\s)", "$", r"\b"])


def pattern():
    return random.choice([" ", "e", "'s", "th", "-", ".", "▁", "中", ""]) if sure(0.3) else Regex(regex())


def charsmap(rules):
    """The map of characters that SentencePiece has for a name of its rules."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4), model_writer=model, vocab_size=600, hard_vocab_limit=False,
        normalization_rule_name=rules, minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


CHARSMAPS = [charsmap(rules) for rules in ("nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf")]


def normalizer(depth=0):
    n = normalizers
    make = [
        lambda: n.BertNormalizer(clean_text=flag(), handle_chinese_chars=flag(), strip_accents=random.choice([None, True, False]), lowercase=flag()),
        n.NFC, n.NFD, n.NFKC, n.NFKD, n.Lowercase, n.StripAccents, n.Nmt,
        lambda: n.Strip(left=flag(), right=flag()),
        lambda: n.Replace(pattern(), random.choice(["", " ", "▁", "xy", "e", "\u0301", "é "])),
        lambda: n.Prepend(random.choice(["▁", " ", "ab", ""])),
        n.ByteLevel,
        lambda: n.Precompiled(random.choice(CHARSMAPS)),
    ]
    if depth < 2 and sure(0.45):
        return n.Sequence([normalizer(depth + 1) for _ in range(random.randint(0, 3))])
    return random.choice(make)()


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def pre_tokenizer(depth=0):
    p = pre_tokenizers
    make = [
        p.BertPreTokenizer, p.Whitespace, p.WhitespaceSplit, p.UnicodeScripts,
        lambda: p.ByteLevel(add_prefix_space=flag(), trim_offsets=flag(), use_regex=flag()),
        lambda: p.CharDelimiterSplit(random.choice([" ", "e", "中", "-", "\n"])),
        lambda: p.Digits(individual_digits=flag()),
        lambda: p.FixedLength(length=random.randint(1, 7)),
        lambda: p.Metaspace(replacement=random.choice(["▁", "▁", "_", "x"]), prepend_scheme=random.choice(["always", "first", "never"]), split=flag()),
        lambda: p.Punctuation(behavior=random.choice(BEHAVIORS)),
        lambda: p.Split(pattern(), behavior=random.choice(BEHAVIORS), invert=flag()),
        lambda: p.Split(pattern(), behavior=random.choice(BEHAVIORS), invert=flag()),
    ]
    if depth < 2 and sure(0.45):
        return p.Sequence([pre_tokenizer(depth + 1) for _ in range(random.randint(0, 3))])
    return random.choice(make)()


def trained(tok, kind):
    """The tokenizer's JSON with a vocabulary trained on some of the texts."""
    some = random.sample(texts[: len(SENTENCES)], 12) + random.sample(texts, min(40, len(texts)))
    size = random.choice([60, 200, 500])
    special = ["<unk>", "<s>", "</s>"] + (["[PAD]"] if flag() else [])
    bytes_ = [f"<0x{b:02X}>" for b in range(256 if sure(0.8) else 200)]
    extra = {}
    if kind == "WordPiece":
        prefix = random.choice(["##", "##", "", "@"])
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, continuing_subword_prefix=prefix, show_progress=False)
        extra = {"unk_token": "<unk>", "continuing_subword_prefix": prefix, "max_input_chars_per_word": random.choice([100, 100, 6, 1])}
    elif kind == "WordLevel":
        trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=special, show_progress=False)
        extra = {"unk_token": "<unk>"}
    elif kind == "BPE":
        fallback = sure(0.4)
        alphabet = pre_tokenizers.ByteLevel.alphabet() if flag() else []
        prefix = random.choice([None, None, "##", ""])
        suffix = random.choice([None, None, "</w>", ""])
        ends = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
        trainer = trainers.BpeTrainer(
            vocab_size=size + len(alphabet) + (256 if fallback else 0), special_tokens=special + (bytes_ if fallback else []),
            initial_alphabet=alphabet, show_progress=False, **{name: end for name, end in ends.items() if end is not None},
        )
        extra = {"unk_token": random.choice([None, "<unk>"]), "fuse_unk": flag(), "byte_fallback": fallback, "ignore_merges": sure(0.3)}
        extra |= ends
    else:
        trainer = trainers.UnigramTrainer(vocab_size=size + 1500, special_tokens=special, unk_token="<unk>", show_progress=False)
    tok.train_from_iterator(some, trainer)
    made = json.loads(tok.to_str())
    made["model"] |= extra
    if kind == "Unigram":
        if made["model"]["unk_id"] is not None and sure(0.1):
            made["model"]["unk_id"] = None
        if sure(0.4):
            made["model"]["vocab"] += [[b, 0.0] for b in bytes_]
            made["model"]["byte_fallback"] = True
        if sure(0.2):
            # Equal sums: the first that is found counts.
            made["model"]["vocab"] = [[piece, round(score)] for piece, score in made["model"]["vocab"]]
    return made


def added(made):
    vocab = made["model"]["vocab"]
    names = set(vocab) if isinstance(vocab, dict) else {piece for piece, _ in vocab}
    count = len(vocab)
    ids = vocab if isinstance(vocab, dict) else {piece: i for i, (piece, _) in enumerate(vocab)}
    tokens = []
    for content in ["<unk>", "<s>", "</s>"] + random.sample(SPECIAL + ["a", " the", "SPECIAL TOKEN", "é", "ing", "\n"], random.randint(0, 6)):
        if any(token["content"] == content for token in tokens):
            continue
        special = flag()
        id_ = ids[content] if content in names else count
        count += content not in names
        tokens.append({"id": id_, "content": content, "single_word": sure(0.3), "lstrip": sure(0.3), "rstrip": sure(0.3), "normalized": not special if sure(0.6) else flag(), "special": special})
    return tokens


def post_processor(made):
    id_ = {token["content"]: token["id"] for token in made["added_tokens"]}
    s, e = ("<s>", id_["<s>"]), ("</s>", id_["</s>"])
    make = [
        lambda: None,
        lambda: processors.BertProcessing(e, s),
        lambda: processors.RobertaProcessing(e, s, trim_offsets=flag(), add_prefix_space=flag()),
        lambda: processors.ByteLevel(trim_offsets=flag()),
        lambda: processors.TemplateProcessing(single=random.choice(["<s> $A </s>", "$A </s>", "<s> $0", "<s> <s> $A </s>", "$A"]), special_tokens=[s, e]),
        lambda: processors.Sequence([processors.ByteLevel(trim_offsets=flag()), processors.TemplateProcessing(single="<s> $A", special_tokens=[s])]),
    ]
    return random.choice(make)()


KINDS = [models.BPE, models.WordPiece, models.Unigram, models.WordLevel]


def draw(kind):
    tok = Tokenizer(kind())
    kind = type(tok.model).__name__
    if sure(0.75):
        tok.normalizer = normalizer()
    if sure(0.85):
        tok.pre_tokenizer = pre_tokenizer()
    made = trained(tok, kind)
    made["added_tokens"] = added(made)
    again = Tokenizer.from_str(json.dumps(made))
    processor = post_processor(made)
    if processor is not None:
        again.post_processor = processor
    limit, side = None, random.choice(["left", "right"])
    if flag():
        limit = random.randint(4, 20)
        again.enable_truncation(limit, direction=side)
    return json.loads(again.to_str()), limit


def ids_of(tok, line):
    try:
        return tok.encode(line).ids
    except BaseException as error:  # a panic of Rust is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


SECONDS = 20


def answer(kind, seed):
    """A tokenizer and its ids as a line of JSON; empty where Python refuses the tokenizer or needs too long: patterns may search for ever."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            random.seed(seed)
            made, limit = draw(kind)
            tok = Tokenizer.from_str(json.dumps(made))
            line = json.dumps({"file": made, "limit": limit, "ids": [ids_of(tok, text) for text in texts]})
            with os.fdopen(writing, "w") as pipe:
                pipe.write(line)
        except BaseException:  # a panic of Rust is no Exception
            pass
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + SECONDS
    parts = []
    while select.select([reading], [], [], max(0, end - time.monotonic()))[0]:
        part = os.read(reading, 1 << 20)
        if not part:
            break
        parts.append(part)
    else:
        parts = []
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return b"".join(parts).decode()


with open(options.out, "w") as out:
    out.write(json.dumps(texts) + "\n")
    done = tried = 0
    while done < options.count:
        tried += 1
        line = answer(KINDS[done % len(KINDS)], options.seed * 1_000_000 + tried)
        if line:
            out.write(line + "\n")
            done += 1
print(f"{done} tokenizers, {len(texts)} texts each; {tried - done} more that Python itself refused")
