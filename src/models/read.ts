import { dirname } from 'node:path'
import { bertConfig, buildBert } from '../nn/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { fingerprint } from './fingerprint.ts'
import { readTextLayout, type TextLayout } from './layout.ts'
import { readOnnxModel } from './onnx.ts'
import type { Reading } from './reading.ts'
import { readSafetensors } from './safetensors.ts'
import type { ModelFiles } from './sources.ts'
import { readTfjsLayersModel } from './tfjs/index.ts'
import type { Card } from './types.ts'

/**
 * Reads a model from its files, whichever format they have: an `.onnx` file; a folder in the layout of
 * sentence-transformers or transformers, with safetensors or `onnx/model.onnx`; a TensorFlow.js layers model.
 *
 * @throws PipiloError `MODEL_INVALID`, `FORMAT_UNSUPPORTED`, and those of the formats
 */
export async function readModel(files: ModelFiles, overrides: Partial<Card> = {}): Promise<Reading> {
  const { file } = files
  if (file?.endsWith('.onnx')) return readOnnxModel(files, file, overrides)
  if (file?.endsWith('.safetensors')) return readCheckpoint(files, file)
  if (file === 'model.json' || file === 'model.min.js') return readTfjs(files, file)
  if (file !== undefined) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${files.label} is no model that Pipilo reads.`, {
      input: files.label,
      hint: 'It reads .onnx, .safetensors beside a config.json, TensorFlow.js layers models, and folders of these.',
    })
  }
  const names = await files.list('')
  if (names.includes('modules.json') || names.includes('config.json')) return readCheckpoint(files)
  const tfjs = ['model.json', 'model.min.js'].find((name) => names.includes(name))
  if (tfjs) return readTfjs(files, tfjs)
  const onnx = await findOnnx(files, '', names)
  if (onnx) return readOnnxModel(files, onnx, overrides)
  throw new PipiloError('MODEL_INVALID', `${files.label} holds no model that Pipilo reads.`, {
    input: files.label,
    hint: 'It looks for modules.json or config.json (transformers), model.json (TensorFlow.js), or one .onnx file.',
  })
}

/** Architectures that are built here from a checkpoint, by transformers' `model_type`. */
const architectures = ['bert']

/** A folder of transformers or sentence-transformers: the checkpoint if its architecture is known, else its ONNX export. */
async function readCheckpoint(files: ModelFiles, file?: string): Promise<Reading> {
  const layout = await readTextLayout(files)
  const folder = layout.network.replace(/\/$/, '')
  const names = await files.list(folder)
  const type = String(layout.config['model_type'])
  const known = architectures.includes(type)
  const weights = file ?? (known ? findWeights(files, names) : undefined)
  if (known && weights !== undefined) return buildFrom(files, layout, file ?? layout.network + weights)
  const onnx = await findOnnx(files, folder, names)
  if (onnx) return readOnnxModel(files, onnx, {}, layout)
  if (!known) {
    throw new PipiloError('MODEL_INVALID', `The architecture '${type}' of ${files.label} is not known.`, {
      input: files.label,
      hint: `Known: ${architectures.join(', ')}. Export it to ONNX and open that.`,
    })
  }
  throw noWeights(files, names)
}

async function buildFrom(files: ModelFiles, layout: TextLayout, weights: string): Promise<Reading> {
  const path = await files.get(weights)
  const { tensors } = await readSafetensors(path)
  const config = bertConfig(layout.config)
  const { graph, unused } = buildBert(config, tensors)
  return {
    graph,
    unused,
    tokenizer: layout.tokenizer === undefined ? undefined : await files.get(layout.tokenizer),
    fingerprint: await fingerprint(['bert', JSON.stringify(config)], [path]),
    card: {
      description: `${config.num_hidden_layers}-layer BERT of ${files.label}`,
      modality: 'text',
      licence: 'unknown',
      tap: 'last_hidden_state',
      penultimate: 'last_hidden_state',
      pool: layout.pool,
      normalize: layout.normalize,
      dimensions: config.hidden_size,
      text: layout.text,
      ...(layout.notes === undefined ? {} : { notes: layout.notes }),
    },
  }
}

async function readTfjs(files: ModelFiles, topology: string): Promise<Reading> {
  // The shards lie beside it; those of a repository are fetched first.
  for (const name of await files.list('')) if (/^group\d+-shard/.test(name)) await files.get(name)
  const path = await files.get(topology)
  const model = await readTfjsLayersModel(dirname(path))
  return {
    graph: model.graph,
    unused: model.unused,
    tokenizer: undefined,
    fingerprint: await fingerprint(['tfjs'], model.files),
    card: {
      description: `TensorFlow.js layers model of ${files.label}`,
      modality: 'image',
      licence: 'unknown',
      tap: model.penultimate,
      penultimate: model.penultimate,
      pool: 'mean',
      normalize: true,
      dimensions: 0,
      image: {
        size: model.inputSize,
        crop: 'squash',
        interpolation: 'bilinear',
        mean: [0, 0, 0],
        std: [1, 1, 1],
      },
      notes: 'The files say nothing of preprocessing: pixels are scaled to 0…1.',
    },
  }
}

function findWeights(files: ModelFiles, names: readonly string[]): string | undefined {
  const found = names.filter((name) => name.endsWith('.safetensors'))
  if (found.includes('model.safetensors')) return 'model.safetensors'
  if (names.some((name) => name.endsWith('.safetensors.index.json'))) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The weights of ${files.label} are split over several files.`,
      {
        input: files.label,
        hint: 'Save them as one: model.save_pretrained(folder, max_shard_size="1000GB").',
      },
    )
  }
  if (found.length > 1) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has several checkpoints: ${found.join(', ')}.`, {
      input: files.label,
      hint: 'Name the one that is meant, as in file:folder/weights.safetensors.',
    })
  }
  return found[0]
}

async function findOnnx(
  files: ModelFiles,
  folder: string,
  names: readonly string[],
): Promise<string | undefined> {
  const prefix = folder === '' ? '' : `${folder}/`
  for (const path of [`${prefix}onnx/model.onnx`, 'onnx/model.onnx', `${prefix}model.onnx`]) {
    if (await files.has(path)) return path
  }
  const found = names.filter((name) => name.endsWith('.onnx'))
  if (found.length > 1) {
    throw new PipiloError('MODEL_INVALID', `${files.label} has several models: ${found.join(', ')}.`, {
      input: files.label,
      hint: 'Name the one that is meant.',
    })
  }
  return found[0] === undefined ? undefined : prefix + found[0]
}

function noWeights(files: ModelFiles, names: readonly string[]): PipiloError {
  const pickled = names.find((name) => /\.(bin|pt|pth|h5|msgpack)$/.test(name))
  if (pickled === undefined) {
    return new PipiloError('MODEL_INVALID', `${files.label} has no weights (model.safetensors).`, {
      input: files.label,
    })
  }
  return new PipiloError('FORMAT_UNSUPPORTED', `The weights of ${files.label} are in ${pickled}.`, {
    input: files.label,
    hint: 'Save them as safetensors: model.save_pretrained(folder, safe_serialization=True).',
  })
}
