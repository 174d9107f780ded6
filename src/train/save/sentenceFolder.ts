/** Writes a text model as a folder of sentence-transformers' layout. */
import { dirname, join } from 'node:path'
import { makeFolder } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type Model, type Pooling, writeSafetensors } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { isFile, readJson, writeJson, writeTokenizer } from './files.ts'

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

/** True of a text model that sentence-transformers' modules can say: built here from a folder with a configuration, its pooling the last layer. */
export async function isSentenceModel(
  { tokenizer, places, card }: Model,
  weights: Iterable<string>,
): Promise<boolean> {
  // Graphs that are read as they are have names of their own, which transformers does not know.
  if (tokenizer === undefined || places === undefined || modes[card.pool] === undefined) return false
  return furtherLayer(weights) === undefined && isFile(join(dirname(tokenizer), 'config.json'))
}

/** A parameter of a layer behind the pooling. */
const furtherLayer = (names: Iterable<string>): string | undefined =>
  [...names].find((key) => /^\d+_/.test(key))

/**
 * Writes the network as transformers has it, its tokenizer, and the modules of sentence-transformers: `embedder(folder)` reads them, and so does
 * `SentenceTransformer(folder)`.
 *
 * @throws `WRITE_FAILED`, `FORMAT_UNSUPPORTED` for a model that is none by {@link isSentenceModel}
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export async function writeSentenceFolder(folder: string, { model, weights }: SentenceFolder): Promise<void> {
  const { pool, normalize, text, dimensions, name } = model.card
  const mode = modes[pool]
  if (mode === undefined || model.tokenizer === undefined) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${name} cannot be written as a sentence-transformers folder.`,
      {
        input: name,
      },
    )
  }
  const config = await readJson(join(dirname(model.tokenizer), 'config.json'))
  const maxLength = text?.maxLength ?? 512
  const write = (path: string, content: unknown) => writeJson(join(folder, path), content)
  await makeFolder(folder)
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
