// One node of a TensorFlow graph with its inputs and attributes, as the rules of operators read it.
import { decodeBase64, PipiloError } from '../../../base/index.ts'
import type { Builder, Dimension, Value } from '../../../graph/index.ts'
import type { DType } from '../../../tensor/index.ts'
import { isObject } from '../../files.ts'
import { type Laid, Weight } from './laid.ts'
import type { NodeDef } from './nodeDefs.ts'

/** Adds the nodes of an operator and returns its outputs. A plain value is in TensorFlow's order. */
export type OperatorRule = (call: NodeCall) => Result | readonly Result[]
export type Result = Laid | Value

/** Rules by TensorFlow's names of the operators. */
export type Rules = Readonly<Record<string, OperatorRule>>

/** TensorFlow's dtypes by number and name. TensorFlow.js itself knows float32, int32 and bool, and int32 is int64 here. */
const DTYPES: readonly (readonly [number, string, DType])[] = [
  [1, 'DT_FLOAT', 'float32'],
  [2, 'DT_DOUBLE', 'float32'],
  [3, 'DT_INT32', 'int64'],
  [4, 'DT_UINT8', 'int64'],
  [5, 'DT_INT16', 'int64'],
  [6, 'DT_INT8', 'int64'],
  [9, 'DT_INT64', 'int64'],
  [10, 'DT_BOOL', 'bool'],
  [19, 'DT_HALF', 'float32'],
]

/** Argument of an operator's rule: one node, its inputs and its attributes, checked as they are read. */
export class NodeCall {
  readonly node: NodeDef
  readonly builder: Builder
  readonly inputs: readonly Laid[]

  constructor(builder: Builder, node: NodeDef, inputs: readonly Laid[]) {
    this.builder = builder
    this.node = node
    this.inputs = inputs
  }

  /** An input. @throws PipiloError `MODEL_INVALID` where there is none */
  laid(index: number): Laid {
    return this.inputs[index] ?? this.wrong(`has ${this.inputs.length} inputs`)
  }

  /** An input in TensorFlow's order. */
  value(index: number): Value {
    return this.laid(index).value
  }

  /** The elements of an input as far as they are known; undefined where not all are. */
  known(index: number): readonly number[] | undefined {
    const laid = this.laid(index)
    if (laid instanceof Weight) return Array.from(laid.tensor.data as ArrayLike<number | bigint>, Number)
    const { content } = laid.value.fact
    return content?.every((element) => typeof element === 'number') ? (content as number[]) : undefined
  }

  /** The elements of an input that have to be known, such as axes. @throws PipiloError `OPERATOR_UNSUPPORTED` */
  numbers(index: number): readonly number[] {
    return this.known(index) ?? this.unsupported(`an input ${index} that is computed`)
  }

  /** An input that names one axis, counted from the front. */
  axis(index: number, rank = this.laid(0).rank): number {
    const [axis = 0] = this.numbers(index)
    return this.front(axis, rank)
  }

  /** An axis counted from the front. */
  front(axis: number, rank: number): number {
    const result = axis < 0 ? axis + rank : axis
    return result >= 0 && result < rank ? result : this.wrong(`names the axis ${axis} of ${rank}`)
  }

  int(name: string, fallback: number): number {
    const value = this.attribute(name, 'i')
    return value === undefined ? fallback : this.whole(value, name)
  }

  float(name: string, fallback: number): number {
    const value = this.attribute(name, 'f') ?? fallback
    return typeof value === 'number' ? value : this.wrong(`has no number "${name}"`)
  }

  flag(name: string, fallback = false): boolean {
    return (this.attribute(name, 'b') ?? fallback) === true
  }

  text(name: string, fallback = ''): string {
    const value = this.attribute(name, 's')
    return value === undefined ? fallback : decode(value)
  }

  ints(name: string): number[] {
    return this.list(name, 'i').map((value) => this.whole(value, name))
  }

  texts(name: string): string[] {
    return this.list(name, 's').map(decode)
  }

  dtype(name: string): DType {
    const value = this.attribute(name, 'type')
    const known = DTYPES.find(([number, text]) => number === value || text === value)
    return known?.[2] ?? this.unsupported(`the dtype ${String(value)}`)
  }

  /** The shape in an attribute, an unknown size as undefined; undefined where the rank is unknown. */
  dimensions(name: string): (number | undefined)[] | undefined {
    const shape = this.attribute(name, 'shape')
    if (!isObject(shape) || shape['unknownRank'] === true) return undefined
    const dims: unknown[] = Array.isArray(shape['dim']) ? shape['dim'] : []
    return dims.map((dim) => {
      const size = isObject(dim) ? Number(dim['size'] ?? 0) : Number.NaN
      return Number.isSafeInteger(size) && size >= 0 ? size : undefined
    })
  }

  /** A size that has to be known. */
  size(size: Dimension | undefined): number {
    return typeof size === 'number' ? size : this.unsupported('an axis whose size is not known')
  }

  /** @throws PipiloError `OPERATOR_UNSUPPORTED` */
  unsupported(what: string): never {
    const { name, op } = this.node
    throw new PipiloError('OPERATOR_UNSUPPORTED', `${name} (${op}) uses ${what}, which is not supported.`, {
      input: name,
      hint: 'Convert the model to ONNX (tf2onnx) and open the .onnx file instead.',
    })
  }

  /** @throws PipiloError `MODEL_INVALID` */
  wrong(what: string): never {
    const { name, op } = this.node
    throw new PipiloError('MODEL_INVALID', `${name} (${op}) ${what}.`, { input: name })
  }

  private attribute(name: string, kind: string): unknown {
    const value = Object.hasOwn(this.node.attributes, name) ? this.node.attributes[name] : undefined
    return isObject(value) ? value[kind] : undefined
  }

  private list(name: string, kind: string): readonly unknown[] {
    const list = this.attribute(name, 'list')
    const values = isObject(list) ? list[kind] : undefined
    return Array.isArray(values) ? values : []
  }

  /** protobuf writes 64-bit numbers as text. */
  private whole(value: unknown, name: string): number {
    const number = typeof value === 'string' && value !== '' ? Number(value) : value
    return Number.isSafeInteger(number) ? (number as number) : this.wrong(`has no whole number "${name}"`)
  }
}

/** protobuf writes bytes in base64, older converters as a list of numbers. */
function decode(value: unknown): string {
  const bytes = Array.isArray(value) ? Uint8Array.from(value) : decodeBase64(String(value))
  return new TextDecoder().decode(bytes)
}
