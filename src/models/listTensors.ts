// Lists the tensors of a checkpoint, whatever network they belong to.
import { PipiloError } from '../base/index.ts'
import type { Initializer } from '../graph/index.ts'
import { findCheckpoint, readCheckpoint } from './formats/checkpoint.ts'
import { parseSource, resolveSource } from './sources/sources.ts'
import type { OpenOptions } from './types.ts'

/** See `listTensors` in onDemand.ts. */
export async function listTensors(
  name: string,
  options: Pick<OpenOptions, 'revision' | 'prefix' | 'offline' | 'onProgress' | 'signal'> = {},
): Promise<ReadonlyMap<string, Pick<Initializer, 'dtype' | 'shape'>>> {
  const files = await resolveSource(parseSource(name) ?? { kind: 'file', path: name }, options)
  const found = files.file ?? (await findCheckpoint(files, await files.list('')))
  if (found === undefined) {
    throw new PipiloError('MODEL_INVALID', `${files.label} holds no checkpoint.`, { input: files.label })
  }
  const { tensors } = await readCheckpoint(files, found, options.prefix)
  return new Map([...tensors].map(([key, { dtype, shape }]) => [key, { dtype, shape }]))
}
