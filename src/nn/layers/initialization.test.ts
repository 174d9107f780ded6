import { describe, expect, it } from 'vitest'
import { draw, type Initialization, seeded } from '../index.ts'

function statistics(init: Initialization, shape: number[]) {
  const data = draw(init, shape, 3, 'w').data as Float32Array
  const mean = data.reduce((a, b) => a + b, 0) / data.length
  const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length)
  const low = data.reduce((a, b) => Math.min(a, b), Infinity)
  const high = data.reduce((a, b) => Math.max(a, b), -Infinity)
  return { mean, deviation, low, high }
}

/** Expects uniform numbers between ±bound. */
function expectUniform(init: Initialization, shape: number[], bound: number) {
  const { mean, deviation, low, high } = statistics(init, shape)
  expect(Math.abs(mean)).toBeLessThan(bound * 0.02)
  expect(deviation / (bound / Math.sqrt(3))).toBeCloseTo(1, 1)
  expect(Math.max(-low, high)).toBeLessThanOrEqual(bound)
  expect(Math.max(-low, high)).toBeGreaterThan(bound * 0.999)
}

describe('draw', () => {
  it('follows the definitions of torch.nn.init', () => {
    const shape = [200, 100]
    expectUniform({ kind: 'uniform', a: -2, b: 2 }, shape, 2)
    expectUniform({ kind: 'kaiming_uniform', a: Math.sqrt(5) }, shape, 1 / Math.sqrt(100))
    expectUniform({ kind: 'xavier_uniform' }, shape, Math.sqrt(6 / 300))
    expectUniform({ kind: 'kaiming_uniform', nonlinearity: 'relu' }, [50, 4, 10, 10], Math.sqrt(6 / 400))
    expect(statistics({ kind: 'normal', mean: 5, std: 0.1 }, shape).mean).toBeCloseTo(5, 2)
    expect(statistics({ kind: 'normal', std: 0.1 }, shape).deviation).toBeCloseTo(0.1, 2)
    const fanOut = statistics({ kind: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' }, shape)
    expect(fanOut.deviation).toBeCloseTo(Math.sqrt(2 / 200), 2)
    expect(statistics({ kind: 'xavier_normal', gain: 2 }, shape).deviation).toBeCloseTo(
      2 * Math.sqrt(2 / 300),
      2,
    )
    const cut = statistics({ kind: 'truncated_normal', std: 1, a: -0.5, b: 1 }, shape)
    expect(cut.low).toBeGreaterThanOrEqual(-0.5)
    expect(cut.high).toBeLessThanOrEqual(1)
    expect(Array.from(draw({ kind: 'constant', value: 3 }, [2], 0, '').data as Float32Array)).toEqual([3, 3])
  })
})

describe('seeded', () => {
  it('gives the same numbers for a seed and name, and others for another', () => {
    const first = (seed: number, name: string) => Array.from({ length: 4 }, seeded(seed, name).uniform)
    expect(first(1, 'a')).toEqual(first(1, 'a'))
    expect(first(1, 'a')).not.toEqual(first(2, 'a'))
    expect(first(1, 'a')).not.toEqual(first(1, 'b'))
  })
})
