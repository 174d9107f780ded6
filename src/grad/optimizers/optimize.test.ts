import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PipiloError } from '../../base/index.ts'
import { Builder, type Graph, op, parametersOf, roleOf, updatesOf } from '../../graph/index.ts'
import { compileStateful, type StatefulSession } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'
import { optimize } from './optimize.ts'
import type { OptimizeOptions } from './options.ts'
import reference from './testdata/optimizers.json' with { type: 'json' }

const { given } = reference
type Weights = Readonly<Record<string, readonly number[]>>

/** Half a unit in the sixth digit, as weights of PyTorch's float32 have been found to agree. */
const TOLERANCE = 2e-6

/** The mean squared error of a linear layer with its gradients, worked out by hand. */
function linear(): Graph {
  const b = new Builder()
  const x = b.input('x', 'float32', ['batch', 3])
  const y = b.input('y', 'float32', ['batch', 2])
  const weight = b.initializer('weight', tensor('float32', [3, 2], given.weight))
  const bias = b.initializer('bias', tensor('float32', [2], given.bias))
  const error = op.sub(op.add(op.matMul(x, weight), bias), y)
  b.output('loss', op.reduceMean(op.mul(error, error)))
  const slope = op.div(op.mul(error, 2), op.cast(op.size(error), 'float32'))
  b.output('weight.grad', op.matMul(op.transpose(x), slope))
  b.output('bias.grad', op.reduceSum(slope, [0]))
  return b.build()
}

/** Squared distances of a table's rows from others, with the gradient by the gathered rows. */
function table(): Graph {
  const b = new Builder()
  const rows = b.input('rows', 'int64', ['count'])
  const vectors = op.gather(b.initializer('table', tensor('float32', [6, 2], given.table)), rows)
  const error = op.sub(vectors, op.gather(b.constant(tensor('float32', [6, 2], given.targets)), rows))
  b.output('loss', op.reduceSum(op.mul(error, error)))
  b.output('vectors.grad', op.mul(error, 2))
  return b.build()
}

function batch(from = 0, to = 8): Record<string, Tensor> {
  return {
    x: tensor('float32', [to - from, 3], given.x.slice(3 * from, 3 * to)),
    y: tensor('float32', [to - from, 2], given.y.slice(2 * from, 2 * to)),
  }
}

function open(graph: Graph): Promise<StatefulSession> {
  return compileStateful(graph, { state: Object.fromEntries(updatesOf(graph)), workers: 0, threads: 1 })
}

/** All states after some steps, and the results of each step. */
async function train(
  graph: Graph,
  feeds: (step: number) => Record<string, Tensor>,
  { steps = 20, from }: { readonly steps?: number; readonly from?: Record<string, Tensor> } = {},
) {
  const session = await open(graph)
  if (from) await session.write(from)
  const results: Record<string, Tensor>[] = []
  for (let step = 0; step < steps; step++) results.push(await session.step({ feeds: feeds(step) }))
  const state = await session.read()
  await session.dispose()
  return { state, results }
}

function expectClose(actual: Tensor | undefined, expected: readonly number[]): void {
  expect(actual?.data).toHaveLength(expected.length)
  for (const [index, value] of expected.entries()) {
    expect(Math.abs(Number(actual?.data[index]) - value)).toBeLessThan(
      TOLERANCE * Math.max(1, Math.abs(value)),
    )
  }
}

