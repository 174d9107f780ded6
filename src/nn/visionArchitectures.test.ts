import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { cut, feed, type Graph, type Initializer, layers, resolveLayer } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../tensor/index.ts'
import { findCnn } from './cnn/cnnArchitectures.ts'
import { buildLeNet } from './cnn/leNet.ts'
import { type BuildOptions, type BuiltModel, DROPOUT_KEY, findVit, visionArchitectures } from './index.ts'
import { formula } from './testing/formula.ts'

/** Names of a state's tensors as a tree, with their shapes. */
interface State {
  readonly [name: string]: State | number[]
}

/** What is kept of a value: every `step`-th element. */
interface Digest {
  readonly shape: number[]
  readonly rms: number
  readonly step: number
  readonly values: number[]
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

function expectDigest({ shape, data }: Tensor, digest: Digest, place: string): void {
  expect(shape, place).toEqual(digest.shape)
  const values = data as Float32Array
  const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  expect(Math.abs(rms / digest.rms - 1), `${place}: root mean square`).toBeLessThan(2e-5)
  for (const [i, value] of digest.values.entries()) {
    const difference = Math.abs(values[i * digest.step]! - value)
    expect(difference, `${place}: element ${i * digest.step}`).toBeLessThan(
      1e-4 * Math.max(rms, Math.abs(value)),
    )
  }
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
    const parameters = [...graph.initializers.keys()].filter((name) => !name.startsWith('constant/'))
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

/** Zeros and ones for dropout's masks, the picture for the picture. */
function trainingFeeds(graph: Graph, one: Case): Record<string, Tensor> {
  return Object.fromEntries(
    graph.inputs.map(({ name, type, metadata }) => {
      if (name === 'pixel_values') return [name, picture(one)]
      expect(metadata?.has(DROPOUT_KEY), name).toBe(true)
      const known = type && 'shape' in type ? type.shape : undefined
      const shape = known!.map((size) => (typeof size === 'number' ? size : 2))
      return [
        name,
        tensor(
          'float32',
          shape,
          Array.from({ length: elementCount(shape) }, (_, i) => 2 * (i % 2)),
        ),
      ]
    }),
  )
}

describe.each(
  cases.filter(({ values }) => 'logits' in values).map((one) => [title(one), one] as const),
)('%s, while training', (_, one) => {
  it('is a graph that runs: batch statistics, and masks for what is dropped', async () => {
    const config = { ...one.config, drop_path_rate: 0.2 }
    const { graph } = build({ ...one, config }, undefined, { mode: 'training', classes: 3, seed: 1 })
    const masks = graph.inputs.flatMap(({ name, metadata }) =>
      name.endsWith('drop_path_mask') ? [Number(metadata!.get(DROPOUT_KEY))] : [],
    )
    // Blocks of timm's residual networks and transformers may be skipped, the last ones most often.
    const skips = one.source === 'timm' && !/dense|minimal|test_/.test(one.name)
    if (skips) expect(masks.length, 'masks').toBeGreaterThan(0)
    expect(Math.max(0, ...masks)).toBeLessThanOrEqual(0.2)
    expect([...masks].sort((a, b) => a - b)).toEqual(masks)
    expect(graph.outputs.find(({ name }) => name === 'logits')!.type).toEqual({
      kind: 'tensor',
      dtype: 'float32',
      shape: ['batch', 3],
    })
    const { logits } = await evaluate(graph, trainingFeeds(graph, one))
    expect(logits!.shape).toEqual([2, 3])
    expect((logits!.data as Float32Array).every(Number.isFinite)).toBe(true)
  })
})
