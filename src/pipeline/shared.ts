// Shares open embedders of the same model and options within the process.
import type { Embedder, EmbedderOptions } from '../embed/index.ts'
import type { Matrix } from '../tensor/index.ts'

/** An embedder, open; for `pool: 'none'` its results are matrices. */
export type AnyEmbedder = Embedder<Float32Array | Matrix>

interface Shared {
  readonly embedder: Promise<AnyEmbedder>
  users: number
}

/** Embedders that are open in this process, by model and options. */
const open = new Map<string, Shared>()

/** A share in an embedder; whoever releases the last share disposes it. */
export interface Share {
  readonly embedder: AnyEmbedder
  release(): Promise<void>
}

/**
 * The embedder of a model and options: the one that is open already, or a new one.
 *
 * Options that are functions or signals belong to whoever opens it first.
 */
export async function share(model: string, options: EmbedderOptions): Promise<Share> {
  const key = JSON.stringify([model, sorted(options)])
  let shared = open.get(key)
  if (!shared) {
    const opening = import('../embed/index.ts').then(({ embedder }) => embedder(model, options))
    shared = { embedder: opening as Promise<AnyEmbedder>, users: 0 }
    open.set(key, shared)
  }
  const mine = shared
  mine.users++
  const release = async (): Promise<void> => {
    if (--mine.users > 0) return
    if (open.get(key) === mine) open.delete(key)
    await (await mine.embedder).dispose()
  }
  try {
    const embedder = await mine.embedder
    let released: Promise<void> | undefined
    return {
      embedder,
      release() {
        released ??= release()
        return released
      },
    }
  } catch (error) {
    // An opening that failed is tried again by the next caller.
    if (open.get(key) === mine) open.delete(key)
    throw error
  }
}

/** Plain options in the order of their names, at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null || value instanceof AbortSignal) return undefined
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([name, entry]) => [name, typeof entry === 'object' ? sorted(entry) : entry])
}
