"""Writes ../text/steps/unicode.ts: how Python's `tokenizers` (Rust) sorts every code point, where V8 sorts them differently.

    python tokenizer_unicode.py > ../text/steps/unicode.ts     # needs node for V8's own tables

Its parts are built on Unicode 8 to 17, and V8's tables change with Node: with these sets ids are the same everywhere. LATER,
UNSTABLE and SCRIPTLESS hold only what V8 of Unicode 17 knows; a V8 of Unicode 18 knows more.
"""
import json
import subprocess

from tokenizers import Regex, normalizers, pre_tokenizers

V8 = r"""
const list = []
for (let code = 0; code < 0x110000; code++) {
  if (code >= 0xd800 && code < 0xe000) continue
  const text = String.fromCodePoint(code)
  const forms = ['NFD', 'NFC', 'NFKD', 'NFKC'].map((form) => text.normalize(form))
  list.push([code, /\p{M}/u.test(text), !/[\p{Cn}\p{Co}]/u.test(text), forms])
}
process.stdout.write(JSON.stringify(list))
"""
v8 = json.loads(subprocess.run(["node", "-e", V8], capture_output=True, check=True).stdout)
bert = normalizers.BertNormalizer
clean = bert(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
chinese = bert(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
strip = bert(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
accents = normalizers.StripAccents()
punctuation = pre_tokenizers.Punctuation("isolated")
scripts = pre_tokenizers.UnicodeScripts()
unassigned = pre_tokenizers.Split(Regex(r"\p{Cn}"), "removed")
forms = [normalizers.NFD(), normalizers.NFC(), normalizers.NFKD(), normalizers.NFKC()]

sets = {
    "REMOVED": ("Control, format and private characters that `clean_text` drops.", []),
    "NONSPACING": ("Marks (Mn) that BERT's `strip_accents` drops.", []),
    "MARKS": ("Marks (M) that `StripAccents` drops.", []),
    "IDEOGRAPHS": ("Characters that `handle_chinese_chars` puts between spaces.", []),
    "PUNCTUATION": ("Punctuation: a word of its own in BERT.", []),
    "UNSTABLE": ("Characters that V8 composes, decomposes or moves, and the reference leaves where and as they are.", set()),
    "LATER": ("Characters of Unicode 17, which the reference's patterns take for unassigned.", []),
    "SCRIPTLESS": ("Characters that `UnicodeScripts` knows no script of, and V8 does.", []),
}
for code, mark, assigned, own in v8:
    char = chr(code)
    add = lambda name: sets[name][1].append(code)
    if clean.normalize_str(f"a{char}b") == "ab":
        add("REMOVED")
    if strip.normalize_str(f"a{char}b") == "ab":
        add("NONSPACING")
    if accents.normalize_str(f"a{char}b") == "ab":
        add("MARKS")
    elif mark:
        sets["UNSTABLE"][1].add(code)
    if chinese.normalize_str(f"a{char}b") == f"a {char} b":
        add("IDEOGRAPHS")
    if len(punctuation.pre_tokenize_str(f"a{char}b")) == 3:
        add("PUNCTUATION")
    for form, result in zip(forms, own):
        if form.normalize_str(char) != result:
            sets["UNSTABLE"][1].add(code)
            if form is forms[0]:
                sets["UNSTABLE"][1].update(ord(part) for part in result if not 0x300 <= ord(part) < 0x370)
    if assigned and unassigned.pre_tokenize_str(char) == []:
        add("LATER")
    if assigned and char != " " and scripts.pre_tokenize_str(char) == []:
        add("SCRIPTLESS")

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number):
    return DIGITS[number] if number < 36 else base36(number // 36) + DIGITS[number % 36]


def packed(codes):
    """Gaps and lengths: `from the end before`, or `from the end before:further characters`."""
    ranges = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    out, end = [], 0
    for first, last in ranges:
        out.append(base36(first - end) + (f":{base36(last - first)}" if last > first else ""))
        end = last
    return " ".join(out)


print("// Made by ../../testdata/tokenizer_unicode.py: do not edit.\n")
print("/** Sets of code points, packed: for each range its distance from the end of the one before and, behind a colon, its further")
print(" * characters, in base 36. See {@link classOf} in classes.ts. */")
for name, (comment, codes) in sets.items():
    text = packed(codes)
    print(f"\n/** {comment} */\nexport const {name} =")
    lines = []
    while text:
        cut = len(text) if len(text) <= 110 else text.rindex(" ", 0, 110) + 1
        lines.append(f"  '{text[:cut]}'")
        text = text[cut:]
    print(" +\n".join(lines))
