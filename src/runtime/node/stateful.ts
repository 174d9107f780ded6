// Sessions that hold state: checks, turns, and the one thread (or the calling one) that each is pinned to.
import { abortError, onAbort, PipiloError } from '../../base/index.ts'
import type { Graph, Initializer, Node, Shape, ValueInfo, ValueType } from '../../graph/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { StatefulOptions, StatefulSession, Step } from '../types.ts'
import { counts } from './counts.ts'
import { checkDevice } from './device.ts'
import type { Plan } from './engine.ts'
import { nothingToUndo, runError } from './failures.ts'
import { checkFeeds, checkOutputs } from './feeds.ts'
import { HeldState, type Wiring } from './heldState.ts'
import { openHere } from './inPlace.ts'
import { load } from './piece.ts'
import { ABORTED, unsendable } from './pool.ts'
import { movable, type Request } from './protocol.ts'
import { ThreadEnded, takeThread } from './thread.ts'

/** See `compileStateful` in onDemand.ts. */
export async function compileStateful(given: Graph, options: StatefulOptions): Promise<StatefulSession> {
  const { workers = 1, state: next } = options
  if (workers !== 0 && workers !== 1) {
    throw new PipiloError('OPTION_INVALID', `workers is ${workers}; a session that holds state has 0 or 1.`, {
      input: 'workers',
    })
  }
  checkDevice(options.device ?? 'cpu')
  const { threads } = counts({ ...options, workers })
  const { graph, initial } = stateAsInputs(given, next)
  const wiring = checkWiring(graph, next)
  const plan = await planOfState(graph, threads, options)
  const first: Record<string, Tensor> = {}
  for (const [name, source] of initial) first[name] = await load({ name, source, ...source })
  const holder = workers === 0 ? await holdHere(plan, wiring) : await holdOnThread(plan, wiring)
  const session = new Stateful(graph, wiring, holder)
  try {
    if (initial.size > 0) await session.write(first)
  } catch (error) {
    await session.dispose()
    throw error
  }
  return session
}

/** The plan of the graph, on the CPU with an output in front of the others by which the engine avoids copies. */
async function planOfState(graph: Graph, threads: number, options: StatefulOptions): Promise<Plan> {
  // Loaded when it is needed, as in compile.ts.
  const { planOf } = await import('./plan.ts')
  if ((options.device ?? 'cpu') !== 'cpu') return (await planOf(graph, threads, options)).plan
  const unreadable = 'nothing to read'
  const node: Node = {
    name: '',
    op: 'SequenceEmpty',
    domain: '',
    inputs: [],
    outputs: [unreadable],
    attributes: {},
  }
  const element: ValueType = { kind: 'tensor', dtype: 'float32' }
  const ending: ValueInfo = { name: unreadable, type: { kind: 'sequence', element } }
  const ended = { ...graph, nodes: [...graph.nodes, node], outputs: [ending, ...graph.outputs] }
  const { plan } = await planOf(ended, threads, options)
  return { ...plan, unreadable, fixed: graph.inputs.every(hasFixedShape) }
}

function hasFixedShape({ type }: ValueInfo): boolean {
  return type?.kind === 'tensor' && type.shape?.every((size) => typeof size === 'number') === true
}

/** The requests that concern state. */
type Ask = Extract<Request, { kind: 'step' | 'read' | 'write' | 'undo' }>

/** Holder of the state, which is asked one thing at a time. */
interface Holder {
  ask(request: Ask): Promise<Record<string, Tensor>>
  close(): Promise<void>
}

class Stateful implements StatefulSession {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  readonly state: readonly ValueInfo[]
  readonly #holder: Holder
  readonly #results: readonly string[]
  readonly #defaulted: ReadonlySet<string>
  /** State that steps change. */
  readonly #changing: readonly string[]
  /** State that has a value once the calls so far are done. */
  readonly #written = new Set<string>()
  #last: Promise<unknown> = Promise.resolve()
  #disposed: Promise<void> | undefined

  constructor({ inputs, outputs, initializers }: Graph, { next }: Wiring, holder: Holder) {
    const results = new Set(Object.values(next))
    this.inputs = inputs.filter(({ name }) => !(name in next))
    this.state = inputs.filter(({ name }) => name in next)
    this.#changing = Object.keys(next).filter((name) => next[name] !== name)
    this.outputs = outputs
    this.#results = outputs.map(({ name }) => name).filter((name) => !results.has(name))
    this.#defaulted = new Set(inputs.map(({ name }) => name).filter((name) => initializers.has(name)))
    this.#holder = holder
  }

