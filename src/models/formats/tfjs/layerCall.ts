// One use of a Keras layer: its inputs, settings and weights.
import type { Builder, Value } from '../../../graph/index.ts'
import type { Tensor } from '../../../tensor/index.ts'
import { isObject } from '../../files.ts'
import { channelAxis } from './layout.ts'
import { Settings } from './settings.ts'
import type { KerasLayer } from './topology.ts'
import type { WeightLayout, Weights } from './weights.ts'

/** Argument of the function of a layer kind. */
export class LayerCall {
  readonly settings: Settings
  readonly inputs: readonly Value[]
  readonly input: Value
  private readonly builder: Builder
  private readonly weights: Weights

  /** @throws PipiloError `OPERATOR_UNSUPPORTED` for a layer that is given nothing, or channels that come first */
  constructor(builder: Builder, layer: KerasLayer, inputs: readonly Value[], weights: Weights) {
    this.builder = builder
    this.settings = new Settings(layer)
    this.weights = weights
    this.inputs = inputs
    this.input = inputs[0] ?? this.settings.unsupported('no input')
    if (layer.refused !== undefined) this.settings.unsupported(layer.refused)
    const { dtype } = layer.config
    // Integers beside a scale, which would be read as the weights themselves.
    if (isObject(dtype) && /Quantized/.test(String(dtype['class_name'])))
      this.settings.unsupported('quantised weights')
    if (this.settings.text('data_format', 'channels_last') !== 'channels_last') {
      this.settings.unsupported('pictures with their channels first')
    }
  }

  /** The input, which has to be a feature map: [batch, channels, height, width]. */
  get map(): Value {
    const rank = this.input.shape.length
    return rank === 4 ? this.input : this.settings.unsupported(`an input of ${rank} axes`)
  }

  /** Size of Keras' last axis. */
  get channels(): number {
    return this.size(channelAxis(this.input))
  }

  /** Size of an axis of the input, which has to be known. */
  size(axis: number): number {
    const size = this.input.shape[axis]
    return typeof size === 'number' ? size : this.settings.unsupported('an axis whose size is not known')
  }

  /** A weight as a value of the graph, `shape` in TensorFlow's order. A layer that is used twice adds it once. */
  weight(name: string, shape: readonly number[], layout?: WeightLayout): Value {
    const { kind, name: layer } = this.settings.layer
    const names = kind === 'DepthwiseConv2D' && name === 'depthwise_kernel' ? [name, 'kernel'] : [name]
    const index = this.order().indexOf(name)
    return this.once(name, () => this.weights.take({ layer, names, index }, shape, layout))
  }

  /** The layer's weights in the order in which Keras makes them, by which Keras 3 numbers them. */
  private order(): readonly string[] {
    const { settings } = this
    const made = (names: readonly string[], flag: string) => (settings.flag(flag, true) ? names : [])
    switch (settings.layer.kind) {
      case 'BatchNormalization':
        return [...made(['gamma'], 'scale'), ...made(['beta'], 'center'), 'moving_mean', 'moving_variance']
      case 'SeparableConv2D':
        return ['depthwise_kernel', 'pointwise_kernel', 'bias']
      case 'DepthwiseConv2D':
        return ['depthwise_kernel', 'bias']
      default:
        return ['kernel', 'bias']
    }
  }

  /** A vector in place of a weight that the layer does without. */
  filled(name: string, size: number, value: number): Value {
    return this.once(name, () => ({
      dtype: 'float32',
      shape: [size],
      data: new Float32Array(size).fill(value),
    }))
  }

  private once(name: string, make: () => Tensor): Value {
    const full = `${this.builder.path}/${name}`
    return this.builder.has(full) ? this.builder.value(full) : this.builder.initializer(full, make())
  }
}
