/** The scope of one batch: an objective's inputs, network and own parameters, and how each input is fed. */
import { PipiloError } from '../base/index.ts'
import {
  Builder,
  cut,
  type Graph,
  include,
  op,
  parametersOf,
  ROLE_KEY,
  rename,
  resolveLayer,
  type Shape,
  tap,
  updatesOf,
  type Value,
} from '../graph/index.ts'
import { draw, type Initialization, type Mode, type Parameters, parametersFrom } from '../nn/index.ts'
import { tensor } from '../tensor/index.ts'
import { checkTokenMask } from './augmentations/tokens.ts'
import type {
  Draw,
  MaskedTexts,
  MaskedTextsOptions,
  Network,
  NetworkMasking,
  Objective,
  Scope,
} from './objective.ts'

/** How an input of the step is filled from a batch. */
export type Feed =
  | { readonly kind: 'pixels'; readonly view: number }
  | { readonly kind: 'tokens'; readonly column: string; readonly part: string }
  | {
      readonly kind: 'masked'
      readonly column: string
      readonly part: 'input_ids' | 'positions' | 'labels'
      readonly options: MaskedTextsOptions
    }
  | { readonly kind: 'labels'; readonly column: string }
  | { readonly kind: 'numbers'; readonly column: string; readonly shape: readonly number[] }
  | {
      readonly kind: 'drawn'
      readonly dtype: 'float32' | 'int64' | 'bool'
      readonly shape: Shape
      readonly draw: Draw
    }

/** Options of {@link BatchScope}. */
export interface ScopeOptions {
  readonly batch: number
  readonly seed: number
  readonly classes?: readonly string[] | undefined
  /** Mode of the objective's own layers. Default `training`. */
  readonly mode?: Mode
}

/** A network cut at some of its values. */
interface Cut {
  readonly graph: Graph
  readonly names: readonly string[]
}

/** Put before the names of the moving average's tensors. */
export const TEACHER = 'teacher.'

/** {@link Scope} over a builder. */
export class BatchScope implements Scope {
  readonly builder = new Builder({ name: 'step' })
  readonly batch: number
  readonly seed: number
  readonly classes: readonly string[] | undefined
  /** Inputs by name. */
  readonly feeds = new Map<string, Feed>()
  /** Pairs of a teacher's tensor and the weight that it follows. */
  readonly followers = new Map<string, string>()
  readonly #network: Network
  readonly #objective: Objective
  readonly #mode: Mode
  readonly #parameters: Parameters
  readonly #inputs = new Map<string, Value>()
  readonly #cuts = new Map<string, Cut>()
  #teaching = false

  constructor(
    network: Network,
    objective: Objective,
    { batch, seed, classes, mode = 'training' }: ScopeOptions,
  ) {
    this.#network = network
    this.#objective = objective
    this.batch = batch
    this.seed = seed
    this.classes = classes
    this.#mode = mode
    this.#parameters = parametersFrom(this.builder, undefined, { seed, mode })
  }

  get parameters(): Parameters {
    if (!this.#teaching) return this.#parameters
    const mode = this.#mode === 'training' ? (this.#objective.teacher?.mode ?? 'training') : 'inference'
    return {
      mode,
      weight: (name, shape, init) => this.#follow(name, shape, init, true),
      buffer: (name, shape, init) => this.#follow(name, shape, init, false),
      update: (buffer, next) => {
        if (mode === 'training') this.builder.update(buffer.name.replace(/\.next$/, ''), next)
      },
    }
  }

  get outputs(): readonly string[] {
    return this.#network.training.outputs.map(({ name }) => name)
  }

  pixels(view = 0): Value {
    const { mean = [], std = [] } = this.#image
    const raw = this.rawPixels(view)
    return this.#once(`normalized.${view}`, () =>
      this.builder.outermost(() => {
        const perChannel = (values: readonly number[]) =>
          this.builder.constant(tensor('float32', [1, values.length, 1, 1], values))
        const shifted = mean.some((value) => value !== 0) ? op.sub(raw, perChannel(mean)) : raw
        return std.some((value) => value !== 1)
          ? op.mul(shifted, perChannel(std.map((value) => 1 / value)))
          : shifted
      }),
    )
  }

