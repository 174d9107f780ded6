// Sessions as the runtime left them: the optimised graph and the packed weights in files that every session and every
// process maps. MiniLM's session is then made in 16 ms instead of 38, and takes 11 MB of private memory instead of 51.
import { createHash, randomUUID } from 'node:crypto'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import type { ValueInfo } from '../../graph/index.ts'
import { prune } from './cacheFolder.ts'
import type { Plan } from './engine.ts'
import { isSealed, openSealedJson, seal, sealedJson } from './seal.ts'
import { sourceIdentity } from './weightsFile.ts'

/** All that opening a session takes, without its graph. */
export interface SessionPlan {
  readonly plan: Plan
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Inputs that have a default value in the graph. */
  readonly optional: readonly string[]
}

/** Description that lies beside the kept graph. */
interface Description extends Omit<SessionPlan, 'plan'> {
  readonly bytes: number
  /** Checksum of the graph. */
  readonly checksum: number
}

const require = createRequire(import.meta.url)

/**
 * The address of a plan's kept form. It is of use to this version of the library on this kind of processor only.
 *
 * @param files the files of the plan's external weights
 */
export async function addressOf(plan: Plan, files: Iterable<string>): Promise<string> {
  const { version } = require('onnxruntime-node/package.json') as { version: string }
  const hash = createHash('sha256').update(
    `pipilo session 5 ${version} ${process.arch} ${cpus()[0]?.model}\n`,
  )
  for (const path of files) hash.update(`${await sourceIdentity(path)}\n`)
  return hash.update(plan.model).digest('hex')
}

const paths = (cacheDir: string, address: string) => {
  const folder = join(cacheDir, 'sessions')
  const at = (ending: string) => join(folder, `${address}.${ending}`)
  return { folder, model: at('onnx'), weights: at('bin'), description: at('json') }
}

/** The kept form at an address, or undefined when it is not there, or not whole. */
export async function findKept(
  cacheDir: string,
  address: string,
  threads: number,
): Promise<SessionPlan | undefined> {
  const { folder, model, weights, description } = paths(cacheDir, address)
  try {
    const [text, bytes, { size }] = await Promise.all([
      readFile(description, 'utf8'),
      readFile(model),
      stat(weights),
    ])
    const found = openSealedJson(text) as Description | undefined
    if (!found || size !== found.bytes || crc32(bytes) !== found.checksum || !(await isSealed(weights)))
      return undefined
    const { bytes: _, checksum: __, ...ports } = found
    return { ...ports, plan: { model: bytes, folder, threads, kept: true } }
  } catch {
    return undefined
  }
}

/** Place for the library to write a plan's kept form, or undefined when no folder can be written. */
export async function placeToWrite(cacheDir: string, address: string): Promise<Plan['writeTo']> {
  const folder = join(cacheDir, 'sessions', `${address}.${randomUUID()}.tmp`)
  try {
    await makeFolder(folder, { mode: 0o700 })
    return { model: join(folder, 'model.onnx'), weights: `${address}.bin` }
  } catch {
    return undefined
  }
}

/** Gives what the library wrote its name: the description comes last, and marks the rest as whole. */
export async function keepWritten(
  cacheDir: string,
  address: string,
  place: NonNullable<Plan['writeTo']>,
  ports: Omit<SessionPlan, 'plan'>,
): Promise<void> {
  const { folder, model, weights, description } = paths(cacheDir, address)
  try {
    const written = join(dirname(place.model), place.weights)
    // Loaded now: it needs the graph room, which opening a kept session does without.
    const { align } = await import('./alignment.ts')
    await align(place.model, written)
    const { size: bytes } = await stat(written)
    const checksum = crc32(await readFile(place.model))
    await rename(written, weights)
    await rename(place.model, model)
    await seal(weights)
    const described: Description = { ...plain(ports), bytes, checksum }
    await writeFileAtomic(description, sealedJson(described))
    await prune(folder, address)
  } catch {
    // A cache that cannot be written is no failure: the session is made without it the next time, too.
  } finally {
    await dropWritten(place)
  }
}

/** Removes what the library has written so far. */
export async function dropWritten(place: NonNullable<Plan['writeTo']>): Promise<void> {
  await rm(dirname(place.model), { recursive: true, force: true }).catch(() => {})
}

/** Names and types alone: JSON holds no maps and no bytes. */
function plain({ inputs, outputs, optional }: Omit<SessionPlan, 'plan'>): Omit<SessionPlan, 'plan'> {
  const port = ({ name, type }: ValueInfo): ValueInfo => ({ name, ...(type && { type }) })
  return { inputs: inputs.map(port), outputs: outputs.map(port), optional }
}
