/**
 * Static embeddings: each token has one vector, whatever stands around it, as in sentence-transformers' `StaticEmbedding` and model2vec
 * (https://github.com/MinishLab/model2vec).
 */
import { PipiloError } from '../../base/index.ts'
import { Builder, type Initializer, op } from '../../graph/index.ts'
import { embedding } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'

/** Names of the table in sentence-transformers and in model2vec. */
const TABLES = ['embedding.weight', 'embeddings']

/**
 * A table of tokens as a graph: input `input_ids` (int64 [batch, sequence]), output `token_embeddings` (float32 [batch, sequence,
 * features]), whose mean is the embedding.
 *
 * @example
 * ```ts
 * const { graph } = buildStaticEmbedding((await readSafetensors('model.safetensors')).tensors)
 * ```
 *
 * @remarks
 * The checkpoint holds the table as `embedding.weight` or, as model2vec writes it, as `embeddings` with perhaps `mapping` (the row of each
 * token) and `weights` (a factor for each token). A table in int8 is of whole numbers, as model2vec uses them.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildStaticEmbedding(
  checkpoint: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const name = TABLES.find((each) => checkpoint.has(each))
  if (name === undefined) {
    throw new PipiloError(
      'PARAMETER_MISSING',
      'The checkpoint has no table embedding.weight or embeddings.',
      {
        input: TABLES[0]!,
        hint: `It holds ${[...checkpoint.keys()].slice(0, 10).join(', ')}.`,
      },
    )
  }
  const table = checkpoint.get(name)!
  if (table.shape.length !== 2) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `The table ${name} is [${table.shape.join(', ')}], not two axes.`,
      {
        input: name,
      },
    )
  }
  const [rows, features] = table.shape as readonly [number, number]
  const builder = new Builder({ name: 'static_embedding' })
  const parameters = parametersFrom(builder, checkpoint, options)
  const ids = builder.input('input_ids', 'int64', ['batch', 'sequence'])
  const perToken = checkpoint.get('mapping') ?? checkpoint.get('weights')
  const count = perToken?.shape[0] ?? rows
  const mapped = checkpoint.has('mapping')
    ? op.gather(parameters.buffer('mapping', [count], undefined, { dtype: 'int64' }), ids, 0)
    : ids
  const scope = name.replace(/\.?weight$/, '')
  const found =
    table.dtype === 'int8'
      ? op.cast(
          op.gather(parameters.buffer(name, [rows, features], undefined, { dtype: 'int8' }), mapped, 0),
          'float32',
        )
      : scope === name
        ? op.gather(parameters.weight(name, [rows, features]), mapped, 0)
        : embedding(parameters, scope, mapped, rows, features)
  const weighed = checkpoint.has('weights')
    ? op.mul(found, op.unsqueeze(op.gather(parameters.weight('weights', [count]), ids, 0), [2]))
    : found
  builder.output('token_embeddings', weighed)
  return { ...built(builder, parameters), tokenEmbeddings: weighed.name }
}
