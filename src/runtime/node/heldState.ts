// The named tensors that a session with state keeps between its steps, in two sets of buffers on the session's own thread.
//
// Imported by worker.ts: it must lean on the engine alone, so that a worker starts quickly.
import type { Shape } from '../../graph/index.ts'
import type { DType, Tensor, TypedArray } from '../../tensor/index.ts'
import type { Engine } from './engine.ts'

type Tensors = Readonly<Record<string, Tensor>>

/** How a graph's outputs come back as its inputs. */
export interface Wiring {
  /** The output that each kept input's next value comes from. */
  readonly next: Readonly<Record<string, string>>
  /** Shapes of the inputs that may differ from step to step; the library allocates each of their values. */
  readonly open: Readonly<Record<string, Shape>>
  /** Outputs beside the state whose dtype and shape are known. */
  readonly known: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>
}

/** Tensors kept under the name of the input that takes them; each comes from one of the graph's outputs. */
export class HeldState {
  readonly #engine: Engine
  readonly #next: Wiring['next']
  readonly #open: Wiring['open']
  readonly #known: Wiring['known']
  /** Tensors that the next step is fed. */
  readonly #current = new Map<string, Tensor>()
  /** Buffers that the next step writes into; the library never sees one array as a feed and a fetch of one run. */
  readonly #spare = new Map<string, Tensor>()
  /** The values that the last step replaced; undefined when nothing can be taken back. */
  #before: ReadonlyMap<string, Tensor> | undefined

  constructor(engine: Engine, { next, open, known }: Wiring) {
    this.#engine = engine
    this.#next = next
    this.#open = open
    this.#known = known
  }

  /** Takes tensors as the state's values; their arrays are this object's from now on. */
  write(tensors: Tensors): void {
    for (const [name, tensor] of Object.entries(tensors)) this.#current.set(name, tensor)
    this.#before = undefined
  }

  /** Puts the values before the last step back; false when there is no such step. */
  undo(): boolean {
    const before = this.#before
    if (!before) return false
    for (const [name, value] of before) {
      if (this.#spare.get(name) === value) this.#spare.set(name, this.#current.get(name)!)
      this.#current.set(name, value)
    }
    this.#before = undefined
    return true
  }

  /** Copies of the values. */
  read(names: readonly string[]): Record<string, Tensor> {
    return Object.fromEntries(names.map((name) => [name, copy(this.#current.get(name)!)]))
  }

  /**
   * Runs the graph on feeds and state. Only when the run has succeeded do the new values of what is kept take the place of
   * the old ones.
   */
  async step(
    feeds: Tensors,
    keep: readonly string[],
    fetch: readonly string[],
  ): Promise<Record<string, Tensor>> {
    // The run writes into the buffers that hold these values.
    this.#before = undefined
    const into: Record<string, Tensor> = {}
    const allocated: string[] = []
    for (const name of keep) {
      const current = this.#current.get(name)!
      const output = this.#next[name]!
      if (this.#open[name] || Array.isArray(current.data)) allocated.push(output)
      else into[output] = this.#spare.get(name) ?? alike(current)
    }
    const asked = [...new Set([...fetch, ...allocated])].filter((name) => !into[name])
    // The engine copies no result if each has its place beforehand.
    const places = this.#places(asked)
    const given = await this.#engine.run(feeds, asked, Object.assign(into, places), this.#current)
    const results = Object.assign(given, places)
    for (const name of keep) {
      const value = results[this.#next[name]!]
      if (value && this.#open[name]) await checkNext(name, value.shape, this.#open[name])
    }
    this.#before = new Map(keep.map((name) => [name, this.#current.get(name)!]))
    for (const name of keep) {
      const output = this.#next[name]!
      const value = into[output] ?? results[output]!
      if (into[output]) this.#spare.set(name, this.#current.get(name)!)
      this.#current.set(name, value)
    }
    // Tensors that are kept stay here: whoever fetches them as well gets copies.
    const kept = new Map(keep.map((name) => [this.#next[name]!, this.#current.get(name)!]))
    return Object.fromEntries(
      fetch.map((output) => {
        const value = kept.get(output)
        return [output, value ? copy(value) : results[output]!]
      }),
    )
  }

  /** New tensors for outputs, if all are known. */
  #places(names: readonly string[]): Record<string, Tensor> {
    const places: Record<string, Tensor> = {}
    for (const name of names) {
      const { dtype, shape } = this.#known[name] ?? {}
      const Typed = dtype && ARRAYS[dtype]
      if (!dtype || !shape || !Typed) return {}
      places[name] = { dtype, shape, data: new Typed(shape.reduce((product, size) => product * size, 1)) }
    }
    return places
  }
}

/** Arrays of the dtypes that results have; others are left to the library. */
const ARRAYS: Partial<Record<DType, new (length: number) => TypedArray>> = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
}

/** Loaded when it is needed: see the head of this file. */
async function checkNext(name: string, given: readonly number[], declared: Shape): Promise<void> {
  const fits = (size: number, axis: number) => typeof declared[axis] !== 'number' || declared[axis] === size
  if (given.length === declared.length && given.every(fits)) return
  const { PipiloError } = await import('../../base/index.ts')
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `The next value of the state "${name}" has shape [${given.join(', ')}]; the graph takes [${declared.map((d) => d || '?').join(', ')}].`,
    { input: name, hint: 'The state is as it was before the step.' },
  )
}

function copy({ dtype, shape, data }: Tensor): Tensor {
  return { dtype, shape, data: data.slice() as Tensor['data'] }
}

/** A tensor of the same dtype and shape, with an array of its own. */
function alike({ dtype, shape, data }: Tensor): Tensor {
  const array = data as TypedArray
  const Typed = array.constructor as new (length: number) => TypedArray
  return { dtype, shape, data: new Typed(array.length) }
}
