import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Attribute, Builder, op, type Value } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { grad } from './grad.ts'
import { numbers } from './testing/check.ts'

interface Reference {
  readonly shapes: readonly (readonly number[])[]
  readonly gradients: readonly (readonly number[])[]
}

/** Made by testdata/layers_reference.py with PyTorch 2 in float64. */
const references: Readonly<Record<string, Reference>> = JSON.parse(
  readFileSync(new URL('testdata/layers.json', import.meta.url), 'utf8'),
)

type Layer = (...inputs: Value[]) => Value | readonly Value[]

const int = (value: number): Attribute => ({ type: 'int', value })

function recurrent(kind: 'LSTM' | 'GRU' | 'RNN', attributes: Record<string, Attribute>): Layer {
  return (x, weight, recurrence, bias, ...first) =>
    x!.builder.node(
      kind,
      [x, weight, recurrence, bias, undefined, ...first],
      { hidden_size: int(2), direction: { type: 'string', value: 'bidirectional' }, ...attributes },
      { outputs: kind === 'LSTM' ? 3 : 2 },
    )
}

/** The layers of the script, by its names; PyTorch's own lines stand there. */
const layers: Readonly<Record<string, Layer>> = {
  conv: (x, w, b) => op.conv(x!, w!, b, { strides: [2, 2], pads: [1, 1, 1, 1] }),
  'conv dense': (x, w, b) => op.conv(x!, w!, b, { pads: [1, 1, 1, 1] }),
  'conv grouped': (x, w) => op.conv(x!, w!, undefined, { dilations: [2, 2], group: 2, pads: [1, 1, 1, 1] }),
  'conv depthwise': (x, w) => op.conv(x!, w!, undefined, { group: 4, pads: [1, 1, 1, 1] }),
  'conv patches': (x, w, b) => op.conv(x!, w!, b, { strides: [4, 4] }),
  'conv 1d': (x, w) => op.conv(x!, w!, undefined, { pads: [2, 2] }),
  'conv 3d': (x, w) => op.conv(x!, w!, undefined, { strides: [2, 2, 2] }),
  'conv transposed': (x, w, b) =>
    op.convTranspose(x!, w!, b, { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 1] }),
  'max pool': (x) => op.maxPool(x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
  'average pool': (x) => op.averagePool(x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1], ceilMode: true }),
  'average pool padded': (x) =>
    op.averagePool(x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1], countIncludePad: true }),
  'global average pool': (x) => op.globalAveragePool(x!),
  'global max pool': (x) => op.globalMaxPool(x!),
  'batch norm training': (x, w, b) => op.batchNormalizationTraining(x!, w!, b!)[0],
  'batch norm': (x, w, b) => {
    const of = (value: number) => x!.builder.constant([value, value, value], 'float32')
    return op.batchNormalization(x!, w!, b!, of(0), of(1))
  },
  'layer norm': (x, w, b) => op.layerNormalization(x!, w!, b, { axis: 2 }),
  'group norm': (x, w, b) => x!.builder.node('GroupNormalization', [x, w, b], { num_groups: int(2) }),
  'instance norm': (x, w, b) => op.instanceNormalization(x!, w!, b!),
  bilinear: (x) => op.resize(x!, { sizes: [2, 2, 7, 3] }),
  'bilinear corners': (x) => op.resize(x!, { sizes: [2, 2, 7, 3] }, { coordinates: 'align_corners' }),
  bicubic: (x) => op.resize(x!, { sizes: [2, 2, 7, 3] }, { mode: 'cubic' }),
  nearest: (x) => op.resize(x!, { sizes: [2, 2, 7, 3] }, { mode: 'nearest', coordinates: 'asymmetric' }),
  'pixel shuffle': (x) => op.depthToSpace(x!, 2),
  lstm: recurrent('LSTM', {}),
  gru: recurrent('GRU', { linear_before_reset: int(1) }),
  rnn: recurrent('RNN', { activations: { type: 'strings', value: ['Relu', 'Relu'] } }),
}

/** Largest difference allowed, relative to the largest gradient: float32 against float64. */
const TOLERANCE = 2e-5

describe('Gradients of layers are those of PyTorch', () => {
  it('has a layer for each reference', () => {
    expect(Object.keys(layers).sort()).toEqual(Object.keys(references).sort())
  })

  for (const [name, layer] of Object.entries(layers)) {
    it(name, async () => {
      const { shapes, gradients } = references[name]!
      const b = new Builder({ opset: name === 'group norm' ? 21 : 17 })
      const inputs = shapes.map((shape, i) => b.input(`x${i}`, 'float32', shape))
      const made = layer(...inputs)
      const outputs: readonly Value[] = Array.isArray(made) ? made : [made]
      const terms = outputs.map((y, i) =>
        op.reduceSum(op.mul(y, b.constant(float32(y.shape.map(Number), 20 + i)))),
      )
      b.output(
        'loss',
        terms.reduce((sum, term) => op.add(sum, term)),
      )
      const by = shapes.map((_, i) => `x${i}`)
      const feeds = Object.fromEntries(
        shapes.map((shape, i) => {
          const tensor = float32(shape, i)
          const data = name === 'max pool' ? tensor.data.map((value) => Math.max(0, value)) : tensor.data
          return [`x${i}`, { ...tensor, data }]
        }),
      )
      const found = await evaluate(grad(b.build(), { of: 'loss', by }), feeds)
      for (const [i, expected] of gradients.entries()) {
        const { data } = found[`x${i}.grad`]!
        expect(data.length).toBe(expected.length)
        const worst = Math.max(...expected.map((value, at) => Math.abs(value - Number(data[at]))))
        expect(worst / Math.max(...expected.map(Math.abs)), `by x${i}`).toBeLessThan(TOLERANCE)
      }
    })
  }
})

function float32(shape: readonly number[], seed: number) {
  const data = Float32Array.from(numbers(shape, seed).data as Float64Array)
  return { dtype: 'float32', shape, data } as const
}
