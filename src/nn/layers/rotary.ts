/** Rotary position embeddings (RoPE, https://arxiv.org/abs/2104.09864), and masks over positions. */
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { fieldsOf, invalid, unsupported } from '../text/textConfig.ts'
import { sequencePositions } from '../text/textModel.ts'
import { MASKED } from './attention.ts'

/** Angles: position p turns pair i by `p / (factor · theta^(2i / depth))`. */
export interface RotaryConfig {
  readonly theta: number
  /** Above 1, longer texts than trained on are squeezed into the trained range (`linear` scaling). */
  readonly factor: number
}

/**
 * Reads the options of rotary embeddings as transformers writes them: `{ rope_type, rope_theta, factor }` from version 5 on
 * (`rope_parameters`), `{ rope_type or type, factor }` before (`rope_scaling`, beside `rope_theta`).
 *
 * @param theta where the options do not have it
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED` for other types than `default` and `linear`
 */
export function rotaryConfig(architecture: string, json: unknown, theta: number): RotaryConfig {
  const given = fieldsOf(json)
  const type = given['rope_type'] ?? given['type'] ?? 'default'
  if (type !== 'default' && type !== 'linear')
    throw unsupported('rope_type', type, 'Only default and linear are.')
  if ((given['partial_rotary_factor'] ?? 1) !== 1)
    throw unsupported('partial_rotary_factor', given['partial_rotary_factor'], 'Only 1 is.')
  const found = { theta: given['rope_theta'] ?? theta, factor: type === 'linear' ? given['factor'] : 1 }
  for (const [name, value] of Object.entries(found)) {
    if (typeof value !== 'number' || !(value > 0))
      throw invalid(architecture, name === 'theta' ? 'rope_theta' : name, value, 'It must be positive.')
  }
  return found as RotaryConfig
}

/** Cosine and sine of each position's angles, [sequence, depth / 2]. */
export interface Rotation {
  readonly cos: Value
  readonly sin: Value
}

/**
 * The rotation of each position of `x` [batch, sequence, …].
 *
 * Computed in the graph, so that no length is built in; once for all layers.
 * @param depth features of a head, even
 */
export function rotation(x: Value, depth: number, { theta, factor }: RotaryConfig): Rotation {
  const { fround } = Math
  // In float32 step by step, as transformers does.
  const frequencies = Array.from({ length: depth / 2 }, (_, i) =>
    fround(fround(1 / fround(theta ** fround((2 * i) / depth))) / factor),
  )
  const row = x.builder.constant(tensor('float32', [1, depth / 2], frequencies))
  const positions = op.cast(sequencePositions(x), 'float32')
  const angles = op.mul(op.unsqueeze(positions, [1]), row)
  return { cos: op.cos(angles), sin: op.sin(angles) }
}

/**
 * Turns each pair (i, i + depth / 2) of features by its position's angle.
 *
 * @param x [batch, heads, sequence, depth]
 */
export function rotate(x: Value, { cos, sin }: Rotation): Value {
  const [a, b] = op.split(x, 2, -1) as [Value, Value]
  return op.concat([op.sub(op.mul(a, cos), op.mul(b, sin)), op.add(op.mul(b, cos), op.mul(a, sin))], -1)
}

/**
 * The additive mask of those pairs of positions that may attend: float32 [queries, keys], 0 or {@link MASKED}.
 *
 * @param x [batch, sequence, …]
 * @param allowed of the query's position minus the key's, int64 [queries, keys]: bool
 */
export function distanceMask(x: Value, allowed: (distance: Value) => Value): Value {
  const { builder } = x
  const positions = sequencePositions(x)
  const distance = op.sub(op.unsqueeze(positions, [1]), op.unsqueeze(positions, [0]))
  return op.where(allowed(distance), builder.constant(0, 'float32'), MASKED)
}
