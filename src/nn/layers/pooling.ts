/** From the values of a layer to one vector an input. */

import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from './attention.ts'

/** Ways of {@link pool}. */
export type PoolKind = 'cls' | 'mean' | 'max' | 'last' | 'none'

/**
 * One vector an input.
 *
 * @example
 * ```ts
 * b.output('embedding', l2Normalize(pool(b.value('last_hidden_state'), 'mean', b.value('attention_mask'))))
 * ```
 *
 * @param value tokens [batch, tokens, features], a feature map [batch, channels, height, width], or vectors
 *   [batch, features], which stay as they are
 * @param kind over tokens: `cls` the first, `mean`, `max`, `last` the last that is not padding (padding may stand left or right);
 *   over a feature map: `mean` or `max` over positions; `none`: all of them, [batch, tokens or positions, features]
 * @param mask [batch, tokens], 1 for tokens and 0 for padding, any dtype. Default: none is padding
 * @returns [batch, features], or for `none` [batch, tokens or positions, features]
 * @throws PipiloError `OPTION_INVALID` for `cls` and `last` of a feature map, `SHAPE_MISMATCH` for other ranks
 */
export function pool(value: Value, kind: PoolKind, mask?: Value): Value {
  const rank = value.shape.length
  if (rank === 2) return kind === 'none' ? op.unsqueeze(value, [1]) : value
  if (rank === 3) return poolTokens(value, kind, mask)
  if (rank === 4) return poolPositions(value, kind)
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `${JSON.stringify(value.name)} of shape [${value.shape.join(', ')}] cannot be pooled.`,
    { input: value.name, hint: 'Choose a layer of 2, 3 or 4 axes.' },
  )
}

function poolTokens(value: Value, kind: PoolKind, mask: Value | undefined): Value {
  switch (kind) {
    case 'none':
      return value
    case 'cls':
      return op.gather(value, 0, 1)
    case 'mean': {
      if (!mask) return op.reduceMean(value, [1])
      const weights = op.cast(mask, 'float32')
      // A sum as a matrix product: [batch, 1, tokens] · [batch, tokens, features].
      const sum = op.squeeze(op.matMul(op.unsqueeze(weights, [1]), value), [1])
      return op.div(sum, op.clip(op.reduceSum(weights, [1], { keepDims: true }), 1e-9))
    }
    case 'max': {
      if (!mask) return op.reduceMax(value, [1])
      const counts = op.unsqueeze(op.cast(mask, 'bool'), [2])
      return op.reduceMax(op.where(counts, value, MASKED), [1])
    }
    case 'last': {
      if (!mask) return op.gather(value, -1, 1)
      const last = op.argMax(op.cast(mask, 'float32'), 1, { keepDims: true, last: true })
      return op.gatherND(value, last, 1)
    }
  }
}

function poolPositions(value: Value, kind: PoolKind): Value {
  switch (kind) {
    case 'mean':
      return op.flatten(op.globalAveragePool(value))
    case 'max':
      return op.flatten(op.globalMaxPool(value))
    case 'none':
      return op.transpose(op.reshape(value, [0, 0, -1]), [0, 2, 1])
    default:
      throw new PipiloError(
        'OPTION_INVALID',
        `A feature map has no ${kind} token: ${JSON.stringify(value.name)} is [${value.shape.join(', ')}].`,
        { input: kind, hint: 'Pool it by mean, max or none.' },
      )
  }
}

/** `x / max(‖x‖, 1e-12)` over the last axis, as `torch.nn.functional.normalize`. */
export function l2Normalize(x: Value): Value {
  return op.div(x, op.clip(op.reduceL2(x, [x.shape.length - 1], { keepDims: true }), 1e-12))
}

/**
 * The first `n` numbers of the last axis.
 *
 * @throws PipiloError `OPTION_INVALID` when there are fewer
 */
export function takeFirst(x: Value, n: number): Value {
  const size = x.shape.at(-1)
  if (size === n) return x
  if (!Number.isInteger(n) || n < 1 || (typeof size === 'number' && n > size)) {
    throw new PipiloError('OPTION_INVALID', `Cannot take ${n} dimensions of ${size}.`, { input: n })
  }
  return op.slice(x, [0], [n], { axes: [x.shape.length - 1] })
}
