/** A small CLIP to train: a tower for pictures, one for texts, and another model's tokenizer. */

import { join } from 'node:path'
import { makeFolder } from '../base/files/index.ts'
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import { loadTokenizer } from '../embed/index.ts'
import { open, writeSafetensors } from '../models/index.ts'
import { buildClipPair } from '../nn/index.ts'
import type { Network } from './objective.ts'
import { readJson, writeJson, writeTokenizer } from './save/files.ts'

const clipNetworkTypes: OptionTable<ClipNetworkOptions> = {
  size: is.count(1),
  patchSize: is.count(1),
  width: is.count(1),
  layers: is.count(1),
  dimensions: is.count(1),
  maxLength: is.count(1),
  tokenizer: is.name,
  seed: is.integer,
}

/** Options of {@link clipNetwork}. */
export interface ClipNetworkOptions {
  /** Height and width of the pictures. Default 64. */
  readonly size?: number
  /** Side of a patch. Default an eighth of the size. */
  readonly patchSize?: number
  /** Features of both towers. Default 192. */
  readonly width?: number
  /** Blocks of each tower. Default 4. */
  readonly layers?: number
  /** Features of an embedding. Default 128. */
  readonly dimensions?: number
  /** Tokens read of a text. Default 32. */
  readonly maxLength?: number
  /** Model whose tokenizer is taken. Default all-MiniLM-L6-v2. */
  readonly tokenizer?: string
  /** Default 0. */
  readonly seed?: number
}

const MEAN = [0.5, 0.5, 0.5]

/**
 * CLIP with small towers, to train by {@link imageText}.
 *
 * @example
 * ```ts
 * await train({ network: await clipNetwork({ size: 64 }), objective: imageText(), data: await readDataset('captions.csv') })
 * ```
 *
 * @remarks The run's folder is one of transformers' CLIP models, with a WordPiece tokenizer whose `[SEP]` ends a text.
 *
 * @throws `MODEL_INVALID` for a tokenizer without an end of text
 */
export async function clipNetwork(options: ClipNetworkOptions = {}): Promise<Network> {
  checkOptions('clipNetwork', options, clipNetworkTypes)
  const { size = 64, width = 192, layers = 4, dimensions = 128, maxLength = 32, seed = 0 } = options
  const { tokenizer: path, name } = await open(options.tokenizer ?? 'all-MiniLM-L6-v2')
  const tokenizer = path === undefined ? undefined : await loadTokenizer(path)
  const end = tokenizer?.suffix.at(-1)
  if (path === undefined || !tokenizer || end === undefined) {
    throw new PipiloError('MODEL_INVALID', `${name} has no tokenizer that ends a text with a token.`, {
      input: name,
    })
  }
  const tower = {
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: Math.max(1, Math.round(width / 64)),
    intermediate_size: 4 * width,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
  }
  const config = {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: dimensions,
    logit_scale_init_value: Math.log(1 / 0.07),
    text_config: {
      ...tower,
      vocab_size: await vocabularySize(path),
      max_position_embeddings: maxLength,
      eos_token_id: end,
      bos_token_id: tokenizer.prefix[0] ?? end,
      pad_token_id: tokenizer.padId,
      projection_dim: dimensions,
    },
    vision_config: {
      ...tower,
      image_size: size,
      patch_size: options.patchSize ?? size / 8,
      projection_dim: dimensions,
    },
  }
  const inMode = (mode: 'training' | 'inference') => buildClipPair(config, undefined, { mode, seed }).graph
  return {
    name: 'clip',
    training: inMode('training'),
    inference: inMode('inference'),
    representation: 'image_embeds',
    image: { size: [size, size], channels: 3, mean: MEAN, std: MEAN },
    text: {
      encode: (texts) => texts.map((text) => tokenizer.encode(text, maxLength).ids),
      paddingId: tokenizer.padId,
    },
    write: async (folder, weights) => {
      await makeFolder(folder)
      await writeSafetensors(join(folder, 'model.safetensors'), weights, new Map([['format', 'pt']]))
      await writeTokenizer(folder, path, maxLength)
      await writeJson(join(folder, 'preprocessor_config.json'), {
        image_processor_type: 'CLIPImageProcessor',
        do_resize: true,
        size: { shortest_edge: size },
        do_center_crop: true,
        crop_size: { height: size, width: size },
        do_rescale: true,
        rescale_factor: 1 / 255,
        do_normalize: true,
        image_mean: MEAN,
        image_std: MEAN,
        resample: 2,
      })
      await writeJson(join(folder, 'config.json'), config)
    },
  }
}

/** Number of tokens that a tokenizer.json can give. */
async function vocabularySize(path: string): Promise<number> {
  const { model, added_tokens: added } = (await readJson(path)) as {
    model?: { vocab?: Readonly<Record<string, number>> | readonly unknown[] }
    added_tokens?: readonly { id: number }[]
  }
  const ids = Array.isArray(model?.vocab) ? [model.vocab.length - 1] : Object.values(model?.vocab ?? {})
  return Math.max(...(ids as number[]), ...(added ?? []).map(({ id }) => id)) + 1
}