  async step({
    feeds = {},
    keep,
    fetch = this.#results,
    signal,
  }: Step = {}): Promise<Record<string, Tensor>> {
    if (signal?.aborted) throw abortError(signal, ABORTED)
    this.#checkUse()
    this.#checkNames(keep ?? [])
    checkFeeds(this.inputs, feeds, this.#defaulted)
    checkOutputs(this.outputs, fetch)
    this.#checkWritten(this.state.map(({ name }) => name))
    const kept = keep ? this.#changing.filter((name) => keep.includes(name)) : this.#changing
    return this.#turn({ kind: 'step', feeds, keep: kept, fetch }, signal)
  }

  async read(names: readonly string[] = this.state.map(({ name }) => name)): Promise<Record<string, Tensor>> {
    this.#checkUse()
    this.#checkNames(names)
    this.#checkWritten(names)
    return this.#turn({ kind: 'read', names })
  }

  async write(state: Readonly<Record<string, Tensor>>): Promise<void> {
    this.#checkUse()
    const names = Object.keys(state)
    this.#checkNames(names)
    checkFeeds(
      this.state.filter(({ name }) => name in state),
      state,
      this.#defaulted,
    )
    const tensors = Object.fromEntries(
      Object.entries(state).map(([name, { dtype, shape, data }]) => [
        name,
        { dtype, shape: [...shape], data: data.slice() as Tensor['data'] },
      ]),
    )
    for (const name of names) this.#written.add(name)
    await this.#turn({ kind: 'write', tensors })
  }

  async undo(): Promise<void> {
    this.#checkUse()
    await this.#turn({ kind: 'undo' })
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#last.then(() => this.#holder.close())
    return this.#disposed
  }

  #turn(request: Ask, signal?: AbortSignal): Promise<Record<string, Tensor>> {
    let begun = false
    const call = this.#last.then(() => {
      if (signal?.aborted) throw abortError(signal, ABORTED)
      begun = true
      return this.#holder.ask(request)
    })
    this.#last = call.catch(() => {})
    if (!signal) return call
    // A step that waits is told at once; in its turn it finds the signal aborted and does nothing.
    return new Promise((resolve, reject) => {
      const heed = onAbort(signal, () => {
        if (!begun) reject(abortError(signal, ABORTED))
      })
      call.then(resolve, reject).finally(heed)
    })
  }

  #checkUse(): void {
    if (!this.#disposed) return
    throw new PipiloError('DISPOSED', 'The session has been disposed, and its state with it.', {
      hint: 'Compile the graph again.',
    })
  }

  #checkNames(names: readonly string[]): void {
    for (const name of names) {
      if (this.state.some((state) => state.name === name)) continue
      throw new PipiloError('INPUT_INVALID', `The session keeps no "${name}".`, {
        hint: `Its state is ${list(this.state.map((state) => state.name))}.`,
        input: name,
      })
    }
  }

  #checkWritten(names: readonly string[]): void {
    const missing = names.find((name) => !this.#written.has(name))
    if (missing === undefined) return
    throw new PipiloError('INPUT_INVALID', `The state "${missing}" has no value yet.`, {
      hint: 'Give it one: session.write({ … }).',
      input: missing,
    })
  }
}

/** Makes inputs of the initializers that the state names, and takes the first values from the graph. */
function stateAsInputs(
  graph: Graph,
  next: StatefulOptions['state'],
): { graph: Graph; initial: Map<string, Initializer> } {
  const initial = new Map<string, Initializer>()
  const added: ValueInfo[] = []
  for (const name of Object.keys(next)) {
    const value = graph.initializers.get(name)
    if (value) initial.set(name, value)
    if (value && !graph.inputs.some((input) => input.name === name)) {
      const { dtype, shape } = value
      added.push({ name, type: { kind: 'tensor', dtype, shape } })
    }
  }
  const initializers = new Map([...graph.initializers].filter(([name]) => !initial.has(name)))
  return { graph: { ...graph, inputs: [...graph.inputs, ...added], initializers }, initial }
}

