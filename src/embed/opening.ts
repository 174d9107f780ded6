// Resolves a name and options to a recipe, and opens the session and preparation of inputs that it needs.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileError } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
import type { Graph } from '../graph/index.ts'
import { asTensors, embeddingOptionsOf, type Model, type TowerModality } from '../models/index.ts'
import { compile, reopen, type Session } from '../runtime/index.ts'
import type { Preparation } from './batching/preparation.ts'
import { Runner, type Work } from './batching/run.ts'
import { proveSession, runtimeOf } from './device.ts'
import { openModel } from './pictures/calibration.ts'
import { preparer } from './preparer.ts'
import type { KnownModel } from './recipe/known.ts'
import { recipeOf } from './recipe/recipe.ts'
import type { Recipe } from './recipe/types.ts'
import { recall, remember } from './sessionNotes.ts'
import { TowerWork } from './towers/towerWork.ts'
import type { EmbedderOptions } from './types.ts'

/** An embedder before anything is compiled. */
export interface Resolution {
  readonly recipe: Recipe
  readonly known: KnownModel
  /** Loads the model on first call; a cached session is opened without it. */
  readonly model: () => Promise<Model>
  /** Makes it ready to embed; to be called once. */
  readonly open: () => Promise<Work>
}

/** Finds out what an embedder is, from a note that an earlier process has left or from the model itself. */
export async function resolveWork(model: string | Model, given: EmbedderOptions): Promise<Resolution> {
  const name = typeof model === 'string' ? model : undefined
  const options = name === undefined ? given : forTensors(given)
  let since = 0
  const whole = once(() => {
    since = Date.now()
    const opening = openModel(model, given)
    return options.modality === 'tensor' && name === undefined ? opening.then(asTensors) : opening
  })
  const graph = once(async () => (await whole()).embedding(embeddingOptionsOf(options)))
  const read = once(async () => {
    const found = await whole()
    return knownOf(found, options, found.towers ? undefined : await graph())
  })
  const keep = async (session: string, tower?: TowerModality) => {
    const found = { model: await whole(), known: await read(), session, since }
    await remember(name!, options, tower ? { ...found, tower } : found)
  }
  const note = name === undefined ? undefined : await recall(name, options)
  const known = note?.known ?? (await read())
  checkModality(known, options)
  checkInputs(known, options)
  if (known.modality === 'text-image') checkTowers(known, options)
  const recipe = recipeOf(known, options)
  return { recipe, known, model: whole, open: known.modality === 'text-image' ? openTowers : openSingle }

  async function openSingle(): Promise<Work> {
    const kept = note && (await reopened(note.session, known, options))
    const { session, preparation } =
      kept ?? (await compiled(await graph(), await read(), options, name, keep))
    const runner = new Runner(session, preparation, { layer: layerOf(known) })
    return {
      get dimensions() {
        return runner.dimensions
      },
      run: runner.run.bind(runner) as Work['run'],
      dispose: () => session.dispose(),
    }
  }

  async function openTowers(): Promise<Work> {
    if (name !== undefined && !note) await keep('')
    const { tap: _, ...rest } = options
    // 0 where only running the model tells.
    const width = (options.dimensions ?? known.card.dimensions) || undefined
    return new TowerWork(known.name, width, async (tower) => {
      const one = { ...known, modality: tower }
      const left = name === undefined ? undefined : await recall(name, options, tower)
      const kept = left && (await reopened(left.session, one, rest))
      if (kept) return kept
      const { towers } = await whole()
      const { embedding } = towers![tower]
      return compiled(embedding(embeddingOptionsOf(rest)), one, rest, name, (address) => keep(address, tower))
    })
  }
}

/** The facts of a model without its graph. */
async function knownOf(
  model: Model,
  options: EmbedderOptions,
  graph: Graph | undefined,
): Promise<KnownModel> {
  const { name, modality, card, tokenizer, fingerprint, opened } = model
  const dimensions = lastSize(graph?.outputs[0])
  return {
    name,
    modality,
    card,
    fingerprint,
    opened,
    taps: model.towers ? card.tap.split(',') : [options.tap ?? card.tap].flat().map(model.resolve),
    inputs: [...model.graph.inputs, ...(model.defaults ?? [])].map(({ name }) => name),
    ...(dimensions !== undefined && { dimensions }),
    ...(tokenizer !== undefined && { tokenizer, tokenizerHash: await hashOf(tokenizer) }),
  }
}

