/** Common part of the text architectures: inputs, outputs, and the pieces that several of them have. */
import { Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { type LayerInit, linear } from '../layers/layers.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Initialization, Mode, Parameters } from '../types.ts'

/** int64 [batch, sequence] each. */
export interface TextInputs {
  readonly input_ids: Value
  /** 1 for tokens, 0 for padding. */
  readonly attention_mask: Value
  /** Only where the model has them: which of two texts a token belongs to. */
  readonly token_type_ids?: Value
}

export interface TextOutputs {
  /** [batch, sequence, hidden_size] */
  readonly last_hidden_state: Value
  /** [batch, hidden_size], where there is a pooler. */
  readonly pooler_output?: Value
}

/** Recipe for the graph of a text architecture. */
export interface TextModel {
  /** Name of the graph, and the prefix under which transformers' larger models keep the encoder. */
  readonly name: string
  /** Further prefixes of that kind. */
  readonly prefixes?: readonly string[]
  /** True if it has an input `token_type_ids`. Default `false`. */
  readonly tokenTypes?: boolean
  readonly build: (
    builder: Builder,
    parameters: CheckpointParameters,
    inputs: TextInputs,
    mode: Mode,
  ) => TextOutputs
  readonly layers: Required<Pick<BuiltModel, 'hiddenStates' | 'attentions' | 'tokenEmbeddings'>>
}

/** Prefixes that sentence-transformers and wrappers put before the names of the encoder's parameters. */
const PREFIXES = ['', 'model.', 'auto_model.', '0.auto_model.']

/**
 * Builds the graph: inputs `input_ids`, `attention_mask` and perhaps `token_type_ids` (int64 [batch, sequence]), outputs
 * `last_hidden_state` and perhaps `pooler_output`.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildTextModel(
  model: TextModel,
  checkpoint: ReadonlyMap<string, Initializer> | undefined,
  options: BuildOptions = {},
): BuiltModel {
  const { mode = 'inference' } = options
  const { name, prefixes = [], tokenTypes = false, layers } = model
  const builder = new Builder({ name })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: [...PREFIXES, `${name}.`, ...prefixes],
  })
  const tokens = (input: string) => builder.input(input, 'int64', ['batch', 'sequence'])
  const inputs = {
    input_ids: tokens('input_ids'),
    attention_mask: tokens('attention_mask'),
    ...(tokenTypes && { token_type_ids: tokens('token_type_ids') }),
  }
  const outputs = model.build(builder, parameters, inputs, mode)
  for (const [output, value] of Object.entries(outputs)) builder.output(output, value)
  return { ...built(builder, parameters), ...layers }
}

/** How transformers draws the linear layers of its BERT-like models. */
export const normalInit = (std: number): LayerInit => ({
  weight: { kind: 'normal', std },
  bias: { kind: 'zeros' },
})

/** `prefix.0`, `prefix.1`, …, with `suffix` behind. */
export function numbered(prefix: string, count: number, suffix = ''): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}.${i}${suffix}`)
}

/**
 * Learned embeddings of the positions 0, 1, …: [sequence, features], for `x` [batch, sequence, …].
 */
export function absolutePositions(
  parameters: Parameters,
  x: Value,
  count: number,
  features: number,
  init: Initialization,
): Value {
  const { builder } = x
  return builder.scope('position_embeddings', { kind: 'Embedding' }, () => {
    const table = parameters.weight(`${builder.path}.weight`, [count, features], init)
    // Position i is row i: a slice of the table, not a Gather of a Range, which ONNX Runtime's optimiser breaks.
    return op.slice(table, [0], op.shape(x, 1, 2), { axes: [0] })
  })
}

/** 0, 1, … for each place of `x` [batch, sequence, …]: int64 [sequence]. */
export function sequencePositions(x: Value): Value {
  return op.range(0, op.squeeze(op.shape(x, 1, 2)))
}

/**
 * Positions as RoBERTa counts them: from `padding` + 1 on for tokens, wherever the padding stands; `padding` for padding, which
 * is told by its id.
 *
 * @returns int64 [batch, sequence]
 */
export function positionsBesidePadding(input_ids: Value, padding: number): Value {
  const counts = op.cast(op.not(op.equal(input_ids, padding)), 'int64')
  return op.add(op.mul(op.cumSum(counts, 1), counts), padding)
}

/** The first token through a linear layer and tanh: [batch, features]. */
export function firstTokenPooler(parameters: Parameters, x: Value, std: number, name = 'dense'): Value {
  return op.tanh(
    linear(parameters, name, op.gather(x, 0, 1), x.shape[2] as number, { init: normalInit(std) }),
  )
}
