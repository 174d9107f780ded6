// Reads the `model.json` of TensorFlow.js models.
import { PipiloError } from '../../../base/index.ts'
import { isObject, type ModelFiles, readJson, readText } from '../../files.ts'
import { moduleLiteral } from './literal.ts'

/** The parts of a model.json. */
export interface ModelJson {
  /** Its name in errors. */
  readonly file: string
  /** Its name within the model. */
  readonly path: string
  /** The files among which its shards lie, in its own folder. */
  readonly files: ModelFiles
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
 * @param path the file, of any name; default: the one of these that is there
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`
 */
export async function readModelJson(files: ModelFiles, path?: string): Promise<ModelJson> {
  const named = path ?? (await usualName(files))
  const { file, content } = await readContent(files, named)
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
    path: named,
    files,
    format: isGraph ? 'graph' : 'layers',
    topology,
    signature: content['signature'] ?? (isObject(metadata) ? metadata['signature'] : undefined),
    weightsManifest: content['weightsManifest'],
  }
}

async function usualName(files: ModelFiles): Promise<string> {
  for (const name of ['model.json', 'model.min.js', 'model.js']) if (await files.has(name)) return name
  throw new PipiloError('FILE_NOT_FOUND', `There is no model.json in ${files.label}.`, { input: files.label })
}

async function readContent(files: ModelFiles, path: string): Promise<{ file: string; content: unknown }> {
  const file = await files.open(path, async ({ name }) => name)
  const content = path.endsWith('.js')
    ? moduleLiteral(await readText(files, path), file)
    : readJson(files, path)
  return { file, content: await content }
}
