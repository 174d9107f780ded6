// Keras' activations as operators of ONNX.
import { op, type Value } from '../../../graph/index.ts'
import { channelAxis } from './layout.ts'
import type { Settings } from './settings.ts'

/** Keras' activations by name, in lower case without underscores, with Keras' default settings. */
const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  linear: (x) => x,
  relu: op.relu,
  relu6: (x) => op.clip(x, 0, 6),
  elu: (x) => op.elu(x),
  sigmoid: op.sigmoid,
  hardsigmoid: (x) => op.hardSigmoid(x, 0.2),
  tanh: op.tanh,
  softplus: op.softplus,
  softsign: op.softsign,
  swish: op.silu,
  silu: op.silu,
  softmax: (x) => op.softmax(x, channelAxis(x)),
  selu: (x) => op.selu(x),
}

/** Those that mean other numbers in Keras 3, or that only it has: `relu6(x + 3) / 6` is its hard sigmoid, where Keras 2 cuts `0.2 x + 0.5`. */
const KERAS_3: Readonly<Record<string, (x: Value) => Value>> = {
  hardsigmoid: (x) => op.hardSigmoid(x, 1 / 6),
  hardsilu: (x) => op.mul(x, op.hardSigmoid(x, 1 / 6)),
  hardswish: (x) => op.mul(x, op.hardSigmoid(x, 1 / 6)),
  gelu: (x) => op.gelu(x),
}

/** Applies an activation by its Keras name (`relu`, `hard_sigmoid`); softmax goes over the channels. */
export function activate(settings: Settings, name: string, value: Value): Value {
  const key = name.toLowerCase().replaceAll('_', '')
  const known = [...(settings.layer.keras3 ? [KERAS_3] : []), ACTIVATIONS]
  const apply = known.find((table) => Object.hasOwn(table, key))?.[key]
  return apply ? apply(value) : settings.unsupported(`the activation "${name}"`)
}
