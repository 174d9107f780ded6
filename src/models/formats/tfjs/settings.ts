// Settings of Keras layers, checked as they are read.
import { PipiloError } from '../../../base/index.ts'
import { isObject } from '../../files.ts'
import type { KerasLayer } from './topology.ts'

/** The settings of one layer, checked as they are read. Every method throws `MODEL_INVALID` for a value of the wrong kind. */
export class Settings {
  readonly layer: KerasLayer

  constructor(layer: KerasLayer) {
    this.layer = layer
  }

  number(name: string, fallback?: number): number {
    const value = this.layer.config[name] ?? fallback
    return typeof value === 'number' && Number.isFinite(value) ? value : this.wrong(name)
  }

  /** A size or count: a whole number from 1 on. */
  count(name: string, fallback?: number): number {
    const value = this.number(name, fallback)
    return Number.isSafeInteger(value) && value > 0 ? value : this.wrong(name)
  }

  text(name: string, fallback: string): string {
    const value = this.layer.config[name] ?? fallback
    return typeof value === 'string' ? value : this.wrong(name)
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.layer.config[name] ?? fallback
    return typeof value === 'boolean' ? value : this.wrong(name)
  }

  /** A shape, in which -1 or (as TensorFlow.js writes it) null is a size that follows from the others. */
  shape(name: string): number[] {
    const value = this.layer.config[name]
    const sizes = Array.isArray(value) ? value.map((size: unknown) => size ?? -1) : this.wrong(name)
    return sizes.every((size) => Number.isSafeInteger(size) && Number(size) >= -1)
      ? (sizes as number[])
      : this.wrong(name)
  }

  /** A height and a width, which Keras also writes as one number for both. */
  pair(name: string, fallback?: readonly [number, number]): readonly [number, number] {
    const value = this.layer.config[name] ?? fallback
    const both = typeof value === 'number' ? [value, value] : value
    const isPair =
      Array.isArray(both) && both.length === 2 && both.every((n) => Number.isSafeInteger(n) && n > 0)
    return isPair ? (both as [number, number]) : this.wrong(name)
  }

  /** [[top, bottom], [left, right]], which Keras also writes as one number, or one for each pair. */
  margins(name: string): readonly [readonly [number, number], readonly [number, number]] {
    const value = this.layer.config[name]
    const pairs = (Array.isArray(value) ? value : [value, value]).map((side) =>
      Array.isArray(side) ? side : [side, side],
    )
    const fits =
      pairs.length === 2 &&
      pairs.every((pair) => pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && n >= 0))
    return fits ? (pairs as [[number, number], [number, number]]) : this.wrong(name)
  }

  /** The name of the layer's activation, or the layer that is its activation, which Keras writes with settings of its own. */
  activation(): string | KerasLayer {
    const value = this.layer.config['activation'] ?? 'linear'
    const named = isObject(value) && value['class_name'] === 'function' ? value['config'] : value
    if (typeof named === 'string') return named
    const { class_name: kind, config } = isObject(named) ? named : {}
    if (typeof kind !== 'string') return this.wrong('activation')
    return { ...this.layer, kind, config: isObject(config) ? config : {} }
  }

  /** @throws PipiloError `OPERATOR_UNSUPPORTED` */
  unsupported(what: string): never {
    const { name, kind } = this.layer
    throw new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `The layer ${name} (${kind}) uses ${what}, which is not supported.`,
      {
        input: name,
        hint: 'Convert the model to ONNX (tf2onnx) and open the .onnx file instead.',
      },
    )
  }

  private wrong(name: string): never {
    const { name: layer, kind, config } = this.layer
    const value = (JSON.stringify(config[name]) ?? 'missing').slice(0, 60)
    throw new PipiloError(
      'MODEL_INVALID',
      `The setting "${name}" of the layer ${layer} (${kind}) is ${value}.`,
      {
        input: layer,
      },
    )
  }
}
