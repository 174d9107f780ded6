import { PipiloError } from '../tensor/index.ts'
import { isObject, readJson, readJsonObject } from './files.ts'
import type { ModelFiles } from './sources.ts'
import type { Pooling, TextPreprocessing } from './types.ts'

/** What a text model's folder says about its use. */
export interface TextLayout {
  /** Sub-folder of the network's files, `''` or ending in a slash. */
  readonly network: string
  /** The network's `config.json`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly pool: Pooling
  readonly normalize: boolean
  readonly text: TextPreprocessing
  /** Path of `tokenizer.json`, if there is one. */
  readonly tokenizer: string | undefined
  readonly notes: string | undefined
}

/** Files of older releases, one for each kind of network. */
const sentenceConfigs = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (kind) => `sentence_${kind}_config.json`,
)

const poolings: ReadonlyMap<string, Pooling> = new Map([
  ['cls', 'cls'],
  ['mean', 'mean'],
  ['max', 'max'],
  ['lasttoken', 'last'],
])

/** The flags that older releases wrote in place of `pooling_mode`. */
const poolingFlags: ReadonlyMap<string, string> = new Map([
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
])

/**
 * Reads the layout of sentence-transformers: `modules.json`, the pooling's configuration, the limit of tokens, the
 * prompts. A folder with only transformers' files gets what sentence-transformers gives it: mean pooling, no
 * normalisation.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for modules and poolings that Pipilo does not have, `MODEL_INVALID` for a
 * configuration that contradicts itself, and those of reading JSON files
 * @see https://sbert.net/docs/sentence_transformer/usage/custom_models.html
 */
export async function readTextLayout(files: ModelFiles): Promise<TextLayout> {
  const modules = (await files.has('modules.json')) ? await readModules(files) : undefined
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
  const usage = (await readObject(files, 'config_sentence_transformers.json')) ?? {}
  const tokenizer = await firstPresent(files, [`${network}tokenizer.json`, 'tokenizer.json'])
  return {
    network,
    config,
    pool: modules?.pool ?? 'mean',
    normalize: modules?.normalize ?? false,
    text: {
      maxLength: await maxLength(files, network, config, sentence),
      ...prompts(files, usage),
      ...(sentence['do_lower_case'] === true ? { lowercase: true } : {}),
    },
    tokenizer,
    notes: modules
      ? undefined
      : 'The files say nothing of pooling (no modules.json): mean, not normalised, as sentence-transformers does then.',
  }
}

interface Modules {
  readonly network: string
  readonly pool: Pooling
  readonly normalize: boolean
}

async function readModules(files: ModelFiles): Promise<Modules> {
  const list = await readJson(await files.get('modules.json'))
  if (!Array.isArray(list)) {
    throw new PipiloError('MODEL_INVALID', `modules.json of ${files.label} is not a list.`, {
      input: files.label,
    })
  }
  let network: string | undefined
  let pool: Pooling | undefined
  let normalize = false
  for (const module of list) {
    const { type, path } = isObject(module) ? module : {}
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw new PipiloError(
        'MODEL_INVALID',
        `modules.json of ${files.label} has a module without type or path.`,
        {
          input: files.label,
        },
      )
    }
    const kind = type.split('.').at(-1)
    const folder = path === '' ? '' : `${path.replace(/\/+$/, '')}/`
    // Each kind has its place: what stands elsewhere, or twice, would compute something else.
    if (kind === 'Transformer' && network === undefined) network = folder
    else if (kind === 'Pooling' && network !== undefined && !pool && !normalize) {
      pool = await readPooling(files, `${folder}config.json`)
    } else if (kind === 'Normalize' && pool && !normalize) normalize = true
    else
      throw unsupported(files, `has a module ${kind} (modules.json) that Pipilo does not have at this place`)
  }
  if (network === undefined) throw unsupported(files, 'has no Transformer among its modules (modules.json)')
  return { network, pool: pool ?? 'none', normalize }
}

async function readPooling(files: ModelFiles, path: string): Promise<Pooling> {
  const config = await readJsonObject(await files.get(path))
  const stated = config['pooling_mode']
  const flagged = [...poolingFlags].filter(([flag]) => config[flag] === true).map(([, mode]) => mode)
  const modes: unknown[] = stated === undefined ? flagged : Array.isArray(stated) ? stated : [stated]
  // Without any statement the mean is sentence-transformers' default.
  const mode = modes.length === 0 ? 'mean' : modes[0]
  const pool = poolings.get(String(mode))
  if (modes.length > 1 || !pool) {
    throw unsupported(files, `pools by ${modes.join(' and ')} (${path})`)
  }
  if (config['include_prompt'] === false) {
    throw unsupported(files, `leaves the prompt out of its pooling (include_prompt in ${path})`)
  }
  return pool
}

/** The smallest of the limits that the files name, special tokens included. */
async function maxLength(
  files: ModelFiles,
  network: string,
  config: Readonly<Record<string, unknown>>,
  sentence: Readonly<Record<string, unknown>>,
): Promise<number> {
  const tokenizer = await firstObject(files, [`${network}tokenizer_config.json`, 'tokenizer_config.json'])
  const positions = config['max_position_embeddings']
  const stated = sentence['max_seq_length'] ?? tokenizer?.['model_max_length']
  const limits = [stated, positions].filter(
    (limit): limit is number => typeof limit === 'number' && limit > 0,
  )
  return limits.length ? Math.min(...limits) : 512
}

function prompts(
  files: ModelFiles,
  usage: Readonly<Record<string, unknown>>,
): Pick<TextPreprocessing, 'prompts' | 'defaultPrompt'> {
  const { prompts: stated, default_prompt_name: defaultPrompt } = usage
  const entries = isObject(stated) ? Object.entries(stated) : []
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  if (typeof defaultPrompt === 'string' && !texts.some(([name]) => name === defaultPrompt)) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has no prompt '${defaultPrompt}', its default.`, {
      input: files.label,
    })
  }
  return {
    ...(texts.some(([, text]) => text !== '') ? { prompts: Object.fromEntries(texts) } : {}),
    ...(typeof defaultPrompt === 'string' ? { defaultPrompt } : {}),
  }
}

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
  return (await files.has(path)) ? readJsonObject(await files.get(path)) : undefined
}

function unsupported(files: ModelFiles, complaint: string): PipiloError {
  return new PipiloError('FORMAT_UNSUPPORTED', `${files.label} ${complaint}, and would embed wrongly.`, {
    input: files.label,
    hint: 'Export the whole model to ONNX and open that file.',
  })
}
