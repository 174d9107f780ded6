/** Gradient rules: functions from the gradients by a node's outputs to those by its inputs. */
import { PipiloError } from '../base/index.ts'
import { type Builder, type Node, NodeAttributes, type Value } from '../graph/index.ts'

/**
 * The gradients by a node's inputs, in their order; `undefined` (or a shorter list) where none flows. A gradient has the shape and
 * dtype of its input.
 */
export type Gradient = (call: BackwardCall) => readonly (Value | undefined)[]

/**
 * The rule of one operator: a {@link Gradient}; one that needs optional outputs of the forward node (`Mean` and `InvStdDev`), called as in
 * ONNX's description of the operator; or `none` for operators whose outputs do not change with small changes of their inputs (comparisons,
 * rounding, shapes, indices).
 */
export type GradientRule =
  | Gradient
  | { readonly gradient: Gradient; readonly needs: (node: Node) => readonly string[] }
  | 'none'

/** One node on the way back: its values, and the gradients by its outputs. */
export class BackwardCall extends NodeAttributes {
  declare readonly node: Node
  readonly builder: Builder
  /** Values that the node reads; `undefined` for optional ones left out. */
  readonly inputs: readonly (Value | undefined)[]
  /** Values that the node makes; `undefined` for optional ones left out. */
  readonly outputs: readonly (Value | undefined)[]
  /** Gradients by the outputs; `undefined` where none flows. At least one is there. */
  readonly gradients: readonly (Value | undefined)[]
  readonly #wanted: readonly boolean[]

  constructor(
    builder: Builder,
    node: Node,
    values: {
      readonly inputs: BackwardCall['inputs']
      readonly outputs: BackwardCall['outputs']
      readonly gradients: BackwardCall['gradients']
      /** True for each input by which a gradient is asked for. */
      readonly wanted: readonly boolean[]
    },
  ) {
    super(node)
    this.builder = builder
    this.inputs = values.inputs
    this.outputs = values.outputs
    this.gradients = values.gradients
    this.#wanted = values.wanted
  }

  /** The gradient by the first output. @throws `OPERATOR_UNSUPPORTED` when only other outputs have one */
  get gradient(): Value {
    const [first] = this.gradients
    if (first) return first
    throw this.unsupported(`has a gradient by its first output only, not by the others`)
  }

  /** An input that must be there. */
  input(index: number): Value {
    const value = this.inputs[index]
    if (value) return value
    throw new PipiloError('GRAPH_INVALID', `${this.#what} lacks its input ${index}.`, {
      input: this.node.name,
    })
  }

  /** An output that must be there. */
  output(index: number): Value {
    const value = this.outputs[index]
    if (value) return value
    throw new PipiloError('GRAPH_INVALID', `${this.#what} lacks its output ${index}.`, {
      input: this.node.name,
    })
  }

  /** True if a gradient by this input is asked for: a rule may leave out what is not. */
  wants(index: number): boolean {
    return this.#wanted[index] ?? false
  }

  /** `axis` of a tensor of this rank counted from the front. */
  axis(axis: number, rank: number): number {
    return axis < 0 ? axis + rank : axis
  }

  /** Sizes of a value that must all be numbers, where a rule cannot do without. @throws `OPERATOR_UNSUPPORTED` */
  sizes(value: Value): readonly number[] {
    const { shape } = value
    if (shape.every((size) => typeof size === 'number')) return shape as number[]
    throw this.unsupported(`has a gradient for known sizes only; ${value.name} is [${shape.join(', ')}]`)
  }

  /** Integers of an attribute or else of an input (which of them depends on the operator set). @throws if they are computed */
  integers(attribute: string, index: number): readonly number[] | undefined {
    const given = this.ints(attribute)
    if (given) return given
    const value = this.inputs[index]
    if (!value) return undefined
    const { content } = value.fact
    if (content?.every((element) => typeof element === 'number')) return content as number[]
    throw this.unsupported(`has a gradient only where ${attribute} is constant`)
  }

  /** An error that names the node: `sentence` follows the operator's name. */
  unsupported(sentence: string): PipiloError {
    return new PipiloError('OPERATOR_UNSUPPORTED', `${this.#what} ${sentence}.`, { input: this.node.name })
  }

  get #what(): string {
    return `${this.node.op} at ${JSON.stringify(this.node.name)}`
  }
}
