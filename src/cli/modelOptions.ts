// Options that several commands share: the model, how it is opened and tapped, prompts, the database.
import { readFileSync } from 'node:fs'
import type { ArgsDef } from 'citty'
import { PipiloError } from '../base/index.ts'
import {
  type Embedder,
  type EmbedderOptions,
  embedder,
  openRecipe,
  type ReadInputsOptions,
  type RuntimeOptions,
  recipeOptions,
} from '../embed/index.ts'
import {
  defaultImageModel,
  defaultTextModel,
  type Modality,
  type OpenOptions,
  open,
  type Pooling,
} from '../models/index.ts'
import { devices } from '../runtime/index.ts'
import type { Collection } from '../store/index.ts'
import type { Matrix } from '../tensor/index.ts'
import { writtenValues } from '../tensor/index.ts'
import { numberOption, type Terminal, usageError } from './command.ts'
import { megabytes, progress } from './progress.ts'
import { type reduceArgs, reducedModel } from './reducedModel.ts'

const poolings: readonly Pooling[] = ['cls', 'mean', 'max', 'last', 'none', 'flatten']

const precisions = ['fp32', 'fp16', 'int8', 'q8', 'uint8', 'q4', 'q4f16', 'bnb4'] as const

/** How a model is opened, in every command that opens one. */
export const openArgs = {
  dtype: {
    type: 'string',
    description:
      'Precision: fp32, fp16 (files of half the size), int8 (a quarter, and about twice as fast); q8, uint8, q4, q4f16, bnb4: that file of an ONNX export',
    valueHint: 'fp32|fp16|int8|q8|…',
  },
  architecture: {
    type: 'string',
    description: 'For a checkpoint without a configuration: its architecture, such as resnet50',
    valueHint: 'name',
  },
  prefix: {
    type: 'string',
    description:
      'For a checkpoint of several networks: how the names of the tensors of the one begin, such as teacher.backbone.',
    valueHint: 'prefix',
  },
  size: {
    type: 'string',
    description: 'Height and width of the pictures that the model is built for',
    valueHint: 'n|HxW',
  },
  card: {
    type: 'string',
    description:
      'What the model’s files do not say, or say wrongly, as JSON or a file of it: {"image": {"mean": [0, 0, 0], "crop": "squash"}}',
    valueHint: 'json|file',
  },
} as const

/** The device option, of every command that runs a model. */
export const deviceArgs = {
  device: {
    type: 'string',
    description: `Where the model runs: ${devices.join(', ')} (default: cpu)`,
    valueHint: 'device',
  },
} as const

/** The device that the options ask for. */
export function deviceOption({ device }: Values<typeof deviceArgs>): Pick<EmbedderOptions, 'device'> {
  const known = oneOf(device, 'device', devices)
  return known ? { device: known } : {}
}

/** Options of every command that embeds. */
export const modelArgs = {
  model: {
    type: 'string',
    description: 'Card name, hf:owner/name[@revision], npm:package/path, a folder or an .onnx file',
    valueHint: 'model',
  },
  tap: {
    type: 'string',
    description: 'Layer that is the embedding (see pipilo inspect); several with commas',
    valueHint: 'layer',
  },
  pool: { type: 'string', description: `Pooling: ${poolings.join(', ')}`, valueHint: 'kind' },
  normalize: {
    type: 'boolean',
    description: 'Scale every vector to length 1 (default: as the model’s card says)',
    negativeDescription: 'Leave the length of the vectors as it is',
  },
  dimensions: {
    type: 'string',
    description: 'Keep the first n numbers, renormalised unless --no-normalize',
    valueHint: 'n',
  },
  ...openArgs,
  input: {
    type: 'string',
    description: 'Value of a further input of the graph, such as task_id=4; may be given several times',
    valueHint: 'name=value',
  },
  threads: { type: 'string', description: 'Processor threads to use (default: all)', valueHint: 'n' },
  ...deviceArgs,
  isolate: {
    type: 'boolean',
    description:
      'Run the model in a child process: for .onnx files from strangers, some of which end ONNX Runtime',
  },
} as const

