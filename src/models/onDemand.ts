// What the package itself loads of this room: the rest comes with the first call.
import { lazily } from '../tensor/index.ts'
import type { Model } from './types.ts'

/**
 * Finds and reads a model.
 *
 * ```ts
 * const model = await open('all-MiniLM-L6-v2')      // a card's name
 * const other = await open('file:models/mine')      // also 'npm:package/path', 'hf:owner/name@revision', 'https:…'
 * model.layers()                                    // [{ name: 'embeddings', kind: 'BertEmbeddings', … }, …]
 * ```
 *
 * A bare name is looked up in the cards, then as a file or folder, then on the hub: an architecture of timm's (`resnet50`, or
 * `resnet50.a1_in1k` with its tag) among timm's weights, by default those that timm itself takes; other names without an
 * owner among those of sentence-transformers first. Only descriptions are read: weights stay in their files.
 *
 * @throws PipiloError `MODEL_UNKNOWN` with the closest names, `MODEL_INVALID`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`,
 * `FILE_NOT_FOUND`, `NETWORK`, `OFFLINE`, `HUB_DENIED`, `CHECKSUM_MISMATCH`, `ABORTED`
 */
export const open = lazily(async () => (await import('./open.ts')).open)

/**
 * Opens a model repository of the Hugging Face hub.
 *
 * ```ts
 * const repository = await openRepository('sentence-transformers/all-MiniLM-L6-v2')
 * const path = await repository.get('config.json')
 * ```
 *
 * The cache has the layout of Python's client, and each finds what the other has fetched: `blobs/<etag>`,
 * `refs/<revision>`, `snapshots/<commit>/<file>` in `models--owner--name`. The hub is asked once which commit the revision is; if
 * it cannot be reached, the commit known from last time is used. Files that are in the cache are not asked for again.
 *
 * @throws PipiloError `NETWORK` (not reachable and not in the cache), `OFFLINE` (not in the cache and told to be offline),
 * `MODEL_UNKNOWN`, `HUB_DENIED` (private or gated), `FILE_NOT_FOUND`, `CHECKSUM_MISMATCH`, `WRITE_FAILED`, `ABORTED`
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export const openRepository = lazily(async () => (await import('./hub/repository.ts')).openRepository)

/**
 * The absolute path of a model's `tokenizer.json`, or undefined where it has no tokenizer. Where it has only an older vocabulary
 * (`vocab.txt`; `vocab.json` with `merges.txt`, or of pieces and scores; a SentencePiece model), the equivalent file is made and kept in
 * the cache.
 *
 * @param folder where the files lie within `files`, `''` or ending in a slash
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED` for vocabularies that cannot be read
 */
export const tokenizerPath = lazily(async () => (await import('./tokenizers/index.ts')).tokenizerPath)

/**
 * A model in int8 whose convolutions are calibrated on pictures; see the option `calibration` of `embedder`.
 *
 * @param pictures RGB bytes of height × width × 3 each, of the size that the model's card says
 */
export const calibrated = lazily(async () => {
  const { inPrecision } = await import('./precision.ts')
  return (model: Model, pictures: readonly Uint8Array[]) => inPrecision(model, 'int8', pictures)
})
