/** One training step as one graph: forward, loss, backward, optimiser. */
import { closest, PipiloError } from '../base/index.ts'
import { grad, type OptimizeOptions, optimize } from '../grad/index.ts'
import { Builder, type Graph, op, parametersOf, updatesOf, type Value } from '../graph/index.ts'
import type { Network, Objective, TeacherOptions } from './objective.ts'
import { BatchScope, type Feed, type ScopeOptions } from './scope.ts'

/** Options of {@link trainingStep}. */
export interface StepOptions extends ScopeOptions {
  readonly optimize: OptimizeOptions
  /** Parameters that are not trained: names, beginnings of names (`encoder.layer.0`), or patterns. */
  readonly freeze?: readonly (string | RegExp)[]
  /** Layers whose inner values are not kept but made again: see `grad`. */
  readonly recompute?: readonly RegExp[]
  /** Changes of the weights in the whole run, for schedules: fewer than batches where gradients accumulate. */
  readonly steps: number
}

/** The graph of a step, and what its inputs and outputs are. */
export interface TrainingStep {
  readonly graph: Graph
  /** How its inputs are filled. */
  readonly feeds: ReadonlyMap<string, Feed>
  /** For each tensor that it keeps, the output that is its next value. */
  readonly state: Readonly<Record<string, string>>
  /** Names of the weights that are trained. */
  readonly trained: readonly string[]
  /** Outputs that are numbers to watch, `loss` first. */
  readonly metrics: readonly string[]
  /** Output that is finite if all weights that the step keeps are: a gradient may overflow long before the loss shows it. */
  readonly check: string
  /** The forward pass and the loss alone. */
  readonly forward: Graph
}

/**
 * Builds the step of an objective on a network.
 *
 * @throws `OPTION_INVALID` for frozen patterns that match nothing; what the objective, `grad` and `optimize` throw
 */
export function trainingStep(network: Network, objective: Objective, options: StepOptions): TrainingStep {
  const scope = new BatchScope(network, objective, options)
  const { loss, metrics = {} } = objective.build(scope)
  scope.builder.output('loss', loss)
  for (const [name, value] of Object.entries(metrics)) scope.builder.output(name, value)
  const forward = scope.builder.build()
  const own = new Set(parametersOf(network.training).map(({ name }) => name))
  const allowed = network.trainable && new Set(network.trainable)
  const weights = parametersOf(forward).flatMap(({ name, role }) =>
    role === 'weight' && (!allowed || allowed.has(name) || !own.has(name)) ? [name] : [],
  )
  const trained = unfrozen(weights, options.freeze ?? [])
  const stepped = optimize(
    grad(forward, {
      of: 'loss',
      by: trained,
      ...(options.recompute && { recompute: options.recompute }),
    }),
    options.optimize,
  )
  const limited = objective.limits ? withLimits(stepped, objective.limits) : stepped
  const whole = objective.teacher
    ? withTeacher(limited, scope.followers, objective.teacher, options)
    : limited
  const graph = withCheck(whole)
  const updates = updatesOf(graph)
  const taken = new Set(updates.values())
  return {
    graph,
    feeds: scope.feeds,
    state: Object.fromEntries(updates),
    trained,
    metrics: graph.outputs.flatMap(({ name }) => (taken.has(name) || name === CHECK ? [] : [name])),
    check: CHECK,
    forward,
  }
}

/** @throws `OPTION_INVALID` for a pattern that matches nothing, or when nothing is left */
function unfrozen(weights: readonly string[], freeze: readonly (string | RegExp)[]): string[] {
  const frozen = new Set<string>()
  for (const pattern of freeze) {
    const found = weights.filter((name) => matches(name, pattern))
    if (found.length === 0) {
      const near = typeof pattern === 'string' ? closest(pattern, beginnings(weights)) : []
      throw new PipiloError('OPTION_INVALID', `No weight is called ${pattern}, which is to be frozen.`, {
        input: 'freeze',
        hint:
          near.length > 0
            ? `Did you mean ${near.join(' or ')}?`
            : `Weights are called ${weights.slice(0, 5).join(', ')}, ….`,
      })
    }
    for (const name of found) frozen.add(name)
  }
  const left = weights.filter((name) => !frozen.has(name))
  if (left.length > 0) return left
  throw new PipiloError('OPTION_INVALID', 'Every weight is frozen: there is nothing to train.', {
    input: 'freeze',
  })
}

