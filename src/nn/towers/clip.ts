/**
 * CLIP (https://arxiv.org/abs/2103.00020) and SigLIP (https://arxiv.org/abs/2303.15343), with the parameter names of transformers'
 * `CLIPModel` and `SiglipModel`.
 */
import { Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { additiveMask, multiHeadAttention } from '../layers/attention.ts'
import { conv2d, embedding, layerNorm, linear } from '../layers/layers.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import { pool } from '../layers/pooling.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import { fieldsOf, invalid, readConfig } from '../text/textConfig.ts'
import type { Parameters } from '../types.ts'
import { patchGrid, readVisionConfig } from '../vit/visionConfig.ts'
import { prependTokens, tokensOf } from '../vit/vitLayers.ts'
import { buildOpenClip, isOpenClip } from './openClip.ts'
import {
  causalMask,
  endOfText,
  firstPositions,
  leftByBoth,
  projectFused,
  scalarOf,
  TRANSFORMERS_NAMES,
  type TwoTowers,
  towerBlock,
  towerMlp,
  towerPositions,
} from './twoTowers.ts'

/** Fields of both towers' configurations in transformers. */
interface TowerConfig {
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly intermediate_size: number
  readonly hidden_act: string
  readonly layer_norm_eps: number
}

interface TextConfig extends TowerConfig {
  readonly vocab_size: number
  readonly max_position_embeddings: number
  readonly eos_token_id: number
  readonly projection_size: number
}

interface VisionConfig extends TowerConfig {
  /** SigLIP: attention pools the tokens. */
  readonly vision_use_head: boolean
}

type Kind = 'clip' | 'siglip'

const TOWER = { num_hidden_layers: 12, layer_norm_eps: 1e-5, hidden_act: 'quick_gelu' }
const SIZES = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size'] as const
/** Defaults of transformers for fields that a configuration lacks. */
const DEFAULTS = {
  clip: {
    text: {
      ...TOWER,
      hidden_size: 512,
      num_attention_heads: 8,
      intermediate_size: 2048,
      vocab_size: 49408,
      max_position_embeddings: 77,
      eos_token_id: 49407,
      projection_size: 512,
    },
    vision: {
      ...TOWER,
      hidden_size: 768,
      num_attention_heads: 12,
      intermediate_size: 3072,
      vision_use_head: true,
    },
    pictures: { image_size: 224, patch_size: 32 },
  },
  siglip: {
    text: {
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      layer_norm_eps: 1e-6,
      hidden_act: 'gelu_pytorch_tanh',
      vocab_size: 32000,
      max_position_embeddings: 64,
      eos_token_id: 49407,
      projection_size: 768,
    },
    vision: {
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      layer_norm_eps: 1e-6,
      hidden_act: 'gelu_pytorch_tanh',
      vision_use_head: true,
    },
    pictures: { image_size: 224, patch_size: 16 },
  },
} as const

type Checkpoint = ReadonlyMap<string, Initializer>

/**
 * Both towers of CLIP or SigLIP, each a graph of its own.
 *
 * @example
 * ```ts
 * const { text, image, logitScale } = buildClip(JSON.parse(text), tensors)
 * ```
 *
 * @remarks
 * `text` has the inputs `input_ids` and, for CLIP, `attention_mask` (int64 [batch, sequence]; SigLIP's texts are padded to the full
 * length, 64 tokens, and the padding counts), the outputs `text_embeds` and `last_hidden_state`; `image` the input `pixel_values`, the
 * outputs `image_embeds` and `last_hidden_state`; both of CLIP also `pooler_output`, before the projection. Neither normalises.
 *
 * @param json transformers' `config.json`, or OpenCLIP's `open_clip_config.json`: then see {@link buildOpenClip}
 * @throws PipiloError `MODEL_INVALID` (also for a SigLIP whose pictures have no head, `vision_use_head: false`), `OPERATOR_UNSUPPORTED`,
 *   `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildClip(json: unknown, checkpoint?: Checkpoint, options: BuildOptions = {}): TwoTowers {
  if (isOpenClip(json)) return buildOpenClip(json, checkpoint, options)
  const text = buildClipText(json, checkpoint, options)
  const image = buildClipImage(json, checkpoint, options)
  if (!image.graph.outputs.some(({ name }) => name === 'image_embeds')) {
    throw invalid(
      'SigLIP',
      'vision_use_head',
      false,
      'Without it, pictures do not come into the space of texts.',
    )
  }
  const bias = scalarOf(checkpoint?.get('logit_bias'))
  const scale = scalarOf(checkpoint?.get('logit_scale'))
  const shared = /^logit_(scale|bias)$/
  return {
    text: { ...text, unused: leftByBoth(text.unused, image.unused, shared) },
    image: { ...image, unused: leftByBoth(image.unused, text.unused, shared) },
    logitScale: Math.exp(scale ?? (kindOf(json) === 'clip' ? 2.6592 : Math.log(10))),
    ...(kindOf(json) === 'siglip' ? { logitBias: bias ?? -10 } : {}),
  }
}

function kindOf(json: unknown): Kind {
  return `${fieldsOf(json)['model_type']}`.startsWith('siglip') ? 'siglip' : 'clip'
}

/** Names of a tower's layers and parameters: checkpoints of one tower alone may leave out the tower's prefix. */
function towerNames(tower: 'text_model' | 'vision_model', checkpoint: Checkpoint | undefined) {
  const whole = !checkpoint || [...checkpoint.keys()].some((name) => name.startsWith(`${tower}.`))
  return (name: string) => (whole ? name : name.replace(new RegExp(`^${tower}(?:\\.|$)`), ''))
}

/** True if a tower ends in its projection: always in a whole CLIP; in one tower alone if its checkpoint has it. */
function projects(whole: Readonly<Record<string, unknown>>, parameters: CheckpointParameters, name: string) {
  return whole['model_type'] === 'clip' || parameters.has(`${name}.weight`)
}

/**
 * The text tower of {@link buildClip} alone; `json` may be the configuration of the tower. CLIP's without its projection (transformers'
 * `CLIPTextModel`) has no `text_embeds`, and `pooler_output` is its `penultimate`.
 */
export function buildClipText(
  json: unknown,
  checkpoint?: Checkpoint,
  options: BuildOptions = {},
): BuiltModel {
  const kind = kindOf(json)
  const whole = fieldsOf(json)
  const config = readConfig<TextConfig>(
    { ...DEFAULTS[kind].text, ...fieldsOf(whole['text_config'] ?? json) },
    {
      architecture: kind === 'clip' ? 'CLIP' : 'SigLIP',
      sizes: [...SIZES, 'vocab_size', 'max_position_embeddings', 'projection_size'],
      defaults: DEFAULTS[kind].text,
      divides: [['hidden_size', 'num_attention_heads']],
      activations: ['hidden_act'],
    },
  )
  const rename = towerNames('text_model', checkpoint)
  const builder = new Builder({ name: `${kind}-text`, layerName: rename })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    rename,
  })
  const { hidden_size: width, max_position_embeddings: longest, layer_norm_eps } = config
  const ids = builder.input('input_ids', 'int64', ['batch', kind === 'clip' ? 'sequence' : longest])
  let mask: Value | undefined
  if (kind === 'clip') {
    const given = builder.input('attention_mask', 'int64', ['batch', 'sequence'])
    mask = op.add(causalMask(ids, longest), additiveMask(given))
  }
  let tokens = ids
  const { x, hiddenStates } = builder.scope('text_model', { kind: 'TextTransformer' }, () => {
    let y = builder.scope('embeddings', { kind: 'TextEmbeddings' }, () => {
      tokens = embedding(parameters, 'token_embedding', ids, config.vocab_size, width, {
        kind: 'normal',
        std: 0.02,
      })
      const positions = builder.scope('position_embedding', { kind: 'Embedding' }, () => {
        const table = parameters.weight(`${builder.path}.weight`, [longest, width], {
          kind: 'normal',
          std: 0.02,
        })
        return kind === 'clip' ? firstPositions(table, ids) : op.unsqueeze(table, [0])
      })
      return op.add(tokens, positions)
    })
    const hiddenStates = [rename('text_model.embeddings')]
    y = encoder(parameters, config, y, mask, (name) => hiddenStates.push(rename(`text_model.${name}`)))
    return { x: layerNorm(parameters, 'final_layer_norm', y, layer_norm_eps), hiddenStates }
  })
  const tokenEmbeddings = tokens
  const pooled = builder.scope('text_model', () =>
    kind === 'siglip'
      ? op.gather(x, -1, 1)
      : endOfText(ids, x, config.eos_token_id === 2 ? undefined : config.eos_token_id),
  )
  const isProjected = projects(whole, parameters, 'text_projection')
  let embeds = pooled
  if (kind === 'siglip') {
    embeds = builder.scope('text_model', () => linear(parameters, 'head', pooled, config.projection_size))
  } else if (isProjected) {
    embeds = project(parameters, 'text_projection', pooled, projectionSize(whole))
  }
  if (kind === 'siglip' || isProjected) builder.output('text_embeds', embeds)
  builder.output('last_hidden_state', x)
  if (kind === 'clip') builder.output('pooler_output', pooled)
  return {
    ...built(builder, parameters),
    penultimate: embeds.name,
    features: x.name,
    hiddenStates,
    tokenEmbeddings: tokenEmbeddings.name,
  }
}

