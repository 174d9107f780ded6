// Assembles a model from what was read of its files, its card and the caller's options.
import { PipiloError } from '../../base/index.ts'
import { cut } from '../../graph/index.ts'
import { checkCardOverrides } from '../cards/cardOverrides.ts'
import { whiteningOf } from '../cards/whitening.ts'
import type { ModelFiles } from '../files.ts'
import type { FoundModel, ReadOptions } from '../layouts/foundModel.ts'
import { tensorCard } from '../layouts/onnxTensors.ts'
import { changedImage } from '../layouts/preprocessor.ts'
import { readModel } from '../layouts/readModel.ts'
import type { Card, CardOverrides, Modality, Model, Opened, OpenOptions } from '../types.ts'
import { derivedFingerprint } from './derivedFingerprint.ts'
import { createModel, featuresOf } from './model.ts'
import { resolvePlace } from './places.ts'
import { fileEnding } from './precisions.ts'
import { createTwoTowers } from './towers.ts'
import { whitened } from './whitened.ts'

/** Options of opening that are about what is read. */
type AssembleOptions = ReadOptions & Pick<OpenOptions, 'revision' | 'isolate'>

/** A model from its files; its card's settings take precedence over the files', and the caller's over both. */
export async function assemble(
  files: ModelFiles,
  identity: Pick<Card, 'name' | 'source'>,
  known: Card | undefined,
  options: AssembleOptions = {},
): Promise<Model> {
  const overrides = options.card ?? {}
  checkCardOverrides(overrides)
  const whitening = await whiteningOf(known?.name)
  const read = await readMeant(files, options)
  const reading = whitening ? whitened(read, whitening) : read
  const { together } = reading.card
  const own: Card = known ? { ...known, ...(together && { together }) } : { ...reading.card, ...identity }
  const { weights } = read
  const isFedTensors = options.modality === 'tensor' || overrides.modality === 'tensor'
  const found = isFedTensors ? tensorCard(reading.graph, own) : own
  const merged = withOverrides(weights ? withNote(found, weights) : found, overrides)
  checkModality(merged, options.modality)
  const opened = openedBy(identity.name, options)
  if (merged.modality === 'text-image') {
    return createTwoTowers({ ...reading, card: merged, opened, folder: files.folder })
  }
  const stated = overrides.dimensions ?? (overrides.tap === undefined ? found.dimensions : 0)
  const dimensions = stated > 0 ? stated : tapSize(reading, merged)
  return createModel({ ...reading, card: { ...merged, dimensions }, opened, folder: files.folder })
}

/** The content of the files, of the network that the option `prefix` chooses: another one of the same file has another fingerprint. */
async function readMeant(files: ModelFiles, options: AssembleOptions): Promise<FoundModel> {
  const { prefix } = options
  const read = await readModel(files, options)
  if (prefix === undefined) return read
  if (read.weights === undefined) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${files.label} is no checkpoint of tensors by name, and has no part that begins with ${prefix}.`,
      { input: 'prefix', hint: 'Leave it out; a layer of a graph is read by the option tap.' },
    )
  }
  return { ...read, fingerprint: derivedFingerprint(read.fingerprint, `prefix ${prefix}`) }
}

function withNote<T extends Pick<Card, 'notes'>>(card: T, note: string): T {
  return { ...card, notes: card.notes === undefined ? note : `${card.notes} ${note}` }
}

/** Refuses a model that takes something else than the caller says; of one with two towers that may be one of both. */
function checkModality({ name, modality }: Card, wanted: Modality | undefined): void {
  if (wanted === undefined || wanted === modality || modality === 'text-image') return
  throw new PipiloError('OPTION_INVALID', `${name} is a model for ${modality}, not for ${wanted}.`, {
    input: 'modality',
    hint: 'Name another model, or leave out the option modality.',
  })
}

/** A card with what the caller says; of pictures, only what the caller says is another thing. */
function withOverrides(card: Card, { image, ...rest }: CardOverrides): Card {
  return { ...card, ...rest, ...(image && { image: changedImage(card.image, image) }) }
}

/** The options that open the model again, without those that say nothing. */
function openedBy(name: string, options: AssembleOptions): Opened {
  const { revision, card: given, modality, strict, architecture, prefix, size, dtype } = options
  // Being fed tensors is a part of how it was opened; other modalities it has by itself.
  const card = modality === 'tensor' ? { ...given, modality } : given
  return {
    name,
    // Other precisions are made of what was opened.
    dtype: fileEnding(dtype) === undefined ? 'fp32' : dtype!,
    ...(revision !== undefined && { revision }),
    ...(card && { card }),
    ...(options.isolate && { isolate: options.isolate }),
    ...(strict === false && { strict }),
    ...(architecture !== undefined && { architecture }),
    ...(prefix !== undefined && { prefix }),
    ...(size && { size }),
  }
}

/** Length of the vectors that the card's tap gives; 0 where its shape is not known. */
function tapSize({ graph, places }: FoundModel, card: Card): number {
  // A graph without a tensor among its outputs has none to tap by default.
  if (card.tap === '' || places?.blocked?.has(card.tap)) return 0
  const tap = resolvePlace({ graph, card, ...(places ? { places } : {}) }, card.tap)
  return featuresOf(cut(graph, tap), card.modality, places) ?? 0
}
