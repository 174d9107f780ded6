import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  Builder,
  cut,
  type Graph,
  include,
  MASK_COUNTER,
  op,
  parametersOf,
  tap,
  updatesOf,
} from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { type Tensor, tensor } from '../tensor/index.ts'
import {
  architecture,
  type BuildOptions,
  type BuiltModel,
  barlowTwinsHead,
  batchNorm1d,
  buildHead,
  built,
  byolHead,
  dropout,
  parametersFrom,
  simClrHead,
  simSiamHead,
} from './index.ts'
import { type Digest, expectDigest } from './testing/digest.ts'
import { formula } from './testing/formula.ts'

interface Case {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly input: string
  readonly shape: number[]
  readonly state: Readonly<Record<string, number[]>>
  /** Outputs for two views, one after the other. */
  readonly training: readonly [Record<string, Digest>, Record<string, Digest>]
  /** First elements after both. */
  readonly buffers: Readonly<Record<string, number[]>>
  readonly inference: Readonly<Record<string, Digest>>
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('testdata/training-models.json', import.meta.url), 'utf8'),
)

const heads: Readonly<Record<string, Parameters<typeof buildHead>[1]>> = {
  simclr: (parameters, x) => simClrHead(parameters, 'projection_head', x, { out: 5 }),
  byol: (parameters, x) => byolHead(parameters, 'projection_head', x, { hidden: 16, out: 5 }),
  simsiam: (parameters, x) => simSiamHead(parameters, 'projection_head', x, { hidden: 16, out: 5 }),
  barlowtwins: (parameters, x) => barlowTwinsHead(parameters, 'projection_head', x, { hidden: 16, out: 5 }),
}

/** Batch norms of vectors and of sequences, one after the other. */
function norms(checkpoint: ReadonlyMap<string, Tensor> | undefined, options: BuildOptions): BuiltModel {
  const builder = new Builder()
  const parameters = parametersFrom(builder, checkpoint, options)
  const x = builder.input('features', 'float32', ['batch', 6])
  const vectors = batchNorm1d(parameters, 'vectors', x, { epsilon: 1e-3, momentum: 0.3 })
  const sequences = batchNorm1d(parameters, 'sequences', op.reshape(vectors, [-1, 3, 2]))
  builder.output('vectors', vectors)
  builder.output('sequences', sequences)
  return built(builder, parameters)
}

function build(
  { name, config, shape }: Case,
  checkpoint: ReadonlyMap<string, Tensor> | undefined,
  options: BuildOptions,
) {
  if (name === 'norms') return norms(checkpoint, options)
  if (heads[name]) return buildHead(12, heads[name], checkpoint, options)
  const [height, width] = shape.slice(2) as [number, number]
  return architecture(name).build(config, checkpoint, { ...options, size: [height, width] })
}

const weights = ({ state }: Case) =>
  new Map(
    Object.entries(state).map(([name, shape]) => [
      name,
      shape.length === 0 ? tensor('int64', [], [0]) : tensor('float32', shape, formula(name, shape)),
    ]),
  )

/** The values that a case compares, by the reference's names. */
const placesOf = ({ penultimate }: BuiltModel, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, name === 'penultimate' ? penultimate! : name]))

const view = ({ input, shape }: Case, suffix: string) =>
  tensor('float32', shape, formula(`${input}${suffix}`, shape))

/** The graph applied to both views, outputs of the first prefixed `0/`, of the second `1/`. */
function twice(one: Case, graph: Graph): Graph {
  const b = new Builder()
  for (const [i, suffix] of ['', '_2'].entries()) {
    const x = b.input(`view${suffix}`, 'float32', ['batch', ...one.shape.slice(1)])
    for (const [name, value] of Object.entries(include(b, graph, { [one.input]: x })))
      b.output(`${i}/${name}`, value)
  }
  return b.build()
}

