// Running of a model's graph as it is, with a session that is made at the first run and kept.
import { PipiloError } from '../../base/index.ts'
import { type Graph, inferShapes, type ValueInfo } from '../../graph/index.ts'
import { compile, type Isolation, type RunOptions, type Session } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'

type Tensors = Readonly<Record<string, Tensor>>

/**
 * The graph in which inputs that have a value are to be fed.
 *
 * @param names of those, among others
 */
export function withDefaults(graph: Graph, defaults: readonly ValueInfo[], names: readonly string[]): Graph {
  const fed = defaults.filter(({ name }) => names.includes(name))
  if (fed.length === 0) return graph
  const initializers = new Map(graph.initializers)
  for (const { name } of fed) initializers.delete(name)
  // Shapes may have been inferred from the values that go.
  return inferShapes({ ...graph, inputs: [...graph.inputs, ...fed], initializers, values: new Map() })
}

/** See `Model.run`. */
export class Running {
  readonly #name: string
  readonly #graph: Graph
  readonly #defaults: readonly ValueInfo[]
  /** By the names of the inputs with a value that are fed. */
  readonly #sessions = new Map<string, Promise<Session>>()
  #disposed = false

  readonly #isolate: Isolation

  constructor(name: string, graph: Graph, defaults: readonly ValueInfo[], isolate: Isolation = false) {
    this.#name = name
    this.#graph = graph
    this.#defaults = defaults
    this.#isolate = isolate
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[] = this.#graph.outputs.filter(isTensor).map(({ name }) => name),
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    if (this.#disposed) {
      throw new PipiloError('DISPOSED', `${this.#name} has been disposed.`, { hint: 'Open it again.' })
    }
    this.#check(feeds, outputs)
    const named = this.#defaults.map(({ name }) => name).filter((name) => Object.hasOwn(feeds, name))
    const key = named.join('\n')
    const opening =
      this.#sessions.get(key) ??
      compile(withDefaults(this.#graph, this.#defaults, named), { isolate: this.#isolate })
    this.#sessions.set(key, opening)
    const session = await opening.catch((error) => {
      // A full disk may have room the next time.
      this.#sessions.delete(key)
      throw error
    })
    // The runtime moves arrays to its thread; these stay the caller's.
    const own = Object.entries(feeds).map(([name, feed]) => {
      if (feed?.data?.slice && feed.shape) return [name, { ...feed, data: feed.data.slice() }]
      throw new PipiloError('INPUT_INVALID', `The input "${name}" is no tensor.`, {
        input: name,
        hint: 'Give { dtype, shape, data }, or embed: an embedder takes numbers in other forms, too.',
      })
    })
    return session.run(Object.fromEntries(own), outputs, options)
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    for (const opening of this.#sessions.values()) await (await opening.catch(() => undefined))?.dispose()
  }

  /** Refuses what ONNX Runtime's package takes and gives in no other language than its own: sequences, maps, optional values. */
  #check(feeds: Tensors, outputs: readonly string[]): void {
    const { inputs, initializers, outputs: all } = this.#graph
    const other = inputs.find((input) => !isTensor(input) && !initializers.has(input.name))
    if (other) throw this.#unsupported(`takes a ${other.type?.kind} at ${other.name}`, other.name)
    if (outputs.length === 0) throw this.#unsupported('has no output that is a tensor', this.#name)
    const given = all.find((output) => outputs.includes(output.name) && !isTensor(output))
    if (given) throw this.#unsupported(`gives a ${given.type?.kind} at ${given.name}`, given.name)
    if (typeof feeds === 'object' && feeds !== null) return
    throw new PipiloError(
      'INPUT_INVALID',
      'A model is run on an object of tensors by the names of its inputs.',
    )
  }

  #unsupported(what: string, input: string): PipiloError {
    return new PipiloError('FORMAT_UNSUPPORTED', `${this.#name} ${what}.`, {
      input,
      hint: 'ONNX Runtime’s package for JavaScript has tensors alone: cut the model at one, or run the file elsewhere.',
    })
  }
}

/** True for a value that is a tensor, or may be one. */
function isTensor({ type }: ValueInfo): boolean {
  return type === undefined || type.kind === 'tensor'
}
