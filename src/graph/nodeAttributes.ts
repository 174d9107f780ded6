/** Typed reading of a node's attributes. */
import type { Attribute, Graph, Initializer, Node } from './types.ts'

type Of<T> = Extract<Attribute, { readonly type: T }>['value']

/** The attributes of one node, by name and type: `undefined` (or the fallback) where it has none of that type. */
export class NodeAttributes {
  readonly node: Pick<Node, 'attributes'>

  constructor(node: Pick<Node, 'attributes'>) {
    this.node = node
  }

  #attribute<T extends Attribute['type']>(name: string, type: T): Of<T> | undefined {
    const attribute = this.node.attributes[name]
    return (attribute?.type === type ? attribute.value : undefined) as Of<T> | undefined
  }

  int(name: string): number | undefined
  int(name: string, fallback: number): number
  int(name: string, fallback?: number): number | undefined {
    const value = this.#attribute(name, 'int')
    return value === undefined ? fallback : Number(value)
  }

  float(name: string): number | undefined {
    return this.#attribute(name, 'float')
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name, 'ints')?.map(Number)
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attribute(name, 'floats')
  }

  string(name: string): string | undefined {
    const value = this.#attribute(name, 'string')
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : value
  }

  tensor(name: string): Initializer | undefined {
    return this.#attribute(name, 'tensor')
  }

  graph(name: string): Graph | undefined {
    return this.#attribute(name, 'graph')
  }
}
