/** The way in which one operator changed at one version of the standard operator set. */
import { PipiloError } from '../../../base/index.ts'
import type { DType } from '../../../tensor/index.ts'
import type { Fact } from '../../inference/rule.ts'
import { NodeAttributes } from '../../nodeAttributes.ts'
import type { Attribute, Node, Shape } from '../../types.ts'

/**
 * Turns a node as it was before a version into nodes as they are at that version, in topological order. What comes out is changed further
 * by later versions.
 */
export type Change = (call: Earlier) => Node | readonly Node[]

/** The changes of one operator, by the version at which they happened. */
export type Changes = Readonly<Record<number, Change>>

/** Room for what a change adds to the graph around its node. */
export interface Surroundings {
  readonly fact: (name: string) => Fact
  /** Adds a constant and gives its name. */
  readonly constant: (dtype: DType, shape: readonly number[], elements: readonly number[]) => string
  /** A name that no value has yet. */
  readonly fresh: (name: string) => string
  /** True if a node or an output of the graph reads this value. */
  readonly isRead: (name: string) => boolean
}

/** A node of an earlier version. */
export class Earlier extends NodeAttributes {
  declare readonly node: Node
  readonly #surroundings: Surroundings

  constructor(node: Node, surroundings: Surroundings) {
    super(node)
    this.#surroundings = surroundings
  }

  /** The name of an input; `''` where it is left out. */
  input(index: number): string {
    return this.node.inputs[index] ?? ''
  }

  dtype(index: number): DType | undefined {
    const { type } = this.#surroundings.fact(this.input(index))
    return type?.kind === 'tensor' ? type.dtype : undefined
  }

  shape(index: number): Shape | undefined {
    const { type } = this.#surroundings.fact(this.input(index))
    return type?.kind === 'tensor' ? type.shape : undefined
  }

  /** The elements of an input that is a short constant list or a scalar. */
  numbers(index: number): readonly number[] | undefined {
    const { content } = this.#surroundings.fact(this.input(index))
    return content?.every((element) => typeof element === 'number') ? (content as number[]) : undefined
  }

  /** True if an input is left out, or a constant without elements. */
  isEmpty(index: number): boolean {
    return this.input(index) === '' || (this.shape(index)?.includes(0) ?? false)
  }

  /** True if something reads this output. */
  isRead(index: number): boolean {
    const name = this.node.outputs[index] ?? ''
    return name !== '' && this.#surroundings.isRead(name)
  }

  /** A constant vector of int64. */
  integers(elements: readonly number[]): string {
    return this.#surroundings.constant('int64', [elements.length], elements)
  }

  vector(dtype: DType, elements: readonly number[]): string {
    return this.#surroundings.constant(dtype, [elements.length], elements)
  }

  scalar(dtype: DType, element: number): string {
    return this.#surroundings.constant(dtype, [], [element])
  }

  /** A node of one output beside this one. */
  beside(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): { node: Node; output: string } {
    const output = this.#surroundings.fresh(`${this.node.name || this.node.outputs.find(Boolean)}/${op}`)
    return {
      node: { name: output, op, domain: this.node.domain, inputs, outputs: [output], attributes },
      output,
    }
  }

  /** The node with some attributes taken away, and others set. */
  with({
    set = {},
    drop = [],
    ...rest
  }: Partial<Pick<Node, 'op' | 'inputs' | 'outputs'>> & {
    readonly set?: Readonly<Record<string, Attribute>>
    readonly drop?: readonly string[]
  }): Node {
    const kept = Object.entries(this.node.attributes).filter(([name]) => !drop.includes(name))
    return { ...this.node, ...rest, attributes: { ...Object.fromEntries(kept), ...set } }
  }

  /** An error that names the node: `sentence` follows the operator's name and version. */
  unsupported(sentence: string, version: number): PipiloError {
    const { op, name, outputs } = this.node
    const at = JSON.stringify(name || outputs[0])
    return new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `${op} at ${at}, as before operator set ${version}, ${sentence}.`,
      {
        input: name,
        hint: 'Export the model with a newer operator set.',
      },
    )
  }
}

/** Inputs with some set by their index; those between are left out, and so are empty ones at the end. */
export function withInputs(
  inputs: readonly string[],
  set: Readonly<Record<number, string>>,
): readonly string[] {
  const length = Math.max(inputs.length, ...Object.keys(set).map((index) => Number(index) + 1))
  const all = Array.from({ length }, (_, index) => set[index] ?? inputs[index] ?? '')
  return all.slice(0, all.findLastIndex((name) => name !== '') + 1)
}