function code(action: () => unknown): { code: string; message: string } {
  try {
    action()
  } catch (error) {
    if (error instanceof PipiloError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('nothing was thrown')
}

const optimizers: Readonly<Record<string, OptimizeOptions>> = {
  sgd: { optimizer: { kind: 'sgd', lr: 0.1 } },
  'sgd momentum dampening decay': {
    optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.05 },
  },
  'sgd nesterov': { optimizer: { kind: 'sgd', lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 } },
  adam: { optimizer: { kind: 'adam', lr: 0.05 } },
  'adam decay': { optimizer: { kind: 'adam', lr: 0.05, betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.1 } },
  'adam amsgrad': { optimizer: { kind: 'adam', lr: 0.2, amsgrad: true } },
  adamw: { optimizer: { kind: 'adamw', lr: 0.05, weightDecay: 0.1 } },
  'adamw amsgrad': { optimizer: { kind: 'adamw', lr: 0.3, amsgrad: true } },
  lars: {
    optimizer: { kind: 'lars', lr: 0.5, momentum: 0.9, weightDecay: 0.01, trustCoefficient: 0.1 },
    groups: [{ names: /^bias$/, weightDecay: 0 }],
  },
  'lars nesterov': {
    optimizer: {
      kind: 'lars',
      lr: 0.5,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 0.01,
      trustCoefficient: 0.05,
    },
  },
  groups: {
    optimizer: { kind: 'adamw', lr: 0.05, weightDecay: 0.1 },
    groups: [{ names: /bias/g, weightDecay: 0, lrScale: 0.1 }, { names: /./ }],
  },
  schedule: { optimizer: { kind: 'adamw', lr: 0.1 }, schedule: { kind: 'cosine', steps: 20, warmup: 5 } },
}

describe('Weights after 20 steps are those of PyTorch', () => {
  it.each(Object.entries(optimizers))('%s', async (name, options) => {
    const { state } = await train(optimize(linear(), options), () => batch())
    const { weight, bias } = (reference.weights as Readonly<Record<string, Weights>>)[name]!
    expectClose(state['weight'], weight!)
    expectClose(state['bias'], bias!)
  })

  it('behind the gradients of grad, and of the rows of a table', async () => {
    const { outputs, ...rest } = linear()
    const dense = grad({ ...rest, outputs: outputs.slice(0, 1) }, { of: 'loss', by: ['weight', 'bias'] })
    const { state } = await train(optimize(dense, optimizers['adamw']!), () => batch())
    expectClose(state['weight'], reference.weights.adamw.weight)

    const { outputs: others, ...whole } = table()
    const rows = grad({ ...whole, outputs: others.slice(0, 1) }, { of: 'loss', by: ['Gather'] })
    const sparse = { table: { indices: 'rows', gradient: 'Gather.grad' } }
    const graph = optimize(rows, { optimizer: { kind: 'adam', lr: 0.05 }, sparse })
    const { state: read } = await train(graph, (step) => ({ rows: tensor('int64', [3], given.rows[step]!) }))
    expectClose(read['table'], reference.weights.sparse.table)
  })

  it('with gradients clipped, and their norm', async () => {
    const graph = optimize(linear(), { optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9 }, clip: 0.5 })
    const { state, results } = await train(graph, () => batch())
    const { weight, norms } = reference.weights.clip
    expectClose(state['weight'], weight)
    for (const [step, norm] of norms.entries()) expectClose(results[step]?.['grad_norm'], [norm])
  })

  it('with gradients accumulated over four micro-batches', async () => {
    const graph = optimize(linear(), { optimizer: { kind: 'adamw', lr: 0.1 }, clip: 0.5, accumulate: 4 })
    const { state, results } = await train(graph, (step) => batch(2 * (step % 4), 2 * (step % 4) + 2))
    const { weight, bias, norms } = reference.weights.accumulate
    expectClose(state['weight'], weight)
    expectClose(state['bias'], bias)
    for (const [index, norm] of norms.entries()) expectClose(results[4 * index + 3]?.['grad_norm'], [norm])
    expect(state['optimizer.step']?.data[0]).toBe(5n)
    expect(state['optimizer.batch']?.data[0]).toBe(0n)
  })

  it('and their moving average that of timm', async () => {
    const graph = optimize(linear(), { optimizer: { kind: 'sgd', lr: 0.1 }, average: { decay: 0.9 } })
    const { state } = await train(graph, () => batch())
    expectClose(state['weight'], reference.weights.average.weight)
    expectClose(state['ema.weight'], reference.weights.average['ema.weight'])
  })

  it.each([
    ['sparse', { kind: 'adam', lr: 0.05 }],
    ['sparse eps', { kind: 'adam', lr: 0.05, betas: [0.8, 0.95], eps: 1e-3 }],
  ] as const)('where only the rows of a table that were read change: %s', async (name, optimizer) => {
    const graph = optimize(table(), {
      optimizer,
      sparse: { table: { indices: 'rows', gradient: 'vectors.grad' } },
    })
    // The second time from behind: -1 is the last row.
    for (const shift of [0, 6]) {
      const { state } = await train(graph, (step) => ({
        rows: tensor(
          'int64',
          [3],
          given.rows[step]!.map((row) => row - shift),
        ),
      }))
      expectClose(state['table'], reference.weights[name].table)
    }
  })
})

