"""Old-style vocabularies (no tokenizer.json) trained on lines in many scripts, and the ids that Python's tokenizers give.

    python tokenizer_files.py folder [--lines 10000] [--vocabulary 8000] [--rules nmt_nfkc]     # needs transformers, sentencepiece

Each folder holds the files of a model of that kind, and lines.json the lines with the ids of each kind. tokenizers.ts compares.
"""

import argparse
import json
import os
import random
import shutil
import unicodedata

import sentencepiece
import tokenizers
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--lines", type=int, default=10_000)
parser.add_argument("--vocabulary", type=int, default=8_000)
parser.add_argument("--rules", default="nmt_nfkc", help="a name of SentencePiece's, or 'few' for a handful of rules")
options = parser.parse_args()
random.seed(0)

SENTENCES = [
    "The quick brown fox doesn't jump over the lazy dogs' den, does it?",
    "Wir haben 1.234,56 € für Öl, Äpfel und Straßenbahnfahrten ausgegeben!",
    "L’été dernier, nous avons mangé des crêpes à Nîmes; c’était «délicieux».",
    "¿Dónde está el niño? ¡Mañana irá al colegio, señor Peña!",
    "Zażółć gęślą jaźń; příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Съешь ещё этих мягких французских булок, да выпей же чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ΟΔΥΣΣΕΥΣ και Σίσυφος.",
    "عندما يريد العالم أن ‪يتكلّم‬ فهو يتحدّث بلغة يونيكود.",
    "דג סקרן שט בים מאוכזב ולפתע מצא לו חברה.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "いろはにほへと ちりぬるを。ﾊﾝｶｸｶﾅとＦＵＬＬＷＩＤＴＨ１２３！",
    "我能吞下玻璃而不伤身体。他買了三本書、兩支筆。",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "ყველა ადამიანი იბადება თავისუფალი და თანასწორი.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։",
    "ሰው ሁሉ ነጻና እኩል ክብር አለው።",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng.",
    "İstanbul'da ılık bir gün; ÇĞÖŞÜ ığdır.",
    "🙂👩‍👩‍👧‍👦 flags 🇩🇪🇯🇵, tones 👍🏽 and hearts ❤️‍🔥!",
    "x² + y³ ≤ ½ · √(a÷b) ≈ 3.14159e-10; ﬁnal ﬂow ™ ℃ Ⅷ ㍿",
    "def f(x):\n\treturn {'a': [x, *y]}  # it's 100% fine, e.g. a_b-c/d\\e",
    "e\u0301 combining n\u0303, zero\u200bwidth\u200djoin\u00adhy, nbsp\u00a0and\u3000wide  spaces   ",
    "`` quoted '' and 'single' I'll we've they'd HE'S",
    "\u0645\u0640\u0640\u062f tatweel, ٣٤٥ digits, १२३ and 四五六",
]
RANGES = [(0x21, 0x7E), (0xA1, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x64A), (0x905, 0x939)]
RANGES += [(0xE01, 0xE3A), (0x10D0, 0x10F0), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x4FFF), (0xAC00, 0xACFF)]
RANGES += [(0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2100, 0x218B), (0x3300, 0x33FF), (0xFB00, 0xFB06), (0xFF01, 0xFF9F)]
RANGES += [(0x1F300, 0x1F64F), (0x300, 0x34F), (0x1D400, 0x1D4FF), (0x20000, 0x200FF)]


def word():
    low, high = random.choice(RANGES)
    letters = (chr(random.randint(low, high)) for _ in range(random.randint(1, 8)))
    return "".join(c for c in letters if unicodedata.category(c) not in ("Cn", "Cs", "Co"))


def line(i):
    if i < len(SENTENCES):
        return SENTENCES[i]
    words = random.choice(SENTENCES).split(" ") + [word() for _ in range(random.randint(0, 6))]
    random.shuffle(words)
    return random.choice([" ", " ", " ", "  ", "\t"]).join(words[: random.randint(1, 20)])


lines = [line(i) for i in range(options.lines)]
os.makedirs(options.folder, exist_ok=True)


def folder(name, settings):
    path = os.path.join(options.folder, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    with open(os.path.join(path, "tokenizer_config.json"), "w") as file:
        json.dump(settings, file)
        file.write("\n")
    return path


def train(trainer, tokenizer):
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def word_piece(name, settings, special, lowercase):
    path = folder(name, settings)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=options.vocabulary, special_tokens=special)
    train(trainer, tokenizer).model.save(path)


def byte_level(name, settings, special, suffix=""):
    path = folder(name, settings)
    ending = {"end_of_word_suffix": suffix} if suffix else {}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(**ending))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=options.vocabulary,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        **ending,
    )
    train(trainer, tokenizer).model.save(path)


def sentence_piece(name, file, settings, more_rules=(), **arguments):
    path = folder(name, settings)
    if options.rules == "few":
        rules = os.path.join(options.folder, "rules.tsv")
        with open(rules, "w") as out:
            few = [("ﬁ", "fi"), ("ﬂ", "fl"), ("ａ", "a"), ("\u200b", ""), ("㍿", "株式会社"), ("e\u0301", "é"), *more_rules]
            for source, target in few:
                out.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
        arguments["normalization_rule_tsv"] = rules
    else:
        arguments["normalization_rule_name"] = options.rules
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=os.path.join(path, "model"),
        vocab_size=options.vocabulary,
        character_coverage=0.98,
        hard_vocab_limit=False,
        minloglevel=2,
        **arguments,
    )
    os.rename(os.path.join(path, "model.model"), os.path.join(path, file))
    os.remove(os.path.join(path, "model.vocab"))
    if options.rules == "few":
        os.remove(os.path.join(options.folder, "rules.tsv"))


bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
roberta = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
word_piece("bert-uncased", {"tokenizer_class": "BertTokenizer", "do_lower_case": True}, bert, True)
word_piece("bert-cased", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}, bert, False)
word_piece("mpnet", {"tokenizer_class": "MPNetTokenizer", "do_lower_case": True}, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], True)
byte_level("roberta", {"tokenizer_class": "RobertaTokenizer"}, roberta)
byte_level("clip", {"tokenizer_class": "CLIPTokenizer"}, ["<|startoftext|>", "<|endoftext|>"], "</w>")
byte_level("qwen", {"tokenizer_class": "Qwen2Tokenizer"}, ["<|endoftext|>"])
sentence_piece("xlm-roberta", "sentencepiece.bpe.model", {"tokenizer_class": "XLMRobertaTokenizer"})
sentence_piece(
    "albert",
    "spiece.model",
    {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True},
    pad_id=0,
    unk_id=1,
    bos_id=-1,
    eos_id=-1,
    control_symbols=["[CLS]", "[SEP]"],
    user_defined_symbols=["[MASK]"],
)
sentence_piece(
    "siglip",
    "spiece.model",
    {"tokenizer_class": "SiglipTokenizer"},
    more_rules=[("\u2581", " "), ("ﾋﾟ", "pi")],  # the first as in nmt_nfkc, by which its own model was trained
    pad_id=0,
    eos_id=1,
    unk_id=2,
    bos_id=-1,
)
sentence_piece("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 0}, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)

result = {"lines": lines, "ids": {}}
for name in sorted(os.listdir(options.folder)):
    path = os.path.join(options.folder, name)
    if not os.path.isdir(path):
        continue
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    result["ids"][name] = tokenizer(lines)["input_ids"]
    print(name, len(tokenizer), type(tokenizer).__name__)
with open(os.path.join(options.folder, "lines.json"), "w") as file:
    json.dump(result, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