function checkWiring({ inputs, outputs }: Graph, next: StatefulOptions['state']): Wiring {
  const open: Record<string, Shape> = {}
  const takers = new Map<string, string>()
  for (const [name, output] of Object.entries(next)) {
    const input = inputs.find((input) => input.name === name)
    if (!input) {
      throw new PipiloError(
        'INPUT_INVALID',
        `The state "${name}" is neither an input of the graph nor a weight.`,
        {
          hint: `Its inputs are ${list(inputs.map((input) => input.name))}.`,
          input: name,
        },
      )
    }
    if (output === name) continue
    checkOutputs(outputs, [output])
    const taker = takers.get(output)
    if (taker !== undefined) {
      throw new PipiloError(
        'OPTION_INVALID',
        `The output "${output}" is the next value of two states, "${taker}" and "${name}".`,
        { hint: 'Give each an output of its own.', input: name },
      )
    }
    takers.set(output, name)
    checkFit(input, outputs.find((each) => each.name === output)!)
    const shape = input.type?.kind === 'tensor' ? input.type.shape : undefined
    if (!shape) {
      throw new PipiloError('GRAPH_INVALID', `The state "${name}" has no declared shape.`, {
        hint: 'Declare the input as a tensor with a size or a name for each dimension.',
        input: name,
      })
    }
    if (shape.some((size) => typeof size !== 'number')) open[name] = shape
  }
  return { next: { ...next }, open, known: knownOf(outputs, takers) }
}

/** Dtypes and shapes of the outputs that are no next value, where the graph tells them. */
function knownOf(outputs: readonly ValueInfo[], taken: ReadonlyMap<string, string>): Wiring['known'] {
  return Object.fromEntries(
    outputs.flatMap(({ name, type }) => {
      if (taken.has(name) || type?.kind !== 'tensor') return []
      const { dtype, shape } = type
      return shape?.every((size) => typeof size === 'number')
        ? [[name, { dtype, shape: shape.map(Number) }] as const]
        : []
    }),
  )
}

/** An output has to be what its input takes, as far as the graph says. */
function checkFit(input: ValueInfo, output: ValueInfo): void {
  if (input.type?.kind !== 'tensor' || output.type?.kind !== 'tensor') return
  const [to, from] = [input.type, output.type]
  if (to.dtype !== from.dtype) {
    throw new PipiloError(
      'DTYPE_MISMATCH',
      `The output "${output.name}" is ${from.dtype}; the state "${input.name}" is ${to.dtype}.`,
      { input: input.name },
    )
  }
  if (!to.shape || !from.shape) return
  const unlike = (size: string | number | undefined, axis: number) =>
    typeof size === 'number' && typeof from.shape?.[axis] === 'number' && size !== from.shape[axis]
  if (to.shape.length !== from.shape.length || to.shape.some(unlike)) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `The output "${output.name}" has shape [${from.shape.join(', ')}]; the state "${input.name}" has [${to.shape.join(', ')}].`,
      { input: input.name },
    )
  }
}

async function holdHere(plan: Plan, wiring: Wiring): Promise<Holder> {
  const engine = await openHere(plan)
  const held = new HeldState(engine, wiring)
  return {
    async ask(request) {
      if (request.kind === 'read') return held.read(request.names)
      if (request.kind === 'step') {
        return held.step(request.feeds, request.keep, request.fetch).catch((error) => {
          throw runError(error)
        })
      }
      if (request.kind === 'write') held.write(request.tensors)
      else if (!held.undo()) throw nothingToUndo()
      return {}
    },
    close: () => engine.close(),
  }
}

async function holdOnThread(plan: Plan, wiring: Wiring): Promise<Holder> {
  const thread = takeThread()
  async function ask(request: Request, moved: ArrayBuffer[] = []): Promise<Record<string, Tensor>> {
    const reply = await thread.request(request, moved).catch((error) => {
      throw error instanceof ThreadEnded ? lost(error) : unsendable(error)
    })
    if (reply.kind === 'failed') throw PipiloError.fromJSON(reply.error)
    return reply.outputs
  }
  try {
    await ask({ kind: 'open', plan, wiring })
  } catch (error) {
    await thread.close()
    throw error
  }
  return {
    ask(request) {
      if (request.kind === 'read' || request.kind === 'undo') return ask(request)
      const { tensors, moved } = movable(request.kind === 'write' ? request.tensors : request.feeds)
      if (request.kind === 'write') return ask({ ...request, tensors }, moved)
      return ask({ ...request, feeds: tensors }, moved)
    },
    close: () => thread.close(),
  }
}

function lost(error: ThreadEnded): PipiloError {
  return new PipiloError(
    'WORKER_CRASHED',
    `The thread of this session ended, and the state that it held is lost: ${error.message}.`,
    { hint: 'Compile the graph again and write the state that was last read or saved.', cause: error },
  )
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ')
}
