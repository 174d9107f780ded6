/** Identity of a run: what decides its weights, and so what a checkpoint may go on with. */
import { createHash } from 'node:crypto'
import type { Schedule } from '../grad/index.ts'
import { encodeOnnx, type Graph, loadTensor, parametersOf } from '../graph/index.ts'
import { bytesOf, type TypedArray } from '../tensor/index.ts'
import type { TrainOptions } from './options.ts'

/** Network, data, seed, settings. JSON. */
export type RunIdentity = Readonly<Record<string, unknown>>

/** Differences that no setting's name tells: `step` is a hash of the step's graph without its parameters, `begins` of these. */
const HASHED = {
  step: 'a setting of its objective or network was another, or the version of Pipilo',
  begins: 'the weights that it began with were others',
} as const

/**
 * All that decides the weights of a run, as JSON has it.
 *
 * @param graph the step
 */
export async function identityOf(
  options: TrainOptions,
  graph: Graph,
  schedule: Schedule | undefined,
  data: Readonly<Record<string, unknown>>,
): Promise<RunIdentity> {
  const { network, objective, optimizer, accumulate, average, clip, groups, freeze, augment } = options
  const { decodeSize, seed = 0 } = options
  const identity = {
    network: network.name,
    objective: objective.name,
    ...data,
    seed,
    optimizer: optimizer ?? { kind: 'adamw' },
    schedule: schedule ?? { kind: 'constant' },
    ...{ accumulate, average, clip, groups, freeze, augment, decodeSize },
    ...(await hashesOf(graph)),
  }
  // As it is read back: patterns are written as they are spelled.
  const written = JSON.stringify(identity, (_, value: unknown) =>
    value instanceof RegExp ? `${value}` : value,
  )
  return JSON.parse(written) as RunIdentity
}

/** The first setting in which two runs differ, in words; `undefined` where there is none that has a name. */
export function difference(then: RunIdentity, now: RunIdentity): string | undefined {
  const key = Object.keys({ ...then, ...now }).find((one) => !(one in HASHED) && differ(then[one], now[one]))
  return key && `${key} was ${JSON.stringify(then[key])} and is ${JSON.stringify(now[key])}`
}

/** The same for what has no name. */
export function unnamedDifference(then: RunIdentity, now: RunIdentity): string | undefined {
  return Object.entries(HASHED).find(([key]) => differ(then[key], now[key]))?.[1]
}

const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b)

async function hashesOf(graph: Graph): Promise<Readonly<Record<keyof typeof HASHED, string>>> {
  const parameters = new Set(parametersOf(graph).map(({ name }) => name))
  const elsewhere = { location: 'parameters', offset: 0, length: 0 }
  const step = encodeOnnx(graph, { external: (name) => (parameters.has(name) ? elsewhere : undefined) })
  const begins = createHash('sha256')
  for (const name of [...parameters].sort()) {
    const { dtype, shape, data } = await loadTensor(graph.initializers.get(name)!)
    begins.update(`${name} ${dtype} ${shape.join('x')} `)
    begins.update(bytesOf(data as TypedArray))
  }
  const short = (hash: ReturnType<typeof createHash>) => hash.digest('hex').slice(0, 32)
  return { step: short(createHash('sha256').update(step)), begins: short(begins) }
}
