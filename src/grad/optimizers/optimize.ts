/** Training steps: optimisers as nodes behind the gradients, whose tensors are states of the graph. */
import { Builder, type Graph, op, type Value } from '../../graph/index.ts'
import { averageOf, averages } from './average.ts'
import { branch, type Inside } from './branch.ts'
import { checkOptions } from './checks.ts'
import { accumulated, type Gradient, gradientOf, scaleOf } from './gradients.ts'
import { type Course, coursesOf } from './groups.ts'
import { complete, type OptimizeOptions } from './options.ts'
import { rateValue } from './schedules.ts'
import { counter, state, stateName, zerosLike } from './states.ts'
import { withRows } from './touchedRows.ts'
import { type Trained, trainedOf, withoutGradients } from './trained.ts'

/**
 * The graph of a training step: the graph of `grad` with an optimiser behind its gradients.
 *
 * @example
 * ```ts
 * const step = optimize(grad(graph, { of: 'loss', by: ['fc.weight', 'fc.bias'] }), {
 *   optimizer: { kind: 'adamw', lr: 1e-3 },
 *   schedule: { kind: 'cosine', steps: 1000, warmup: 100 },
 *   groups: [{ names: /bias$/, weightDecay: 0 }],
 *   clip: 1,
 * })
 * const session = await compileStateful(step, { state: Object.fromEntries(updatesOf(step)) })
 * const { loss, learning_rate, grad_norm } = await session.step({ feeds })
 * const { 'fc.weight': weight } = await session.read(['fc.weight'])
 * ```
 *
 * @remarks
 * Every initializer `<name>` with an output `<name>.grad` is trained. The gradients are outputs no more; instead each `<name>` has an
 * output `<name>.next` that says what it updates. The numbers are PyTorch's (`torch.optim`, `clip_grad_norm_`, `torch.optim.lr_scheduler`).
 *
 * Further states, all of role `buffer`, all with an output `….next`; reading and writing them resumes training bit for bit:
 * - `optimizer.step`: int64, changes of the weights so far.
 * - `optimizer.exp_avg.<name>`, `optimizer.exp_avg_sq.<name>` (Adam; also `max_exp_avg_sq`): PyTorch's tensors divided by `1 - β₁` and
 *   `1 - β₂`, which is two passes over memory less. `optimizer.momentum_buffer.<name>` (SGD and LARS with momentum): PyTorch's.
 * - with `accumulate`: `optimizer.sum.<name>`, the sum of the gradients, and `optimizer.batch`, int64, the number of micro-batches in it.
 *   Weights change in each n-th step, by the mean. The steps before it may keep these two and the graph's own buffers alone (`keep`), which
 *   saves copies of what does not change.
 * - with `average`: `ema.<name>`, for weights and for the floating-point buffers that the graph updates itself. It begins as a copy, or as the
 *   initializer of that name where the graph has one: a teacher in the same graph reads it. After each change it is
 *   `ema + (1 - decay) · (weight - ema)`, as in timm's `ModelEmaV2`. Several averages go by several prefixes in its place.
 *
 * Further outputs: `learning_rate`, float32, the rate of this step before `lrScale`; with `clip`, `grad_norm`, the norm before clipping
 * (of the mean so far where gradients accumulate); with `average`, `ema.decay`, the share of this step that stays.
 *
 * @throws `OPTION_INVALID` for options, and for a group that matches no weight; `GRAPH_INVALID` for a graph without gradients;
 *   `DTYPE_MISMATCH` for weights other than float32 and float64
 */
export function optimize(graph: Graph, options: OptimizeOptions): Graph {
  checkOptions(options)
  const trained = trainedOf(graph, options.sparse)
  const builder = Builder.from(withoutGradients(graph, trained))
  builder.scope('optimizer', () => addStep(builder, graph, trained, options))
  return builder.build()
}

/** A weight with its gradient and the course that its update takes. */
interface Planned extends Trained, Course {
  readonly found: Gradient
}

/** A state and its value after this step. */
interface Next {
  readonly name: string
  readonly value: Value
}

function addStep(
  builder: Builder,
  graph: Graph,
  trained: readonly Trained[],
  options: OptimizeOptions,
): void {
  const { accumulate = 1 } = options
  const step = counter(builder, 'optimizer.step')
  const done = op.cast(step, 'float64')
  const rate = op.mul(
    rateValue(options.schedule ?? { kind: 'constant' }, done),
    complete(options.optimizer).lr,
  )
  builder.output('learning_rate', op.cast(rate, 'float32'))

  const batch = accumulate > 1 ? counter(builder, 'optimizer.batch') : undefined
  const found = trained.map((weight) => gradientOf(builder, weight))
  const gradients = batch ? accumulated(batch, trained, found) : found
  const scale = scaleOf(gradients, options)
  const courses = coursesOf(trained, options, { rate, step: op.add(done, 1) })
  const planned = trained.map((weight, index): Planned => {
    for (const kind of courses[index]!.rule.state) {
      state(builder, stateName(kind, weight.name), zerosLike(weight.tensor))
    }
    return { ...weight, ...courses[index]!, found: gradients[index]! }
  })
  const averaged = averages(builder, graph, trained, { average: options.average, done })

  const changes = (inside: Inside): readonly Next[] => {
    const next = planned.flatMap((weight) => changed(weight, scale, inside)).map(within(options.limits))
    const after = new Map(next.map(({ name, value }) => [name, value]))
    return [...next, ...averaged.map((each) => averageOf(each, after, inside))]
  }
  const last = batch && op.equal(batch, accumulate - 1)
  for (const { name, value } of last ? onlyIf(last, changes) : changes((value) => value)) {
    builder.update(name, value)
  }
  builder.update('optimizer.step', op.add(step, last ? op.cast(last, 'int64') : 1))
  if (batch) builder.update('optimizer.batch', op.mod(op.add(batch, 1), accumulate))
}

/** Cuts a next value back to its limit. */
function within(limits: Readonly<Record<string, number>> = {}): (next: Next) => Next {
  return ({ name, value }) => {
    const limit = limits[name]
    return { name, value: limit === undefined ? value : op.min(value, limit) }
  }
}

/** The changes where the condition holds, else the states as they are. */
function onlyIf(condition: Value, changes: (inside: Inside) => readonly Next[]): readonly Next[] {
  const { builder } = condition
  let names: readonly string[] = []
  const values = branch(
    condition,
    (inside) => {
      const next = changes(inside)
      names = next.map(({ name }) => name)
      return next.map(({ value }) => value)
    },
    (inside) => names.map((name) => op.identity(inside(builder.value(name)))),
  )
  return values.map((value, index) => ({ name: names[index]!, value }))
}

/** The next values of a weight and of the optimiser's tensors for it. */
function changed(
  { name, found, rule, scalars }: Planned,
  scale: Value | undefined,
  inside: Inside,
): readonly Next[] {
  const { builder, dtype } = found.value
  const names = [name, ...rule.state.map((kind) => stateName(kind, name))]
  const whole = names.map((each) => inside(builder.value(each)))
  const rows = found.rows && inside(found.rows)
  const unscaled = inside(found.value)
  return unscaled.builder.scope(name, () => {
    const [weight, ...kept] = rows ? whole.map((table) => op.gather(table, rows)) : whole
    const gradient = scale ? op.mul(unscaled, op.cast(inside(scale), dtype)) : unscaled
    const next = rule.next({ weight: weight!, gradient, state: kept, scalars: scalars.map(inside) })
    return names.map((each, index) => {
      const value = next[index]!
      return { name: each, value: rows ? withRows(whole[index]!, rows, value) : value }
    })
  })
}
