// Reads the `model.json` of TensorFlow.js models.
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { PipiloError } from '../../../base/index.ts'
import { isObject, kindOf, readJson, withFile } from '../../sources/files.ts'
import { moduleLiteral } from './literal.ts'

/** The parts of a model.json. */
export interface ModelJson {
  /** Absolute path of the file. */
  readonly file: string
  /** Folder of the shards. */
  readonly folder: string
  /** `graph`: TensorFlow's NodeDefs; `layers`: a Keras model. */
  readonly format: 'graph' | 'layers'
  readonly topology: Readonly<Record<string, unknown>>
  /** Inputs and outputs that a graph model states. */
  readonly signature: unknown
  readonly weightsManifest: unknown
}

/**
 * Reads `model.json`, or the JavaScript module `model.min.js` or `model.js` in its place, which is not executed.
 *
 * @param place the folder, or the file itself, which then may have any name
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`
 */
export async function readModelJson(place: string): Promise<ModelJson> {
  const { file, content } = await readContent(resolve(place))
  const topology = isObject(content) ? content['modelTopology'] : undefined
  if (!isObject(content) || !isObject(topology)) {
    throw new PipiloError('FORMAT_INVALID', `${file} has no "modelTopology".`, {
      input: file,
      hint: 'It should be the model.json of a TensorFlow.js model.',
    })
  }
  const isGraph = content['format'] === 'graph-model' || Array.isArray(topology['node'])
  const { userDefinedMetadata: metadata } = content
  return {
    file,
    folder: dirname(file),
    format: isGraph ? 'graph' : 'layers',
    topology,
    signature: content['signature'] ?? (isObject(metadata) ? metadata['signature'] : undefined),
    weightsManifest: content['weightsManifest'],
  }
}

/** The shards that the manifest names, as far as it is sound. */
export function shardPaths({ weightsManifest }: ModelJson): string[] {
  const groups: unknown[] = Array.isArray(weightsManifest) ? weightsManifest : []
  const paths = groups.flatMap((group) => (isObject(group) ? group['paths'] : undefined))
  return paths.filter((path) => typeof path === 'string')
}

async function readContent(place: string): Promise<{ file: string; content: unknown }> {
  if ((await kindOf(place)) === 'file') return readAny(place)
  const json = join(place, 'model.json')
  for (const name of ['model.json', 'model.min.js', 'model.js']) {
    if ((await kindOf(join(place, name))) === 'file') return readAny(join(place, name))
  }
  throw new PipiloError('FILE_NOT_FOUND', `There is no model.json in ${place}.`, { input: json })
}

async function readAny(file: string): Promise<{ file: string; content: unknown }> {
  if (!basename(file).endsWith('.js')) return { file, content: await readJson(file) }
  const source = await withFile(file, ({ handle }) => readFile(handle, 'utf8'))
  return { file, content: moduleLiteral(source, file) }
}