async function hashOf(path: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
      .slice(0, 32)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

/** Calls a function at most once. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** The layers that are embedded, for errors. */
function layerOf({ name, taps }: KnownModel): string {
  return `${taps.length > 1 ? 'The layers' : 'The layer'} ${taps.join(', ')} of ${name}`
}

interface Ready {
  readonly session: Session
  readonly preparation: Preparation
}

/** The session that an earlier process has left; undefined where it is not there any more. */
async function reopened(
  address: string,
  known: KnownModel,
  options: EmbedderOptions,
): Promise<Ready | undefined> {
  // On a device nothing is kept.
  if ((runtimeOf(options).device ?? 'cpu') !== 'cpu') return undefined
  // The worker gets its work first: loading the tokenizer then keeps this thread busy.
  const found = await reopen(address, runtimeOf(options))
  return found && both(found.opening, preparer(known, options))
}

/** @param keep remembers the address of the session, where it has a name under which it is looked for */
async function compiled(
  graph: Graph,
  known: KnownModel,
  options: EmbedderOptions,
  name: string | undefined,
  keep: (address: string) => Promise<void>,
): Promise<Ready> {
  const persist = name !== undefined
  const ready = await both(
    compile(graph, { persist, ...runtimeOf(options, known.opened) }),
    preparer(known, options),
  )
  try {
    if (known.modality !== 'tensor') {
      const modality = known.modality === 'image' ? 'image' : 'text'
      await proveSession(ready.session, ready.preparation, modality, options)
    }
  } catch (error) {
    await ready.session.dispose()
    throw error
  }
  if (persist && ready.session.kept) await keep(ready.session.kept)
  return ready
}

/** A session and what prepares its inputs; when the second fails, the first is not left behind. */
async function both(
  opening: Promise<Session>,
  preparing: Promise<(session: Session) => Preparation>,
): Promise<Ready> {
  try {
    const [session, prepare] = await Promise.all([opening, preparing])
    return { session, preparation: prepare(session) }
  } catch (error) {
    await opening.then((opened) => opened.dispose()).catch(() => {})
    throw error
  }
}

/** Length of the vectors, where the graph says it. */
function lastSize(output: Graph['outputs'][number] | undefined): number | undefined {
  const last = output?.type && 'shape' in output.type ? output.type.shape?.at(-1) : undefined
  return typeof last === 'number' ? last : undefined
}

/** Options under which a session is remembered: a model that is asked to take tensors is another than the one that takes texts. */
function forTensors(options: EmbedderOptions): EmbedderOptions {
  if (options.modality !== 'tensor' || options.card?.modality === 'tensor') return options
  return { ...options, card: { ...options.card, modality: 'tensor' } }
}

function checkModality(known: KnownModel, options: EmbedderOptions): void {
  const { name, modality } = known
  const { modality: wanted } = options
  if (modality === 'tensor' && (runtimeOf(options).device ?? 'cpu') !== 'cpu') {
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} takes tensors, and there is none that a device could prove itself on.`,
      {
        input: 'device',
        hint: 'Leave out device, or compile its graph and prove that session on an input of yours: compile(graph, { device }) of pipilo/runtime.',
      },
    )
  }
  if (wanted === undefined || wanted === modality) return
  throw new PipiloError('OPTION_INVALID', `${name} is a model for ${modality}, not for ${wanted}.`, {
    input: name,
    hint: 'Name another model, or leave out the option modality.',
  })
}

/** Inputs that an error lists: old files name all weights among them. */
const LISTED = 12

/** Refuses values for inputs that the graph does not have, and for those that a text or picture is. */
function checkInputs({ name, modality, inputs }: KnownModel, { inputs: given = {} }: EmbedderOptions): void {
  const embedded = modality === 'tensor' ? /^$/ : /^(input_ids|attention_mask|pixel_values)$/
  const filled = Object.keys(given).find((input) => embedded.test(input))
  if (filled !== undefined) {
    throw new PipiloError('OPTION_INVALID', `${filled} is what is embedded, and takes no value of its own.`, {
      input: filled,
    })
  }
  const unknown = Object.keys(given).find((input) => !inputs.includes(input))
  if (unknown === undefined) return
  throw new PipiloError('INPUT_UNKNOWN', `${name} has no input '${unknown}'.`, {
    input: unknown,
    hint: `Its inputs are ${inputs.slice(0, LISTED).join(', ')}${inputs.length > LISTED ? ', …' : ''}.`,
  })
}

/** Options that make no sense for two towers, or that only they can check before a tower is opened. */
function checkTowers({ name, card }: KnownModel, { tap, dimensions, maxLength }: EmbedderOptions): void {
  if (tap !== undefined && [tap].flat().join(',') !== card.tap) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} has two towers, and vectors of one space only at their ends.`,
      {
        input: [tap].flat().join(','),
        hint: 'Leave out tap, or open one tower: embedder((await open(…)).towers.image, { tap }).',
      },
    )
  }
  if (dimensions !== undefined && card.dimensions > 0 && dimensions > card.dimensions) {
    throw new PipiloError('OPTION_INVALID', `dimensions is ${dimensions}; ${name} has ${card.dimensions}.`, {
      input: 'dimensions',
    })
  }
  const limit = card.text?.maxLength
  if (maxLength !== undefined && limit !== undefined && maxLength > limit) {
    throw new PipiloError('OPTION_INVALID', `maxLength is ${maxLength}; ${name} reads ${limit} tokens.`, {
      input: 'maxLength',
    })
  }
}
