/** Texts and pictures in one graph, to be trained together: CLIP's towers, or any two networks with projections. */
import { PipiloError } from '../../base/index.ts'
import {
  Builder,
  type Graph,
  type Initializer,
  include,
  MASK_COUNTER,
  op,
  parametersOf,
  prune,
  rename,
  type Value,
} from '../../graph/index.ts'
import { architecture } from '../architectures.ts'
import { linear } from '../layers/layers.ts'
import { parametersFrom } from '../layers/parameters.ts'
import { type PoolKind, pool } from '../layers/pooling.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Parameters } from '../types.ts'
import { buildClip } from './clip.ts'

type Checkpoint = ReadonlyMap<string, Initializer>

/** Logarithm of the factor of cosines that CLIP begins with: 1 / 0.07. */
const FIRST_SCALE = Math.log(1 / 0.07)

/**
 * CLIP or SigLIP as one graph: inputs `pixel_values`, `input_ids` and perhaps `attention_mask`; outputs `image_embeds` and `text_embeds`
 * (float32 [batch, features], not normalised), `scale` (float32, the factor of the cosines), and for SigLIP `bias`.
 *
 * @example
 * ```ts
 * const vision_cfg = { image_size: 64, patch_size: 8, width: 192, head_width: 64, layers: 4 }
 * const text_cfg = { context_length: 32, vocab_size: 8192, width: 192, heads: 3, layers: 4 }
 * const { graph } = buildClipPair({ embed_dim: 128, vision_cfg, text_cfg }, undefined, { mode: 'training' })
 * ```
 *
 * @remarks
 * Parameters have the names of the checkpoint's library; `scale` is e to the power of the parameter `logit_scale`, which CLIP's authors keep
 * below ln 100 after each step.
 *
 * @param json transformers' `config.json`, or OpenCLIP's, as for {@link buildClip}
 * @throws PipiloError as {@link buildClip}
 */
export function buildClipPair(
  json: unknown,
  checkpoint?: Checkpoint,
  options: BuildOptions = {},
): BuiltModel {
  const towers = buildClip(json, checkpoint, options)
  const builder = new Builder({ name: 'clip' })
  const parameters = parametersFrom(builder, checkpoint, { ...options, prefixes: ['', 'module.'] })
  const image = include(builder, towers.image.graph, inputsOf(builder, towers.image.graph))
  const text = include(builder, towers.text.graph, inputsOf(builder, towers.text.graph))
  const number = scalarsOf(parameters, checkpoint)
  builder.output('image_embeds', image['image_embeds']!)
  builder.output('text_embeds', text['text_embeds']!)
  const first = towers.logitBias === undefined ? FIRST_SCALE : Math.log(10)
  builder.output('scale', op.exp(number('logit_scale', first)))
  if (towers.logitBias !== undefined) builder.output('bias', op.mul(number('logit_bias', -10), 1))
  return finished(
    builder,
    towers.text.unused.filter((name) => towers.image.unused.includes(name)),
  )
}

/** Configuration of {@link buildDualEncoder}. */
export interface DualEncoderConfig {
  /** A network for pictures by its name in `architecture()`, and what differs from the name's configuration. */
  readonly image: { readonly architecture: string; readonly config?: Readonly<Record<string, unknown>> }
  /** A network for texts likewise; `pooling` is from its tokens to one vector, default `mean`. */
  readonly text: {
    readonly architecture: string
    readonly config?: Readonly<Record<string, unknown>>
    readonly pooling?: Exclude<PoolKind, 'none'>
  }
  /** Features of both embeddings. Default 512. */
  readonly projection_dim?: number
}

