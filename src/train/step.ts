/** One training step as one graph: forward, loss, backward, optimiser. */
import { closest, PipiloError } from '../base/index.ts'
import { type AverageOptions, grad, type OptimizeOptions, optimize } from '../grad/index.ts'
import { Builder, type Graph, op, parametersOf, updatesOf } from '../graph/index.ts'
import type { Network, Objective, TeacherOptions } from './objective.ts'
import { BatchScope, type Feed, type ScopeOptions, TEACHER } from './scope.ts'

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
  const teacher =
    objective.teacher && teacherAverage(scope.followers, forward, trained, objective.teacher, options)
  const averages = [options.optimize.average ?? [], teacher ?? []].flat()
  const stepped = optimize(
    grad(forward, {
      of: 'loss',
      by: trained,
      ...(options.recompute && { recompute: options.recompute }),
    }),
    {
      ...options.optimize,
      ...(averages.length > 0 && { average: averages }),
      ...(objective.limits && { limits: objective.limits }),
    },
  )
  const graph = withCheck(stepped)
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

/** The moving average that a teacher is; nothing where no weight that it follows ever changes. */
function teacherAverage(
  followers: ReadonlyMap<string, string>,
  forward: Graph,
  trained: readonly string[],
  { momentum, finalMomentum = momentum, schedule: kind = 'cosine', steps }: TeacherOptions,
  { steps: all }: StepOptions,
): AverageOptions | undefined {
  const changing = new Set([...trained, ...updatesOf(forward).keys()])
  const names = [...followers.values()].filter((name) => changing.has(name))
  if (names.length === 0) return undefined
  // The final momentum is that of the last step, as in lightly's cosine_schedule.
  const schedule = { kind, steps: Math.max(1, (steps ?? all) - 1) }
  const course = finalMomentum === momentum ? {} : { finalDecay: finalMomentum, schedule }
  return { decay: momentum, ...course, prefix: TEACHER, names }
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
