import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  cut,
  feed,
  type Graph,
  type Initializer,
  layers,
  parametersOf,
  resolveLayer,
  tap,
  updatesOf,
} from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../tensor/index.ts'
import { findCnn } from './cnn/cnnArchitectures.ts'
import { buildLeNet } from './cnn/leNet.ts'
import { type BuildOptions, type BuiltModel, buildOpenClip, MASK_COUNTER } from './index.ts'
import { type Digest, expectDigest } from './testing/digest.ts'
import { formula } from './testing/formula.ts'
import { visionArchitectures } from './vit/vitArchitectures.ts'
import { findVit } from './vit/vitNames.ts'

/** Names of a state's tensors as a tree, with their shapes. */
interface State {
  readonly [name: string]: State | number[]
}

interface Case {
  readonly kind: 'named' | 'transformers' | 'lenet'
  readonly name: string
  readonly source?: 'timm' | 'torchvision' | 'dinov2'
  /** What differs from the named architecture, or transformers' configuration. */
  readonly config: Readonly<Record<string, unknown>>
  readonly size: [number, number]
  readonly state: State
  /** timm's `feature_info`: name, stride, channels. */
  readonly stages?: [string, number, number][]
  /** PyTorch's `named_modules()`. */
  readonly modules?: string[]
  readonly values: Readonly<Record<string, Digest>>
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('testdata/vision-models.json', import.meta.url), 'utf8'),
)

function shapesOf(state: State, path = ''): Map<string, number[]> {
  return new Map(
    Object.entries(state).flatMap(([name, inside]): [string, number[]][] =>
      Array.isArray(inside) ? [[path + name, inside]] : [...shapesOf(inside, `${path}${name}.`)],
    ),
  )
}

/** Weights by formula; torchvision's heads of a hundred million are left where they are: nothing that is compared needs them. */
function weights({ state, values, source }: Case): Map<string, Initializer> {
  const file = { path: '/nowhere', offset: 0, length: 0 }
  return new Map(
    [...shapesOf(state)].map(([name, shape]) => [
      name,
      'logits' in values || source !== 'torchvision' || name.startsWith('features.')
        ? tensor('float32', shape, formula(name, shape))
        : { dtype: 'float32', shape, file },
    ]),
  )
}

function build(one: Case, checkpoint: ReadonlyMap<string, Initializer> | undefined, more: BuildOptions = {}) {
  const { kind, name, config } = one
  const options = { size: one.size, ...more }
  if (kind === 'lenet') return buildLeNet(config, checkpoint, options)
  if (kind === 'transformers') return visionArchitectures[name]!(config, checkpoint, options)
  return (findCnn(name, config) ?? findVit(name, config))!(checkpoint, options)
}

function placeOf(built: BuiltModel, output: string): string {
  if (output.startsWith('layer:')) return resolveLayer(built.graph, output.slice('layer:'.length))
  return (built as unknown as Record<string, string | undefined>)[output] ?? resolveLayer(built.graph, output)
}

const picture = ({ size, kind }: Case) => {
  const shape = [2, kind === 'lenet' ? 1 : 3, ...size]
  return tensor('float32', shape, formula('pixel_values', shape))
}

const title = ({ name, kind, source }: Case) => `${source ?? kind} ${name}`

describe.each(cases.map((one) => [title(one), one] as const))('%s', (_, one) => {
  it('gives the reference’s numbers: logits, features, what is below the head, every stage', async () => {
    const built = build(one, weights(one))
    expect(built.unused).toEqual([])
    const places = Object.entries(one.values).map(([output]) => [output, placeOf(built, output)] as const)
    const graph = cut(built.graph, [...new Set(places.map(([, place]) => place))])
    const results = await evaluate(graph, { pixel_values: picture(one) })
    for (const [output, place] of places) expectDigest(results[place]!, one.values[output]!, output)
  })

  it('lists every module of the checkpoint as a layer, and its stages with strides and channels', () => {
    const { graph, stages } = build(one, weights(one))
    const names = new Set(layers(graph).map(({ name }) => name))
    const prefix = one.kind === 'transformers' ? new RegExp(`^${one.name}\\.`) : ''
    const modules = [...shapesOf(one.state).keys()]
      .filter((name) => /\.(weight|gamma|latent|relative_position_bias_table)$/.test(name))
      .map((name) => name.slice(0, name.lastIndexOf('.')).replace(prefix, ''))
    expect(modules.filter((name) => !names.has(name))).toEqual([])
    if (one.stages)
      expect(stages!.map(({ name, stride, channels }) => [name, stride, channels])).toEqual(one.stages)
  })
})

