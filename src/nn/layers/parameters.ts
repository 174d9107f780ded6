/** Parameters of an architecture, from a checkpoint or freshly drawn. */

import { closest, PipiloError } from '../../base/index.ts'
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { elementCount } from '../../tensor/index.ts'
import type { Initialization, Parameters } from '../types.ts'
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

/** Buffers that PyTorch stores beside parameters and that graphs do not need. */
const BUFFERS = [
  /\bposition_ids$/,
  /\bnum_batches_tracked$/,
  /\btoken_type_ids$/,
  /\brelative_position_index$/,
]

/**
 * Parameters from a checkpoint's tensors, or fresh ones where `source` is undefined.
 *
 * ```ts
 * const parameters = parametersFrom(builder, tensors, { prefixes: ['', 'bert.'] })
 * const weight = parameters('pooler.dense.weight', [384, 384])
 * parameters.unused() // ['cls.predictions.bias']
 * ```
 *
 * A tensor is added under the name that was asked for; one that is not float32 gets a `Cast` right behind it. Asking again
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
  } = options
  const given = new Map<string, Value>()
  const taken = new Set<string>()
  const lacking: string[] = []
  const misshapen: Misshapen[] = []

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

  const take = (name: string, shape: readonly number[], init: Initialization | undefined): Initializer => {
    if (!source) return fresh(name, shape, init)
    const key = find(name)
    const tensor = key === undefined ? undefined : source.get(key)
    if (key !== undefined) taken.add(key)
    if (tensor && isShape(tensor.shape, shape)) return tensor
    if (!strict) return fresh(name, shape, init)
    if (tensor) misshapen.push({ name, found: tensor.shape, wanted: shape })
    else lacking.push(name)
    return { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)) }
  }

  const parameters = (asked: string, shape: readonly number[], init?: Initialization): Value => {
    const name = rename(asked)
    let value = given.get(name)
    if (!value) {
      value = op.cast(builder.initializer(name, take(name, shape, init)), 'float32')
      given.set(name, value)
    }
    if (isShape(value.shape, shape)) return value
    throw mismatch([{ name, found: value.shape, wanted: shape }])
  }

  return Object.assign(parameters, {
    has: (name: string) => source === undefined || find(rename(name)) !== undefined,
    unused: () => {
      if (source && lacking.length > 0) throw missing(lacking, misshapen, source)
      if (misshapen.length > 0) throw mismatch(misshapen)
      return [...(source?.keys() ?? [])].filter(
        (name) => !taken.has(name) && ![...BUFFERS, ...ignore].some((pattern) => pattern.test(name)),
      )
    },
  })
}

/** TensorFlow's names for the scale and shift of norms, in old checkpoints. */
function oldNames(name: string): string[] {
  if (name.endsWith('.weight')) return [name.replace(/weight$/, 'gamma')]
  return name.endsWith('.bias') ? [name.replace(/bias$/, 'beta')] : []
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
      : `${all.length} parameters have other shapes than the configuration asks for: ${all.map(describe).join('; ')}.`
  return new PipiloError('SHAPE_MISMATCH', sentence, {
    input: first!.name,
    hint: 'Check that the configuration belongs to these weights.',
  })
}

function describe({ name, found, wanted }: Misshapen): string {
  return `${name} is [${found.join(', ')}], but the configuration asks for [${wanted.join(', ')}]`
}

function missing(
  names: readonly string[],
  misshapen: readonly Misshapen[],
  source: ReadonlyMap<string, Initializer>,
): PipiloError {
  const also = misshapen.length ? ` And ${misshapen.map(describe).join('; ')}.` : ''
  const sentence =
    names.length === 1
      ? `The checkpoint has no parameter ${names[0]}.${also}`
      : `The checkpoint has no parameters ${names.join(', ')} (${names.length} of them).${also}`
  const near = closest(names[0]!, source.keys())
  return new PipiloError('PARAMETER_MISSING', sentence, {
    input: names[0]!,
    hint: near.length
      ? `The closest names in it to ${names[0]} are ${near.join(', ')}.`
      : `It holds ${source.size} tensors.`,
  })
}
