import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Builder, cut, type Graph, MASK_COUNTER, op, parametersOf, tap } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import {
  architecture,
  type BuildOptions,
  type BuiltModel,
  buildMae,
  buildMaskedVit,
  patchify,
  unpatchify,
} from '../index.ts'
import { type Digest, expectDigest } from '../testing/digest.ts'
import { formula } from '../testing/formula.ts'

interface Case {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly pixel_values: number[]
  readonly inputs: Readonly<Record<string, number[][]>>
  readonly state: Readonly<Record<string, number[]>>
  readonly values: Readonly<Record<string, Digest>>
}

const { positions, cases } = JSON.parse(
  readFileSync(new URL('../testdata/masked-models.json', import.meta.url), 'utf8'),
) as { positions: Digest; cases: Case[] }

const weights = ({ state }: Case) =>
  new Map(
    Object.entries(state).map(([name, shape]) => [name, tensor('float32', shape, formula(name, shape))]),
  )

function build(
  { name, config }: Case,
  checkpoint?: ReadonlyMap<string, Tensor>,
  options: BuildOptions = {},
): BuiltModel {
  if (name === 'mae') return buildMae(config, checkpoint, options)
  if (name === 'masked_vit') return buildMaskedVit(config, checkpoint, options)
  return architecture(name).build(config, checkpoint, options)
}

const pixels = ({ pixel_values: shape }: Case) => tensor('float32', shape, formula('pixel_values', shape))

function feedsOf(one: Case): Record<string, Tensor> {
  const given = Object.entries(one.inputs).map(([name, rows]) => {
    const shape = [rows.length, rows[0]!.length]
    return [name, tensor(name === 'mask' ? 'bool' : 'int64', shape, rows.flat())] as const
  })
  return { pixel_values: pixels(one), ...Object.fromEntries(given) }
}

describe.each(
  cases.map((one) => [`${one.name} ${JSON.stringify(one.config)}`, one] as const),
)('%s', (_, one) => {
  it.each(['training', 'inference'] as const)('gives PyTorch’s numbers in %s', async (mode) => {
    const model = build(one, weights(one), { mode })
    expect(model.unused).toEqual([])
    const places = Object.keys(one.values).map(
      (name) => [name, name === 'features' ? model.features! : name] as const,
    )
    const results = await evaluate(
      cut(
        model.graph,
        places.map(([, place]) => place),
      ),
      feedsOf(one),
    )
    for (const [name, place] of places) expectDigest(results[place]!, one.values[name]!, name)
  })

  it('has its names and shapes without a checkpoint', () => {
    const { graph } = build(one, undefined, { mode: 'training' })
    const head = one.name.startsWith('vit') ? ['head.weight', 'head.bias'] : []
    const found = parametersOf(graph).map(({ name, shape }) => [name, shape] as const)
    const without = (entries: readonly (readonly [string, unknown])[]) =>
      Object.fromEntries(entries.filter(([name]) => !head.includes(name)))
    expect(without(found)).toEqual(without(Object.entries(one.state)))
  })
})