/** Layers that are Pipilo's own. */
const OWN = /^(class_token|patch_tokens)$|\.attention_probs$/

describe.each(
  cases.filter(({ modules }) => modules).map((one) => [title(one), one] as const),
)('%s', (_, one) => {
  it.each([
    ['its checkpoint', weights(one)],
    ['no checkpoint', undefined],
  ])('has the names of PyTorch’s modules and parameters with %s', (_, checkpoint) => {
    const { graph, stages } = build(one, checkpoint)
    const found = layers(graph).map(({ name }) => name)
    expect(found.filter((name) => !one.modules!.includes(name) && !OWN.test(name))).toEqual([])
    expect(stages!.every(({ name }) => found.includes(name))).toBe(true)
    const parameters = parametersOf(graph).map(({ name }) => name)
    const stored = [...shapesOf(one.state).keys()].filter((name) => !name.endsWith('relative_coords_table'))
    expect(parameters.sort()).toEqual(stored.sort())
  })
})

const transformers = cases.filter(({ values }) => 'patchEmbeddings' in values)
describe.each(transformers.map((one) => [title(one), one] as const))('%s', (_, one) => {
  it('takes patch embeddings of one’s own in place of a picture', async () => {
    const { graph, patchEmbeddings, features } = build(one, weights(one))
    const pixels = { pixel_values: picture(one) }
    const embedded = (await evaluate(cut(graph, patchEmbeddings!), pixels))[patchEmbeddings!]!
    expectDigest(embedded, one.values['patchEmbeddings']!, 'patchEmbeddings')
    const fed = feed(cut(graph, features!), { [patchEmbeddings!]: 'inputs_embeds' })
    expect(fed.inputs.map(({ name }) => name)).toEqual(['inputs_embeds'])
    expectDigest(
      (await evaluate(fed, { inputs_embeds: embedded }))[features!]!,
      one.values['features']!,
      'features',
    )
  })
})

describe('DINOv2’s own checkpoints', () => {
  const own = cases.filter(({ source }) => source === 'dinov2')
  const of = (name: string) => own.find((one) => one.name === name)!
  const features = async (one: Case, checkpoint: ReadonlyMap<string, Initializer>) => {
    const built = build(one, checkpoint)
    expect(built.unused).toEqual([])
    const graph = cut(built.graph, built.features!)
    return (await evaluate(graph, { pixel_values: picture(one) }))[built.features!]!
  }

  it('are read by timm’s names of the same networks as well', async () => {
    const one = of('dinov2_vits14_reg')
    const found = await features({ ...one, name: 'vit_small_patch14_reg4_dinov2' }, weights(one))
    expectDigest(found, one.values['features']!, 'features')
  })

  it('are read as timm converts them, too', async () => {
    const one = of('dinov2_vits14_reg')
    const {
      mask_token: _,
      register_tokens,
      ...same
    } = Object.fromEntries(weights(one)) as Record<string, Tensor>
    const [token, positions] = ['cls_token', 'pos_embed'].map((name) => same[name]!.data as Float32Array)
    const width = token!.length
    const converted = new Map(Object.entries(same))
      .set('reg_token', register_tokens!)
      .set(
        'cls_token',
        tensor(
          'float32',
          [1, 1, width],
          token!.map((value, i) => value + positions![i]!),
        ),
      )
      .set('pos_embed', tensor('float32', [1, positions!.length / width - 1, width], positions!.slice(width)))
    expectDigest(await features(one, converted), one.values['features']!, 'features')
  })
})

describe('a vision transformer behind a network', () => {
  it('refuses pictures whose map its patches do not fill', () => {
    const build = findVit('vit_tiny_r_s16_p8_224', { depth: 1 })!
    expect(() => build(undefined, { size: [224, 232] })).toThrow(
      /224 × 232 gives a map of 56 × 58, which patches of 8 × 8 do not fill. Choose multiples of 32/,
    )
  })
})

/** The batch normalisations of a graph in training mode, with the names of what they read and write. */
function batchNorms(graph: Graph) {
  return graph.nodes.flatMap(({ op, name, inputs, outputs, attributes }) => {
    if (op !== 'BatchNormalization') return []
    const [x, weight, bias] = inputs as [string, string, string]
    const epsilon = attributes['epsilon']?.type === 'float' ? attributes['epsilon'].value : 1e-5
    const buffer = (what: string) => weight.replace(/weight$/, what)
    const [mean, variance] = [buffer('running_mean'), buffer('running_var')]
    return [{ name, x, y: outputs[0]!, weight, bias, mean, variance, epsilon }]
  })
}

