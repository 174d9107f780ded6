// Finds the number of tokens that a graph takes where only its inner values show it.
import type { Dimension, Graph, Node, Shape } from '../../graph/index.ts'
import { shapeOf, shapesOf } from './onnxOutputs.ts'

/** Operators that broadcast what they read. */
const broadcasting = ['Add', 'Sub', 'Mul', 'Div', 'Where', 'And', 'Or', 'Equal', 'Min', 'Max']

/**
 * The length that a graph was exported for, of whose inputs the symbol `sequence` says any: a `Reshape` to it of what is [batch, sequence, …], or
 * a constant of that length, such as positions or a causal mask, beside values as long as the texts.
 *
 * @returns undefined where there is none, or several contradict each other
 */
export function fixedLength(graph: Graph, sequence: Dimension): number | undefined {
  // A graph that cuts texts into pieces of a length puts them together again.
  if (graph.outputs.some((info) => shapeOf(info)?.[1] === sequence)) return undefined
  const constants = constantsOf(graph)
  const inner = shapesOf(graph)
  const found = new Set<number>()
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    const reshaped = node.op === 'Reshape' && reshapedTo(node, constants)
    const length = reshaped ? lengthOf(inner(node.inputs[0] ?? ''), reshaped, sequence) : undefined
    if (length !== undefined) found.add(length)
    if (!broadcasting.includes(node.op)) continue
    const fixed = node.inputs.flatMap((name) => constants.get(name) ?? [])
    const computed = node.inputs.filter((name) => !constants.has(name)).map(inner)
    for (const { shape } of fixed)
      for (const other of computed) beside(shape, other, sequence).map((n) => found.add(n))
  }
  return found.size === 1 ? [...found][0] : undefined
}

interface Constant {
  readonly shape: readonly number[]
  readonly data?: unknown
}

/** Initializers, and what `Constant` nodes hold. */
function constantsOf(graph: Graph): Map<string, Constant> {
  const constants = new Map<string, Constant>(graph.initializers)
  for (const { op, attributes, outputs } of graph.nodes) {
    const { value } = attributes
    if (op === 'Constant' && value?.type === 'tensor') constants.set(outputs[0]!, value.value)
  }
  return constants
}

function reshapedTo(
  { inputs, attributes }: Node,
  constants: ReadonlyMap<string, Constant>,
): number[] | undefined {
  const { shape } = attributes
  if (shape?.type === 'ints') return shape.value.map(Number)
  const data = constants.get(inputs[1] ?? '')?.data
  return data === undefined ? undefined : Array.from(data as ArrayLike<number | bigint>, Number)
}

/** The length in the second place of a `Reshape` of [batch, sequence, …] that leaves the features of a token together. */
function lengthOf(from: Shape | undefined, to: readonly number[], sequence: Dimension): number | undefined {
  if (!from || from[1] !== sequence || to.length < from.length || !(to[1]! > 1)) return undefined
  const product = (sizes: readonly Dimension[]) => sizes.reduce<number>((all, size) => all * Number(size), 1)
  return product(from.slice(2)) === product(to.slice(2)) ? to[1] : undefined
}

/** Sizes above 1 of a constant that stand where another value has the length of the texts. */
function beside(constant: readonly number[], other: Shape | undefined, sequence: Dimension): number[] {
  if (!other) return []
  return constant.filter(
    (size, axis) => size > 1 && other[axis - constant.length + other.length] === sequence,
  )
}
