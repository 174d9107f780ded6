"""Writes openai-bpe/: the first pairs of CLIP's vocabulary, packed as OpenAI's file is, and lines.json, the ids that OpenCLIP gives with them.

    python openai_bpe.py     # needs open_clip_torch
"""
import gzip
import json
from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer, default_bpe

PAIRS = 600
LINES = [
    "", "a photo of a bird", "  Two   dogs,\tby the SEA! ", "the quick brown fox doesn't jump; it's we'll, they'd, HE'S", "1,234.56 in 2025",
    "“curly” ‘quotes’, it’s…", "naïve café, Straße", "Привет, мир!", "שָׁלוֹם", "สวัสดี", "你好世界", "안녕하세요", "😀 👩‍👩‍👧‍👦", "e\u0301 vs é", "a\x00b\u200bc\u00a0d",
    "https://example.org/a_b?c=d#f", "state-of-the-art 100% #hash @at", "no\nline\r\nbreaks", "a" * 100,
]

folder = Path(__file__).with_name("openai-bpe")
folder.mkdir(exist_ok=True)
whole = gzip.open(default_bpe()).read().decode().split("\n")
path = folder / "bpe_simple_vocab_16e6.txt.gz"
# Without a line end: OpenCLIP would take what follows it for a pair.
path.write_bytes(gzip.compress("\n".join(whole[: PAIRS + 1]).encode(), mtime=0))
tokenizer = SimpleTokenizer(str(path))
ids = lambda line: [tokenizer.sot_token_id, *tokenizer.encode(line), tokenizer.eot_token_id]
text = ",\n".join(json.dumps([line, ids(line)], separators=(",", ":")) for line in LINES)
(folder / "lines.json").write_text(f"[\n{text}\n]\n")
