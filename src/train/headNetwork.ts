/** A linear classifier over embeddings, as a network to train. */

import { join } from 'node:path'
import { writeFileAtomic } from '../base/files/index.ts'
import { checkOptions, is, type OptionTable } from '../base/index.ts'
import { Builder, type Graph, op } from '../graph/index.ts'
import { writeSafetensors } from '../models/index.ts'
import { linear, parametersFrom } from '../nn/index.ts'
import { tensor } from '../tensor/index.ts'
import type { Network } from './objective.ts'

const headNetworkTypes: OptionTable<HeadNetworkOptions> = {
  dimensions: is.count(1),
  classes: is.listOf(is.text, 1),
  mean: is.listOf(is.numeric()),
  std: is.listOf(is.numeric()),
  seed: is.integer,
  writeBase: is.callback,
}

/** Options of {@link headNetwork}. */
export interface HeadNetworkOptions {
  /** Numbers of a vector. */
  readonly dimensions: number
  readonly classes: readonly string[]
  /** Subtracted from a vector, and what the rest is divided by. Default: nothing is. */
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  /** Default 0. */
  readonly seed?: number
  /** Writes the network that gives the vectors beside the head. */
  readonly writeBase?: (folder: string) => Promise<void>
}

/**
 * A linear layer from vectors to logits (`fc.weight`, `fc.bias`), to train by {@link probe}.
 *
 * @example
 * ```ts
 * const head = headNetwork({ dimensions: 96, classes: ['birds', 'faces'] })
 * ```
 *
 * @remarks The run's folder gets `head.safetensors` and `classes.json`, and the network below it if there is a `writeBase`.
 */
export function headNetwork(options: HeadNetworkOptions): Network {
  checkOptions('headNetwork', options, headNetworkTypes)
  const { dimensions, classes, mean, std, seed = 0, writeBase } = options
  const build = (mode: 'training' | 'inference'): Graph => {
    const builder = new Builder({ name: 'head' })
    const parameters = parametersFrom(builder, undefined, { seed, mode })
    const vectors = builder.input('features', 'float32', ['batch', dimensions])
    const shifted = mean ? op.sub(vectors, builder.constant(tensor('float32', [dimensions], mean))) : vectors
    const scaled = std
      ? op.mul(
          shifted,
          builder.constant(
            tensor(
              'float32',
              [dimensions],
              std.map((x) => 1 / x),
            ),
          ),
        )
      : shifted
    builder.output('logits', linear(parameters, 'fc', scaled, classes.length))
    return builder.build()
  }
  return {
    name: 'linear head',
    training: build('training'),
    inference: build('inference'),
    representation: 'logits',
    write: async (folder, weights) => {
      await writeBase?.(folder)
      await writeSafetensors(join(folder, 'head.safetensors'), weights, new Map([['format', 'pt']]))
      const head = { classes, ...(mean && { mean }), ...(std && { std }) }
      await writeFileAtomic(join(folder, 'classes.json'), `${JSON.stringify(head, null, 2)}\n`)
    },
  }
}
