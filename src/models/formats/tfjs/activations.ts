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
}

/** Applies an activation by its Keras name (`relu`, `hard_sigmoid`); softmax goes over the channels. */
export function activate(settings: Settings, name: string, value: Value): Value {
  const key = name.toLowerCase().replaceAll('_', '')
  if (key === 'hardsigmoid' && settings.layer.keras3) {
    return settings.unsupported(`${name}, of which Keras 3 and TensorFlow.js have two definitions`)
  }
  const apply = Object.hasOwn(ACTIVATIONS, key) ? ACTIVATIONS[key] : undefined
  return apply ? apply(value) : settings.unsupported(`the activation "${name}"`)
}