/** Names and all their beginnings up to a dot. */
function beginnings(names: readonly string[]): string[] {
  const all = names.flatMap((name) => {
    const parts = name.split('.')
    return parts.map((_, i) => parts.slice(0, i + 1).join('.'))
  })
  return [...new Set(all)]
}

function matches(name: string, pattern: string | RegExp): boolean {
  if (typeof pattern !== 'string') return pattern.test(name)
  return name === pattern || name.startsWith(pattern.endsWith('.') ? pattern : `${pattern}.`)
}

/** The step with some of its parameters cut back to their largest values. */
function withLimits(graph: Graph, limits: Readonly<Record<string, number>>): Graph {
  const updates = updatesOf(graph)
  const next = new Map(
    Object.keys(limits).flatMap((name) => (updates.has(name) ? [[updates.get(name)!, name]] : [])),
  )
  const outputs = graph.outputs.filter(({ name }) => !next.has(name))
  const builder = Builder.from({ ...graph, outputs })
  for (const [output, name] of next) builder.update(name, op.min(builder.value(output), limits[name]!))
  return builder.build()
}

/** The step with the moving average of the weights kept up. */
function withTeacher(
  graph: Graph,
  followers: ReadonlyMap<string, string>,
  options: TeacherOptions,
  { steps, optimize: { accumulate = 1 } }: StepOptions,
): Graph {
  if (followers.size === 0) return graph
  const builder = Builder.from(graph)
  const updates = updatesOf(graph)
  builder.scope('teacher', () => {
    const count = builder.value('optimizer.step')
    const momentum = momentumAt(builder, op.cast(count, 'float32'), options, steps)
    const rest = op.sub(1, momentum)
    // The average follows changes of the weights: between them it stays as it is.
    const isChange = accumulate > 1 ? op.equal(builder.value('optimizer.batch'), accumulate - 1) : undefined
    for (const [follower, name] of followers) {
      const next = updates.get(name)
      const weight = builder.value(next ?? name)
      const before = builder.value(follower)
      const after = op.add(op.mul(before, momentum), op.mul(weight, rest))
      builder.update(follower, isChange ? op.where(isChange, after, before) : after)
    }
    builder.output('teacher_momentum', momentum)
  })
  return builder.build()
}

const CHECK = 'check.state'

/**
 * The step with the sum of what it keeps: one number that is not finite makes the sum so. An optimiser's averages pass on what they hold to
 * the weights, but for an infinite `exp_avg_sq`, and are left out; `checkKept` looks at them before they are written.
 */
function withCheck(graph: Graph): Graph {
  const builder = Builder.from(graph)
  builder.scope('check', () => {
    const [first, ...others] = [...updatesOf(graph)].flatMap(([name, next]) => {
      const value = builder.value(next)
      return value.dtype === 'float32' && !AVERAGES.test(name) ? [op.reduceSum(value)] : []
    })
    builder.output(CHECK, others.length > 0 ? op.sum(first!, ...others) : first!)
  })
  return builder.build()
}

const AVERAGES = /^optimizer\.(?!sum\.)/

function momentumAt(
  builder: Builder,
  step: Value,
  { momentum, finalMomentum = momentum, schedule = 'cosine', steps }: TeacherOptions,
  all: number,
) {
  if (finalMomentum === momentum) return op.add(op.mul(step, 0), momentum)
  const progress = op.min(op.div(step, Math.max(1, (steps ?? all) - 1)), builder.constant(1, 'float32'))
  // Cosine: final - (final - start) · (cos(π · progress) + 1) / 2, as lightly's cosine_schedule.
  const share = schedule === 'linear' ? progress : op.div(op.sub(1, op.cos(op.mul(progress, Math.PI))), 2)
  return op.add(op.mul(share, finalMomentum - momentum), momentum)
}
