/**
 * CLIP with the parameter names of OpenAI's and OpenCLIP's checkpoints (https://github.com/mlfoundations/open_clip): towers of
 * transformers, ResNets with attention pooling, or timm's vision transformers.
 */

import { PipiloError } from '../../base/index.ts'
import { Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { modifiedResNet } from '../cnn/modifiedResNet.ts'
import { conv2d, embedding, layerNorm, linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import { pool } from '../layers/pooling.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import { fieldsOf, readConfig } from '../text/textConfig.ts'
import type { Parameters } from '../types.ts'
import { patchGrid, storedTensor } from '../vit/visionConfig.ts'
import { prependTokens, tokensOf } from '../vit/vitLayers.ts'
import { findVit } from '../vit/vitNames.ts'
import {
  causalMask,
  endOfText,
  firstPositions,
  leftByBoth,
  OPEN_CLIP_NAMES,
  scalarOf,
  type TwoTowers,
  towerBlock,
  towerPositions,
} from './twoTowers.ts'

interface TextConfig {
  readonly context_length: number
  readonly vocab_size: number
  readonly width: number
  readonly heads: number
  readonly layers: number
  readonly mlp_ratio: number
  readonly no_causal_mask: boolean
  readonly proj_bias: boolean
  readonly proj_type: string
  readonly pool_type: string
  readonly eos_id: number
}

interface VisionConfig {
  readonly image_size: number
  readonly width: number
  readonly head_width: number
  readonly patch_size: number
  readonly mlp_ratio: number
  readonly no_ln_pre: boolean
  readonly pool_type: string
  readonly final_ln_after_pool: boolean
}

type Checkpoint = ReadonlyMap<string, Initializer>
type Fields = Readonly<Record<string, unknown>>

/** True if a configuration is OpenCLIP's: `open_clip_config.json`, or its `model_cfg`. */
export function isOpenClip(json: unknown): boolean {
  return 'vision_cfg' in modelConfig(json)
}

function modelConfig(json: unknown): Fields {
  const fields = fieldsOf(json)
  return 'model_cfg' in fields ? fieldsOf(fields['model_cfg']) : fields
}

/**
 * Both towers of an OpenCLIP model. `text` has the input `input_ids` (int64 [batch, sequence]), the outputs `text_embeds` and
 * `last_hidden_state`; `image` the input `pixel_values` and the output `image_embeds`.
 *
 * @example
 * ```ts
 * buildOpenClip({ embed_dim: 512, vision_cfg: { image_size: 224, layers: 12, width: 768, patch_size: 32 }, text_cfg: {} }, tensors)
 * ```
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED` for towers of other libraries, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildOpenClip(json: unknown, checkpoint?: Checkpoint, options: BuildOptions = {}): TwoTowers {
  const config = modelConfig(json)
  const text = buildText(config, checkpoint, options)
  const image = buildImage(config, checkpoint, options)
  const shared = /^(module\.)?logit_(scale|bias)$/
  const scale = scalarOf(storedTensor(checkpoint, PREFIXES, 'logit_scale'))
  const bias = scalarOf(storedTensor(checkpoint, PREFIXES, 'logit_bias')) ?? config['init_logit_bias']
  return {
    text: { ...text, unused: leftByBoth(text.unused, image.unused, shared) },
    image: { ...image, unused: leftByBoth(image.unused, text.unused, shared) },
    logitScale: Math.exp(scale ?? Math.log(1 / 0.07)),
    ...(typeof bias === 'number' ? { logitBias: bias } : {}),
  }
}

const PREFIXES = ['', 'module.']

function embedDim(config: Fields): number {
  const { embed_dim } = config
  if (typeof embed_dim === 'number' && embed_dim > 0) return embed_dim
  throw new PipiloError('MODEL_INVALID', `OpenCLIP's configuration has no valid embed_dim: ${embed_dim}.`, {
    input: 'embed_dim',
    hint: 'It must be a positive integer.',
  })
}

function buildText(config: Fields, checkpoint: Checkpoint | undefined, options: BuildOptions): BuiltModel {
  const given = fieldsOf(config['text_cfg'])
  if (given['hf_model_name'] !== undefined) throw elsewhere('text', given['hf_model_name'])
  const text = readConfig<TextConfig>(
    { context_length: 77, vocab_size: 49408, width: 512, heads: 8, layers: 12, ...given },
    {
      architecture: 'OpenCLIP',
      sizes: ['context_length', 'vocab_size', 'width', 'heads', 'layers'],
      defaults: {
        mlp_ratio: 4,
        no_causal_mask: false,
        proj_bias: false,
        proj_type: 'linear',
        pool_type: 'argmax',
        eos_id: 2,
      },
      only: { embed_cls: false, qk_norm: false, use_pad_mask: false },
      divides: [['width', 'heads']],
    },
  )
  const builder = new Builder({ name: 'clip-text' })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: [...PREFIXES, 'text.'],
  })
  const { width, context_length: longest } = text
  const last = text.pool_type === 'last'
  const ids = builder.input('input_ids', 'int64', ['batch', last ? longest : 'sequence'])
  const drawn = { kind: 'normal', std: 0.02 } as const
  const tokens = embedding(parameters, 'token_embedding', ids, text.vocab_size, width, drawn)
  let x = builder.scope('positional_embedding', () => {
    const table = parameters.weight('positional_embedding', [longest, width], { kind: 'normal', std: 0.01 })
    return op.add(tokens, last ? table : firstPositions(table, ids))
  })
  const mask = text.no_causal_mask ? undefined : causalMask(ids, longest)
  const epsilon = epsilonOf(given)
  const hiddenStates = ['positional_embedding']
  x = builder.scope('transformer', { kind: 'Transformer' }, () => {
    let y = x
    for (let i = 0; i < text.layers; i++) {
      hiddenStates.push(`transformer.resblocks.${i}`)
      y = towerBlock(parameters, `resblocks.${i}`, y, {
        heads: text.heads,
        hidden: Math.trunc(width * text.mlp_ratio),
        act: activationOf(config, given),
        epsilon,
        mask,
        layerScale: scaleOf(given),
        names: OPEN_CLIP_NAMES,
      })
    }
    return y
  })
  const features = layerNorm(parameters, 'ln_final', x, epsilon)
  const pooled = builder.scope('pooled', () => {
    if (last) return op.gather(features, -1, 1)
    if (text.pool_type === 'first') return op.gather(features, 0, 1)
    return endOfText(ids, features, text.pool_type === 'eos' ? text.eos_id : undefined)
  })
  let embeds = pooled
  if (text.proj_type !== 'none') {
    embeds = text.proj_bias
      ? linear(parameters, 'text_projection', pooled, embedDim(config))
      : project(parameters, 'text_projection', pooled, embedDim(config))
  }
  builder.output('text_embeds', embeds)
  builder.output('last_hidden_state', features)
  return {
    ...built(builder, parameters),
    penultimate: embeds.name,
    features: features.name,
    hiddenStates,
    tokenEmbeddings: tokens.name,
  }
}

function buildImage(config: Fields, checkpoint: Checkpoint | undefined, options: BuildOptions): BuiltModel {
  const given = fieldsOf(config['vision_cfg'])
  const { timm_model_name: trunk, layers } = given
  if (typeof trunk === 'string') return buildTrunk(config, trunk, checkpoint, options)
  const vision = readConfig<VisionConfig>(
    { image_size: 224, width: 768, ...given },
    {
      architecture: 'OpenCLIP',
      sizes: ['image_size', 'width'],
      defaults: {
        head_width: 64,
        patch_size: 16,
        mlp_ratio: 4,
        no_ln_pre: false,
        pool_type: 'tok',
        final_ln_after_pool: false,
      },
      only: { attentional_pool: false, qk_norm: false, pos_embed_type: 'learnable' },
    },
  )
  const { size = [vision.image_size, vision.image_size] } = options
  const builder = new Builder({ name: 'clip-image' })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: PREFIXES,
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  if (Array.isArray(layers)) {
    const { embeds, features, stages } = builder.scope('visual', { kind: 'ModifiedResNet' }, () =>
      modifiedResNet(parameters, pixels, {
        layers,
        width: vision.width,
        heads: Math.trunc((vision.width * 32) / vision.head_width),
        out: embedDim(config),
        positions: storedTensor(checkpoint, PREFIXES, 'visual.attnpool.positional_embedding')?.shape[0],
        side: Math.trunc(vision.image_size / 32),
      }),
    )
    builder.output('image_embeds', embeds)
    return { ...built(builder, parameters), penultimate: embeds.name, features: features.name, stages }
  }
  const depth = typeof layers === 'number' ? layers : 12
  const model = builder.scope('visual', { kind: 'VisionTransformer' }, () =>
    visionTransformer(parameters, config, vision, given, depth, pixels, checkpoint),
  )
  builder.output('image_embeds', model.embeds)
  return {
    ...built(builder, parameters),
    penultimate: model.embeds.name,
    features: model.features.name,
    classToken: model.classToken.name,
    patchTokens: model.patchTokens.name,
    patchEmbeddings: model.entering.name,
    stages: Array.from({ length: depth }, (_, i) => ({
      name: `visual.transformer.resblocks.${i}`,
      stride: vision.patch_size,
      channels: vision.width,
    })),
  }
}

function visionTransformer(
  parameters: Parameters,
  config: Fields,
  vision: VisionConfig,
  given: Fields,
  depth: number,
  pixels: Value,
  checkpoint: Checkpoint | undefined,
) {
  const { builder } = pixels
  const { width, patch_size: patch } = vision
  const grid = patchGrid(pixels.shape.slice(2) as [number, number], patch)
  const own = patchGrid([vision.image_size, vision.image_size], patch)
  const std = width ** -0.5
  const epsilon = epsilonOf(given)
  const options = { kernel: patch, stride: patch, bias: false }
  const patches = tokensOf(conv2d(parameters, 'conv1', pixels, width, options))
  const entered = builder.scope('positional_embedding', () => {
    const positions = towerPositions(
      (count) => parameters.weight('visual.positional_embedding', [count, width], { kind: 'normal', std }),
      storedTensor(checkpoint, PREFIXES, 'visual.positional_embedding')?.shape[0],
      own,
      grid,
      1,
      true,
    )
    const token = parameters.weight('visual.class_embedding', [width], { kind: 'normal', std })
    const [ahead, behind] = op.split(positions, [1, grid[0] * grid[1]], 1) as [Value, Value]
    return prependTokens(op.add(op.reshape(token, [1, 1, width]), ahead), op.add(patches, behind))
  })
  const entering = vision.no_ln_pre ? entered : layerNorm(parameters, 'ln_pre', entered, epsilon)
  const last = builder.scope('transformer', { kind: 'Transformer' }, () => {
    let x = entering
    for (let i = 0; i < depth; i++) {
      x = towerBlock(parameters, `resblocks.${i}`, x, {
        heads: Math.trunc(width / vision.head_width),
        hidden: Math.trunc(width * vision.mlp_ratio),
        act: activationOf(config, given),
        epsilon,
        layerScale: scaleOf(given),
        names: OPEN_CLIP_NAMES,
      })
    }
    return x
  })
  const late = vision.final_ln_after_pool
  const features = late ? last : layerNorm(parameters, 'ln_post', last, epsilon)
  const classToken = builder.scope('class_token', () => op.gather(features, 0, 1))
  const patchTokens = builder.scope('patch_tokens', () =>
    op.slice(features, [1], [1 + grid[0] * grid[1]], { axes: [1] }),
  )
  const pooled =
    vision.pool_type === 'avg' ? builder.scope('pooled', () => pool(patchTokens, 'mean')) : classToken
  const normed = late ? layerNorm(parameters, 'ln_post', pooled, epsilon) : pooled
  const embeds = project(parameters, 'proj', normed, embedDim(config))
  return { embeds, features, classToken, patchTokens, entering }
}

/** A picture tower of timm, and the projection behind it. */
function buildTrunk(
  config: Fields,
  name: string,
  checkpoint: Checkpoint | undefined,
  options: BuildOptions,
): BuiltModel {
  const { timm_proj: projection = 'linear', image_size: side } = fieldsOf(config['vision_cfg'])
  const find = findVit(name)
  if (!find || (projection !== 'linear' && projection !== 'none' && projection !== ''))
    throw elsewhere('image', name)
  const size = options.size ?? (typeof side === 'number' ? ([side, side] as const) : undefined)
  const trunk = find(checkpoint, { ...options, ...(size ? { size } : {}), classes: 0 })
  const builder = Builder.from(trunk.graph, { outputs: 'clear' })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: PREFIXES,
  })
  const pooled = builder.value(trunk.penultimate!)
  const weight = 'visual.head.proj'
  const embeds =
    projection === 'linear' ? linear(parameters, weight, pooled, embedDim(config), { bias: false }) : pooled
  builder.output('image_embeds', embeds)
  const whole = built(builder, parameters)
  return {
    ...trunk,
    ...whole,
    unused: trunk.unused.filter((key) => whole.unused.includes(key)),
    penultimate: embeds.name,
  }
}

