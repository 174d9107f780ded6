import { createHash } from 'node:crypto'
import { type Graph, halve, quantize } from '../graph/index.ts'
import { keepDerived } from '../runtime/index.ts'
import { pictureSamples, remembered } from './calibration.ts'
import { derivedFingerprint } from './fingerprint.ts'
import { createModel } from './model.ts'
import type { Precision } from './precisions.ts'
import { createTwoTowers, joinTowers, logitTensors } from './towers.ts'
import type { Model, Towers } from './types.ts'

/** The model in another precision; its new weights are made once and kept in the cache of weights. */
export async function inPrecision(model: Model, dtype: Precision): Promise<Model> {
  if (dtype === 'fp32') return model
  if (model.towers) return bothInPrecision(model, model.towers, dtype)
  const graph =
    dtype === 'int8' ? await inIntegers(model) : await halve(model.graph, { place: keepDerived() })
  return createModel({
    ...model,
    tokenizer: model.tokenizer,
    graph,
    fingerprint: derivedFingerprint(model.fingerprint, dtype),
  })
}

async function bothInPrecision(model: Model, towers: Towers, dtype: Precision): Promise<Model> {
  const text = await inPrecision(towers.text, dtype)
  const image = await inPrecision(towers.image, dtype)
  const { logitScale, logitBias } = towers
  return createTwoTowers({
    ...model,
    tokenizer: model.tokenizer,
    towers: { text, image },
    graph: joinTowers(text.graph, image.graph, logitTensors(logitScale, logitBias, model.graph.initializers)),
    fingerprint: derivedFingerprint(model.fingerprint, dtype),
  })
}

async function inIntegers(model: Model): Promise<Graph> {
  const { graph, fingerprint, card } = model
  const place = keepDerived()
  const convolves = graph.nodes.some(({ op }) => op === 'Conv') && (graph.opsets.get('') ?? 0) >= 13
  const samples = convolves ? pictureSamples(model) : []
  if (samples.length === 0) return quantize(graph, { place })
  const said = JSON.stringify(['calibration 1', fingerprint, card.image])
  const { run, keep } = await remembered(createHash('sha256').update(said).digest('hex'))
  const small = await quantize(graph, { place, samples, evaluate: run })
  await keep()
  return small
}
