/** For this room's tests: twenty steps of training from weights by formula, as testdata/parity_reference.py makes them in PyTorch. */
import type { OptimizeOptions } from '../../grad/index.ts'
import { type Graph, parametersOf } from '../../graph/index.ts'
import { formula } from '../../nn/testing/formula.ts'
import { compileStateful } from '../../runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../../tensor/index.ts'
import type { Network, Objective } from '../objective.ts'
import { type Feed, TEACHER } from '../scope.ts'
import { trainingStep } from '../step.ts'

/** Batches come round, so that the loss falls. */
const BATCHES = 4

/** A run that is compared with PyTorch's. */
export interface ParityCase {
  readonly rows: number
  readonly network: Network
  readonly objective: Objective
  readonly optimize: OptimizeOptions
  /** Classes of the labels. */
  readonly classes?: number
  /** Length of the texts, padding included, and number of tokens. */
  readonly texts?: { readonly length: number; readonly vocabulary: number }
  /** Patches that MAE sees. */
  readonly kept?: number
  /** Parameters that begin otherwise than by formula. */
  readonly starts?: Readonly<Record<string, number>>
  /** Factor of kernels. Default 1. */
  readonly kernels?: number
}

/** Outcome of {@link runSteps}. */
export interface ParityRun {
  readonly losses: readonly number[]
  readonly start: Readonly<Record<string, Tensor>>
  readonly end: Readonly<Record<string, Tensor>>
}

/** Trains for this number of steps. */
export async function runSteps(one: ParityCase, steps: number): Promise<ParityRun> {
  const { network, objective, optimize, rows } = one
  const step = trainingStep(network, objective, { batch: rows, seed: 0, steps, optimize })
  const initializers = new Map([...step.graph.initializers, ...begin(one, step.forward)])
  const session = await compileStateful({ ...step.graph, initializers }, { state: step.state, threads: 1 })
  try {
    const names = session.state.flatMap(({ name }) => (name.startsWith('optimizer.') ? [] : [name]))
    const start = await session.read(names)
    const losses: number[] = []
    for (let i = 0; i < steps; i++) {
      const feeds = Object.fromEntries(
        [...step.feeds].map(([name, feed]) => [name, fed(one, name, feed, i % BATCHES)]),
      )
      const { loss } = await session.step({ feeds, fetch: ['loss'] })
      losses.push(Number(loss!.data[0]))
    }
    return { losses, start, end: await session.read(names) }
  } finally {
    await session.dispose()
  }
}

/** Weights, statistics and the teacher's copies of both at first. */
function begin({ starts = {}, kernels = 1 }: ParityCase, graph: Graph): Map<string, Tensor> {
  return new Map(
    parametersOf(graph).flatMap(({ name, shape }) => {
      if (graph.initializers.get(name)?.dtype !== 'float32') return []
      const own = name.startsWith(TEACHER) ? name.slice(TEACHER.length) : name
      const factor = shape.length === 4 ? kernels : 1
      const data =
        own in starts
          ? new Float32Array(elementCount(shape)).fill(starts[own]!)
          : formula(own, shape).map((value) => value * factor)
      return [[name, tensor('float32', shape, data)] as const]
    }),
  )
}

function fed(one: ParityCase, name: string, feed: Feed, batch: number): Tensor {
  const { rows, network } = one
  switch (feed.kind) {
    case 'pixels': {
      const { channels, size } = network.image!
      const shape = [rows, channels, ...size]
      return tensor('float32', shape, formula(`pixel_values.${batch}.${feed.view}`, shape))
    }
    case 'labels':
      return tensor(
        'int64',
        [rows],
        Array.from({ length: rows }, (_, row) => (3 * row + batch) % one.classes!),
      )
    case 'tokens':
      return tokens(one, feed, batch)
    case 'drawn':
      return drawn(one, name, Number(feed.shape[1]), batch)
    case 'numbers':
    case 'masked':
      throw new Error(`No run is fed with ${feed.kind}.`)
  }
}

function tokens({ rows, texts }: ParityCase, feed: Feed & { kind: 'tokens' }, batch: number): Tensor {
  const { length, vocabulary } = texts!
  const numbers = formula(`token_ids.${feed.column}.${batch}`, [rows, length])
  const last = (row: number) => length - (row % 3) - 1
  const id = (row: number, place: number, number: number): number => {
    if (place > last(row)) return 0
    return place === last(row) ? vocabulary - 1 : Math.floor(((number + 1) / 2) * (vocabulary - 2)) + 1
  }
  const values = Array.from(numbers, (number, i) => {
    const [row, place] = [Math.floor(i / length), i % length]
    if (feed.part === 'input_ids') return id(row, place, number)
    return feed.part === 'attention_mask' && place <= last(row) ? 1 : 0
  })
  return tensor('int64', [rows, length], values)
}

/** Masks: patches in the order of random numbers, or those whose number is below 0. */
function drawn({ rows, network, kept }: ParityCase, name: string, columns: number, batch: number): Tensor {
  const patches = name === 'ids_keep' ? patchesOf(network) : columns
  const noise = formula(`token_noise.${batch}`, [rows, patches])
  if (name === 'mask')
    return tensor(
      'bool',
      [rows, patches],
      Array.from(noise, (number) => (number < 0 ? 1 : 0)),
    )
  const ids = Array.from({ length: rows }, (_, row) => {
    const numbers = noise.subarray(row * patches, (row + 1) * patches)
    const order = Array.from(numbers.keys()).sort((a, b) => numbers[a]! - numbers[b]! || a - b)
    return name === 'ids_keep' ? order.slice(0, kept!) : order.map((_, patch) => order.indexOf(patch))
  })
  return tensor('int64', [rows, ids[0]!.length], ids.flat())
}

function patchesOf({ training }: Network): number {
  const type = training.inputs.find(({ name }) => name === 'ids_restore')?.type
  return type?.kind === 'tensor' ? Number(type.shape?.[1]) : 0
}
