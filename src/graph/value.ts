/** A value of a graph that is being built. */
import { type DType, PipiloError } from '../tensor/index.ts'
import type { Builder } from './builder.ts'
import type { Fact } from './inference/rule.ts'
import type { Shape, ValueType } from './types.ts'

/** A value of a graph that is being built. */
export class Value {
  readonly builder: Builder
  #name: string
  readonly #fact: Fact

  /** Made by {@link Builder}; not to be called directly. */
  constructor(builder: Builder, name: string, fact: Fact) {
    this.builder = builder
    this.#name = name
    this.#fact = fact
  }

  /** Its name in the graph; `builder.output` may change it. */
  get name(): string {
    return this.#name
  }

  /** Its type, `undefined` where inference does not know it. */
  get type(): ValueType | undefined {
    return this.#fact.type
  }

  /** What inference knows, elements of small integer tensors included. */
  get fact(): Fact {
    return this.#fact
  }

  /** @throws PipiloError `GRAPH_INVALID` when it is no tensor, or of unknown type (only in graphs read from files). */
  get dtype(): DType {
    const { type } = this.#fact
    if (type?.kind !== 'tensor') throw this.#unknown('dtype')
    return type.dtype
  }

  /** @throws PipiloError `GRAPH_INVALID` when its rank is unknown (only in graphs read from files). */
  get shape(): Shape {
    const { type } = this.#fact
    if (type?.kind !== 'tensor' || !type.shape) throw this.#unknown('shape')
    return type.shape
  }

  /** For {@link Builder} alone. */
  rename(name: string): void {
    this.#name = name
  }

  #unknown(what: string): PipiloError {
    return new PipiloError('GRAPH_INVALID', `The ${what} of ${JSON.stringify(this.#name)} is not known.`, {
      input: this.#name,
      hint: 'An operator before it has no shape rule: give the value a type in graph.values.',
    })
  }
}
