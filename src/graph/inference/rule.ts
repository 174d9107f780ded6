/** Shape rules: functions from the facts known of a node's inputs to those of its outputs. */
import { type ErrorCode, PipiloError } from '../../base/index.ts'
import type { DType } from '../../tensor/index.ts'
import { NodeAttributes } from '../nodeAttributes.ts'
import type { Dimension, Graph, Initializer, Node, Shape, ValueType } from '../types.ts'
import { symbol } from './dimension.ts'

/** The type of a value and its elements, as far as known before a run. */
export interface Fact {
  readonly type?: ValueType | undefined
  /** Elements of a small tensor of rank 0 or 1 (shape arithmetic), as far as known; `''` is an unknown one. */
  readonly content?: readonly Dimension[] | undefined
}

/** The types of a node's outputs; missing ones are unknown. */
export type Rule = (call: Call) => readonly (Fact | undefined)[]

/** One rule for operators of these names. */
export function forEach<Name extends string>(
  names: readonly Name[],
  rule: Rule,
): Readonly<Record<NoInfer<Name>, Rule>> {
  return Object.fromEntries(names.map((name) => [name, rule])) as Record<Name, Rule>
}

/** Elements followed through shape arithmetic at most. */
export const CONTENT_LIMIT = 1024

/** Most axes of a value; a graph may claim any number of them. */
export const MOST_AXES = 1024

/** A tensor's fact. */
export function tensor(
  dtype: DType | undefined,
  shape?: Shape | undefined,
  content?: readonly Dimension[] | undefined,
): Fact {
  if (!dtype) return {}
  const type: ValueType = shape
    ? { kind: 'tensor', dtype, shape: shape.map(possible) }
    : { kind: 'tensor', dtype }
  return content && content.length <= CONTENT_LIMIT ? { type, content } : { type }
}

/** A size that a tensor may have; what comes of nonsense (a step of 1e-30, a negative count) is unknown. */
function possible(size: Dimension): Dimension {
  return typeof size === 'number' && !(Number.isSafeInteger(size) && size >= 0) ? '' : size
}

/** The fact of an initializer, with its elements where they are few and in memory. */
export function factOf(initializer: Initializer): Fact {
  const { dtype, shape } = initializer
  const small = shape.length <= 1 && 'data' in initializer && (shape[0] ?? 1) <= CONTENT_LIMIT
  if (!small || !/^(u?int(8|16|32|64)|float(32|64)|bool)$/.test(dtype)) return tensor(dtype, shape)
  return tensor(dtype, shape, Array.from(initializer.data as ArrayLike<number | bigint>, Number))
}

/** One node as a rule sees it. */
export class Call extends NodeAttributes {
  declare readonly node: Pick<Node, 'op' | 'domain' | 'name' | 'attributes' | 'outputs'>
  /** `undefined` for an optional input left out. */
  readonly inputs: readonly (Fact | undefined)[]
  /** Version of the node's operator set. */
  readonly opset: number
  /** Infers a sub-graph's outputs from its inputs; outer values are seen from inside. */
  readonly infer: (graph: Graph, inputs: readonly (Fact | undefined)[]) => readonly Fact[]

  constructor(
    node: Call['node'],
    inputs: readonly (Fact | undefined)[],
    opset: number,
    infer: Call['infer'] = (graph) => graph.outputs.map(({ type }) => ({ type })),
  ) {
    super(node)
    this.inputs = inputs
    this.opset = opset
    this.infer = infer
  }

  has(index: number): boolean {
    return this.inputs[index] !== undefined
  }

  type(index: number): Extract<ValueType, { kind: 'tensor' }> | undefined {
    const type = this.inputs[index]?.type
    return type?.kind === 'tensor' ? type : undefined
  }

  dtype(index: number): DType | undefined {
    return this.type(index)?.dtype
  }

  shape(index: number): Shape | undefined {
    return this.type(index)?.shape
  }