describe('A training step', () => {
  const options: OptimizeOptions = {
    optimizer: { kind: 'adamw', lr: 0.1, amsgrad: true },
    schedule: { kind: 'linear', steps: 30, warmup: 4 },
    clip: 1,
    accumulate: 2,
    average: { decay: 0.9 },
  }

  it('resumes from the states that were read, bit for bit', async () => {
    const graph = optimize(linear(), options)
    const feeds = (step: number) => batch(step % 5, (step % 5) + 3)
    const whole = await train(graph, feeds, { steps: 15 })
    const first = await train(graph, feeds, { steps: 7 })
    const rest = await train(graph, (step) => feeds(step + 7), { steps: 8, from: first.state })
    expect(rest.state).toEqual(whole.state)
  })

  it('changes no weight before the last micro-batch', async () => {
    const graph = optimize(linear(), options)
    const { state } = await train(graph, () => batch(), { steps: 1 })
    expectClose(state['weight'], given.weight)
    expect(state['optimizer.exp_avg.weight']?.data).toEqual(new Float32Array(6))
    expect(state['optimizer.batch']?.data[0]).toBe(1n)
    expect(state['optimizer.step']?.data[0]).toBe(0n)
  })

  it('needs only the sums kept before the last micro-batch', async () => {
    const graph = optimize(linear(), options)
    const whole = await train(graph, () => batch(), { steps: 4 })
    const session = await open(graph)
    const keep = ['optimizer.batch', 'optimizer.sum.weight', 'optimizer.sum.bias']
    for (let step = 0; step < 4; step++)
      await session.step({ feeds: batch(), ...(step % 2 === 0 && { keep }) })
    expect(await session.read()).toEqual(whole.state)
    await session.dispose()
  })

  it('is the step of the large batch when gradients accumulate', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(2, 4, 8),
        fc.constantFrom('sgd', 'adam', 'lars'),
        async (parts, kind) => {
          const optimizer = { kind, lr: 0.1, weightDecay: 0.01 }
          const small = optimize(linear(), { optimizer, accumulate: parts })
          const large = optimize(linear(), { optimizer })
          const size = 8 / parts
          const pieces = await train(
            small,
            (step) => batch((step % parts) * size, ((step % parts) + 1) * size),
            {
              steps: 3 * parts,
            },
          )
          const whole = await train(large, () => batch(), { steps: 3 })
          expectClose(pieces.state['weight'], [...(whole.state['weight']!.data as Float32Array)])
        },
      ),
      { numRuns: 9 },
    )
  })

  it('says the rate that it used, and returns no gradients', async () => {
    const { results } = await train(optimize(linear(), options), () => batch(), { steps: 4 })
    expect(Object.keys(results[0]!).sort()).toEqual(['ema.decay', 'grad_norm', 'learning_rate', 'loss'])
    expect(results.map((result) => result['learning_rate']!.data[0])).toEqual(
      [0, 0, 0.025, 0.025].map(Math.fround),
    )
  })

  it('keeps its states as buffers, and its updates behind the users’ outputs', () => {
    const graph = optimize(linear(), options)
    expect(roleOf(graph, 'weight')).toBe('weight')
    const buffers = parametersOf(graph).filter(({ role }) => role === 'buffer')
    expect(buffers.map(({ name }) => name).sort()).toEqual([
      'ema.bias',
      'ema.weight',
      'optimizer.batch',
      'optimizer.exp_avg.bias',
      'optimizer.exp_avg.weight',
      'optimizer.exp_avg_sq.bias',
      'optimizer.exp_avg_sq.weight',
      'optimizer.max_exp_avg_sq.bias',
      'optimizer.max_exp_avg_sq.weight',
      'optimizer.step',
      'optimizer.sum.bias',
      'optimizer.sum.weight',
    ])
    expect([...updatesOf(graph).keys()].sort()).toEqual(
      ['bias', 'weight', ...buffers.map(({ name }) => name)].sort(),
    )
    expect(graph.outputs.slice(0, 3).map(({ name }) => name)).toEqual(['loss', 'learning_rate', 'grad_norm'])
  })

  it('averages into the teacher that the graph has, and buffers too', async () => {
    const b = Builder.from(linear())
    const mean = b.initializer('mean', tensor('float32', [2], [0, 0]))
    b.output('mean.next', op.add(mean, 1), new Map([['pipilo.updates', 'mean']]))
    const teacher = b.initializer('ema.weight', tensor('float32', [3, 2], [1, 1, 1, 1, 1, 1]))
    b.output('taught', op.reduceSum(teacher))
    const graph = optimize(b.build(), { optimizer: { kind: 'sgd', lr: 0 }, average: { decay: 0.5 } })
    const { state, results } = await train(graph, () => batch(), { steps: 2 })
    expectClose(
      state['ema.weight'],
      given.weight.map((value) => value * 0.75 + 0.25),
    )
    expectClose(state['ema.mean'], [1.25, 1.25])
    expectClose(results[1]?.['taught'], [given.weight.reduce((sum, value) => sum + value * 0.5 + 0.5, 0)])
  })

  it('averages by a course of its decay, several averages side by side', async () => {
    const steps = [0, 1, 2, 3, 4, 5]
    const course = steps.map((step) => 1 - 0.25 * (Math.cos((Math.PI * Math.min(step, 4)) / 4) + 1))
    const graph = optimize(linear(), {
      optimizer: { kind: 'sgd', lr: 0.1 },
      average: [
        { decay: 0.5, finalDecay: 1, schedule: { kind: 'cosine', steps: 4 }, names: ['weight'] },
        { decay: 0.25, warmup: true, prefix: 'short.' },
      ],
    })
    const { results } = await train(graph, () => batch(), { steps: steps.length })
    const decays = (name: string) =>
      tensor(
        'float32',
        [6],
        results.map((result) => result[name]!.data[0] as number),
      )
    expectClose(decays('ema.decay'), course)
    expectClose(
      decays('short.decay'),
      steps.map((step) => Math.min(0.25, (1 + step) / (10 + step))),
    )
    expect([...updatesOf(graph).keys()]).not.toContain('ema.bias')
    // Each average goes its part of the way to the weight behind the change.
    let [before, average] = [given.weight, given.weight]
    for (const [step, decay] of course.entries()) {
      const { state } = await train(graph, () => batch(), { steps: step + 1 })
      const weight = Array.from(state['weight']!.data as Float32Array)
      expect(weight).not.toEqual(before)
      average = average.map((value, i) => value + (1 - decay) * (weight[i]! - value))
      expectClose(state['ema.weight'], average)
      before = weight
    }
  })

  it('cuts weights back to their limits', async () => {
    const graph = optimize(linear(), { optimizer: { kind: 'sgd', lr: 0.1 }, limits: { weight: 0.01 } })
    const { state } = await train(graph, () => batch(), { steps: 2 })
    expect(Math.max(...(state['weight']!.data as Float32Array))).toBeCloseTo(0.01, 6)
  })

  it('trains scalars and float64', async () => {
    const b = new Builder()
    const scale = b.initializer('scale', tensor('float32', [], [2]))
    const wide = b.initializer('wide', tensor('float64', [2], [3, 4]))
    b.output('scale.grad', op.mul(scale, 2))
    b.output('wide.grad', op.mul(wide, 2))
    const graph = optimize(b.build(), { optimizer: { kind: 'sgd', lr: 0.25 }, clip: 1000 })
    const { state, results } = await train(graph, () => ({}), { steps: 1 })
    expect(state['scale']?.data[0]).toBe(1)
    expect([...(state['wide']!.data as Float64Array)]).toEqual([1.5, 2])
    expect(results[0]?.['grad_norm']?.data[0]).toBeCloseTo(Math.sqrt(4 * 29), 5)
  })

  it('leaves a weight without gradient where it is, with LARS', async () => {
    const b = new Builder()
    const weight = b.initializer('weight', tensor('float32', [2], [1, 2]))
    b.output('weight.grad', op.mul(weight, 0))
    const graph = optimize(b.build(), { optimizer: { kind: 'lars', lr: 1, weightDecay: 0.1 } })
    const { state } = await train(graph, () => ({}), { steps: 1 })
    expect([...(state['weight']!.data as Float32Array)]).toEqual([1, 2])
  })
})