  rawPixels(view = 0): Value {
    const { size, channels } = this.#image
    const name = (this.#objective.views ?? 1) === 1 ? 'pixels' : `pixels_${view + 1}`
    return this.#input(name, 'float32', [this.batch, channels, ...size], { kind: 'pixels', view })
  }

  texts(column: string): Readonly<Record<string, Value>> {
    return this.#textParts(column, (part, shape) =>
      this.#input(`${column}.${part}`, 'int64', shape, { kind: 'tokens', column, part }),
    )
  }

  maskedTexts(column: string, options: MaskedTextsOptions = {}): MaskedTexts {
    checkTokenMask({ ...this.#masking, ...options })
    const input = (part: 'input_ids' | 'positions' | 'labels', shape: Shape) =>
      this.#input(`${column}.masked.${part}`, 'int64', shape, { kind: 'masked', column, part, options })
    const chosen = [`${column}_chosen`]
    return {
      inputs: this.#textParts(column, (part, shape) =>
        part === 'input_ids'
          ? input('input_ids', shape)
          : this.#input(`${column}.${part}`, 'int64', shape, { kind: 'tokens', column, part }),
      ),
      positions: input('positions', chosen),
      labels: input('labels', chosen),
    }
  }

  labels(column = 'label'): Value {
    return this.#input(column, 'int64', [this.batch], { kind: 'labels', column })
  }

  numbers(column: string, shape: readonly number[] = []): Value {
    return this.#input(column, 'float32', [this.batch, ...shape], { kind: 'numbers', column, shape })
  }

  drawn(name: string, dtype: 'float32' | 'int64' | 'bool', shape: Shape, draws: Draw): Value {
    return this.#input(name, dtype, shape, { kind: 'drawn', dtype, shape, draw: draws })
  }

  network(inputs: Readonly<Record<string, Value>>, outputs: readonly string[]): Value[] {
    const { graph, names } = this.#cutAt(outputs)
    const made = include(this.builder, graph, this.#taken(graph, inputs))
    return names.map((name, i) => {
      const found = made[name]
      if (found) return found
      throw this.#unfit(`has no output ${outputs[i]}`)
    })
  }

  embed(inputs: Readonly<Record<string, Value>>): Value {
    const [embedding] = this.network(inputs, [this.#network.representation])
    return embedding!
  }

  tokens(inputs: Readonly<Record<string, Value>>): Value {
    const [tokens] = this.network(inputs, [this.#masking.tokens])
    return tokens!
  }

  wordTable(): Value {
    return this.builder.value(this.#teaching ? TEACHER + this.#masking.table : this.#masking.table)
  }

  teacher<T>(build: () => T): T {
    if (!this.#objective.teacher) {
      throw new PipiloError(
        'OPTION_INVALID',
        `The objective ${this.#objective.name} says nothing of its teacher.`,
        {
          input: 'teacher',
          hint: 'Give it a momentum: teacher: { momentum: 0.996 }.',
        },
      )
    }
    const before = this.#teaching
    this.#teaching = true
    try {
      return build()
    } finally {
      this.#teaching = before
    }
  }

  get #image() {
    const { image } = this.#network
    if (image) return image
    throw this.#unfit('takes no pictures')
  }

  get #masking(): NetworkMasking {
    const { text } = this.#network
    if (!text) throw this.#unfit('takes no texts')
    if (text.masking) return text.masking
    throw this.#unfit('has no token for words that are hidden')
  }

  #unfit(sentence: string): PipiloError {
    return new PipiloError(
      'MODEL_INVALID',
      `${this.#network.name} ${sentence}; ${this.#objective.name} needs it.`,
      {
        input: this.#network.name,
      },
    )
  }

  /** Those of the given values that the graph takes: below a cut, some inputs may not be needed. */
  #taken(graph: Graph, inputs: Readonly<Record<string, Value>>): Record<string, Value> {
    const unknown = Object.keys(inputs).find(
      (name) => !this.#network.training.inputs.some((input) => input.name === name),
    )
    if (unknown !== undefined) throw this.#unfit(`has no input ${unknown}`)
    const known = new Set(graph.inputs.map(({ name }) => name))
    return Object.fromEntries(Object.entries(inputs).filter(([name]) => known.has(name)))
  }

  /** The network with these outputs, in the form of the student or of the teacher, and the outputs' names there. */
  #cutAt(outputs: readonly string[]): Cut {
    const key = JSON.stringify([outputs, this.#teaching])
    const known = this.#cuts.get(key)
    if (known) return known
    const isTraining = !this.#teaching || (this.#objective.teacher?.mode ?? 'training') === 'training'
    const whole = isTraining ? this.#network.training : this.#network.inference
    const isOutput = (name: string) => whole.outputs.some((output) => output.name === name)
    const names = outputs.map((name) => (isOutput(name) ? name : resolveLayer(whole, name)))
    const updates = [...updatesOf(whole).values()]
    const inner = names.filter((name) => !isOutput(name))
    const part = cut(inner.length > 0 ? tap(whole, ...inner) : whole, [...names, ...updates])
    const made = { graph: this.#teaching ? this.#asTeacher(part) : part, names }
    this.#cuts.set(key, made)
    return made
  }

  /** The graph whose parameters are the moving average's: buffers, as no optimiser trains them. */
  #asTeacher(graph: Graph): Graph {
    const parameters = parametersOf(graph)
    for (const { name, role } of parameters) if (role === 'weight') this.followers.set(TEACHER + name, name)
    const renamed = rename(graph, Object.fromEntries(parameters.map(({ name }) => [name, TEACHER + name])))
    const values = new Map(renamed.values)
    for (const { name } of parameters) {
      values.set(TEACHER + name, {
        ...values.get(TEACHER + name),
        name: TEACHER + name,
        metadata: new Map([[ROLE_KEY, 'buffer']]),
      })
    }
    return { ...renamed, values }
  }

  /** The teacher's copy of a parameter of the objective's own: it begins as the student's. */
  #follow(
    name: string,
    shape: readonly number[],
    init: Initialization | undefined,
    isWeight: boolean,
  ): Value {
    if (!init) throw new PipiloError('PARAMETER_MISSING', `${name} has no initialisation.`, { input: name })
    const full = TEACHER + name
    if (!this.builder.has(full)) {
      if (isWeight) this.followers.set(full, name)
      this.builder.initializer(full, draw(init, shape, this.seed, name), new Map([[ROLE_KEY, 'buffer']]))
    }
    return this.builder.latest(full)
  }

  /** Inputs of the network that texts fill. */
  #textParts(column: string, input: (part: string, shape: Shape) => Value): Readonly<Record<string, Value>> {
    if (!this.#network.text) throw this.#unfit('takes no texts')
    const parts = this.#network.training.inputs.flatMap(({ name }) =>
      /^(input_ids|attention_mask|token_type_ids)$/.test(name) ? [name] : [],
    )
    return Object.fromEntries(parts.map((part) => [part, input(part, [this.batch, `${column}_tokens`])]))
  }

  #once(key: string, make: () => Value): Value {
    const known = this.#inputs.get(key)
    if (known) return known
    const value = make()
    this.#inputs.set(key, value)
    return value
  }

  #input(name: string, dtype: 'float32' | 'int64' | 'bool', shape: Shape, feed: Feed): Value {
    return this.#once(name, () => {
      this.feeds.set(name, feed)
      return this.builder.outermost(() => this.builder.input(name, dtype, shape))
    })
  }
}