  content(index: number): readonly Dimension[] | undefined {
    const fact = this.inputs[index]
    if (fact?.content || fact?.type?.kind !== 'tensor') return fact?.content
    const { shape } = fact.type
    return shape?.length === 1 && shape[0] === 0 ? [] : undefined
  }

  /** The elements of an input that must all be known numbers. */
  numbers(index: number): readonly number[] | undefined {
    const content = this.content(index)
    return content?.every((element) => typeof element === 'number') ? (content as number[]) : undefined
  }

  /** The first attribute or else input that gives `axes` and the like: which of them depends on the operator set. */
  intsOrInput(name: string, index: number): readonly number[] | undefined {
    return this.ints(name) ?? this.numbers(index)
  }

  /** A symbol for a size that depends on the data. */
  fresh(output: number, axis: number): string {
    return symbol(`${this.node.outputs[output] || this.node.op}_dim_${axis}`)
  }

  /** A shape of fresh symbols. */
  freshShape(output: number, rank: number): Shape {
    if (!(rank <= MOST_AXES)) throw this.error(`${rank} axes`)
    return Array.from({ length: rank }, (_, axis) => this.fresh(output, axis))
  }

  /** `axis` counted from the front. */
  axis(axis: number, rank: number): number {
    const resolved = axis < 0 ? axis + rank : axis
    if (resolved < 0 || resolved >= rank) {
      throw this.error(`axis ${axis} is not in the range of rank ${rank}`)
    }
    return resolved
  }

  /** Sorts `axes` and counts them from the front. */
  axes(axes: readonly number[], rank: number): readonly number[] {
    return axes.map((axis) => this.axis(axis, rank)).sort((a, b) => a - b)
  }

  /** Throws unless both shapes may be equal at run time. */
  same(a: Dimension | undefined, b: Dimension | undefined, what: string): void {
    if (typeof a === 'number' && typeof b === 'number' && a !== b) {
      throw this.error(`${what}: ${a} is not ${b}`)
    }
  }

  /** Throws unless all given inputs have one dtype, and returns it. */
  sameDtype(...indices: number[]): DType | undefined {
    let first: DType | undefined
    for (const index of indices) {
      const dtype = this.dtype(index)
      first ??= dtype
      if (dtype && first && dtype !== first) {
        throw this.error(`inputs are ${first} and ${dtype}`, 'DTYPE_MISMATCH', 'Cast one of them.')
      }
    }
    return first
  }

  /** An error that names the node, its operator and the shapes of its inputs. */
  error(sentence: string, code: ErrorCode = 'SHAPE_MISMATCH', hint?: string): PipiloError {
    const shapes = this.inputs.map((fact) => (fact ? printType(fact.type) : 'none')).join(' and ')
    const { name, op } = this.node
    return new PipiloError(
      code,
      `${op} at ${JSON.stringify(name)} cannot take ${shapes || 'no inputs'}: ${sentence}.`,
      { input: name, ...(hint ? { hint } : {}) },
    )
  }
}

function printType(type: ValueType | undefined): string {
  if (type?.kind !== 'tensor') return type?.kind ?? 'unknown'
  return type.shape ? `${type.dtype} [${type.shape.map((d) => (d === '' ? '?' : d)).join(', ')}]` : type.dtype
}

/** The shape that ONNX's multidirectional broadcasting gives; undefined when a rank is unknown. */
export function broadcast(call: Call, ...shapes: (Shape | undefined)[]): Shape | undefined {
  if (shapes.some((shape) => !shape)) return undefined
  const known = shapes as Shape[]
  const rank = Math.max(0, ...known.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dimension = 1
    for (const shape of known) {
      const dimension = shape[axis - rank + shape.length] ?? 1
      if (dimension === 1 || dimension === result) continue
      if (result === 1) result = dimension
      else if (typeof dimension === 'number') {
        // A symbol beside a number above 1 is 1 or that number.
        if (typeof result === 'number') {
          throw call.error(`sizes ${result} and ${dimension} do not broadcast (axis ${axis - rank})`)
        }
        result = dimension
      } else if (typeof result !== 'number') result = ''
    }
    return result
  })
}