/** Mean and sum of squared differences of each channel of [batch, channels, …], in double precision. */
function statistics({ shape, data }: Tensor) {
  const [batch, channels, ...space] = shape as [number, number, ...number[]]
  const places = elementCount(space)
  const values = data as Float32Array
  return Array.from({ length: channels }, (_, channel) => {
    const own: number[] = []
    for (let i = 0; i < batch; i++)
      own.push(...values.subarray((i * channels + channel) * places, (i * channels + channel + 1) * places))
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length
    const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    return { mean, squares, count: own.length }
  })
}

/**
 * Every batch normalisation of a graph in training mode gives the batch's own statistics to what follows, and PyTorch's new running
 * ones: differences are taken from what it read itself, so errors do not add up on the way.
 */
async function expectBatchStatistics(graph: Graph, feeds: Record<string, Tensor>, momentum = 0.1) {
  const norms = batchNorms(graph)
  const updates = updatesOf(graph)
  const buffers = parametersOf(graph).filter(({ role }) => role === 'buffer')
  expect(new Set(buffers.map(({ name }) => name))).toEqual(
    new Set(
      norms.flatMap(({ mean, variance }) => [
        mean,
        variance,
        mean.replace(/running_mean$/, 'num_batches_tracked'),
      ]),
    ),
  )
  expect([...updates.keys()].filter((name) => name !== MASK_COUNTER).sort()).toEqual(
    buffers.map(({ name }) => name).sort(),
  )
  const results = await evaluate(tap(graph, ...norms.flatMap(({ x, y }) => [x, y])), feeds)
  const close = (found: number, wanted: number, scale: number, what: string) =>
    expect(Math.abs(found - wanted), what).toBeLessThan(2e-4 * Math.max(Math.abs(wanted), scale))
  for (const norm of norms) {
    const given = (name: string) => (graph.initializers.get(name) as Tensor).data as Float32Array
    const next = (name: string) => results[updates.get(name)!]!.data as Float32Array
    const read = statistics(results[norm.x]!)
    const written = statistics(results[norm.y]!)
    for (const [channel, { mean, squares, count }] of read.entries()) {
      const deviation = Math.sqrt(squares / count)
      const keep = (name: string) => (1 - momentum) * given(name)[channel]!
      close(next(norm.mean)[channel]!, keep(norm.mean) + momentum * mean, momentum * deviation, norm.mean)
      const variance = keep(norm.variance) + (momentum * squares) / (count - 1)
      close(next(norm.variance)[channel]!, variance, 0, norm.variance)
      const scaled = (given(norm.weight)[channel]! * deviation) / Math.sqrt(deviation ** 2 + norm.epsilon)
      const spread = Math.sqrt(written[channel]!.squares / count)
      close(written[channel]!.mean, given(norm.bias)[channel]!, Math.abs(scaled) + 1e-3, `${norm.name}: mean`)
      close(spread, Math.abs(scaled), 1e-2, `${norm.name}: deviation`)
    }
  }
}

