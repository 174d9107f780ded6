// Values in TensorFlow's order of axes or in ONNX's, turned only where an operator asks for it.
import { type Builder, op, type Shape, type Value } from '../../../graph/index.ts'
import type { Tensor } from '../../../tensor/index.ts'
import { channelsFirst, channelsLast } from './layout.ts'
import type { WeightLayout, Weights } from './weights.ts'

/**
 * Output of a TensorFlow node, in either order of its axes. TensorFlow has pictures as [batch, height, width, channels], ONNX
 * convolves [batch, channels, height, width]: what an operator makes in the second order stays so until one asks for the
 * first, so that networks of convolutions need no transposition.
 */
export abstract class Laid {
  /** In TensorFlow's order. */
  abstract readonly shape: Shape
  /** `map`: made as [batch, channels, height, width]; `own`: in TensorFlow's order; `any`: a weight, laid out as it is asked for. */
  abstract readonly order: 'map' | 'own' | 'any'
  /** In TensorFlow's order. */
  abstract readonly value: Value
  /** As [batch, channels, height, width]; what has fewer axes as what broadcasts to that in the same way. */
  abstract readonly map: Value
  /** True if the rows are known to differ from each other, as those of `Where` do. */
  readonly distinct: boolean = false

  get rank(): number {
    return this.shape.length
  }
}

/** A value in TensorFlow's order. */
export class OwnOrder extends Laid {
  readonly order = 'own'
  readonly value: Value
  override readonly distinct: boolean
  #map: Value | undefined

  constructor(value: Value, distinct = false) {
    super()
    this.value = value
    this.distinct = distinct
  }

  get shape(): Shape {
    return this.value.shape
  }

  get map(): Value {
    const { value, rank } = this
    const axes = Array.from({ length: Math.max(0, 4 - rank) }, (_, axis) => axis)
    this.#map ??= rank === 0 ? value : channelsFirst(axes.length > 0 ? op.unsqueeze(value, axes) : value)
    return this.#map
  }
}

/** A feature map, [batch, channels, height, width]. */
export class FeatureMap extends Laid {
  readonly order = 'map'
  readonly map: Value
  #value: Value | undefined

  constructor(map: Value) {
    super()
    this.map = map
  }

  get shape(): Shape {
    const [batch = '', channels = '', height = '', width = ''] = this.map.shape
    return [batch, height, width, channels]
  }

  get value(): Value {
    this.#value ??= channelsLast(this.map)
    return this.#value
  }
}

/** A weight, added to the graph in the layouts in which it is read. */
export class Weight extends Laid {
  readonly order = 'any'
  readonly shape: readonly number[]
  readonly #name: string
  readonly #builder: Builder
  readonly #weights: Weights

  constructor(builder: Builder, name: string, shape: readonly number[], weights: Weights) {
    super()
    this.shape = shape
    this.#name = name
    this.#builder = builder
    this.#weights = weights
  }

  get tensor(): Tensor {
    return this.#weights.get(this.#name)!
  }

  get value(): Value {
    return this.as('as is')
  }

  get map(): Value {
    if (this.rank === 0) return this.value
    return this.rank < 4 || this.shape[0] === 1 ? this.as('map') : channelsFirst(this.value)
  }

  /** @param shape what the same elements are to be shaped as */
  as(layout: WeightLayout, shape?: readonly number[]): Value {
    const suffix = shape ? `:${shape.join('x')}` : layout === 'as is' ? '' : `:${layout}`
    const name = this.#name + suffix
    if (this.#builder.has(name)) return this.#builder.value(name)
    const tensor = this.#weights.get(this.#name, layout)!
    return this.#builder.initializer(name, { ...tensor, shape: shape ?? tensor.shape })
  }
}