describe.each(
  cases.map((one) => [`${one.name} ${JSON.stringify(one.config)}`, one] as const),
)('%s', (_, one) => {
  it('gives PyTorch’s numbers and buffers while training, for two views one after the other', async () => {
    const model = build(one, weights(one), { mode: 'training' })
    expect(model.unused).toEqual([])
    const names = placesOf(model, Object.keys(one.training[0]))
    const graph = twice(one, tap(model.graph, ...Object.values(names)))
    expect(graph.initializers.size).toBeLessThanOrEqual(model.graph.initializers.size)
    const results = await evaluate(graph, { view: view(one, ''), view_2: view(one, '_2') })
    for (const [i, digests] of one.training.entries()) {
      for (const [name, digest] of Object.entries(digests))
        expectDigest(results[`${i}/${names[name]}`]!, digest, `${name} of view ${i}`)
    }
    expect([...updatesOf(graph).keys()].sort()).toEqual(Object.keys(one.buffers).sort())
    for (const [buffer, wanted] of Object.entries(one.buffers)) {
      const found = Array.from(results[`${buffer}.next`]!.data as Float32Array, Number)
      for (const [i, value] of wanted.entries())
        expect(Math.abs(found[i]! - value), buffer).toBeLessThan(1e-4 * Math.max(Math.abs(value), 0.1))
    }
  })

  it('gives PyTorch’s numbers in inference', async () => {
    const model = build(one, weights(one), {})
    const names = placesOf(model, Object.keys(one.inference))
    const results = await evaluate(cut(model.graph, Object.values(names)), { [one.input]: view(one, '') })
    for (const [name, digest] of Object.entries(one.inference))
      expectDigest(results[names[name]!]!, digest, name)
  })

  it('starts afresh with PyTorch’s names and shapes', () => {
    const { graph } = build(one, undefined, { mode: 'training', seed: 1 })
    expect(Object.fromEntries(parametersOf(graph).map(({ name, shape }) => [name, shape]))).toEqual(one.state)
  })
})

describe('a network applied twice', () => {
  it('updates its buffers in order where layers are called twice in one builder, as where graphs are included', async () => {
    const source = new Map(
      [
        ['bn.weight', 3],
        ['bn.bias', 3],
        ['bn.running_mean', 3],
        ['bn.running_var', 3],
      ].map(([name, size]) => [
        name as string,
        tensor('float32', [size as number], formula(name as string, [size as number])),
      ]),
    )
    const b = new Builder()
    const parameters = parametersFrom(b, source, { mode: 'training' })
    const views = ['x', 'y'].map((name) => b.input(name, 'float32', ['batch', 3]))
    for (const [i, x] of views.entries())
      b.output(`out${i}`, dropout(batchNorm1d(parameters, 'bn', x), 0.5, 'training'))
    const both = b.build()
    const single = new Builder()
    const alone = parametersFrom(single, source, { mode: 'training' })
    single.output('out', batchNorm1d(alone, 'bn', single.input('x', 'float32', ['batch', 3])))
    const [x, y] = ['a', 'b'].map((name) => tensor('float32', [40, 3], formula(name, [40, 3]))) as [
      Tensor,
      Tensor,
    ]
    const first = await evaluate(single.build(), { x })
    const graph = single.build()
    const second = await evaluate(
      {
        ...graph,
        initializers: new Map(
          [...graph.initializers].map(([name, old]) => [name, first[`${name}.next`] ?? old]),
        ),
      },
      { x: y },
    )
    const found = await evaluate(both, { x, y, [MASK_COUNTER]: tensor('int64', [2], [5, 0]) })
    expect(updatesOf(both).size).toBe(4)
    for (const name of ['running_mean', 'running_var', 'num_batches_tracked'])
      expect(found[`bn.${name}.next`]).toEqual(second[`bn.${name}.next`])
    const dropped = ['out0', 'out1'].map((name) =>
      Array.from(found[name]!.data as Float32Array, (v) => v === 0),
    )
    expect(dropped[0]).not.toEqual(dropped[1])
  })
})
