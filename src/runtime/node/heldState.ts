// The named tensors that a session with state keeps between its steps, in two sets of buffers on the session's own thread.
//
// Imported by worker.ts: it must lean on the engine alone, so that a worker starts quickly.
import type { Shape } from '../../graph/index.ts'
import type { DType, Tensor, TypedArray } from '../../tensor/index.ts'
import type { Engine, Standing } from './engine.ts'

type Tensors = Readonly<Record<string, Tensor>>
type Held = ReadonlyMap<string, Tensor>

/** How a graph's outputs come back as its inputs. */
export interface Wiring {
  /** The output that each kept input's next value comes from. */
  readonly next: Readonly<Record<string, string>>
  /** Shapes of the inputs that may differ from step to step; the library allocates each of their values. */
  readonly open: Readonly<Record<string, Shape>>
  /** Outputs beside the state whose dtype and shape are known. */
  readonly known: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>
}

/** A step from certain tensors that keeps certain ones: made once, because a small network computes no longer than this takes. */
interface Round extends Standing {
  readonly keep: readonly string[]
  /** Outputs to keep that the library allocates. */
  readonly allocated: readonly string[]
  /** The names of what is kept, by output. */
  readonly names: ReadonlyMap<string, string>
  /** The tensors after the step, but for those that the library allocates. */
  readonly after: Held
}

/** Tensors kept under the name of the input that takes them; each comes from one of the graph's outputs. */
export class HeldState {
  readonly #engine: Engine
  readonly #next: Wiring['next']
  readonly #open: Wiring['open']
  readonly #known: Wiring['known']
  /** Tensors that the next step is fed. */
  #current: Held = new Map()
  /** The tensors before the last step; undefined when nothing can be taken back. */
  #before: Held | undefined
  /** Of two tensors that take turns the other one; the library never sees one array as a feed and a fetch of one run. */
  readonly #others = new WeakMap<Tensor, Tensor>()
  readonly #rounds = new WeakMap<Held, Round>()

  constructor(engine: Engine, { next, open, known }: Wiring) {
    this.#engine = engine
    this.#next = next
    this.#open = open
    this.#known = known
  }

  /** Takes tensors as the state's values; their arrays are this object's from now on. */
  write(tensors: Tensors): void {
    this.#current = new Map([...this.#current, ...Object.entries(tensors)])
    this.#before = undefined
  }

  /** Puts the values before the last step back; false when there is no such step. */
  undo(): boolean {
    if (!this.#before) return false
    this.#current = this.#before
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
    const round = this.#roundOf(keep)
    const { into, allocated, names } = round
    // The run writes into the buffers that hold these values.
    this.#before = undefined
    const asked = [...new Set([...fetch, ...allocated])].filter((name) => !into[name])
    // The engine copies no result if each has its place beforehand.
    const places = this.#places(asked)
    const results = Object.assign(await this.#engine.run(feeds, asked, round, places), places)
    let { after } = round
    if (allocated.length > 0) {
      const added = new Map(after)
      for (const output of allocated) {
        const name = names.get(output)!
        const value = results[output]!
        if (this.#open[name]) await checkNext(name, value.shape, this.#open[name])
        added.set(name, value)
      }
      after = added
    }
    this.#before = this.#current
    this.#current = after
    // Tensors that are kept stay here: whoever fetches them as well gets copies.
    return Object.fromEntries(
      fetch.map((output) => {
        const name = names.get(output)
        return [output, name === undefined ? results[output]! : copy(after.get(name)!)]
      }),
    )
  }

  #roundOf(keep: readonly string[]): Round {
    const known = this.#rounds.get(this.#current)
    if (known && known.keep.length === keep.length && known.keep.every((name, i) => name === keep[i]))
      return known
    const into: Record<string, Tensor> = {}
    const allocated: string[] = []
    let after = new Map(this.#current)
    for (const name of keep) {
      const current = this.#current.get(name)!
      const output = this.#next[name]!
      if (this.#open[name] || Array.isArray(current.data)) allocated.push(output)
      else {
        into[output] = this.#other(current)
        after.set(name, into[output])
      }
    }
    const before = this.#before
    // Two steps lead back to the same tensors.
    if (before && [...after].every(([name, value]) => before.get(name) === value))
      after = before as typeof after
    const names = new Map(keep.map((name) => [this.#next[name]!, name]))
    const round = { keep: [...keep], held: this.#current, into, allocated, names, after }
    this.#rounds.set(this.#current, round)
    return round
  }

  #other(tensor: Tensor): Tensor {
    const known = this.#others.get(tensor)
    if (known) return known
    const other = alike(tensor)
    this.#others.set(tensor, other)
    this.#others.set(other, tensor)
    return other
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
