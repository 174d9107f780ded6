/** Gradients on their way to the optimiser: summed over micro-batches, and scaled. */
import { PipiloError } from '../../base/index.ts'
import { type Builder, op, type Value } from '../../graph/index.ts'
import { branch } from './branch.ts'
import type { OptimizeOptions } from './options.ts'
import { state, stateName, zerosLike } from './states.ts'
import { touchedRows } from './touchedRows.ts'
import type { Trained } from './trained.ts'

/** The gradient of a weight, or of some of its rows. */
export interface Gradient {
  readonly value: Value
  readonly rows?: Value
}

/** @throws `SHAPE_MISMATCH`, `DTYPE_MISMATCH` for a gradient that is not as its weight */
export function gradientOf(builder: Builder, { name, gradient, indices }: Trained): Gradient {
  const [weight, value] = [builder.value(name), builder.value(gradient)]
  if (value.dtype !== weight.dtype) {
    throw new PipiloError('DTYPE_MISMATCH', `${gradient} is ${value.dtype}, ${name} is ${weight.dtype}.`, {
      input: gradient,
    })
  }
  const places = indices === undefined ? undefined : builder.value(indices)
  const wanted = places ? [...places.shape, ...weight.shape.slice(1)] : weight.shape
  const unlike = wanted.some((size, axis) => {
    const given = value.shape[axis]
    return typeof size === 'number' && typeof given === 'number' && size !== given
  })
  if (unlike || wanted.length !== value.shape.length) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${gradient} is [${value.shape.join(', ')}]; it has to be [${wanted.join(', ')}].`,
      { input: gradient },
    )
  }
  if (!places) return { value }
  const { rows, gradient: sum } = builder.scope(name, () => touchedRows(weight, places, value))
  return { value: sum, rows }
}

/**
 * The sums of gradients since the weights last changed.
 *
 * @param batch number of the micro-batch, from 0
 */
export function accumulated(
  batch: Value,
  trained: readonly Trained[],
  found: readonly Gradient[],
): readonly Gradient[] {
  const { builder } = batch
  const sums = trained.map(({ name, tensor }) => state(builder, stateName('sum', name), zerosLike(tensor)))
  const values = builder.scope('sum', () =>
    branch(
      op.equal(batch, 0),
      (inside) => found.map(({ value }) => op.identity(inside(value))),
      (inside) => found.map(({ value }, index) => op.add(inside(sums[index]!), inside(value))),
    ),
  )
  return values.map((value, index) => ({
    value: builder.update(stateName('sum', trained[index]!.name), value),
  }))
}

/** The factor of all gradients: the mean of micro-batches, clipping. With `clip`, adds the output `grad_norm`. */
export function scaleOf(
  gradients: readonly Gradient[],
  { accumulate = 1, clip }: OptimizeOptions,
): Value | undefined {
  const { builder } = gradients[0]!.value
  const share = 1 / accumulate
  if (clip === undefined) return accumulate === 1 ? undefined : builder.constant(share, 'float64')
  const norms = gradients.map(({ value }) => op.reshape(op.cast(op.reduceL2(value), 'float64'), [1]))
  const norm = op.mul(op.reduceL2(op.concat(norms, 0)), share)
  builder.output('grad_norm', op.cast(norm, 'float32'))
  // The small number is PyTorch's.
  return op.mul(op.min(op.div(builder.constant(clip, 'float64'), op.add(norm, 1e-6)), 1), share)
}
