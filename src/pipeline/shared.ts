// Shares open embedders of one recipe and runtime within the process.
import { plainCopy } from '../base/index.ts'
import {
  type Embedder,
  type EmbedderOptions,
  optionsKey,
  recipeKey,
  resolveEmbedder,
} from '../embed/index.ts'
import type { Model } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'

/** An embedder, open; for `pool: 'none'` its results are matrices. */
export type AnyEmbedder = Embedder<Float32Array | Matrix>

interface Shared {
  readonly key: string
  readonly embedder: Promise<AnyEmbedder>
  users: number
}

/** Embedders that are open in this process, by what they are and how they run. */
const open = new Map<string, Shared>()

/** Embedders that are being looked up, by the words in which they were asked for. No longer than that: files may be replaced later. */
const asked = new Map<string, Promise<Shared>>()

/** Opened models by number, as they have no words. */
const models = new WeakMap<Model, number>()
let modelCount = 0

/** A share in an embedder; whoever releases the last share disposes it. */
export interface Share {
  readonly embedder: AnyEmbedder
  release(): Promise<void>
}

/**
 * The embedder of a model and options: the one that is open already, or a new one. What is the same is told by recipe, so that other words
 * for it find it too.
 *
 * Options that are functions or signals belong to whoever opens it first.
 */
export async function share(model: string | Model, given: EmbedderOptions): Promise<Share> {
  // Whoever changes the options after the call is not to change under which key the model is shared.
  const options = plainCopy(given)
  let mine = await sharedBy(model, options)
  // Its last user may have left in the meantime.
  while (open.get(mine.key) !== mine) mine = await sharedBy(model, options)
  mine.users++
  let released: Promise<void> | undefined
  const release = (): Promise<void> => {
    released ??= leave(mine)
    return released
  }
  try {
    return { embedder: await mine.embedder, release }
  } catch (error) {
    // An opening that failed is tried again by the next caller.
    forget(mine)
    throw error
  }
}

async function sharedBy(model: string | Model, options: EmbedderOptions): Promise<Shared> {
  const words = wordsOf(model, options)
  const before = words === undefined ? undefined : asked.get(words)
  if (before) return before
  const finding = find(model, options)
  if (words === undefined) return finding
  asked.set(words, finding)
  const drop = () => {
    if (asked.get(words) === finding) asked.delete(words)
  }
  finding.then(drop, drop)
  return finding
}

/** Looks up what is asked for, and opens it unless it is open. */
async function find(model: string | Model, options: EmbedderOptions): Promise<Shared> {
  const resolved = await resolveEmbedder(model, options)
  const key = `${recipeKey(resolved.recipe)} ${optionsKey(options, 'runtime')}`
  const before = open.get(key)
  if (before) return before
  const shared: Shared = { key, embedder: resolved.open(), users: 0 }
  shared.embedder.catch(() => {})
  open.set(key, shared)
  return shared
}

/** The request as text, with the folder that relative paths start from; undefined for calibration pictures, which may be anything. */
function wordsOf(model: string | Model, options: EmbedderOptions): string | undefined {
  if (options.calibration) return undefined
  const of = typeof model === 'string' ? model : numberOf(model)
  return `${JSON.stringify([of, process.cwd(), options.modality])} ${optionsKey(options, 'graph', 'inputs', 'runtime')}`
}

function numberOf(model: Model): number {
  const number = models.get(model) ?? ++modelCount
  models.set(model, number)
  return number
}

async function leave(shared: Shared): Promise<void> {
  if (--shared.users > 0) return
  forget(shared)
  await (await shared.embedder).dispose()
}

function forget(shared: Shared): void {
  if (open.get(shared.key) === shared) open.delete(shared.key)
}