const classifiers = cases.filter(({ values }) => 'logits' in values)
describe.each(classifiers.map((one) => [title(one), one] as const))('%s, while training', (_, one) => {
  const config = { ...one.config, drop_path_rate: 0.2 }

  it('is a graph that runs: masks by one counter, and the same result again', async () => {
    const { graph } = build({ ...one, config }, undefined, { mode: 'training', classes: 3, seed: 1 })
    const skipped = new Set(layers(graph).flatMap(({ name }) => (/drop_path_mask/.test(name) ? [name] : [])))
    const rates = graph.nodes.flatMap(({ op, name, inputs }) =>
      op === 'GreaterOrEqual' && skipped.has(name.slice(0, name.lastIndexOf('/')))
        ? [Number(/\((\d+)\)/.exec(inputs[1]!)![1]) / 2 ** 32]
        : [],
    )
    // Blocks of timm's residual networks and transformers may be skipped, the last ones most often.
    const skips = one.source === 'timm' && !/dense|minimal|test_/.test(one.name)
    if (skips) expect(rates.length, 'masks').toBeGreaterThan(0)
    expect(Math.max(0, ...rates)).toBeLessThanOrEqual(0.2 + 2 ** -32)
    expect([...rates].sort((a, b) => a - b)).toEqual(rates)
    const drops = graph.inputs.some(({ name }) => name === MASK_COUNTER)
    expect(graph.inputs.map(({ name }) => name)).toEqual(['pixel_values', ...(drops ? [MASK_COUNTER] : [])])
    expect(graph.outputs.find(({ name }) => name === 'logits')!.type).toEqual({
      kind: 'tensor',
      dtype: 'float32',
      shape: ['batch', 3],
    })
    const feeds = () => ({
      pixel_values: picture(one),
      ...(drops ? { [MASK_COUNTER]: tensor('int64', [2], [1, 2]) } : {}),
    })
    const { logits } = await evaluate(cut(graph, 'logits'), feeds())
    expect(logits!.shape).toEqual([2, 3])
    expect((logits!.data as Float32Array).every(Number.isFinite)).toBe(true)
    expect((await evaluate(cut(graph, 'logits'), feeds()))['logits']).toEqual(logits)
  })

  const normed = batchNorms(build(one, undefined).graph).length > 0
  it.runIf(normed)('normalises by the batch, and updates all its buffers as PyTorch does', async () => {
    const { graph } = build(one, weights(one), { mode: 'training' })
    expect(batchNorms(graph)).toHaveLength(batchNorms(build(one, undefined).graph).length)
    const drops = graph.inputs.some(({ name }) => name === MASK_COUNTER)
    const feeds = {
      pixel_values: picture(one),
      ...(drops ? { [MASK_COUNTER]: tensor('int64', [2], [1, 2]) } : {}),
    }
    await expectBatchStatistics(graph, feeds, one.name === 'mobilenet_v3_small' ? 0.01 : 0.1)
  })
})

it('CLIP’s ResNets normalise by the batch while training, too', async () => {
  const vision_cfg = { image_size: 64, layers: [1, 1, 1, 1], width: 16, head_width: 16, patch_size: null }
  const text_cfg = { context_length: 8, vocab_size: 16, width: 16, heads: 2, layers: 1 }
  const { image } = buildOpenClip({ embed_dim: 8, vision_cfg, text_cfg }, undefined, { mode: 'training' })
  expect(batchNorms(image.graph)).toHaveLength(3 + 4 * 3 + 4)
  const shape = [2, 3, 64, 64]
  await expectBatchStatistics(image.graph, {
    pixel_values: tensor('float32', shape, formula('pixel_values', shape)),
  })
})

interface Step {
  readonly name: string
  readonly size: [number, number]
  /** First elements of each buffer after one step. */
  readonly statistics: Readonly<Record<string, number[]>>
}
const steps: readonly Step[] = JSON.parse(
  readFileSync(new URL('testdata/batch-norm.json', import.meta.url), 'utf8'),
)

it.each(
  steps.map((step) => [step.name, step] as const),
)('%s has PyTorch’s buffers after a step', async (name, step) => {
  const { size } = step
  const make = findCnn(name)!
  // torchvision's, where timm has another network of the name, is told by its checkpoint's names.
  const drawn = make(undefined, { size, classes: 3, mode: 'training' })
  const checkpoint = new Map(
    drawn.parameters.map(({ name, shape }) => [
      name,
      shape.length === 0 ? tensor('int64', [], [0]) : tensor('float32', [...shape], formula(name, shape)),
    ]),
  )
  const { graph, unused } = make(checkpoint, { size, classes: 3, mode: 'training' })
  expect(unused).toEqual([])
  const updates = updatesOf(graph)
  expect([...updates.keys()].filter((key) => key !== MASK_COUNTER).sort()).toEqual(
    Object.keys(step.statistics).sort(),
  )
  const shape = [2, 3, ...size]
  const results = await evaluate(graph, {
    pixel_values: tensor('float32', shape, formula('pixel_values', shape)),
    ...(updates.has(MASK_COUNTER) ? { [MASK_COUNTER]: tensor('int64', [2], [0, 0]) } : {}),
  })
  for (const [buffer, wanted] of Object.entries(step.statistics)) {
    const found = Array.from(results[updates.get(buffer)!]!.data as Float32Array, Number)
    for (const [i, value] of wanted.entries()) {
      expect(Math.abs(found[i]! - value), buffer).toBeLessThan(1e-3 * Math.max(Math.abs(value), 0.01))
    }
  }
})
