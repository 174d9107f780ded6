/** Helpers of the functions of `op`: operands, attributes, and differences between versions of the operator set. */
import { PipiloError } from '../../base/index.ts'
import type { Builder, Value } from '../builder.ts'
import type { Attribute } from '../types.ts'
import type { EmittedOperator } from './emitted.ts'

/** A value, or a number that becomes a constant of the other operand's dtype. */
export type Operand = Value | number

/** Integers known while building, or computed in the graph. */
export type Integers = Value | readonly number[]

/** The attributes of a node; those that are `undefined` are left out. */
type Attributes = Readonly<Record<string, Attribute | undefined>>

/** Adds a node with one output. */
export function apply(
  op: EmittedOperator,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes = {},
): Value {
  return applyMany(op, inputs, attributes, 1)[0]!
}

/** Adds a node with several outputs. */
export function applyMany(
  op: EmittedOperator,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
  outputs: number,
): Value[] {
  const given = Object.entries(attributes).filter(
    (entry): entry is [string, Attribute] => entry[1] !== undefined,
  )
  const trimmed = inputs.slice(0, inputs.findLastIndex((input) => input !== undefined) + 1)
  return builderOf(inputs, op).node(op, trimmed, Object.fromEntries(given), { outputs })
}

/** Both operands as values of one dtype. */
export function pair(op: EmittedOperator, a: Operand, b: Operand): [Value, Value] {
  const known = typeof a === 'number' ? b : a
  if (typeof known === 'number') throw noValue(op)
  return [operand(a, known), operand(b, known)]
}

/** `value` itself, or a constant scalar of the dtype of `like`. */
export function operand(value: Operand, like: Value): Value {
  return typeof value === 'number' ? like.builder.constant(value, like.dtype) : value
}

/** A vector of int64. */
export function integers(value: Integers, builder: Builder): Value {
  return isValue(value) ? value : builder.constant(value)
}

/**
 * Integers that are an attribute before version `since` of the operator set and an input from then on.
 * @returns the input, the attribute; one of them `undefined`
 */
export function since(
  version: number,
  name: string,
  value: Integers | undefined,
  builder: Builder,
): [Value | undefined, Attribute | undefined] {
  if (value === undefined) return [undefined, undefined]
  if (builder.opset >= version) return [integers(value, builder), undefined]
  if (!isValue(value)) return [undefined, ints(value)]
  throw new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `Before operator set ${version}, ${name} cannot be computed in the graph; this graph has ${builder.opset}.`,
  )
}

/** True if an argument is a value of a graph. */
export function isValue(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && 'builder' in value
}

function builderOf(inputs: readonly (Value | undefined)[], op: EmittedOperator): Builder {
  const first = inputs.find((input) => input)
  if (!first) throw noValue(op)
  return first.builder
}

function noValue(op: EmittedOperator): PipiloError {
  return new PipiloError('GRAPH_INVALID', `${op} was given numbers only; one operand must be a value.`)
}

/** An integer attribute. */
export function int(value: number | boolean): Attribute
export function int(value: number | boolean | undefined): Attribute | undefined
export function int(value: number | boolean | undefined): Attribute | undefined {
  return value === undefined ? undefined : { type: 'int', value: Number(value) }
}

/** A list of integers as an attribute. */
export function ints(value: readonly number[]): Attribute
export function ints(value: readonly number[] | undefined): Attribute | undefined
export function ints(value: readonly number[] | undefined): Attribute | undefined {
  return value && { type: 'ints', value }
}

/** A float attribute. */
export function float(value: number | undefined): Attribute | undefined {
  return value === undefined ? undefined : { type: 'float', value }
}

/** A string attribute. */
export function string(value: string | undefined): Attribute | undefined {
  return value === undefined ? undefined : { type: 'string', value }
}