const { normalize: _normalize, ...cosineArgs } = modelArgs

/** {@link modelArgs} of commands that compare by cosine, for which the length of vectors is the model's own affair. */
export { cosineArgs }

/** Prompt that is put before texts, in every command that embeds them. */
export const promptArgs = {
  prompt: {
    type: 'string',
    description: 'Prompt put before every text: a name from the model’s files, such as query or document',
    valueHint: 'name',
  },
  'prompt-text': {
    type: 'string',
    description: 'Words put before every text as they are; an empty text for no prompt at all',
    valueHint: 'words',
  },
} as const

export const as = {
  type: 'string',
  description: 'Read every input as text or as image, whatever it looks like',
  valueHint: 'text|image',
} as const

/** How text files are taken apart, in every command that reads them. */
export const readArgs = {
  by: {
    type: 'string',
    description: 'Parts of a text file: its passages (paragraphs, functions, rows of tables), or its lines',
    valueHint: 'passage|line',
  },
  chunk: {
    type: 'string',
    description:
      'Tokens of a passage at most (default: what the model reads, but no more than 128, of code all of it)',
    valueHint: 'n',
  },
  overlap: {
    type: 'string',
    description: 'Tokens that neighbours share where a paragraph is cut (default: 32)',
    valueHint: 'n',
  },
  columns: {
    type: 'string',
    description: 'Columns of .csv, .tsv, .jsonl and .parquet to embed (default: text, with title; else all)',
    valueHint: 'a,b',
  },
  encoding: {
    type: 'string',
    description: 'Encoding of text files that are not UTF-8, such as latin1',
    valueHint: 'name',
  },
} as const

/** The reading that the options ask for. */
export function readOptions(
  args: Values<typeof readArgs>,
): Pick<ReadInputsOptions, 'by' | 'chunk' | 'columns' | 'encoding'> {
  const by = oneOf(args.by, 'by', ['passage', 'line'] as const)
  const tokens = numberOption(args.chunk, 'chunk')
  const overlap = numberOption(args.overlap, 'overlap', 0)
  if (by === 'line' && (tokens !== undefined || overlap !== undefined || args.columns !== undefined))
    throw usageError('--chunk, --overlap and --columns are for passages, and --by line gives lines.')
  const columns = args.columns?.split(',').map((name) => name.trim())
  if (columns && (columns.includes('') || new Set(columns).size < columns.length))
    throw usageError(
      `--columns is names with commas between them, each once, not ${JSON.stringify(args.columns)}.`,
    )
  return {
    ...(by && { by }),
    ...((tokens !== undefined || overlap !== undefined) && {
      chunk: { ...(tokens !== undefined && { tokens }), ...(overlap !== undefined && { overlap }) },
    }),
    ...(columns && { columns }),
    ...(args.encoding !== undefined && { encoding: args.encoding }),
  }
}

export const onError = {
  type: 'string',
  description: 'What a named input that cannot be read does: throw, or skip (what a folder holds is skipped)',
  valueHint: 'throw|skip',
  default: 'throw',
} as const

/** Values as written of some arguments, by their names. */
type Values<Args extends ArgsDef> = {
  readonly [Name in keyof Args]?: (Args[Name]['type'] extends 'boolean' ? boolean : string) | undefined
}

/** Values as written of {@link modelArgs} and {@link promptArgs}. */
export type ModelValues = Values<typeof modelArgs & typeof promptArgs>

/** One of a few words, or a usage error that lists them. */
export function oneOf<const Word extends string>(
  value: string | undefined,
  name: string,
  words: readonly Word[],
) {
  if (value === undefined) return undefined
  const found = words.find((word) => word === value)
  if (!found) throw usageError(`--${name} is one of ${words.join(', ')}, not ${JSON.stringify(value)}.`)
  return found
}

