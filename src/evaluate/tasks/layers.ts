// Measures every layer of a model on a task, many in one run of the model.
import { checkCount, PipiloError } from '../../base/index.ts'
import {
  type AnyInput,
  type Embedder,
  type EmbedderOptions,
  type EmbedResult,
  embedder,
} from '../../embed/index.ts'
import { type Model, open, openOptionsOf } from '../../models/index.ts'
import { evaluate, inputsOf, type Measured } from './evaluate.ts'
import type { EvaluateLayersOptions, LayerEvaluation, LayerScan } from './layerTypes.ts'
import type { EvaluateOptions, Evaluation, Task } from './types.ts'

/** A layer that gives one vector an input. */
interface Readable {
  readonly name: string
  readonly kind: string
  readonly value: string
  readonly width: number
  readonly depth: number
}

/** See `evaluateLayers` in ../onDemand.ts. */
export async function evaluateLayers(
  given: string | Model,
  task: Task,
  { embedder: opening = {}, layers: wanted, memory = 512e6, ...options }: EvaluateLayersOptions,
): Promise<LayerScan> {
  checkCount('memory', memory, 1)
  const model = typeof given === 'string' ? await open(given, openOptionsOf(opening)) : given
  if (model.towers) {
    throw new PipiloError('OPTION_INVALID', `${model.name} has two towers, and layers of each.`, {
      input: model.name,
      hint: "Measure the layers of one: evaluateLayers((await open('…')).towers.image, …).",
    })
  }
  const all = readableLayers(model, opening)
  const usual = model.resolve(model.card.tap)
  const readable = wanted ? chosen(model, all, wanted) : all
  if (readable.length === 0) {
    throw new PipiloError('MODEL_INVALID', `${model.name} has no layer of one vector an input.`, {
      input: model.name,
    })
  }
  const groups = grouped(readable, memory / (4 * inputsOf(task)))
  const layers: LayerEvaluation[] = []
  const left: LayerScan['left'][number][] = []
  for (const [place, group] of groups.entries()) {
    const { onProgress, signal } = options
    const pass = new Pass(await openPass(model, group, { ...opening, ...(signal && { signal }) }))
    const report = (event: { done: number; total: number }) =>
      onProgress?.({ done: place * event.total + event.done, total: groups.length * event.total })
    try {
      for (const [i, layer] of group.entries()) {
        // Progress is that of the model's runs, and the first layer waits for one.
        const own = { ...options, onProgress: i === 0 ? report : () => {} }
        const { name, kind, depth, value } = layer
        const outcome = await measured(pass.view(layer), task, own)
        if (outcome instanceof PipiloError) {
          left.push({ layer: name, error: outcome })
          continue
        }
        const { model: told, cost, ...rest } = outcome
        layers.push({
          ...rest,
          model: { ...told, tap: name },
          cost: { ...cost, ...pass.cost(cost) },
          layer: name,
          kind,
          depth,
          isDefault: value === usual,
        })
      }
    } finally {
      await pass.dispose()
    }
  }
  if (layers.length === 0) throw left[0]!.error
  const best = layers.reduce((top, one, i) => (one.main.value > layers[top]!.main.value ? i : top), 0)
  const own = layers.findIndex(({ isDefault }) => isDefault)
  return { layers, best, ...(own >= 0 && { default: own }), left, passes: groups.length }
}

async function openPass(
  model: Model,
  layers: readonly Readable[],
  opening: EmbedderOptions,
): Promise<Embedder<Float32Array, AnyInput>> {
  const tap = layers.map(({ value }) => value)
  // Of several taps each is brought to length 1 by the graph before they are joined.
  const normalize = tap.length === 1
  return (await embedder(model, { ...opening, tap, normalize })) as Embedder<Float32Array, AnyInput>
}

/** The evaluation, or the error of a layer in which there is nothing to measure: it may be the same for all inputs. */
async function measured(
  view: Measured,
  task: Task,
  options: EvaluateOptions,
): Promise<Evaluation | PipiloError> {
  try {
    return await evaluate(view, task, options)
  } catch (error) {
    if (error instanceof PipiloError && error.code === 'INPUT_INVALID') return error
    throw error
  }
}

