import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Attribute, Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const
type Kind = keyof typeof GATES

const text = (value: string): Attribute => ({ type: 'string', value })
const int = (value: number): Attribute => ({ type: 'int', value })

interface Layer {
  readonly kind: Kind
  readonly direction: 'forward' | 'reverse' | 'bidirectional'
  readonly steps: number
  readonly batch: number
  readonly bias: boolean
  readonly first: boolean
  readonly attributes?: Record<string, Attribute>
  /** Outputs that the loss reads. */
  readonly outputs: readonly number[]
}

const [INPUT, HIDDEN] = [3, 2]

function inputsOf({ kind, direction, steps, batch, bias, first }: Layer): Tensor[] {
  const directions = direction === 'bidirectional' ? 2 : 1
  const rows = GATES[kind] * HIDDEN
  const state = [directions, batch, HIDDEN]
  return [
    numbers([steps, batch, INPUT]),
    numbers([directions, rows, INPUT], 1),
    numbers([directions, rows, HIDDEN], 2),
    ...(bias ? [numbers([directions, 2 * rows], 3)] : []),
    ...(first ? [numbers(state, 4), ...(kind === 'LSTM' ? [numbers(state, 5)] : [])] : []),
  ]
}

const build =
  ({ kind, direction, bias, first, attributes, outputs }: Layer) =>
  (values: readonly Value[]): Value[] => {
    const [x, weight, recurrence, ...rest] = values
    const shift = bias ? rest.shift() : undefined
    const states = first ? rest : []
    const made = x!.builder.node(
      kind,
      [x, weight, recurrence, shift, undefined, ...states],
      { hidden_size: int(HIDDEN), direction: text(direction), ...attributes },
      { outputs: kind === 'LSTM' ? 3 : 2 },
    )
    return outputs.filter((index) => index < made.length).map((index) => made[index]!)
  }

const layers = fc.record({
  kind: fc.constantFrom<Kind>('LSTM', 'GRU', 'RNN'),
  direction: fc.constantFrom('forward' as const, 'reverse' as const, 'bidirectional' as const),
  steps: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 3 }),
  bias: fc.boolean(),
  first: fc.boolean(),
  resetAfter: fc.boolean(),
  outputs: fc.constantFrom([0], [1], [0, 1], [0, 1, 2], [1, 2]),
})

describe('Gradients of recurrent layers', () => {
  it('agree with finite differences for all kinds, directions, and outputs', async () => {
    await fc.assert(
      fc.asyncProperty(layers, async ({ resetAfter, ...layer }) => {
        const attributes: Record<string, Attribute> =
          layer.kind === 'GRU' && resetAfter ? { linear_before_reset: int(1) } : {}
        const whole = { ...layer, attributes }
        await checkGradients(build(whole), inputsOf(whole), { tolerance: 1e-2, elements: 8 })
      }),
      { numRuns: 30, seed: 5 },
    )
  })

  it('agree for each kind with everything on', async () => {
    const base = {
      direction: 'bidirectional',
      steps: 3,
      batch: 2,
      bias: true,
      first: true,
      outputs: [0, 1, 2],
    } as const
    for (const layer of [
      { ...base, kind: 'LSTM' },
      { ...base, kind: 'LSTM', outputs: [2] },
      { ...base, kind: 'GRU' },
      { ...base, kind: 'GRU', attributes: { linear_before_reset: int(1) } },
      { ...base, kind: 'RNN' },
      { ...base, kind: 'RNN', attributes: { activations: { type: 'strings', value: ['Relu', 'Relu'] } } },
    ] satisfies Layer[]) {
      await checkGradients(build(layer), inputsOf(layer), { tolerance: 1e-2, elements: 12, step: 5e-3 })
    }
  })

  it('need no known steps nor batch, nor that the states of all steps are asked for', async () => {
    for (const kind of ['LSTM', 'GRU', 'RNN'] as const) {
      const layer: Layer = {
        kind,
        direction: 'reverse',
        steps: 3,
        batch: 2,
        bias: true,
        first: false,
        outputs: [1],
      }
      const tensors = inputsOf(layer)
      const feeds = Object.fromEntries(
        tensors.map(({ shape, data }, i) => [
          `x${i}`,
          { dtype: 'float32', shape, data: Float32Array.from(data as Float64Array) } as const,
        ]),
      )
      const gradientsFor = async (front: readonly (number | string)[]) => {
        const b = new Builder()
        const values = tensors.map((tensor, i) =>
          b.input(`x${i}`, 'float32', i === 0 ? [...front, INPUT] : tensor.shape),
        )
        b.output('loss', op.reduceSum(build(layer)(values)[0]!))
        const graph = b.build()
        const nodes = graph.nodes.map((node) =>
          node.op === kind ? { ...node, outputs: ['', node.outputs[1]!] } : node,
        )
        return evaluate(grad({ ...graph, nodes }, { of: 'loss', by: Object.keys(feeds) }), feeds)
      }
      const [known, open] = [await gradientsFor([3, 2]), await gradientsFor(['steps', 'batch'])]
      for (const name of Object.keys(feeds)) {
        const [expected, found] = [known, open].map((all) => all[`${name}.grad`]!)
        expect(found!.shape).toEqual(expected!.shape)
        for (const [i, value] of Array.from(expected!.data, Number).entries())
          expect(Number(found!.data[i])).toBeCloseTo(value, 5)
      }
    }
  })

  it('say what they cannot', () => {
    const layer: Layer = {
      kind: 'LSTM',
      direction: 'forward',
      steps: 2,
      batch: 1,
      bias: false,
      first: false,
      outputs: [0],
    }
    const differentiate = (attributes: Record<string, Attribute>) => {
      const b = new Builder()
      const values = inputsOf(layer).map(({ shape }, i) => b.input(`x${i}`, 'float32', shape))
      b.output('loss', op.reduceSum(build({ ...layer, attributes })(values)[0]!))
      return grad(b.build(), { of: 'loss', by: ['x0'] })
    }
    for (const [attributes, message] of [
      [{ clip: { type: 'float', value: 3 } }, /clip/],
      [{ layout: int(1) }, /layout 0 only/],
      [{ input_forget: int(1) }, /input_forget/],
      [
        { activations: { type: 'strings', value: ['HardSigmoid', 'Tanh', 'Tanh'] } },
        /activations hardsigmoid/,
      ],
    ] as const) {
      expect(() => differentiate(attributes)).toThrow(message)
    }
  })
})
