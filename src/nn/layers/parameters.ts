/** Parameters of an architecture, from a checkpoint or freshly drawn. */

import { closest, PipiloError } from '../../base/index.ts'
import {
  type Builder,
  type Initializer,
  op,
  parametersOf,
  ROLE_KEY,
  type Role,
  type Value,
  widened,
} from '../../graph/index.ts'
import { elementCount, tensor as tensorOf } from '../../tensor/index.ts'
import type { BuiltModel } from '../model.ts'
import type { BufferOptions, Initialization, Mode, Parameters } from '../types.ts'
import { draw } from './initialization.ts'

export interface ParametersOptions {
  /** Prefixes that the checkpoint may put before every name (`bert.`). The first that fits a name is used. Default none. */
  readonly prefixes?: readonly string[]
  /** Name in the checkpoint and the graph of a parameter that the architecture calls otherwise. Default: the same. */
  readonly rename?: (name: string) => string
  /** Further names under which the checkpoint may hold a parameter. `gamma` and `beta` for norms are always tried. */
  readonly aliases?: (name: string) => readonly string[]
  /** Names of tensors that are no parameters and may go unasked for, beside the well-known buffers. */
  readonly ignore?: readonly RegExp[]
  /** Seed of fresh parameters. Default 0. */
  readonly seed?: number
  /**
   * Treatment of parameters that the checkpoint lacks or has in another shape: `true` (the default) is an error that lists them
   * once everything was asked for, at {@link CheckpointParameters.unused}; `false` draws them.
   */
  readonly strict?: boolean
  /** `training` widens what lies in memory at once, and makes updates of buffers outputs. Default `inference`. */
  readonly mode?: Mode
}

/** Parameters, and what was asked of them. */
export interface CheckpointParameters extends Parameters {
  /** True if the checkpoint has it, or if there is no checkpoint: it would be drawn. */
  has(name: string): boolean
  /**
   * The checkpoint's tensors that nobody asked for, buffers that need not be read left out: what a builder calls when it is done.
   *
   * @throws PipiloError `PARAMETER_MISSING` or `SHAPE_MISMATCH`, with all names, where the checkpoint does not fit
   */
  unused(): string[]
}

/** Parameters that a checkpoint may lack, beside as many as it has, before the rest is not asked for. */
const MOST_ABSENT = 2048
/** As many numbers of parameters that a checkpoint lacks are stood in for until all of it is told: 256 MB. */
const MOST_ABSENT_NUMBERS = 2 ** 26

/** Dtypes of weights. */
const FLOATS: ReadonlySet<string> = new Set(['float16', 'bfloat16', 'float32', 'float64'])

/** Names that an error lists. */
const LISTED = 40

/** Buffers that PyTorch stores and that graphs make themselves or need only while training. */
const BUFFERS = [
  /\bposition_ids$/,
  /\bnum_batches_tracked$/,
  /\btoken_type_ids$/,
  /\brelative_position_index$/,
]

/**
 * Parameters from a checkpoint's tensors, or fresh ones where `source` is undefined.
 *
 * @example
 * ```ts
 * const parameters = parametersFrom(builder, tensors, { prefixes: ['', 'bert.'] })
 * const weight = parameters.weight('pooler.dense.weight', [384, 384])
 * parameters.unused() // ['cls.predictions.bias']
 * ```
 *
 * @remarks
 * A tensor is added under the name that was asked for, with its role; one that is not float32 gets a `Cast` right behind it (while
 * training only if it lies in a file: see `widen`). Asking again
 * for a name gives the same value. Fresh ones depend on `seed` and their name only. What the checkpoint lacks is zero until
 * `unused()` complains about all of it.
 *
 * @throws PipiloError `PARAMETER_MISSING` without a checkpoint or an initialisation; `SHAPE_MISMATCH` for two shapes of one name
 */
