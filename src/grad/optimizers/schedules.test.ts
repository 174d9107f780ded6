import { describe, expect, it } from 'vitest'
import { Builder, op } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { rateAt, rateValue, type Schedule } from './schedules.ts'
import reference from './testdata/optimizers.json' with { type: 'json' }

const schedules: Readonly<Record<keyof typeof reference.schedules, Schedule>> = {
  constant: { kind: 'constant' },
  linear: { kind: 'linear', steps: 20 },
  'linear warmup': { kind: 'linear', steps: 20, warmup: 5 },
  'linear end': { kind: 'linear', steps: 20, end: 0.2 },
  cosine: { kind: 'cosine', steps: 20 },
  'cosine end': { kind: 'cosine', steps: 20, end: 0.1 },
  'cosine warmup': { kind: 'cosine', steps: 20, warmup: 5 },
  'cosine cycles': { kind: 'cosine', steps: 20, warmup: 2, cycles: 1.5 },
  step: { kind: 'step', stepSize: 4, gamma: 0.5 },
  'step warmup': { kind: 'step', stepSize: 4, warmup: 5, warmupFrom: 1 / 3 },
}

describe('The learning rate', () => {
  it.each(
    Object.entries(reference.schedules),
  )('is that of PyTorch and transformers: %s', async (name, rates) => {
    const schedule = schedules[name as keyof typeof schedules]
    const mine = rates.map((_, step) => rateAt(schedule, step))
    // Both are float64; PyTorch multiplies its rate on from step to step.
    for (const [step, rate] of rates.entries()) expect(mine[step]).toBeCloseTo(rate, 12)

    const b = new Builder()
    const step = b.input('step', 'float64', ['steps'])
    b.output('rate', op.add(rateValue(schedule, step), op.mul(step, 0)))
    const steps = Float64Array.from(rates.keys())
    const { rate } = await evaluate(b.build(), {
      step: { dtype: 'float64', shape: [steps.length], data: steps },
    })
    for (const [index, value] of mine.entries()) expect(rate?.data[index]).toBeCloseTo(value, 14)
  })

  it('stays where it is when the schedule has ended', () => {
    expect(rateAt({ kind: 'cosine', steps: 10, end: 0.25 }, 17)).toBe(0.25)
    expect(rateAt({ kind: 'cosine', steps: 10, warmup: 3 }, 1000)).toBe(0)
  })
})
