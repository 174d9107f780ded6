/** Attention between sequences. */
import { op, type Value } from '../graph/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { dropout } from './layers.ts'
import type { Mode } from './types.ts'

/** The most negative float32: finite, so that a row masked altogether becomes uniform and not NaN. */
export const MASKED = -3.4028234663852886e38

/**
 * What is added to attention's scores: 0 where a token counts, {@link MASKED} where it is padding.
 *
 * @param mask [batch, sequence], 1 for tokens and 0 for padding, any dtype
 * @returns float32 [batch, 1, 1, sequence]
 */
export function additiveMask(mask: Value): Value {
  const padding = op.sub(1, op.cast(mask, 'float32'))
  return op.unsqueeze(op.mul(padding, MASKED), [1, 2])
}

export interface AttentionOptions {
  readonly heads: number
  /** Added to the scores, broadcast to [batch, heads, queries, keys]; see {@link additiveMask}. */
  readonly mask?: Value
  /** Factor of the scores. Default `1 / √(features of a head)`. */
  readonly scale?: number
  /** Probability with which weights are dropped while training. Default 0. */
  readonly dropout?: number
  readonly mode?: Mode
}

/**
 * Scaled dot-product attention in several heads (https://arxiv.org/abs/1706.03762), without projections.
 *
 * @param query [batch, queries, features]
 * @param key [batch, keys, features]
 * @param value [batch, keys, features]
 * @returns [batch, queries, features]
 */
export function multiHeadAttention(query: Value, key: Value, value: Value, options: AttentionOptions): Value {
  const { heads, mask } = options
  const features = query.shape.at(-1)
  if (typeof features !== 'number' || features % heads !== 0) {
    throw new PipiloError('SHAPE_MISMATCH', `${features} features cannot be split into ${heads} heads.`, {
      input: query.builder.path,
    })
  }
  const depth = features / heads
  const split = (x: Value, order: readonly number[]) =>
    op.transpose(op.reshape(x, [0, 0, heads, depth]), order)
  const products = op.matMul(split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1]))
  const scores = op.mul(products, options.scale ?? 1 / Math.sqrt(depth))
  const weights = op.softmax(mask ? op.add(scores, mask) : scores)
  const kept = dropout(weights, options.dropout ?? 0, options.mode ?? 'inference')
  const context = op.matMul(kept, split(value, [0, 2, 1, 3]))
  return op.reshape(op.transpose(context, [0, 2, 1, 3]), [0, 0, features])
}
