// Reads the use of a text model from its folder: length, prompts, pooling, tokenizer's options.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { tokenizerPath } from '../tokenizers/index.ts'
import type { Pooling, TextPreprocessing } from '../types.ts'
import { type Modules, readModules, type SentenceModule, unsupported } from './modules.ts'

/** Use of a text model as its folder states it. */
export interface TextLayout {
  /** Sub-folder of the network's files, `''` or ending in a slash. */
  readonly network: string
  /** The network's `config.json`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly pool: Pooling
  readonly normalize: boolean
  readonly text: TextPreprocessing
  /** Modules that come behind the network, where `pool` and `normalize` do not say it all. */
  readonly modules: readonly SentenceModule[]
  /** Absolute paths of the weights of these modules. */
  readonly modulePaths: readonly string[]
  /** Absolute path of `tokenizer.json`, if there is one, or can be made. */
  readonly tokenizer: string | undefined
  readonly notes: string | undefined
}

/** Files of older releases, one for each kind of network. */
const sentenceConfigs = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (kind) => `sentence_${kind}_config.json`,
)

/**
 * Reads the layout of sentence-transformers: `modules.json`, the pooling's configuration, the limit of tokens, the
 * prompts. A folder with only transformers' files gets what sentence-transformers gives it: mean pooling, no
 * normalisation.
 *
 * @param given what `modules.json` says, where that was read already
 * @throws PipiloError `FORMAT_UNSUPPORTED` for modules that Pipilo does not have, `MODEL_INVALID` for a
 * configuration that contradicts itself, and those of reading JSON files
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export async function readTextLayout(files: ModelFiles, given?: Modules): Promise<TextLayout> {
  const modules = given ?? ((await files.has('modules.json')) ? await readModules(files) : undefined)
  const network = modules?.network ?? ''
  const config = await readObject(files, `${network}config.json`)
  if (!config) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has no ${network}config.json.`, {
      input: files.label,
    })
  }
  const sentence =
    (await firstObject(
      files,
      sentenceConfigs.map((name) => network + name),
    )) ?? {}
  const task = sentence['transformer_task'] ?? 'feature-extraction'
  if (task !== 'feature-extraction') {
    throw unsupported(files, `has its network do '${task}' (${network}sentence_bert_config.json)`)
  }
  const tokenizer = await tokenizerPath(files, network)
  return {
    network,
    config,
    pool: modules?.pool ?? 'mean',
    normalize: modules?.normalize ?? false,
    modules: modules?.modules ?? [],
    modulePaths: modules?.paths ?? [],
    text: {
      maxLength: await maxLength(files, network, config, sentence),
      ...(await readPrompts(files)),
      ...(sentence['do_lower_case'] === true ? { lowercase: true } : {}),
      ...(isCount(config['vocab_size']) ? { vocabulary: config['vocab_size'] } : {}),
    },
    tokenizer,
    notes: modules
      ? undefined
      : 'The files say nothing of pooling (no modules.json): mean, not normalised, as sentence-transformers does then.',
  }
}

/** The smallest of the limits that the files name, special tokens included. */
async function maxLength(
  files: ModelFiles,
  network: string,
  config: Readonly<Record<string, unknown>>,
  sentence: Readonly<Record<string, unknown>>,
): Promise<number> {
  const tokenizer = await firstObject(files, [`${network}tokenizer_config.json`, 'tokenizer_config.json'])
  const stated = sentence['max_seq_length'] ?? tokenizer?.['model_max_length']
  const limits = [stated, positionsOf(config)].filter(
    (limit): limit is number => typeof limit === 'number' && limit > 0,
  )
  return limits.length ? Math.min(...limits) : 512
}

/** Networks that count positions from behind the padding token's: of RoBERTa's 514 a text has 512. */
const OFFSET = /^(?:xlm-)?roberta|^(?:camembert|mpnet|longformer|data2vec-text|ibert|lilt|luke|xmod|phobert)$/

/** Tokens that a network has positions for. */
function positionsOf(config: Readonly<Record<string, unknown>>): unknown {
  const { max_position_embeddings: positions, model_type: type, pad_token_id: pad = 1 } = config
  const isOffset = typeof positions === 'number' && typeof pad === 'number' && OFFSET.test(String(type))
  return isOffset ? positions - pad - 1 : positions
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

/** The prompts that `config_sentence_transformers.json` names, and the default one. */
export async function readPrompts(
  files: ModelFiles,
): Promise<Pick<TextPreprocessing, 'prompts' | 'defaultPrompt'>> {
  return prompts(files, (await readObject(files, 'config_sentence_transformers.json')) ?? {})
}

/** Names without words stay: newer releases write `query` and `document` so, and such a name puts nothing before a text. */
function prompts(
  { label }: ModelFiles,
  usage: Readonly<Record<string, unknown>>,
): Pick<TextPreprocessing, 'prompts' | 'defaultPrompt'> {
  const { prompts: stated, default_prompt_name: defaultPrompt } = usage
  const invalid = (sentence: string, input: string) =>
    new PipiloError('MODEL_INVALID', sentence, {
      input,
      hint: `See config_sentence_transformers.json of ${label}.`,
    })
  if (stated !== undefined && stated !== null && !isObject(stated)) {
    throw invalid(`The prompts of ${label} are no object of names and words.`, 'prompts')
  }
  const texts = Object.entries(stated ?? {}).map(([name, words]): [string, string] => {
    if (words === null) return [name, '']
    if (typeof words === 'string') return [name, words]
    throw invalid(`The prompt '${name}' of ${label} is no text.`, name)
  })
  if (defaultPrompt === undefined || defaultPrompt === null) return known(texts)
  if (typeof defaultPrompt === 'string' && texts.some(([name]) => name === defaultPrompt))
    return { ...known(texts), defaultPrompt }
  const names = texts.length ? texts.map(([name]) => name).join(', ') : 'none'
  throw new PipiloError('MODEL_INVALID', `${label} has no prompt '${defaultPrompt}', its default.`, {
    input: label,
    hint: `It names ${names}.`,
  })
}

const known = (texts: readonly [string, string][]): Pick<TextPreprocessing, 'prompts'> =>
  texts.length ? { prompts: Object.fromEntries(texts) } : {}

/** The first of the paths that is there. */
export async function firstPresent(files: ModelFiles, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await files.has(path)) return path
  return undefined
}

async function firstObject(
  files: ModelFiles,
  paths: readonly string[],
): Promise<Record<string, unknown> | undefined> {
  const path = await firstPresent(files, paths)
  return path === undefined ? undefined : readObject(files, path)
}

async function readObject(files: ModelFiles, path: string): Promise<Record<string, unknown> | undefined> {
  return (await files.has(path)) ? readJsonObject(files, path) : undefined
}
