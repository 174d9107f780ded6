// Changes a model's precision to fp16 or int8, with weights that are made once and cached.
import { createHash } from 'node:crypto'
import { PipiloError } from '../../base/index.ts'
import { type Graph, halve, quantize } from '../../graph/index.ts'
import { fileIdentity, keepDerived } from '../../runtime/index.ts'
import type { Model, Opened, Towers } from '../types.ts'
import { pictureSamples, remembered } from './calibration.ts'
import { derivedFingerprint } from './derivedFingerprint.ts'
import { joinTowers, logitTensors } from './joinTowers.ts'
import { createModel } from './model.ts'
import { checkPrecision, fileEnding, type Precision } from './precisions.ts'
import { createTwoTowers } from './towers.ts'

/** Pictures that calibrate, instead of those made here: RGB bytes of height × width × 3, of the size that the card says. */
type Pictures = readonly Uint8Array[]

/** The model in another precision; its new weights are made once and kept in the cache of weights. */
export async function inPrecision(model: Model, dtype: Precision, pictures?: Pictures): Promise<Model> {
  checkPrecision(dtype)
  const { dtype: now } = model.opened
  if (dtype === now && !pictures) return model
  if (now !== 'fp32' || fileEnding(dtype) !== undefined) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${model.name} is open in ${now} already, and cannot become ${dtype}.`,
      {
        input: 'dtype',
        hint: 'Open it in fp32 (the default), or leave out dtype.',
      },
    )
  }
  if (model.towers) return bothInPrecision(model, model.towers, dtype, pictures)
  const graph =
    dtype === 'int8' ? await inIntegers(model, pictures) : await halve(model.graph, { place: keepDerived() })
  return createModel({
    ...model,
    tokenizer: model.tokenizer,
    graph,
    fingerprint: derivedFingerprint(model.fingerprint, change(dtype, pictures)),
    opened: openedIn(model, dtype, pictures),
  })
}

async function bothInPrecision(
  model: Model,
  towers: Towers,
  dtype: Precision,
  pictures: Pictures | undefined,
): Promise<Model> {
  const text = await inPrecision(towers.text, dtype)
  const image = await inPrecision(towers.image, dtype, pictures)
  const { logitScale, logitBias } = towers
  return createTwoTowers({
    ...model,
    tokenizer: model.tokenizer,
    towers: { text, image },
    graph: joinTowers(
      text.graph,
      image.graph,
      logitScale === undefined ? new Map() : logitTensors(logitScale, logitBias, model.graph.initializers),
    ),
    fingerprint: derivedFingerprint(model.fingerprint, change(dtype, pictures)),
    opened: openedIn(model, dtype, pictures),
  })
}

function openedIn({ opened }: Model, dtype: Precision, pictures: Pictures | undefined): Opened {
  return { ...opened, dtype, ...(pictures && { calibration: digest(pictures) }) }
}

async function inIntegers(model: Model, pictures: Pictures | undefined): Promise<Graph> {
  const { graph, fingerprint, card } = model
  const place = keepDerived()
  const convolves = graph.nodes.some(({ op }) => op === 'Conv') && (graph.opsets.get('') ?? 0) >= 13
  const samples = convolves ? pictureSamples(model, pictures) : []
  if (samples.length === 0) return quantize(graph, { place })
  // A fingerprint reads samples of large files: their identities see what it does not.
  const paths = new Set(
    [...graph.initializers.values()].flatMap((one) => ('file' in one ? [one.file.path] : [])),
  )
  const files = await Promise.all([...paths].map(fileIdentity))
  const said = JSON.stringify(['calibration 4', fingerprint, files, card.image, pictures && digest(pictures)])
  const { run, keep } = await remembered(
    createHash('sha256').update(said).digest('hex'),
    model.opened.isolate,
  )
  const small = await quantize(graph, { place, samples, evaluate: run })
  await keep()
  return small
}

function change(dtype: Precision, pictures: Pictures | undefined): string {
  return pictures ? `${dtype} ${digest(pictures)}` : dtype
}

function digest(pictures: Pictures): string {
  const hash = createHash('sha256')
  for (const picture of pictures) hash.update(picture)
  return hash.digest('hex')
}
