/** Control flow, sequences and optional values. */
import { dtypeOf } from '../../onnx/schema.ts'
import type { Dimension, Graph, Shape, ValueType } from '../../types.ts'
import { type Call, type Fact, type Rule, tensor } from '../rule.ts'

/** The fact that holds for both of two values. */
function either(call: Call, index: number, a: Fact | undefined, b: Fact | undefined): Fact {
  const [left, right] = [a?.type, b?.type]
  if (left?.kind !== 'tensor' || right?.kind !== 'tensor') {
    return left && right && left.kind === right.kind ? { type: left } : {}
  }
  if (left.dtype !== right.dtype) return {}
  const { dtype } = left
  if (!left.shape || !right.shape || left.shape.length !== right.shape.length) return tensor(dtype)
  const same = (d: Dimension, axis: number) => (d === right.shape![axis] ? d : call.fresh(index, axis))
  return tensor(dtype, left.shape.map(same))
}

const conditional: Rule = (call) => {
  const [yes, no] = [call.graph('then_branch'), call.graph('else_branch')]
  if (!yes || !no) return []
  const condition = call.content(0)?.[0]
  if (typeof condition === 'number') return call.infer(condition ? yes : no, [])
  const [a, b] = [call.infer(yes, []), call.infer(no, [])]
  return call.node.outputs.map((_, i) => either(call, i, a[i], b[i]))
}

const typeOnly = (fact: Fact | undefined): Fact => ({ type: fact?.type })

/** Carried values may change their shape from one round to the next: what differs after one round is unknown. */
function steady(
  call: Call,
  body: Graph,
  first: readonly (Fact | undefined)[],
  carried: number,
  skip: number,
) {
  const start = first.map((fact, i) => (i < first.length - carried ? fact : typeOnly(fact)))
  const once = call.infer(body, start)
  const states = start.slice(start.length - carried)
  const settled = states.map((state, i) => either(call, i, state, once[i + skip]))
  return call.infer(body, [...start.slice(0, start.length - carried), ...settled])
}

const loop: Rule = (call) => {
  const body = call.graph('body')
  if (!body) return []
  const carried = call.inputs.slice(2)
  const given = [tensor('int64', []), tensor('bool', []), ...carried]
  const results = steady(call, body, given, carried.length, 1)
  const states = carried.map((fact, i) => either(call, i, fact, results[i + 1]))
  const scans = results
    .slice(1 + carried.length)
    .map((fact, i) => stacked(fact, call.fresh(carried.length + i, 0), 0))
  return [...states, ...scans]
}

/** A tensor of one round, with all rounds along `axis`. */
function stacked(fact: Fact | undefined, count: Dimension, axis: number): Fact {
  if (fact?.type?.kind !== 'tensor') return {}
  const { dtype, shape } = fact.type
  return tensor(dtype, shape && insert(shape, axis < 0 ? axis + shape.length + 1 : axis, count))
}

const insert = (shape: Shape, axis: number, size: Dimension): Shape => [
  ...shape.slice(0, axis),
  size,
  ...shape.slice(axis),
]

const scan: Rule = (call) => {
  const body = call.graph('body')
  // Version 8 has a batch axis and an optional first input.
  if (!body || call.opset < 9) return []
  const scans = call.int('num_scan_inputs', 0)
  const states = call.inputs.length - scans
  const axes = call.ints('scan_input_axes')
  let count: Dimension = ''
  const slices = call.inputs.slice(states).map((fact, i): Fact => {
    if (fact?.type?.kind !== 'tensor' || !fact.type.shape) return {}
    const { dtype, shape } = fact.type
    const axis = call.axis(axes?.[i] ?? 0, shape.length)
    if (count === '') count = shape[axis]!
    return tensor(
      dtype,
      shape.filter((_, j) => j !== axis),
    )
  })
  const initial = call.inputs.slice(0, states).map(typeOnly)
  const results = call.infer(body, [...initial, ...slices])
  const length = count
  const outputAxes = call.ints('scan_output_axes')
  return results.map((fact, i) =>
    i < states
      ? either(call, i, call.inputs[i], fact)
      : stacked(fact, length === '' ? call.fresh(i, 0) : length, outputAxes?.[i - states] ?? 0),
  )
}

const element = (type: ValueType | undefined): Fact =>
  type?.kind === 'sequence' || type?.kind === 'optional' ? { type: type.element } : {}

const sequenceOf = (type: ValueType | undefined): Fact =>
  type ? { type: { kind: 'sequence', element: type } } : {}

/** The type of elements whose sizes may differ. */
const loose = (call: Call, index: number): ValueType | undefined => {
  const type = call.type(index)
  return type && { kind: 'tensor', dtype: type.dtype }
}

const concatFromSequence: Rule = (call) => {
  const { type } = element(call.inputs[0]?.type)
  if (type?.kind !== 'tensor' || !type.shape) return [type?.kind === 'tensor' ? tensor(type.dtype) : {}]
  const rank = type.shape.length
  if (call.int('new_axis', 0) !== 0) return [stacked({ type }, call.fresh(0, 0), call.int('axis', 0))]
  const axis = call.axis(call.int('axis', 0), rank)
  return [
    tensor(
      type.dtype,
      type.shape.map((d, i) => (i === axis ? call.fresh(0, i) : d)),
    ),
  ]
}

const splitToSequence: Rule = (call) => {
  const shape = call.shape(0)
  const dtype = call.dtype(0)
  if (!shape || !dtype) return [sequenceOf(loose(call, 0))]
  const axis = call.axis(call.int('axis', 0), shape.length)
  const dropped = !call.has(1) && call.int('keepdims', 1) === 0
  const part = call.has(1) ? (call.shape(1)?.length === 0 ? (call.content(1)?.[0] ?? '') : '') : 1
  const sizes = shape.map((d, i) => (i === axis ? part : d)).filter((_, i) => !dropped || i !== axis)
  return [sequenceOf({ kind: 'tensor', dtype, shape: sizes })]
}

const optionalOf: Rule = (call) => {
  const attribute = call.node.attributes['type']
  const type = call.inputs[0]?.type ?? (attribute?.type === 'type_proto' ? attribute.value : undefined)
  return [type ? { type: { kind: 'optional', element: type } } : {}]
}

export const control = {
  If: conditional,
  Loop: loop,
  Scan: scan,
  SequenceEmpty: (call) => [
    sequenceOf({ kind: 'tensor', dtype: dtypeOf(call.int('dtype', 1)) ?? 'float32' }),
  ],
  SequenceConstruct: (call) => [sequenceOf(loose(call, 0))],
  SequenceInsert: (call) => [typeOnly(call.inputs[0])],
  SequenceErase: (call) => [typeOnly(call.inputs[0])],
  SequenceAt: (call) => [element(call.inputs[0]?.type)],
  SequenceLength: () => [tensor('int64', [])],
  ConcatFromSequence: concatFromSequence,
  SplitToSequence: splitToSequence,
  Optional: optionalOf,
  OptionalHasElement: () => [tensor('bool', [])],
  OptionalGetElement: (call) => {
    const type = call.inputs[0]?.type
    return [type?.kind === 'optional' ? { type: type.element } : { type }]
  },
} satisfies Readonly<Record<string, Rule>>
