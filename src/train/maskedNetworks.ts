/** Networks whose pictures are partly hidden while they are trained; what is kept of them is a vision transformer. */
import { checkOptions, is, type OptionTable } from '../base/index.ts'
import {
  type BuildModel,
  buildMae,
  buildMaskedVit,
  type MaeConfig,
  type MaskedVitConfig,
} from '../nn/index.ts'
import { type FreshNetworkOptions, pictureOf } from './networks.ts'
import type { Network } from './objective.ts'
import { writeTimmFolder } from './save/timmFolder.ts'

const maskedNetworkTypes: OptionTable<Options> = {
  mean: is.listOf(is.numeric()),
  std: is.listOf(is.numeric()),
  seed: is.integer,
  checkpoint: is.instance('a Map of tensors', 'get', 'has'),
}

type Options = Pick<FreshNetworkOptions, 'mean' | 'std' | 'seed' | 'checkpoint'>

/**
 * A masked autoencoder to train by {@link mae}.
 *
 * @example
 * ```ts
 * maeNetwork({ img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3, decoder_embed_dim: 96, decoder_depth: 2, decoder_num_heads: 3 })
 * ```
 *
 * @remarks The run's folder gets the encoder, as a vision transformer of timm's.
 */
export function maeNetwork(config: Partial<MaeConfig>, options: Options = {}): Network {
  checkOptions('maeNetwork', options, maskedNetworkTypes)
  return maskedNetwork('mae', buildMae, config, options, {})
}

/**
 * A vision transformer with masked patches, to train by {@link data2vec}.
 *
 * @example
 * ```ts
 * maskedVitNetwork({ img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3, top_layers: 2 })
 * ```
 *
 * @remarks The run's folder gets the student without its prediction, as a vision transformer of timm's.
 */
export function maskedVitNetwork(config: MaskedVitConfig, options: Options = {}): Network {
  checkOptions('maskedVitNetwork', options, maskedNetworkTypes)
  // The loss is on patches alone: their mean is the embedding, not the class token.
  return maskedNetwork('masked_vit', buildMaskedVit, config, options, { global_pool: 'avg', fc_norm: false })
}

/** Parameters that serve the training alone; the objective's own and the moving average's among them. */
const TRAINING_ONLY = /^(decoder_|mask_token$|regression_head\.|teacher\.)/

function maskedNetwork<Config extends object>(
  name: string,
  build: BuildModel<Config>,
  config: Config & { readonly in_chans?: number },
  { seed = 0, checkpoint, mean, std }: Options,
  pooling: Readonly<Record<string, unknown>>,
): Network {
  const training = build(config, checkpoint, { mode: 'training', seed })
  const inference = build(config, checkpoint, { mode: 'inference', seed })
  const image = pictureOf(training.graph, name, { ...(mean && { mean }), ...(std && { std }) })
  return {
    name,
    training: training.graph,
    inference: inference.graph,
    representation: training.penultimate ?? training.graph.outputs[0]!.name,
    image,
    write: (folder, weights) =>
      writeTimmFolder(folder, {
        name: 'vit_base_patch16_224',
        config: { ...encoderConfig(config), ...pooling, num_classes: 0 },
        image,
        weights: new Map([...weights].filter(([key]) => !TRAINING_ONLY.test(key))),
      }),
  }
}

/** The part of the configuration that is about the encoder. */
function encoderConfig(config: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(
      ([key]) => !/^(decoder_|top_layers$|prediction_head$|out_features$)/.test(key),
    ),
  )
}
