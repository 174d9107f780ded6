/** Writes a text model as a folder of sentence-transformers' layout. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type Model, type Pooling, writeSafetensors } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'

/** A text model that is to be written with other weights. */
export interface SentenceFolder {
  /** The model that it began as. */
  readonly model: Model
  readonly weights: ReadonlyMap<string, Tensor>
}

/** sentence-transformers' names of poolings. */
const modes: Partial<Readonly<Record<Pooling, string>>> = {
  cls: 'cls',
  mean: 'mean',
  max: 'max',
  last: 'lasttoken',
}

/** Names under which tokenizers list their special tokens. */
const specialTokens: Readonly<Record<string, readonly string[]>> = {
  unk_token: ['[UNK]', '<unk>'],
  sep_token: ['[SEP]', '</s>'],
  pad_token: ['[PAD]', '<pad>', '<|endoftext|>'],
  cls_token: ['[CLS]', '<s>'],
  mask_token: ['[MASK]', '<mask>'],
}

/**
 * Writes the network as transformers has it, its tokenizer, and the modules of sentence-transformers: `embedder(folder)` reads them, and so does
 * `SentenceTransformer(folder)`.
 *
 * @throws `WRITE_FAILED`, `FORMAT_UNSUPPORTED` for a model with further layers behind its pooling
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export async function writeSentenceFolder(folder: string, { model, weights }: SentenceFolder): Promise<void> {
  const { pool, normalize, text, dimensions, name } = model.card
  const mode = modes[pool]
  const further = [...weights.keys()].find((key) => /^\d+_/.test(key))
  if (mode === undefined || further !== undefined || model.tokenizer === undefined) {
    const reason = mode === undefined ? `its pooling is ${pool}` : `it has ${further ?? 'no tokenizer'}`
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${name} cannot be written as a sentence-transformers folder: ${reason}.`,
      {
        input: name,
      },
    )
  }
  const config = await readJson(join(dirname(model.tokenizer), 'config.json'))
  const tokenizer = await readJson(model.tokenizer)
  const special = specialOf(tokenizer)
  const maxLength = text?.maxLength ?? 512
  const write = async (path: string, content: unknown): Promise<void> => {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`)
  }
  await mkdir(folder, { recursive: true })
  await writeSafetensors(join(folder, 'model.safetensors'), weights, new Map([['format', 'pt']]))
  // How long a batch is padded and cut is the model's business, not the tokenizer's.
  await write('tokenizer.json', { ...tokenizer, padding: null, truncation: null })
  await write('tokenizer_config.json', {
    ...special,
    model_max_length: maxLength,
    tokenizer_class: 'PreTrainedTokenizerFast',
  })
  await write('special_tokens_map.json', special)
  await write('sentence_bert_config.json', {
    max_seq_length: maxLength,
    do_lower_case: text?.lowercase ?? false,
  })
  await write('1_Pooling/config.json', {
    word_embedding_dimension: dimensions,
    pooling_mode_cls_token: mode === 'cls',
    pooling_mode_mean_tokens: mode === 'mean',
    pooling_mode_max_tokens: mode === 'max',
    pooling_mode_mean_sqrt_len_tokens: false,
    pooling_mode_weightedmean_tokens: false,
    pooling_mode_lasttoken: mode === 'lasttoken',
    include_prompt: true,
  })
  await write('config_sentence_transformers.json', {
    prompts: text?.prompts ?? {},
    default_prompt_name: text?.defaultPrompt ?? null,
    similarity_fn_name: 'cosine',
  })
  await write('modules.json', [
    module(0, '', 'Transformer'),
    module(1, '1_Pooling', 'Pooling'),
    ...(normalize ? [module(2, '2_Normalize', 'Normalize')] : []),
  ])
  const { torch_dtype: _, dtype: __, _name_or_path: ___, ...rest } = config
  await write('config.json', { ...rest, torch_dtype: 'float32' })
}

const module = (idx: number, path: string, kind: string) => ({
  idx,
  name: String(idx),
  path,
  type: `sentence_transformers.models.${kind}`,
})

type Json = Readonly<Record<string, unknown>>

async function readJson(path: string): Promise<Json> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  try {
    return JSON.parse(content) as Json
  } catch {
    throw new PipiloError('FORMAT_INVALID', `${path} is no JSON.`, { input: path })
  }
}

/** The special tokens that a tokenizer has, by transformers' names for them. */
function specialOf({ added_tokens }: Json): Record<string, string> {
  const known = new Set(
    (Array.isArray(added_tokens) ? added_tokens : []).map((token: { content?: unknown }) =>
      String(token.content),
    ),
  )
  return Object.fromEntries(
    Object.entries(specialTokens).flatMap(([name, candidates]) => {
      const found = candidates.find((candidate) => known.has(candidate))
      return found === undefined ? [] : [[name, found]]
    }),
  )
}