export function parametersFrom(
  builder: Builder,
  source: ReadonlyMap<string, Initializer> | undefined,
  options: ParametersOptions = {},
): CheckpointParameters {
  const {
    prefixes = [''],
    rename = (name: string) => name,
    aliases = () => [],
    ignore = [],
    seed = 0,
    strict = true,
    mode = 'inference',
  } = options
  const given = new Map<string, { readonly value: Value; readonly role: Role }>()
  const taken = new Set<string>()
  const lacking: string[] = []
  const misshapen: Misshapen[] = []
  let absent = 0
  let absentNumbers = 0

  const find = (name: string): string | undefined => {
    for (const candidate of [name, ...aliases(name), ...oldNames(name)]) {
      for (const prefix of prefixes) {
        if (source?.has(prefix + candidate)) return prefix + candidate
      }
    }
    return undefined
  }

  const fresh = (name: string, shape: readonly number[], init: Initialization | undefined): Initializer => {
    if (init) return draw(init, shape, seed, name)
    throw new PipiloError('PARAMETER_MISSING', `${name} has no checkpoint and no initialisation.`, {
      input: name,
    })
  }

  const take = (
    name: string,
    shape: readonly number[],
    init: Initialization | undefined,
    { dtype = 'float32', optional = false }: BufferOptions,
  ): Initializer => {
    checkShape(name, shape)
    if (!source) return asDtype(fresh(name, shape, init), dtype)
    const key = find(name)
    const tensor = key === undefined ? undefined : source.get(key)
    if (key !== undefined) taken.add(key)
    if (tensor && dtype === 'float32' && !FLOATS.has(tensor.dtype)) {
      throw new PipiloError('FORMAT_UNSUPPORTED', `${key} is ${tensor.dtype}, and weights are floats.`, {
        input: name,
        hint: 'Quantised checkpoints are not read: take the one in float32, float16 or bfloat16.',
      })
    }
    if (tensor && isShape(tensor.shape, shape)) {
      return mode === 'training' && dtype === 'float32' && 'data' in tensor ? widened(tensor) : tensor
    }
    absent += 1
    absentNumbers += elementCount(shape)
    // A configuration of a million layers beside a small file is answered before they are built, and so is one of huge layers.
    if (absent > MOST_ABSENT + source.size || absentNumbers > MOST_ABSENT_NUMBERS) {
      if (tensor) throw mismatch([...misshapen, { name, found: tensor.shape, wanted: shape }])
      throw missing(lacking.length > 0 ? lacking : [name], misshapen, source, 'at least ')
    }
    if (!strict || (!tensor && optional)) return asDtype(fresh(name, shape, init), dtype)
    if (tensor) misshapen.push({ name, found: tensor.shape, wanted: shape })
    else lacking.push(name)
    const count = elementCount(shape)
    const kinds = { int64: BigInt64Array, int8: Int8Array, float32: Float32Array } as const
    return { dtype, shape, data: new kinds[dtype](count) }
  }

  const ask = (
    role: Role,
    asked: string,
    shape: readonly number[],
    init?: Initialization,
    options: BufferOptions = {},
  ): Value => {
    const name = rename(asked)
    let value = given.get(name)?.value
    if (!value) {
      const tensor = take(name, shape, init, options)
      const stored = builder.initializer(name, tensor, new Map([[ROLE_KEY, role]]))
      value = op.cast(stored, options.dtype ?? 'float32')
      given.set(name, { value, role })
    }
    if (isShape(value.shape, shape)) return value
    throw mismatch([{ name, found: value.shape, wanted: shape }])
  }

  const current = (name: string, value: Value): Value => {
    const latest = builder.latest(name)
    return latest.name === name ? value : latest
  }

  return {
    mode,
    weight: (name, shape, init) => ask('weight', name, shape, init),
    buffer(asked, shape, init, options) {
      const value = ask('buffer', asked, shape, init, options)
      return current(rename(asked), value)
    },
    update(buffer, next) {
      if (mode === 'inference') return
      const name = [...given].find(([name, { value }]) => current(name, value) === buffer)?.[0]
      if (name === undefined) {
        throw new PipiloError('GRAPH_INVALID', `${buffer.name} is no buffer that was asked for.`, {
          input: buffer.name,
        })
      }
      builder.update(name, next)
    },
    has: (name) => source === undefined || find(rename(name)) !== undefined,
    unused: () => {
      if (source && lacking.length > 0) throw missing(lacking, misshapen, source)
      if (misshapen.length > 0) throw mismatch(misshapen)
      return [...(source?.keys() ?? [])].filter(
        (name) => !taken.has(name) && ![...BUFFERS, ...ignore].some((pattern) => pattern.test(name)),
      )
    },
  }
}