/** The tap, pooling, normalisation and size that the options ask for. */
export function embeddingOptions(
  args: Values<Pick<typeof modelArgs, 'tap' | 'pool' | 'normalize' | 'dimensions'>>,
): Pick<EmbedderOptions, 'tap' | 'pool' | 'normalize' | 'dimensions'> {
  const pool = oneOf(args.pool, 'pool', poolings)
  const dimensions = numberOption(args.dimensions, 'dimensions')
  return {
    ...(args.tap === undefined ? {} : { tap: args.tap.includes(',') ? args.tap.split(',') : args.tap }),
    ...(pool && { pool }),
    ...(args.normalize === undefined ? {} : { normalize: args.normalize }),
    ...(dimensions && { dimensions }),
  }
}

/** The overrides of a card that `--card` writes down or names a file of. */
function cardOption(written: string): NonNullable<OpenOptions['card']> {
  const isJson = written.trim().startsWith('{')
  try {
    const card: unknown = JSON.parse(isJson ? written : readFileSync(written, 'utf8'))
    if (typeof card === 'object' && card !== null && !Array.isArray(card)) return card
  } catch (error) {
    const { message } = error as Error
    throw usageError(
      isJson ? `--card is not valid JSON: ${message}.` : `--card ${written} cannot be read: ${message}.`,
      'It takes JSON, as in --card \'{"image": {"mean": [0, 0, 0]}}\', or the name of a file of it.',
    )
  }
  throw usageError(`--card is not a JSON object: ${JSON.stringify(written.slice(0, 80))}.`)
}

/** The precision, architecture, size and overrides of the card that the options ask for. */
export function openOptions(
  args: Values<typeof openArgs>,
): Pick<OpenOptions, 'dtype' | 'architecture' | 'prefix' | 'size' | 'card'> {
  const dtype = oneOf(args.dtype, 'dtype', precisions)
  const [, height, width = height] = /^(\d+)(?:x(\d+))?$/.exec(args.size ?? '') ?? []
  if (args.size !== undefined && !(Number(height) > 0 && Number(width) > 0))
    throw usageError(`--size is a number of pixels, or two as in 224x288, not ${JSON.stringify(args.size)}.`)
  return {
    ...(dtype && { dtype }),
    ...(args.architecture === undefined ? {} : { architecture: args.architecture }),
    ...(args.prefix === undefined ? {} : { prefix: args.prefix }),
    ...(height === undefined ? {} : { size: [Number(height), Number(width)] }),
    ...(args.card === undefined ? {} : { card: cardOption(args.card) }),
  }
}

/** The values of further inputs that the options give. */
function inputsOption({ input }: Values<Pick<typeof modelArgs, 'input'>>): Pick<EmbedderOptions, 'inputs'> {
  if (input === undefined) return {}
  const pairs = input.split(',').map((pair) => {
    const [, name, value] = /^(.+)=([^=]+)$/.exec(pair) ?? []
    if (name === undefined || value === undefined)
      throw usageError(`--input is a name and a value, as in task_id=4, not ${JSON.stringify(pair)}.`)
    return [name.trim(), value.trim()] as const
  })
  const twice = pairs.find(([name], i) => pairs.findIndex(([other]) => other === name) !== i)
  if (twice) throw usageError(`--input gives ${twice[0]} two values.`)
  return { inputs: writtenValues(Object.fromEntries(pairs)) }
}

/** The prompt that the options ask for. */
export function promptOption({
  prompt,
  'prompt-text': text,
}: Values<typeof promptArgs>): Pick<EmbedderOptions, 'prompt'> {
  if (prompt !== undefined && text !== undefined) {
    throw usageError(
      '--prompt and --prompt-text contradict each other.',
      '--prompt takes a name from the model’s files, --prompt-text words.',
    )
  }
  return prompt !== undefined ? { prompt } : text !== undefined ? { prompt: { text } } : {}
}

/** Workers and threads within `--threads`: one session a thread, as measured fastest. */
function runtimeOptions(args: Values<Pick<typeof modelArgs, 'threads'>>): Pick<EmbedderOptions, 'runtime'> {
  const threads = numberOption(args.threads, 'threads')
  return threads ? { runtime: { workers: threads, threads: 1 } } : {}
}

