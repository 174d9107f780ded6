/** Activations by the names that configurations use. */

import { closest, PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'

const tanhGelu = (x: Value) => op.gelu(x, 'tanh')

const activations: ReadonlyMap<string, (x: Value) => Value> = new Map([
  ['gelu', (x: Value) => op.gelu(x)],
  ['gelu_python', (x: Value) => op.gelu(x)],
  ['gelu_new', tanhGelu],
  ['gelu_fast', tanhGelu],
  ['gelu_pytorch_tanh', tanhGelu],
  ['quick_gelu', op.quickGelu],
  ['gelu_tanh', tanhGelu],
  ['relu', op.relu],
  ['relu6', (x: Value) => op.clip(x, 0, 6)],
  ['silu', op.silu],
  ['swish', op.silu],
  ['tanh', op.tanh],
  ['mish', op.mish],
  ['sigmoid', op.sigmoid],
  ['hard_sigmoid', (x: Value) => op.hardSigmoid(x)],
  ['hard_swish', op.hardSwish],
  ['linear', (x: Value) => x],
])

/**
 * The activation of transformers' name (`hidden_act`): `gelu` (exact), `gelu_new` (by tanh), `relu`, `silu`, ….
 *
 * @throws PipiloError `OPERATOR_UNSUPPORTED` with the closest names
 */
export function activation(name: string): (x: Value) => Value {
  const found = activations.get(name)
  if (found) return found
  const near = closest(name, activations.keys())
  throw new PipiloError('OPERATOR_UNSUPPORTED', `There is no activation ${JSON.stringify(name)}.`, {
    input: name,
    hint: near.length
      ? `Did you mean ${near.join(' or ')}?`
      : `Known: ${[...activations.keys()].join(', ')}.`,
  })
}
