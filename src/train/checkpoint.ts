/** Checkpoints: all that a run needs to go on as if it had never stopped, in one file. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../base/files/index.ts'
import { PipiloError, parseJson } from '../base/index.ts'
import { loadTensor } from '../graph/index.ts'
import { readSafetensors, writeSafetensors } from '../models/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { difference, type RunIdentity, unnamedDifference } from './runIdentity.ts'

/** Place of a run, and all that it has told so far. */
export interface RunState {
  /** Steps done. */
  readonly step: number
  /** Epochs done. */
  readonly epoch: number
  /** Steps done of the epoch under way. */
  readonly stepOfEpoch: number
  /** Whatever else the trainer carries on: sums of the epoch, the best value. JSON. */
  readonly carried: Readonly<Record<string, unknown>>
}

/** A checkpoint as it was read. */
export interface Checkpoint {
  readonly path: string
  readonly state: RunState
  /** Identity of the run: see {@link checkSameRun}. */
  readonly run: RunIdentity
  readonly tensors: Readonly<Record<string, Tensor>>
  /** The best weights so far, where early stopping watches. */
  readonly best: ReadonlyMap<string, Tensor>
}

/** Put before the names of the best weights. */
const BEST = 'best/'

const FOLDER = 'checkpoints'
const NAME = /^step-(\d+)\.safetensors$/

/**
 * Writes a checkpoint into a run's folder and then removes those before it, so that there is a whole one at every moment.
 *
 * @param keep checkpoints that stay, this one included
 * @returns its path
 * @throws `WRITE_FAILED`: the ones before are still there
 */
export async function writeCheckpoint(
  folder: string,
  { state, run, tensors, best }: Omit<Checkpoint, 'path'>,
  keep = 1,
): Promise<string> {
  const path = join(folder, FOLDER, `step-${String(state.step).padStart(9, '0')}.safetensors`)
  const metadata = new Map([
    ['pipilo.state', JSON.stringify(state)],
    ['pipilo.run', JSON.stringify(run)],
  ])
  await makeFolder(join(folder, FOLDER))
  const all = [
    ...Object.entries(tensors),
    ...[...best].map(([name, tensor]) => [BEST + name, tensor] as const),
  ]
  await writeSafetensors(path, new Map(all), metadata)
  const others = (await checkpointFiles(folder)).filter((file) => file !== path)
  const unfinished = await unfinishedFiles(folder)
  for (const file of [...unfinished, ...others.slice(0, Math.max(0, others.length - (keep - 1)))])
    await rm(file, { force: true })
  return path
}

/** The newest checkpoint of a run's folder; `undefined` where there is none. */
export async function latestCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  const path = (await checkpointFiles(folder)).at(-1)
  return path === undefined ? undefined : readCheckpoint(path)
}

/** @throws `FORMAT_INVALID` for a file that is no checkpoint */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path)
  const parse = (key: string): unknown => {
    try {
      return parseJson(metadata.get(key) ?? '')
    } catch {
      throw new PipiloError('FORMAT_INVALID', `${path} is no checkpoint of a training run.`, { input: path })
    }
  }
  const entries = await Promise.all(
    [...tensors].map(async ([name, tensor]) => [name, await loadTensor(tensor)] as const),
  )
  return {
    path,
    state: parse('pipilo.state') as RunState,
    run: parse('pipilo.run') as RunIdentity,
    tensors: Object.fromEntries(entries.filter(([name]) => !name.startsWith(BEST))),
    best: new Map(
      entries.flatMap(([name, tensor]) =>
        name.startsWith(BEST) ? [[name.slice(BEST.length), tensor] as const] : [],
      ),
    ),
  }
}

/**
 * Refuses to go on with the checkpoint of another run.
 *
 * @throws `RECIPE_MISMATCH`, which says in what they differ
 */
export function checkSameRun(
  { path, run, tensors }: Omit<Checkpoint, 'best'>,
  expected: RunIdentity,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  const differs = difference(run, expected)
  if (differs !== undefined) throw mismatch(path, differs)
  for (const [name, shape] of shapes) {
    const found = tensors[name]?.shape
    if (found?.join() === shape.join()) continue
    throw mismatch(path, `${name} is ${found ? `[${found}]` : 'not in it'}, and the run's is [${shape}]`)
  }
  const extra = Object.keys(tensors).find((name) => !shapes.has(name))
  if (extra !== undefined) throw mismatch(path, `it holds ${extra}, which the run does not have`)
  const unnamed = unnamedDifference(run, expected)
  if (unnamed !== undefined) throw mismatch(path, unnamed)
}

function mismatch(path: string, what: string): PipiloError {
  return new PipiloError('RECIPE_MISMATCH', `The checkpoint ${path} is of another run: ${what}.`, {
    input: path,
    hint: 'Resume with the options of then, or train into another folder.',
  })
}

/** Paths of a run's checkpoints, the oldest first. */
export async function checkpointFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, FOLDER)).catch(() => [])
  return names
    .filter((name) => NAME.test(name))
    .sort((a, b) => Number(NAME.exec(a)![1]) - Number(NAME.exec(b)![1]))
    .map((name) => join(folder, FOLDER, name))
}

/** Files of writers that were killed: no checkpoints yet. */
async function unfinishedFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, FOLDER)).catch(() => [])
  return names.filter((name) => name.includes('.safetensors.')).map((name) => join(folder, FOLDER, name))
}
