import { halve, quantize } from '../graph/index.ts'
import { keepDerived } from '../runtime/index.ts'
import { derivedFingerprint } from './fingerprint.ts'
import { createModel } from './model.ts'
import type { Precision } from './precisions.ts'
import type { Model } from './types.ts'

/** The model in another precision; its new weights are made once and kept in the cache of weights. */
export async function inPrecision(model: Model, dtype: Precision): Promise<Model> {
  if (dtype === 'fp32') return model
  const change = dtype === 'int8' ? quantize : halve
  return createModel({
    ...model,
    tokenizer: model.tokenizer,
    graph: await change(model.graph, { place: keepDerived() }),
    fingerprint: derivedFingerprint(model.fingerprint, dtype),
  })
}
