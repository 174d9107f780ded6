/** States of a training step: initializers that the step itself updates. */
import { type Builder, type Initializer, ROLE_KEY, type Value } from '../../graph/index.ts'
import { elementCount, tensor } from '../../tensor/index.ts'

/** The name of a tensor that the optimiser keeps for a weight. */
export function stateName(kind: string, weight: string): string {
  return `optimizer.${kind}.${weight}`
}

/** Adds a state with its first value. */
export function state(builder: Builder, name: string, first: Initializer): Value {
  return builder.initializer(name, first, new Map([[ROLE_KEY, 'buffer']]))
}

/** Adds a state that counts from 0. */
export function counter(builder: Builder, name: string): Value {
  return state(builder, name, tensor('int64', [], [0]))
}

/** Zeros in the shape of a weight. */
export function zerosLike({ dtype, shape }: Initializer): Initializer {
  const count = elementCount(shape)
  return { dtype, shape, data: dtype === 'float64' ? new Float64Array(count) : new Float32Array(count) }
}
