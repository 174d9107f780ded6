import { describe, expect, it } from 'vitest'
import { type Attribute, Builder, type Value } from '../../graph/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

const int = (value: number): Attribute => ({ type: 'int', value })
const text = (value: string): Attribute => ({ type: 'string', value })

/** X, W, R and, as far as they are asked for, B, no lengths, the initial state and cell. */
function inputs(directions: number, more: boolean) {
  const [steps, batch, size, hidden] = [4, 2, 3, 2]
  return [
    numbers([steps, batch, size], 1),
    numbers([directions, 4 * hidden, size], 2),
    numbers([directions, 4 * hidden, hidden], 3),
    ...(more
      ? [
          numbers([directions, 8 * hidden], 4),
          numbers([directions, batch, hidden], 5),
          numbers([directions, batch, hidden], 6),
        ]
      : []),
  ]
}

function lstm(values: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value[] {
  const [x, weight, recurrence, bias, state, cell] = values
  const all = bias ? [x, weight, recurrence, bias, undefined, state, cell] : [x, weight, recurrence]
  return x!.builder.node('LSTM', all, { hidden_size: int(2), ...attributes }, { outputs: 3 })
}

describe('Gradients of LSTM', () => {
  it.each([
    ['forward', 1],
    ['reverse', 1],
    ['bidirectional', 2],
  ] as const)('agree with finite differences, %s', async (direction, directions) => {
    for (const more of [false, true]) {
      const attributes = { direction: text(direction) }
      // ONNX Runtime's LSTM knows float32 only.
      await checkGradients((values) => lstm(values, attributes), inputs(directions, more), {
        step: 1e-2,
        tolerance: 2e-3,
      })
    }
  })

  it.each([0, 1, 2])('flow from output %i alone', async (index) => {
    await checkGradients((values) => lstm(values)[index]!, inputs(1, true), { step: 1e-2, tolerance: 2e-3 })
  })

  it('refuse what they do not know, by name', () => {
    const b = new Builder()
    const [x, w, r] = inputs(1, false).map((one, i) => b.input(`x${i}`, 'float32', one.shape))
    const [y] = b.node('LSTM', [x, w, r], { hidden_size: int(2), input_forget: int(1) })
    b.output('loss', b.node('ReduceSum', [y], { keepdims: int(0) })[0]!)
    const graph = b.build()
    expect(() => grad(graph, { of: 'loss', by: ['x1'] })).toThrow(/LSTM at "LSTM" .*input_forget/)
  })
})
