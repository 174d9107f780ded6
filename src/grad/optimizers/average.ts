/** Exponential moving averages of weights and buffers. */
import { PipiloError } from '../../base/index.ts'
import { type Builder, type Graph, op, updatesOf, type Value } from '../../graph/index.ts'
import type { Inside } from './branch.ts'
import type { AverageOptions, OptimizeOptions } from './options.ts'
import { rateValue } from './schedules.ts'
import { state } from './states.ts'
import type { Trained } from './trained.ts'

const PREFIX = 'ema.'

/** A value that is averaged. */
export interface Averaged {
  readonly name: string
  /** The average so far. */
  readonly average: Value
  /** Part of the way to the value that the average goes: float64 scalar. */
  readonly rest: Value
  /** The next value where the graph makes it itself: of a buffer. */
  readonly next?: Value
}

/** Adds the averages, and the output `<prefix>decay` of each option. @param done float64 scalar: changes so far */
export function averages(
  builder: Builder,
  graph: Graph,
  trained: readonly Trained[],
  { average = [], done }: { readonly average: OptimizeOptions['average']; readonly done: Value },
): readonly Averaged[] {
  const all = 'decay' in average ? [average] : average
  const prefixes = all.map(({ prefix = PREFIX }) => prefix)
  return all.flatMap((options, index) => {
    const prefix = prefixes[index]!
    const decay = decayValue(options, done)
    builder.output(`${prefix}decay`, op.cast(decay, 'float32'))
    const rest = op.sub(1, decay)
    return averagedBy(options, graph, trained, prefixes).map(({ name, next }) => ({
      name,
      average: averageState(builder, graph, name, prefix),
      rest,
      ...(next !== undefined && { next: builder.value(next) }),
    }))
  })
}

/** Values that are averaged, with the output that is a buffer's next one. */
function averagedBy(
  { names, prefix = PREFIX }: AverageOptions,
  graph: Graph,
  trained: readonly Trained[],
  prefixes: readonly string[],
): readonly { readonly name: string; readonly next?: string }[] {
  const updates = updatesOf(graph)
  const buffers = [...updates].filter(
    ([name]) =>
      /^float(32|64)$/.test(graph.initializers.get(name)?.dtype ?? '') &&
      // A teacher's own: averages are not averaged again.
      !prefixes.some((each) => name.startsWith(each)),
  )
  const all = [...trained.map(({ name }) => ({ name })), ...buffers.map(([name, next]) => ({ name, next }))]
  const unknown = names?.find((name) => !all.some((each) => each.name === name))
  if (unknown !== undefined) {
    throw new PipiloError('OPTION_INVALID', `${unknown} is to be averaged, and nothing changes it.`, {
      input: 'average.names',
    })
  }
  return all.filter(({ name }) => !updates.has(prefix + name) && (!names || names.includes(name)))
}

/** The decay at a change: float64 scalar. */
function decayValue({ decay, finalDecay = decay, schedule, warmup }: AverageOptions, done: Value): Value {
  const { builder } = done
  const constant = builder.constant(decay, 'float64')
  const course =
    schedule && finalDecay !== decay
      ? op.add(op.mul(rateValue(schedule, done), decay - finalDecay), finalDecay)
      : constant
  return warmup ? op.min(course, op.div(op.add(done, 1), op.add(done, 10))) : course
}

/** The next average. */
export function averageOf(
  { name, average, rest, next }: Averaged,
  after: ReadonlyMap<string, Value>,
  inside: Inside,
): { readonly name: string; readonly value: Value } {
  const value = after.get(name) ?? inside(next!)
  const before = inside(average)
  const moved = value.builder.scope(average.name, () =>
    op.add(before, op.mul(op.sub(value, before), op.cast(inside(rest), value.dtype))),
  )
  return { name: average.name, value: moved }
}

function averageState(builder: Builder, graph: Graph, name: string, prefix: string): Value {
  const tensor = graph.initializers.get(name)!
  const teacher = graph.initializers.get(prefix + name)
  if (!teacher) return state(builder, prefix + name, tensor)
  if (teacher.dtype === tensor.dtype && String(teacher.shape) === String(tensor.shape)) {
    return builder.value(prefix + name)
  }
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `${prefix}${name} is ${teacher.dtype}[${teacher.shape}], and ${name} is ${tensor.dtype}[${tensor.shape}].`,
    {
      input: prefix + name,
      hint: 'Averages go to the initializers of these names: call the others otherwise.',
    },
  )
}
