// Finds groups of near-identical inputs.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PipiloError } from '../../base/index.ts'
import { type AnyInput, communityDetection, type Embedder, type TensorInput } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { Meter } from '../tasks/embedding.ts'
import type { DuplicateGroup, Duplicates, DuplicatesOptions } from './types.ts'

/** See `duplicates` in ../onDemand.ts. */
export async function duplicates(
  embedder: Embedder<Float32Array, AnyInput>,
  inputs: readonly AnyInput[],
  { threshold = thresholdOf(embedder), onError = 'throw', signal, onProgress }: DuplicatesOptions,
): Promise<Duplicates> {
  if (!(threshold > -1 && threshold <= 1)) {
    throw new PipiloError('OPTION_INVALID', `threshold is ${threshold}; a cosine lies between -1 and 1.`, {
      input: 'threshold',
    })
  }
  const start = performance.now()
  const isText = embedder.modality === 'text'
  // Inputs that are the same to the byte are embedded once.
  const copies = new Map<string, number[]>()
  for (const [index, input] of inputs.entries()) {
    const key = isTensor(embedder, input) ? `tensor ${index}` : await keyOf(input as Bytes, isText, index)
    const same = copies.get(key)
    if (same) same.push(index)
    else copies.set(key, [index])
  }
  const kinds = [...copies.values()]
  const meter = new Meter(kinds.length, onProgress)
  const { vectors, errors } =
    kinds.length === 0
      ? { vectors: [], errors: [] }
      : await meter.embed(
          embedder,
          kinds.map(([index]) => inputs[index!]!),
          { signal },
        )
  if (onError === 'throw' && errors[0]) throw errors[0].error
  const read = kinds.flatMap((indices, i) => (vectors[i] ? [{ indices, vector: vectors[i] }] : []))
  const found = await communityDetection(
    read.map(({ vector }) => vector),
    { threshold, minSize: 2, ...(signal && { signal }) },
  )
  const near = new Set(found.flat())
  const alone = read.flatMap(({ indices }, i) => (near.has(i) || indices.length < 2 ? [] : [[i]]))
  const groups = [...found, ...alone]
    .map((kinds) => groupOf(kinds.map((i) => read[i]!)))
    .sort((a, b) => b.members.length - a.members.length || a.representative - b.representative)
  return {
    groups,
    threshold,
    redundant: groups.reduce((sum, { members }) => sum + members.length - 1, 0),
    skipped: errors.flatMap(({ index, error }) => kinds[index]!.map((own) => ({ index: own, error }))),
    cost: {
      perSecond: meter.seconds === 0 ? 0 : meter.inputs / meter.seconds,
      seconds: (performance.now() - start) / 1000,
      bytesPerVector: 4 * embedder.dimensions,
      memory: meter.memory,
    },
  }
}

/** @param kinds different contents, the centre first */
function groupOf(
  kinds: readonly { readonly indices: readonly number[]; readonly vector: Float32Array }[],
): DuplicateGroup {
  const [centre] = kinds
  const others = kinds
    .slice(1)
    .map((kind) => ({ ...kind, similarity: cosineSimilarity(centre!.vector, kind.vector) }))
  const members = [
    ...centre!.indices.map((index) => ({ index, similarity: 1, exact: true })),
    ...others.flatMap(({ indices, similarity }) =>
      indices.map((index) => ({ index, similarity, exact: false })),
    ),
  ]
  return { representative: centre!.indices[0]!, members }
}

/** The threshold that was measured for a model, at the layer and length that it was measured for. */
function thresholdOf({ card, tap, pool, dimensions, name }: Embedder<Float32Array, AnyInput>): number {
  const { duplicates } = card
  if (duplicates && duplicates.tap === tap && pool === card.pool && dimensions === card.dimensions)
    return duplicates.threshold
  throw new PipiloError(
    'OPTION_INVALID',
    `Nobody has measured from which cosine ${name} ${tap} calls two inputs near-identical.`,
    {
      input: 'threshold',
      hint: 'Give a threshold, or label pairs and let duplicateThreshold (--pairs) choose it.',
    },
  )
}

type Bytes = Exclude<AnyInput, TensorInput> | Uint8Array

/** True for numbers in memory: the same bytes are others in another dtype and shape, so each counts as one of its own. */
function isTensor({ modality }: Pick<Embedder, 'modality'>, input: AnyInput): input is TensorInput {
  return modality === 'tensor' && typeof input === 'object' && !(input instanceof URL)
}

/** The same for inputs that are the same to the byte. An input that cannot be read is like no other; embedding it says why. */
async function keyOf(input: Bytes, isText: boolean, index: number): Promise<string> {
  if (typeof input === 'object' && 'text' in input && input.text !== undefined) return `text ${input.text}`
  const inner =
    typeof input === 'object' && 'image' in input ? input.image! : (input as Exclude<Bytes, { text: string }>)
  if (isText && typeof inner === 'string') return `text ${inner}`
  const hash = createHash('sha256')
  if (inner instanceof Uint8Array) return hash.update(inner).digest('hex')
  if (inner instanceof Blob) return hash.update(new Uint8Array(await inner.arrayBuffer())).digest('hex')
  if (typeof inner === 'object' && 'width' in inner)
    return hash.update(`${inner.width} ${inner.height} ${inner.channels} `).update(inner.data).digest('hex')
  const place = String(inner)
  if (/^(https?|data):/i.test(place)) return place
  try {
    const path = /^file:/i.test(place) ? fileURLToPath(place) : place
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
    return hash.digest('hex')
  } catch {
    return `unread ${index}`
  }
}
