"""Writes ../bertUnicode.ts: how `tokenizers` (Rust) sorts every code point in BertNormalizer and BertPreTokenizer.

    python bert_unicode.py > ../bertUnicode.ts

Its tables are of an older Unicode than V8's, and V8's change with Node: with these sets ids are the same everywhere.
"""
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

clean = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
chinese = BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
strip = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
split = BertPreTokenizer()
nfd = NFD()
sets = {name: [] for name in ('REMOVED', 'MARKS', 'IDEOGRAPHS', 'PUNCTUATION', 'UNDECOMPOSED')}
# Canonical decompositions of Unicode 13 to 17 that the reference does not know.
later = [0x11938, 0x105C9, 0x105E4, 0x11383, 0x11385, 0x1138E, 0x11391, 0x113C5, 0x113C7, 0x113C8]
later += [*range(0x16121, 0x16129), *range(0x16D68, 0x16D6B)]
for code in range(0x110000):
    if 0xD800 <= code < 0xE000:
        continue
    char = chr(code)
    text = f'a{char}b'
    if clean.normalize_str(text) == 'ab':
        sets['REMOVED'].append(code)
    if strip.normalize_str(text) == 'ab':
        sets['MARKS'].append(code)
    if chinese.normalize_str(text) == f'a {char} b':
        sets['IDEOGRAPHS'].append(code)
    if len(split.pre_tokenize_str(text)) == 3:
        sets['PUNCTUATION'].append(code)
    if code in later and nfd.normalize_str(char) == char:
        sets['UNDECOMPOSED'].append(code)

comments = {
    'REMOVED': 'Control, format and private characters that `clean_text` drops.',
    'MARKS': 'Combining marks (Mn) that `strip_accents` drops.',
    'IDEOGRAPHS': 'Characters that `handle_chinese_chars` puts between spaces.',
    'PUNCTUATION': 'Characters that are a token of their own.',
    'UNDECOMPOSED': 'Characters that V8 decomposes and the reference leaves whole.',
}


def escape(code):
    return f'\\u{{{code:x}}}'


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return [escape(a) if a == b else f'{escape(a)}-{escape(b)}' for a, b in out]


print('// Made by testdata/bert_unicode.py: do not edit.\n')
print('/** Sets of code points as the inside of a regular expression\'s class (flag `u`). */')
for name, codes in sets.items():
    print(f'\n/** {comments[name]} */\nexport const {name} =')
    lines, line = [], ''
    for part in ranges(codes):
        if len(line) + len(part) > 100:
            lines.append(line)
            line = ''
        line += part
    lines.append(line)
    print(' +\n'.join(f"  String.raw`{line}`" for line in lines))