/**
 * The image tower of {@link buildClip} alone, as {@link buildClipText}. SigLIP's without its head (`vision_use_head: false`) gives, as in
 * transformers, `last_hidden_state` alone and no pooled output; its `penultimate` is then the mean of these tokens, on which
 * transformers puts a classifier (`SiglipForImageClassification`).
 */
export function buildClipImage(
  json: unknown,
  checkpoint?: Checkpoint,
  options: BuildOptions = {},
): BuiltModel {
  const kind = kindOf(json)
  const whole = fieldsOf(json)
  const config = readVisionConfig<VisionConfig>(whole['vision_config'] ?? json, {
    architecture: kind === 'clip' ? 'CLIP' : 'SigLIP',
    sizes: SIZES,
    defaults: DEFAULTS[kind].vision,
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_act'],
    pictures: DEFAULTS[kind].pictures,
  })
  const { size = config.image_size } = options
  const rename = towerNames('vision_model', checkpoint)
  const builder = new Builder({ name: `${kind}-image`, layerName: rename })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    rename,
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  const { hidden_size: width, patch_size, layer_norm_eps } = config
  const grid = patchGrid(size, patch_size)
  const norm = (name: string, x: Value) => layerNorm(parameters, name, x, layer_norm_eps)
  const prefix = kind === 'clip' ? 1 : 0
  const stages: string[] = []
  const { entering, last, features } = builder.scope('vision_model', { kind: 'VisionTransformer' }, () => {
    const embedded = builder.scope('embeddings', { kind: 'VisionEmbeddings' }, () => {
      const window = { kernel: patch_size, stride: patch_size, bias: kind === 'siglip' }
      const patches = tokensOf(conv2d(parameters, 'patch_embedding', pixels, width, window))
      const own = patchGrid(config.image_size, patch_size)
      const positions = builder.scope('position_embedding', { kind: 'Embedding' }, () => {
        const name = `${builder.path}.weight`
        const table = (count: number) =>
          parameters.weight(name, [count, width], { kind: 'normal', std: 0.02 })
        return towerPositions(table, checkpoint?.get(rename(name))?.shape[0], own, grid, prefix, false)
      })
      if (prefix === 0) return op.add(patches, positions)
      const [ahead, behind] = op.split(positions, [1, grid[0] * grid[1]], 1) as [Value, Value]
      const token = parameters.weight(`${builder.path}.class_embedding`, [width], {
        kind: 'normal',
        std: width ** -0.5,
      })
      return prependTokens(op.add(op.reshape(token, [1, 1, width]), ahead), op.add(patches, behind))
    })
    const entering = kind === 'clip' ? norm('pre_layrnorm', embedded) : embedded
    const last = encoder(parameters, config, entering, undefined, (name) =>
      stages.push(rename(`vision_model.${name}`)),
    )
    return { entering, last, features: kind === 'siglip' ? norm('post_layernorm', last) : last }
  })
  const headless = kind === 'siglip' && !config.vision_use_head
  const pooled = headless
    ? builder.scope('pooled', () => pool(features, 'mean'))
    : builder.scope('vision_model', () =>
        kind === 'clip'
          ? norm('post_layernorm', op.gather(last, 0, 1))
          : poolingHead(parameters, config, features, layer_norm_eps),
      )
  const isProjected = kind === 'clip' && projects(whole, parameters, 'visual_projection')
  const embeds = isProjected
    ? project(parameters, 'visual_projection', pooled, projectionSize(whole))
    : pooled
  const patchTokens =
    prefix === 0
      ? features
      : builder.scope('patch_tokens', () => op.slice(features, [1], [1 + grid[0] * grid[1]], { axes: [1] }))
  builder.output('last_hidden_state', features)
  if (kind === 'clip') builder.output('pooler_output', pooled)
  if ((kind === 'siglip' && !headless) || isProjected) builder.output('image_embeds', embeds)
  return {
    ...built(builder, parameters),
    penultimate: embeds.name,
    features: features.name,
    ...(kind === 'clip' ? { classToken: pooled.name } : {}),
    patchTokens: patchTokens.name,
    patchEmbeddings: entering.name,
    stages: stages.map((name) => ({ name, stride: patch_size, channels: width })),
  }
}

