/** Attention between sequences. */

import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import type { Mode } from '../types.ts'
import { dropout } from './layers.ts'

/** The most negative float32: finite, so that a row masked altogether becomes uniform and not NaN. */
export const MASKED = -3.4028234663852886e38

/**
 * Bias of attention's scores: 0 where a token counts, {@link MASKED} where it is padding.
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
 * The attention map is a layer of its own, `attention_probs` inside the current scope: float32
 * [batch, heads, queries, keys], each row summing to 1. So `tap(graph, 'encoder.layer.3.attention.self.attention_probs')`.
 *
 * @param query [batch, queries, features]
 * @param key [batch, keys, features]
 * @param value [batch, keys, features]
 * @returns [batch, queries, features]
 */
export function multiHeadAttention(query: Value, key: Value, value: Value, options: AttentionOptions): Value {
  const { heads } = options
  return attend(
    splitHeads(query, heads),
    splitHeads(key, heads, [0, 2, 3, 1]),
    splitHeads(value, heads),
    options,
  )
}

/**
 * The heads of [batch, sequence, features].
 *
 * @param order of the axes batch, sequence, head, depth. Default [batch, heads, sequence, depth]
 */
export function splitHeads(x: Value, heads: number, order: readonly number[] = [0, 2, 1, 3]): Value {
  const features = x.shape.at(-1)
  if (typeof features !== 'number' || features % heads !== 0) {
    throw new PipiloError('SHAPE_MISMATCH', `${features} features cannot be split into ${heads} heads.`, {
      input: x.builder.path,
    })
  }
  return op.transpose(op.reshape(x, [0, 0, heads, features / heads]), order)
}

/**
 * {@link multiHeadAttention} of what is split into heads already, with as many heads for keys and values or fewer: then a group
 * of neighbouring query heads shares one (grouped-query attention, https://arxiv.org/abs/2305.13245), without copies.
 *
 * @param query [batch, heads, queries, depth]
 * @param key transposed, [batch, key heads, depth, keys]
 * @param value [batch, key heads, keys, depth]
 * @returns [batch, queries, heads · depth]
 */
export function attend(
  query: Value,
  key: Value,
  value: Value,
  options: Omit<AttentionOptions, 'heads'>,
): Value {
  const { mask, mode = 'inference' } = options
  const [, heads, , depth] = query.shape as readonly [unknown, number, unknown, number]
  const keyHeads = key.shape[1] as number
  // Query heads of a group lie one after another: seen as further queries of their key head, they need no repeated keys.
  const withHeads = (x: Value, count: number) => (x.shape[1] === count ? x : op.reshape(x, [0, count, -1, 0]))
  const products = op.matMul(withHeads(query, keyHeads), key)
  const scores = withHeads(op.mul(products, options.scale ?? 1 / Math.sqrt(depth)), heads)
  const masked = mask ? op.add(scores, mask) : scores
  const weights = query.builder.scope('attention_probs', { kind: 'Softmax' }, () => op.softmax(masked))
  const kept = dropout(weights, options.dropout ?? 0, mode)
  const context = withHeads(op.matMul(withHeads(kept, keyHeads), value), heads)
  return op.reshape(op.transpose(context, [0, 2, 1, 3]), [0, 0, heads * depth])
}
