/** Where an architecture's parameters come from: a checkpoint, or fresh numbers. */
import { type Builder, type Initializer, op, type Value } from '../graph/index.ts'
import { closest, PipiloError } from '../tensor/index.ts'
import { draw } from './initialization.ts'
import type { Initialization, Parameters } from './types.ts'

export interface ParametersOptions {
  /** Prefixes that the checkpoint may put before every name (`bert.`). The first that fits a name is used. Default none. */
  readonly prefixes?: readonly string[]
  /** Further names under which the checkpoint may hold a parameter. `gamma` and `beta` for norms are always tried. */
  readonly aliases?: (name: string) => readonly string[]
  /** Names of tensors that are no parameters and may go unasked for, beside the well-known buffers. */
  readonly ignore?: readonly RegExp[]
  /** Seed of fresh parameters. Default 0. */
  readonly seed?: number
}

/** Parameters, and what was asked of them. */
export interface CheckpointParameters extends Parameters {
  /** Whether the checkpoint has it. `true` without a checkpoint: it would be drawn. */
  has(name: string): boolean
  /** The checkpoint's tensors that nobody asked for, buffers that need not be read left out. */
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
 * for a name gives the same value. Fresh ones depend on `seed` and their name only.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function parametersFrom(
  builder: Builder,
  source: ReadonlyMap<string, Initializer> | undefined,
  options: ParametersOptions = {},
): CheckpointParameters {
  const { prefixes = [''], aliases = () => [], ignore = [], seed = 0 } = options
  const given = new Map<string, Value>()
  const taken = new Set<string>()

  const find = (name: string): string | undefined => {
    for (const candidate of [name, ...aliases(name), ...oldNames(name)]) {
      for (const prefix of prefixes) {
        if (source?.has(prefix + candidate)) return prefix + candidate
      }
    }
    return undefined
  }

  const take = (name: string, shape: readonly number[], init: Initialization | undefined): Initializer => {
    if (!source) {
      if (init) return draw(init, shape, seed, name)
      throw new PipiloError('PARAMETER_MISSING', `${name} has no checkpoint and no initialisation.`, {
        input: name,
      })
    }
    const key = find(name)
    if (key === undefined) throw missing(name, source)
    taken.add(key)
    return source.get(key)!
  }

  const parameters = (name: string, shape: readonly number[], init?: Initialization): Value => {
    let value = given.get(name)
    if (!value) {
      const tensor = take(name, shape, init)
      expectShape(name, tensor.shape, shape)
      value = op.cast(builder.initializer(name, tensor), 'float32')
      given.set(name, value)
    }
    expectShape(name, value.shape, shape)
    return value
  }

  return Object.assign(parameters, {
    has: (name: string) => source === undefined || find(name) !== undefined,
    unused: () =>
      [...(source?.keys() ?? [])].filter(
        (name) => !taken.has(name) && ![...BUFFERS, ...ignore].some((pattern) => pattern.test(name)),
      ),
  })
}

/** TensorFlow's names for the scale and shift of norms, in old checkpoints. */
function oldNames(name: string): string[] {
  if (name.endsWith('.weight')) return [name.replace(/weight$/, 'gamma')]
  return name.endsWith('.bias') ? [name.replace(/bias$/, 'beta')] : []
}

function expectShape(name: string, found: readonly (number | string)[], wanted: readonly number[]): void {
  if (found.length === wanted.length && found.every((size, axis) => size === wanted[axis])) return
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `The parameter ${name} is [${found.join(', ')}], but the configuration asks for [${wanted.join(', ')}].`,
    { input: name, hint: 'Check that the configuration belongs to these weights.' },
  )
}

function missing(name: string, source: ReadonlyMap<string, Initializer>): PipiloError {
  const near = closest(name, source.keys())
  return new PipiloError('PARAMETER_MISSING', `The checkpoint has no parameter ${name}.`, {
    input: name,
    hint: near.length
      ? `The closest names in it are ${near.join(', ')}.`
      : `It holds ${source.size} tensors.`,
  })
}