function encoder(
  parameters: Parameters,
  config: TowerConfig,
  entering: Value,
  mask: Value | undefined,
  each: (name: string) => void,
): Value {
  const { builder } = entering
  return builder.scope('encoder', { kind: 'Encoder' }, () => {
    let x = entering
    for (let i = 0; i < config.num_hidden_layers; i++) {
      each(`encoder.layers.${i}`)
      x = towerBlock(parameters, `layers.${i}`, x, {
        heads: config.num_attention_heads,
        hidden: config.intermediate_size,
        act: config.hidden_act,
        epsilon: config.layer_norm_eps,
        mask,
        names: TRANSFORMERS_NAMES,
      })
    }
    return x
  })
}

function projectionSize(whole: Readonly<Record<string, unknown>>): number {
  const { projection_dim } = whole
  return typeof projection_dim === 'number' ? projection_dim : 512
}

function project(parameters: CheckpointParameters, name: string, x: Value, features: number): Value {
  const std = (x.shape.at(-1) as number) ** -0.5
  return linear(parameters, name, x, features, { bias: false, init: { weight: { kind: 'normal', std } } })
}

/** SigLIP's `SiglipMultiheadAttentionPoolingHead`: a learned query gathers all tokens into one vector. */
function poolingHead(parameters: Parameters, config: TowerConfig, x: Value, epsilon: number): Value {
  const { builder } = x
  const { hidden_size: width, num_attention_heads: heads } = config
  return builder.scope('head', { kind: 'AttentionPooling' }, () => {
    const probe = parameters.weight(`${builder.path}.probe`, [1, 1, width], { kind: 'xavier_uniform' })
    const attended = builder.scope('attention', { kind: 'MultiheadAttention' }, () => {
      const [query, key, value] = projectFused(parameters, probe, x)
      return linear(parameters, 'out_proj', multiHeadAttention(query, key, value, { heads }), width)
    })
    const normed = layerNorm(parameters, 'layernorm', attended, epsilon)
    const inner = towerMlp(
      parameters,
      normed,
      config.intermediate_size,
      config.hidden_act,
      TRANSFORMERS_NAMES,
    )
    return op.squeeze(op.add(attended, inner), [1])
  })
}