/** Runs the model once for each call of an evaluation, and gives every layer its part of the result. */
class Pass {
  readonly #wide: Embedder<Float32Array, AnyInput>
  readonly #calls: EmbedResult[] = []
  #width = 0
  #cost: Pick<Evaluation['cost'], 'perSecond' | 'memory'> | undefined

  constructor(wide: Embedder<Float32Array, AnyInput>) {
    this.#wide = wide
  }

  /** The rate and the memory of the evaluation for which the model ran: the other layers' vectors were there already. */
  cost({ perSecond, memory }: Evaluation['cost']) {
    this.#cost ??= { perSecond, memory }
    return this.#cost
  }

  /** The next layer. An evaluation asks for the same in the same order, whichever the layer. */
  view({ value, width }: Readable): Measured {
    const { name, modality, pool, recipe } = this.#wide
    const from = this.#width
    this.#width += width
    let call = 0
    return {
      name,
      modality,
      pool,
      recipe,
      tap: value,
      dimensions: width,
      embed: async (inputs, options) => {
        const at = call++
        const whole = this.#calls[at] ?? (await this.#wide.embed(inputs, options))
        this.#calls[at] = whole
        const vectors = whole.vectors.map((vector) => vector.slice(from, from + width))
        return { ...whole, vectors, data: new Float32Array(0), dimensions: width }
      },
    }
  }

  dispose(): Promise<void> {
    return this.#wide.dispose()
  }
}

/** Layers in the order of computation; of several names of one value the outermost. */
function readableLayers(model: Model, { pool }: EmbedderOptions): Readable[] {
  const { graph } = model
  const places = new Map(graph.nodes.flatMap(({ outputs }, at) => outputs.map((name) => [name, at] as const)))
  const batch = new Set(
    graph.inputs.map(({ type }) => (type?.kind === 'tensor' ? type.shape?.[0] : undefined)),
  )
  const attentions = new Set((model.places?.attentions ?? []).map(model.resolve))
  const byValue = new Map<string, Readable>()
  for (const { name, kind, shape, value } of model.layers()) {
    if (byValue.has(value) || attentions.has(value)) continue
    if (!shape || shape.length < 2 || !batch.has(shape[0])) continue
    const width = widthOf(model, value, pool)
    if (width === undefined) continue
    byValue.set(value, { name, kind, value, width, depth: (places.get(value)! + 1) / graph.nodes.length })
  }
  return [...byValue.values()].sort((a, b) => a.depth - b.depth)
}

/** Numbers of a layer's vector; undefined for a layer that gives none. */
function widthOf(model: Model, tap: string, pool: EmbedderOptions['pool']): number | undefined {
  try {
    const [output] = model.embedding({ tap, normalize: false, ...(pool && { pool }) }).outputs
    const last =
      output?.type?.kind === 'tensor' && output.type.shape?.length === 2 ? output.type.shape[1] : undefined
    return typeof last === 'number' ? last : undefined
  } catch (error) {
    if (error instanceof PipiloError) return undefined
    throw error
  }
}

/** @throws `LAYER_UNKNOWN`; `OPTION_INVALID` for a layer that gives no vector */
function chosen(model: Model, all: readonly Readable[], names: readonly string[]): Readable[] {
  const values = names.map((name) => {
    const value = model.resolve(name)
    const found = all.find((one) => one.value === value)
    if (found) return { ...found, name }
    throw new PipiloError('OPTION_INVALID', `Layer ${name} does not give a vector an input.`, {
      input: name,
      hint: 'Choose a layer of shape [batch, …, features]; see layers().',
    })
  })
  return values.sort((a, b) => a.depth - b.depth)
}

/** Layers whose numbers together are no more than so many, or a single one. */
function grouped(layers: readonly Readable[], most: number): Readable[][] {
  const groups: Readable[][] = []
  let width = Number.POSITIVE_INFINITY
  for (const layer of layers) {
    if (width + layer.width > most) {
      groups.push([])
      width = 0
    }
    groups.at(-1)!.push(layer)
    width += layer.width
  }
  return groups
}