/**
 * The end of an architecture: its graph, the checkpoint's tensors that nobody asked for, and the list of its parameters.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function built(
  builder: Builder,
  parameters: CheckpointParameters,
): Pick<BuiltModel, 'graph' | 'unused' | 'parameters'> {
  const graph = builder.build()
  return { graph, unused: parameters.unused(), parameters: parametersOf(graph) }
}

/** Numbers that were drawn, as integers where these are asked for. */
function asDtype(drawn: Initializer, dtype: NonNullable<BufferOptions['dtype']>): Initializer {
  if (dtype === 'float32' || !('data' in drawn)) return drawn
  return tensorOf(dtype, drawn.shape, Array.from(drawn.data as Float32Array))
}

/** TensorFlow's names for the scale and shift of norms, in old checkpoints. */
function oldNames(name: string): string[] {
  if (name.endsWith('.weight')) return [name.replace(/weight$/, 'gamma')]
  return name.endsWith('.bias') ? [name.replace(/bias$/, 'beta')] : []
}

/** Numbers of a parameter beyond which no array holds them. */
const MOST_NUMBERS = 2 ** 31

/** @throws PipiloError `MODEL_INVALID` for a shape that no parameter has: it comes from a configuration */
function checkShape(name: string, shape: readonly number[]): void {
  const isShape = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  if (isShape && elementCount(shape) <= MOST_NUMBERS) return
  throw new PipiloError(
    'MODEL_INVALID',
    `The configuration asks for a parameter ${name} of the shape [${shape.join(', ').slice(0, 200)}].`,
    { input: name, hint: 'Check its sizes.' },
  )
}

interface Misshapen {
  readonly name: string
  readonly found: readonly (number | string)[]
  readonly wanted: readonly number[]
}

function isShape(found: readonly (number | string)[], wanted: readonly number[]): boolean {
  return found.length === wanted.length && found.every((size, axis) => size === wanted[axis])
}

function mismatch(all: readonly Misshapen[]): PipiloError {
  const [first] = all
  const sentence =
    all.length === 1
      ? `The parameter ${describe(first!)}.`
      : `${all.length} parameters have other shapes than the configuration asks for: ${listed(all.map(describe), '; ')}.`
  return new PipiloError('SHAPE_MISMATCH', sentence, {
    input: first!.name,
    hint: 'Check that the configuration belongs to these weights.',
  })
}

function listed(all: readonly string[], separator: string): string {
  return `${all.slice(0, LISTED).join(separator)}${all.length > LISTED ? `${separator}…` : ''}`
}

function describe({ name, found, wanted }: Misshapen): string {
  return `${name} is [${found.join(', ')}], but the configuration asks for [${wanted.join(', ')}]`
}

function missing(
  names: readonly string[],
  misshapen: readonly Misshapen[],
  source: ReadonlyMap<string, Initializer>,
  atLeast = '',
): PipiloError {
  const also = misshapen.length ? ` And ${listed(misshapen.map(describe), '; ')}.` : ''
  const sentence =
    names.length === 1
      ? `The checkpoint has no parameter ${names[0]}.${also}`
      : `The checkpoint has no parameters ${listed(names, ', ')} (${atLeast}${names.length} of them).${also}`
  const near = closest(names[0]!, source.keys())
  return new PipiloError('PARAMETER_MISSING', sentence, {
    input: names[0]!,
    hint: near.length
      ? `The closest names in it to ${names[0]} are ${near.join(', ')}.`
      : `It holds ${source.size} tensors.`,
  })
}
