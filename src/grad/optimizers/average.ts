/** Exponential moving averages of weights and buffers. */
import { PipiloError } from '../../base/index.ts'
import { type Builder, type Graph, op, updatesOf, type Value } from '../../graph/index.ts'
import type { Inside } from './branch.ts'
import { state } from './states.ts'
import type { Trained } from './trained.ts'

const PREFIX = 'ema.'

/** A value that is averaged. */
export interface Averaged {
  readonly name: string
  /** The average so far. */
  readonly average: Value
  /** The next value where the graph makes it itself: of a buffer. */
  readonly next?: Value
}

/** Adds the averages of all that is trained, and of the buffers that the graph updates. */
export function averages(builder: Builder, graph: Graph, trained: readonly Trained[]): readonly Averaged[] {
  const updates = updatesOf(graph)
  const buffers = [...updates].filter(
    ([name]) =>
      /^float(32|64)$/.test(graph.initializers.get(name)?.dtype ?? '') &&
      // A teacher's own: averages are not averaged again.
      !name.startsWith(PREFIX),
  )
  const all = [
    ...trained.map(({ name }) => ({ name })),
    ...buffers.map(([name, next]) => ({ name, next: builder.value(next) })),
  ]
  return all
    .filter(({ name }) => !updates.has(PREFIX + name))
    .map((each) => ({ ...each, average: averageState(builder, graph, each.name) }))
}

/** The next average. */
export function averageOf(
  { name, average, next }: Averaged,
  decay: number,
  after: ReadonlyMap<string, Value>,
  inside: Inside,
): { readonly name: string; readonly value: Value } {
  const value = after.get(name) ?? inside(next!)
  const before = inside(average)
  const moved = value.builder.scope(PREFIX + name, () =>
    op.add(before, op.mul(op.sub(value, before), 1 - decay)),
  )
  return { name: PREFIX + name, value: moved }
}

function averageState(builder: Builder, graph: Graph, name: string): Value {
  const tensor = graph.initializers.get(name)!
  const teacher = graph.initializers.get(PREFIX + name)
  if (!teacher) return state(builder, PREFIX + name, tensor)
  if (teacher.dtype === tensor.dtype && String(teacher.shape) === String(tensor.shape)) {
    return builder.value(PREFIX + name)
  }
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `${PREFIX}${name} is ${teacher.dtype}[${teacher.shape}], and ${name} is ${tensor.dtype}[${tensor.shape}].`,
    {
      input: PREFIX + name,
      hint: 'Averages go to the initializers of these names: call the others otherwise.',
    },
  )
}