/** The embedder that the arguments ask for: the one place where arguments become options. */
export function embedderOptions(args: ModelValues): EmbedderOptions {
  return {
    ...embeddingOptions(args),
    ...openOptions(args),
    ...inputsOption(args),
    ...runtimeOptions(args),
    ...deviceOption(args),
    ...(args.isolate && { isolate: true }),
    ...promptOption(args),
  }
}

/** A collection's memory of its embedder. */
export type Remembered = Pick<Collection, 'recipe' | 'identity'>

/** Settings beside the arguments of the embedder to open. */
interface Wanted {
  /** Decides the model where neither the arguments nor a collection name one. */
  readonly modality: Modality
  readonly collection?: Remembered | undefined
  readonly runtime?: EmbedderOptions['runtime']
}

/**
 * Opens the model that the arguments name, or that a collection remembers, drawing downloads on the terminal. What a collection remembers
 * holds unless the arguments say otherwise: then opening the collection with what is opened here is what refuses it. Of a collection with a
 * recipe the prompt is the recipe's: another one is for the call that embeds.
 */
export async function openEmbedder(
  args: ModelValues & Values<typeof reduceArgs>,
  terminal: Terminal,
  { modality, collection, runtime }: Wanted,
): Promise<Embedder<Float32Array | Matrix>> {
  const bar = progress(terminal, 'downloading')
  const { prompt, runtime: threads, device, isolate, ...said } = embedderOptions(args)
  const running: RuntimeOptions = {
    ...((runtime ?? threads) && { runtime: { ...threads, ...runtime } }),
    ...(device && { device }),
    ...(isolate && { isolate }),
    signal: terminal.signal,
    onProgress: ({ file, loaded, total }) =>
      bar.update(loaded, total, `${file} ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''}`),
  }
  const { recipe, identity } = collection ?? {}
  if (modality === 'tensor' && args.model === undefined && !collection)
    throw usageError('Arrays of numbers need a --model: there is none that takes them all.')
  const usual = modality === 'image' ? defaultImageModel : defaultTextModel
  try {
    if (args.reduce !== undefined) {
      const { tap: _tap, pool: _pool, normalize: _normalize, dimensions: _dimensions, ...others } = said
      const model = await open(args.model ?? usual, { ...others, ...running })
      const small = await reducedModel(model, args.reduce, embeddingOptions(args))
      const { inputs } = said
      return await embedder(small, {
        ...running,
        ...(prompt !== undefined && { prompt }),
        ...(inputs && { inputs }),
      })
    }
    if (recipe) {
      const model = args.model ?? recipe.source.name
      if (Object.keys(said).length > 0)
        return await embedder(model, { ...recipeOptions(recipe), ...said, ...running })
      return await openRecipe(recipe, { ...running, ...(args.model !== undefined && { model }) })
    }
    const remembered = identity && {
      tap: identity.tap.split(','),
      pool: identity.pool,
      normalize: identity.normalize,
      dimensions: identity.dimensions,
    }
    const options = { ...remembered, ...said, ...running, ...(prompt !== undefined && { prompt }) }
    return await embedder(args.model ?? identity?.model ?? usual, options)
  } finally {
    bar.clear()
  }
}

/** Option `--db` of every command that opens the database. */
export const database = {
  type: 'string',
  description: 'Folder of the database',
  valueHint: 'folder',
  default: './.pipilo',
} as const

/** An embedder whose results are vectors, for what stores them. */
export async function openVectorEmbedder(
  ...parameters: Parameters<typeof openEmbedder>
): Promise<Embedder<Float32Array>> {
  if (parameters[0].pool === 'none')
    throw usageError('--pool none gives a matrix an input; a collection keeps vectors.')
  const opened = await openEmbedder(...parameters)
  if (givesVectors(opened)) return opened
  await opened.dispose()
  throw new PipiloError('OPTION_INVALID', `${opened.name} gives a matrix an input (pool none), not a vector.`)
}

const givesVectors = (e: Embedder<Float32Array | Matrix>): e is Embedder<Float32Array> => e.pool !== 'none'