describe('Refused', () => {
  const adam = { kind: 'adam' } as const
  it.each<[string, OptimizeOptions, string]>([
    ['a negative rate', { optimizer: { kind: 'sgd', lr: -1 } }, 'optimizer.lr is -1'],
    ['a rate that is no number', { optimizer: { kind: 'sgd', lr: Number.NaN } }, 'optimizer.lr is NaN'],
    ['a beta of 1', { optimizer: { ...adam, betas: [0.9, 1] } }, 'optimizer.betas[1] is 1'],
    ['a negative decay', { optimizer: { ...adam, weightDecay: -0.1 } }, 'optimizer.weightDecay is -0.1'],
    ['nesterov without momentum', { optimizer: { kind: 'sgd', nesterov: true } }, 'needs a momentum'],
    ['a clip of 0', { optimizer: adam, clip: 0 }, 'clip is 0'],
    ['half a micro-batch', { optimizer: adam, accumulate: 1.5 }, 'accumulate is 1.5'],
    ['a decay above 1', { optimizer: adam, average: { decay: 1.1 } }, 'average.decay is 1.1'],
    [
      'a final decay without a course',
      { optimizer: adam, average: { decay: 0.9, finalDecay: 1 } },
      'needs both finalDecay and schedule',
    ],
    [
      'two averages of one name',
      { optimizer: adam, average: [{ decay: 0.9 }, { decay: 0.99 }] },
      'average.prefix is "ema."',
    ],
    [
      'an average of what is not trained',
      { optimizer: adam, average: { decay: 0.9, names: ['weigth'] } },
      'weigth is to be averaged',
    ],
    [
      'a warm-up as long as the schedule',
      { optimizer: adam, schedule: { kind: 'linear', steps: 10, warmup: 10 } },
      'schedule.warmup is 10, no shorter',
    ],
    ['no steps', { optimizer: adam, schedule: { kind: 'cosine', steps: 0 } }, 'schedule.steps is 0'],
    ['LARS without decay', { optimizer: { kind: 'lars' } }, 'weightDecay'],
    [
      'a group that matches nothing',
      { optimizer: adam, groups: [{ names: /^weigth$/ }] },
      'matches no trained weight. The closest names are weight.',
    ],
    [
      'a decay of a table',
      { optimizer: { kind: 'adamw' }, sparse: { other: { indices: 'x', gradient: 'weight.grad' } } },
      'no initializer',
    ],
  ])('%s', (_, options, sentence) => {
    const error = code(() => optimize(linear(), options))
    expect(error.code).toMatch(/^(OPTION|GRAPH)_INVALID$/)
    expect(error.message).toContain(sentence)
  })

  it('names and kinds that there are not', () => {
    const untyped: (options: object) => unknown = (options) => optimize(linear(), options as OptimizeOptions)
    expect(code(() => untyped({ optimizer: { kind: 'adan' } })).message).toContain(
      'one of sgd, adam, adamw, lars',
    )
    expect(code(() => untyped({ optimizer: { kind: 'adam', weight_decay: 1 } })).message).toContain(
      'Did you mean weightDecay?',
    )
    expect(code(() => untyped({})).code).toBe('OPTION_INVALID')
    expect(code(() => untyped({ optimizer: adam, schedule: { kind: 'cosine' } })).message).toContain(
      'schedule needs steps',
    )
    expect(code(() => untyped({ optimizer: adam, schedule: { kind: 'exponential' } })).code).toBe(
      'OPTION_INVALID',
    )
  })

  it('graphs without gradients, halves, gradients of another shape, tables with decay', () => {
    expect(code(() => optimize(new Builder().build(), { optimizer: adam })).code).toBe('GRAPH_INVALID')
    const b = new Builder()
    const half = b.initializer('half', { dtype: 'float16', shape: [1], data: new Uint16Array(1) })
    b.output('half.grad', op.neg(half))
    expect(code(() => optimize(b.build(), { optimizer: adam })).code).toBe('DTYPE_MISMATCH')
    const c = new Builder()
    c.output('wide.grad', op.unsqueeze(c.initializer('wide', tensor('float32', [2], [1, 2])), [0]))
    expect(code(() => optimize(c.build(), { optimizer: adam })).code).toBe('SHAPE_MISMATCH')
    const sparse = { table: { indices: 'rows', gradient: 'vectors.grad' } }
    expect(code(() => optimize(table(), { optimizer: { kind: 'adamw' }, sparse })).code).toBe(
      'OPTION_INVALID',
    )
    expect(code(() => optimize(table(), { optimizer: adam, sparse, accumulate: 2 })).code).toBe(
      'OPTION_INVALID',
    )
  })
})
