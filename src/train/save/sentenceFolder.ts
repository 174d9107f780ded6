/** Writes a text model as a folder of sentence-transformers' layout. */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PipiloError } from '../../base/index.ts'
import { type Model, type Pooling, writeSafetensors } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { readJson, writeJson, writeTokenizer } from './tokenizerFiles.ts'

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
  const maxLength = text?.maxLength ?? 512
  const write = (path: string, content: unknown) => writeJson(join(folder, path), content)
  await mkdir(folder, { recursive: true })
  await writeSafetensors(join(folder, 'model.safetensors'), weights, new Map([['format', 'pt']]))
  await writeTokenizer(folder, model.tokenizer, maxLength)
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
