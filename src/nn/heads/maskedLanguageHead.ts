/** Head of masked language models: from vectors of tokens to words. */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { layerNorm, linear } from '../layers/layers.ts'
import type { Parameters } from '../types.ts'

/**
 * Head of transformers' `BertForMaskedLM`, under its names: a linear map, gelu and a norm (`cls.predictions.transform`), and products with the table of
 * words, which is the network's own.
 *
 * @example
 * ```ts
 * const logits = maskedLanguageHead(parameters, tokens, table) // [N, width], [words, width] → [N, words]
 * ```
 *
 * @param x vectors of tokens, [N, width]
 * @param table vectors of words, [words, width]
 * @returns logits [N, words]
 */
export function maskedLanguageHead(parameters: Parameters, x: Value, table: Value): Value {
  const { builder } = x
  const [words, width] = table.shape.map(Number) as [number, number]
  return builder.scope('cls', () =>
    builder.scope('predictions', { kind: 'BertLMPredictionHead' }, () => {
      const transformed = builder.scope('transform', () => {
        const dense = linear(parameters, 'dense', x, width, {
          init: { weight: { kind: 'normal', std: 0.02 }, bias: { kind: 'zeros' } },
        })
        return layerNorm(parameters, 'LayerNorm', activation('gelu')(dense), 1e-12)
      })
      const bias = parameters.weight(`${builder.path}.bias`, [words], { kind: 'zeros' })
      return op.add(op.gemm(transformed, table, undefined, { transB: true }), bias)
    }),
  )
}