/**
 * Any network for pictures beside any network for texts, each with a linear projection into one space, as one graph with the inputs and
 * outputs of {@link buildClipPair}.
 *
 * @example
 * ```ts
 * buildDualEncoder({
 *   image: { architecture: 'resnet18_small', config: { input_size: [64, 64] } },
 *   text: { architecture: 'bert', config: JSON.parse(text) },
 * }, undefined, { mode: 'training' })
 * ```
 *
 * @remarks
 * Parameters have the names of transformers' `VisionTextDualEncoderModel`: those of the networks behind `vision_model.` and `text_model.`,
 * `visual_projection.weight`, `text_projection.weight` and `logit_scale`.
 *
 * @param checkpoint tensors by these names
 * @throws PipiloError `MODEL_INVALID`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildDualEncoder(
  config: DualEncoderConfig,
  checkpoint?: Checkpoint,
  options: BuildOptions = {},
): BuiltModel {
  const { projection_dim = 512 } = config
  const tower = (which: 'image' | 'text', prefix: string) => {
    const { architecture: name, config: changes = {} } = config[which]
    const found = architecture(name)
    if (found.modality !== which) {
      throw new PipiloError('MODEL_INVALID', `${name} is for ${found.modality}s, and not for ${which}s.`, {
        input: name,
      })
    }
    const classes = which === 'image' ? { classes: 0 } : {}
    const model = found.build(changes, within(checkpoint, prefix), { ...options, ...classes })
    const names = model.parameters.map((parameter) => [parameter.name, prefix + parameter.name])
    return {
      graph: rename(model.graph, Object.fromEntries(names)),
      unused: model.unused.map((key) => prefix + key),
    }
  }
  const image = tower('image', 'vision_model.')
  const text = tower('text', 'text_model.')
  const builder = new Builder({ name: 'dual-encoder' })
  const parameters = parametersFrom(builder, checkpoint, options)
  const inputs = inputsOf(builder, image.graph)
  const { embedding } = builder.scope('vision_model', () => include(builder, image.graph, inputs))
  const read = inputsOf(builder, text.graph)
  const { last_hidden_state: tokens } = builder.scope('text_model', () => include(builder, text.graph, read))
  const pooled = builder.scope('pooling', { kind: 'Pooling' }, () =>
    pool(tokens!, config.text.pooling ?? 'mean', read['attention_mask']),
  )
  const project = (name: string, x: Value) => linear(parameters, name, x, projection_dim, { bias: false })
  builder.output('image_embeds', project('visual_projection', embedding!))
  builder.output('text_embeds', project('text_projection', pooled))
  builder.output('scale', op.exp(scalarsOf(parameters, checkpoint)('logit_scale', FIRST_SCALE)))
  parameters.unused()
  return finished(builder, [...image.unused, ...text.unused])
}

/** The builder's inputs for those of a graph; masks are drawn from a counter that `include` makes. */
function inputsOf(builder: Builder, graph: Graph): Record<string, Value> {
  return Object.fromEntries(
    graph.inputs.flatMap(({ name, type }) =>
      type?.kind === 'tensor' && type.shape && name !== MASK_COUNTER
        ? [[name, builder.input(name, type.dtype, type.shape)] as const]
        : [],
    ),
  )
}

/** Learned numbers, of the shape that the checkpoint has them in: none or one of 1. */
function scalarsOf(parameters: Parameters, checkpoint: Checkpoint | undefined) {
  return (name: string, value: number): Value => {
    const shape = (checkpoint?.get(name) ?? checkpoint?.get(`module.${name}`))?.shape ?? []
    return parameters.weight(name, shape.map(Number), { kind: 'constant', value })
  }
}

function within(checkpoint: Checkpoint | undefined, prefix: string): Checkpoint | undefined {
  return (
    checkpoint &&
    new Map(
      [...checkpoint].flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
      ),
    )
  )
}

/** Without what no output needs: a pooler, the parameters of a head. */
function finished(builder: Builder, unused: readonly string[]): BuiltModel {
  const graph = prune(builder.build(), { keepInputs: true })
  return { graph, unused, parameters: parametersOf(graph), penultimate: 'image_embeds' }
}