describe('a masked autoencoder', () => {
  const one = cases.find(({ name }) => name === 'mae')!

  it('is opened by timm’s vision transformer, which gives the same features of all patches', async () => {
    const model = build(one, weights(one))
    const all = Array.from({ length: 16 }, (_, i) => i)
    const order = tensor('int64', [2, 16], [...all, ...all])
    const graph = cut(model.graph, model.features!)
    const seen = (await evaluate(graph, { pixel_values: pixels(one), ids_keep: order }))[model.features!]!
    const sizes = { embed_dim: 24, depth: 3, num_heads: 3, img_size: 32, patch_size: 8 }
    const vit = architecture('vit_base_patch16_224').build(sizes, weights(one), { classes: 0 })
    expect(vit.unused).toEqual([])
    const features = (await evaluate(cut(vit.graph, vit.features!), { pixel_values: pixels(one) }))[
      vit.features!
    ]!
    expect(features.shape).toEqual(seen.shape)
    const [a, b] = [features.data as Float32Array, seen.data as Float32Array]
    expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeLessThan(1e-5)
  })

  it('draws MAE’s fixed positions, which are not trained, and Glorot’s weights', () => {
    const { graph } = build(one, undefined, { seed: 4 })
    expectDigest(graph.initializers.get('pos_embed') as Tensor, positions, 'positions')
    const roles = parametersOf(graph).filter(({ role }) => role === 'buffer')
    expect(roles.map(({ name }) => name).sort()).toEqual(['decoder_pos_embed', 'pos_embed'])
    for (const [name, bound] of [
      ['patch_embed.proj.weight', Math.sqrt(6 / (3 * 64 + 24))],
      ['blocks.0.attn.qkv.weight', Math.sqrt(6 / (24 + 72))],
    ] as const) {
      const { data } = graph.initializers.get(name) as Tensor
      const largest = (data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      expect(largest / bound, name).toBeGreaterThan(0.99)
      expect(largest / bound, name).toBeLessThanOrEqual(1)
    }
  })

  it('refuses pictures that patches do not fill', () => {
    expect(() => buildMae({ img_size: 30, patch_size: 8 })).toThrow(/do not fill a picture of 30 × 30/)
  })
})

describe('a vision transformer with masked patches', () => {
  const sizes = { img_size: 32, patch_size: 8, embed_dim: 24, depth: 1, num_heads: 3 }

  it('begins with MAE’s positions, which it trains, and Glorot’s weights', () => {
    const { graph } = buildMaskedVit(sizes, undefined, { seed: 4, mode: 'training' })
    const mae = buildMae(sizes, undefined, { seed: 4 }).graph
    expect(graph.initializers.get('pos_embed')).toEqual(mae.initializers.get('pos_embed'))
    const roles = new Map(parametersOf(graph).map(({ name, role }) => [name, role]))
    expect(roles.get('pos_embed')).not.toBe('buffer')
    for (const name of ['patch_embed.proj.weight', 'blocks.0.attn.qkv.weight'])
      expect(graph.initializers.get(name), name).toEqual(mae.initializers.get(name))
  })

  it('begins with random positions where features do not come in fours', () => {
    const { graph } = buildMaskedVit({ ...sizes, embed_dim: 18 }, undefined, { seed: 4 })
    const { data } = graph.initializers.get('pos_embed') as Tensor
    const largest = (data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(largest).toBeGreaterThan(0)
    expect(largest).toBeLessThan(0.1)
  })
})

describe('a vision transformer while training', () => {
  const small = { img_size: 64, patch_size: 8, depth: 4, embed_dim: 192, num_heads: 3 }
  const masks = (graph: Graph) => graph.nodes.filter(({ op }) => op === 'GreaterOrEqual').length
  const build = (rates: Readonly<Record<string, number>>, options: BuildOptions = { mode: 'training' }) =>
    architecture('vit_tiny_patch16_224').build({ ...small, ...rates }, undefined, options).graph

  it('drops where timm does: positions, attention, projections, before the classifier', () => {
    expect(masks(build({}))).toBe(0)
    expect(masks(build({ drop_rate: 0.1 }))).toBe(1)
    expect(masks(build({ pos_drop_rate: 0.1 }))).toBe(1)
    expect(masks(build({ attn_drop_rate: 0.1 }))).toBe(4)
    expect(masks(build({ proj_drop_rate: 0.1 }))).toBe(4 * 3)
    expect(masks(build({ drop_path_rate: 0.1 }))).toBe(3 * 2)
    const rates = { drop_rate: 0.1, pos_drop_rate: 0.1, attn_drop_rate: 0.1, proj_drop_rate: 0.1 }
    expect(masks(build(rates, {}))).toBe(0)
  })

  it('runs, and drops other things in the next step', async () => {
    const graph = build({ drop_rate: 0.2, attn_drop_rate: 0.1, proj_drop_rate: 0.1 })
    const shape = [2, 3, 64, 64]
    const step = async (n: number) =>
      (
        await evaluate(cut(graph, 'logits'), {
          pixel_values: tensor('float32', shape, formula('pixel_values', shape)),
          [MASK_COUNTER]: tensor('int64', [2], [1, n]),
        })
      )['logits']!
    const first = await step(0)
    expect((first.data as Float32Array).every(Number.isFinite)).toBe(true)
    expect(await step(0)).toEqual(first)
    expect(await step(1)).not.toEqual(first)
  })

  it('refuses settings that nothing has, and dropout that its blocks do not have', () => {
    expect(() => build({ attn_drop: 0.1 })).toThrow(/no setting attn_drop\. Did you mean .*attn_drop_rate/)
    expect(() => architecture('resnet18').build({ num_clases: 3 })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
    expect(() => architecture('swin_tiny_patch4_window7_224').build({ drop_path: 0.1 })).toThrow(
      /drop_path_rate/,
    )
    expect(() => architecture('lenet').build({ channels: 3 })).toThrow(/lenet has no setting channels/)
    expect(() => architecture('beit_base_patch16_224').build({ proj_drop_rate: 0.1 })).toThrow(/no dropout/)
  })
})

describe('patchify', () => {
  it('lays the pixels of a patch side by side, and back', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2, 4, 6])
    const patches = patchify(x, 2)
    expect(patches.shape).toEqual(['batch', 6, 8])
    b.output('patches', patches)
    b.output('back', op.add(unpatchify(patches, 2, [2, 4, 6]), 0))
    const picture = tensor(
      'float32',
      [1, 2, 4, 6],
      Array.from({ length: 48 }, (_, i) => i),
    )
    const { patches: rows, back } = await evaluate(b.build(), { x: picture })
    expect(Array.from((rows!.data as Float32Array).slice(8, 16))).toEqual([2, 26, 3, 27, 8, 32, 9, 33])
    expect(back).toEqual(picture)
  })
})

it('a student’s blocks offer what their MLPs give, too', () => {
  const { graph } = buildMaskedVit({
    img_size: 16,
    patch_size: 8,
    embed_dim: 12,
    depth: 2,
    num_heads: 2,
    top_layers: 1,
  })
  expect(graph.outputs.map(({ name }) => name)).toEqual(['hidden_state_1', 'prediction'])
  expect(tap(graph, 'blocks.1.mlp').outputs).toHaveLength(3)
  const teacher = buildMaskedVit({
    img_size: 16,
    patch_size: 8,
    embed_dim: 12,
    depth: 2,
    num_heads: 2,
    top_layers: 2,
    prediction_head: 'none',
  })
  expect(teacher.graph.outputs.map(({ name }) => name)).toEqual(['hidden_state_0', 'hidden_state_1'])
  expect(() => buildMaskedVit({ depth: 2, top_layers: 3 })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})