function elsewhere(tower: string, name: unknown): PipiloError {
  return new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `The ${tower} tower ${name} of this OpenCLIP model is not built.`,
    {
      input: `${name}`,
      hint: 'Export the model to ONNX and open that.',
    },
  )
}

/** `x` times a matrix [in, out] that the checkpoint holds as it is, `<path>.<name>`. */
function project(parameters: Parameters, name: string, x: Value, features: number): Value {
  const { builder } = x
  const width = x.shape.at(-1) as number
  const path = builder.path ? `${builder.path}.${name}` : name
  return builder.scope(name, { kind: 'Linear' }, () =>
    op.matMul(x, parameters.weight(path, [width, features], { kind: 'normal', std: width ** -0.5 })),
  )
}

function activationOf(config: Fields, tower: Fields): string {
  if (config['quick_gelu'] === true) return 'quick_gelu'
  return fieldsOf(tower['act_kwargs'])['approximate'] === 'tanh' ? 'gelu_pytorch_tanh' : 'gelu'
}

function epsilonOf(tower: Fields): number {
  const { eps } = fieldsOf(tower['norm_kwargs'])
  return typeof eps === 'number' ? eps : 1e-5
}

function scaleOf(tower: Fields): number | undefined {
  const { ls_init_value: value } = tower
  return typeof value === 'number' ? value : undefined
}
