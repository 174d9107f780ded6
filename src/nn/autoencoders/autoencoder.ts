/** Common part of the autoencoders: the code between an encoder and a decoder, and the picture that comes back. */
import { PipiloError } from '../../base/index.ts'
import { Builder, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'

/** Both halves of an autoencoder. */
export interface Halves {
  /** From the input to the code, [batch, features]. */
  readonly encode: (parameters: CheckpointParameters, x: Value) => Value
  /** From the code back to the input's shape. */
  readonly decode: (parameters: CheckpointParameters, code: Value) => Value
}

/**
 * Builds the graph: one input, outputs `latent` (the code, also the penultimate layer) and `reconstruction` (of the input's shape), layers
 * and parameters below `encoder` and `decoder`.
 */
export function buildAutoencoder(
  name: string,
  shape: readonly number[],
  checkpoint: Parameters<typeof parametersFrom>[1],
  options: BuildOptions,
  { encode, decode }: Halves,
): BuiltModel {
  const builder = new Builder({ name })
  const parameters = parametersFrom(builder, checkpoint, { ...options, prefixes: ['', 'module.', 'model.'] })
  const input = shape.length === 3 ? 'pixel_values' : 'features'
  const x = builder.input(input, 'float32', ['batch', ...shape])
  const code = builder.scope('encoder', { kind: 'Sequential' }, () => encode(parameters, x))
  const back = builder.scope('decoder', { kind: 'Sequential' }, () => decode(parameters, code))
  builder.output('latent', code)
  builder.output('reconstruction', back)
  return { ...built(builder, parameters), penultimate: 'latent', features: 'latent' }
}

/** An activation as a module of a `Sequential`; `none` adds nothing. */
export function activated(index: number, kind: string, x: Value): Value {
  return kind === 'none' ? x : x.builder.scope(`${index}`, () => activation(kind)(x))
}

/** @throws PipiloError `OPTION_INVALID` for sizes that are no positive integers */
export function checkSizes(what: string, sizes: readonly number[]): void {
  const wrong = sizes.find((size) => !(Number.isSafeInteger(size) && size > 0))
  if (wrong === undefined) return
  throw new PipiloError('OPTION_INVALID', `${what} has a size of ${wrong}, which is no positive integer.`, {
    input: what,
  })
}
