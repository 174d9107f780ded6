// Asynchronous functions of this room's door; each loads its code with its first call.
import { lazily, withOptions } from '../base/index.ts'

/**
 * Finds and reads a model.
 *
 * @example
 * ```ts
 * const model = await open('all-MiniLM-L6-v2')      // a card's name
 * const other = await open('file:models/mine')      // also 'npm:package/path', 'hf:owner/name@revision', 'https:…'
 * model.layers()                                    // [{ name: 'embeddings', kind: 'BertEmbeddings', … }, …]
 * ```
 *
 * @remarks
 * A bare name is looked up in the cards, then as a file or folder, then on the hub: an architecture of timm's (`resnet50`, or
 * `resnet50.a1_in1k` with its tag) among timm's weights, by default those that timm itself takes; other names without an
 * owner among those of sentence-transformers first. Only descriptions are read: weights stay in their files.
 *
 * @throws PipiloError `MODEL_UNKNOWN` with the closest names, `MODEL_INVALID`, `FORMAT_INVALID`, `FORMAT_UNSUPPORTED`,
 * `FILE_NOT_FOUND`, `NETWORK`, `OFFLINE`, `HUB_DENIED`, `CHECKSUM_MISMATCH`, `ABORTED`
 */
export const open = lazily(async () => (await import('./open.ts')).open)

/**
 * A model as {@link open} gives it, and the same one as it is trained: with dropout and batch statistics, where its architecture is built
 * here; as its graph is, where it came as one (`.onnx`, TensorFlow.js).
 *
 * @throws what {@link open} throws
 */
export const openForTraining = lazily(async () => (await import('./open.ts')).openForTraining)

/** A model with another graph. See model/withGraph.ts. */
export const withGraph = lazily(async () => {
  const made = await import('./model/withGraph.ts')
  return async (...given: Parameters<typeof made.withGraph>) => made.withGraph(...given)
})

/**
 * Opens a model repository of the Hugging Face hub.
 *
 * @example
 * ```ts
 * const repository = await openRepository('sentence-transformers/all-MiniLM-L6-v2')
 * const path = await repository.get('config.json')
 * ```
 *
 * @remarks
 * The cache has the layout of Python's client, and each finds what the other has fetched: `blobs/<etag>`,
 * `refs/<revision>`, `snapshots/<commit>/<file>` in `models--owner--name`. The hub is asked once which commit the revision is; if
 * it cannot be reached, the commit known from last time is used. Files that are in the cache are not asked for again.
 *
 * @throws PipiloError `NETWORK` (not reachable and not in the cache), `OFFLINE` (not in the cache and told to be offline),
 * `MODEL_UNKNOWN`, `HUB_DENIED` (private or gated), `FILE_NOT_FOUND`, `CHECKSUM_MISMATCH`, `WRITE_FAILED`, `ABORTED`
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export const openRepository = lazily(async () => {
  const { openRepository, repositoryOptionTypes } = await import('./sources/hub/repository.ts')
  return withOptions('openRepository', 1, repositoryOptionTypes, openRepository)
})

/**
 * The absolute path of a model's `tokenizer.json`, or undefined where it has no tokenizer. Where it has only an older vocabulary
 * (`vocab.txt`; `vocab.json` with `merges.txt`, or of pieces and scores; a SentencePiece model; CLIP's `bpe_simple_vocab_16e6.txt.gz`), the equivalent file is made and kept in
 * the cache.
 *
 * @param folder where the files lie within `files`, `''` or ending in a slash
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED` for vocabularies that cannot be read
 */
export const tokenizerPath = lazily(async () => (await import('./tokenizers/index.ts')).tokenizerPath)

/**
 * A model in another precision than it was opened in.
 *
 * @param pictures what calibrates the convolutions of a model in int8, instead of pictures made here: RGB bytes of height × width × 3
 *   each, of the size that the model's card says; see the option `calibration` of `embedder`
 * @throws PipiloError `OPTION_INVALID` for a model that is in fp16 or int8 already
 */
export const inPrecision = lazily(async () => (await import('./model/precision.ts')).inPrecision)

/** True if a card's files are on this machine: `npm:` and `file:` sources only; the hub's cache is not searched. */
export const available = lazily(async () => (await import('./sources/available.ts')).available)

/**
 * Reads the header of a safetensors file; the tensors stay where they are.
 *
 * @example
 * ```ts
 * const { tensors } = await readSafetensors('model.safetensors')
 * tensors.get('pooler.dense.weight')   // { dtype: 'float32', shape: [384, 384], file: { path, offset, length } }
 * ```
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_EMPTY`, `FILE_UNREADABLE`; `FORMAT_INVALID` for a file that
 * is cut off, a header that is no JSON of the format, offsets that overlap, leave holes or point outside;
 * `FORMAT_UNSUPPORTED` for an element type that is not known
 * @see https://github.com/huggingface/safetensors#format
 */
export const readSafetensors = lazily(
  async () => (await import('./sources/safetensorsFile.ts')).readSafetensors,
)

/**
 * Lists the tensors of a checkpoint (safetensors, or what `torch.save` wrote) by name, also where it says nothing of its architecture.
 *
 * @example
 * ```ts
 * const tensors = await listTensors('weights.ckpt')   // also a folder, 'hf:owner/name', …
 * tensors.get('conv1.weight')                         // { dtype: 'float32', shape: [64, 3, 7, 7] }
 * ```
 *
 * @throws PipiloError `MODEL_INVALID` for a folder without a checkpoint or with several, and those of sources and formats
 */
export const listTensors = lazily(async () => (await import('./listTensors.ts')).listTensors)

/**
 * Writes tensors as a safetensors file, atomically; those that lie in files are copied in pieces.
 *
 * @example
 * ```ts
 * await writeSafetensors('out.safetensors', new Map([['x', { dtype: 'float32', shape: [2], data: new Float32Array(2) }]]))
 * ```
 *
 * @throws PipiloError `WRITE_FAILED`; `FORMAT_UNSUPPORTED` for a dtype that the format lacks; `SHAPE_MISMATCH` where a
 * tensor's data is not as long as its shape says
 */
export const writeSafetensors = lazily(
  async () => (await import('./sources/safetensorsFile.ts')).writeSafetensors,
)

/**
 * Reads a LoRA that PEFT or {@link writeLora} has saved.
 *
 * @example
 * ```ts
 * const adapted = applyLora(model.graph, await readLora('./lora')) // also 'hf:owner/name'
 * ```
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `FORMAT_INVALID`; `FORMAT_UNSUPPORTED` for other methods than LoRA, and for variants of it that these
 *   matrices alone do not make (DoRA, trained biases, ranks by pattern)
 * @see https://huggingface.co/docs/peft
 */
export const readLora = lazily(async () => (await import('./sources/peftFolder.ts')).readLora)

/**
 * Writes the LoRA of a graph as a folder of PEFT: `adapter_config.json`, `adapter_model.safetensors`.
 *
 * @example
 * ```ts
 * await writeLora('./lora', trained, { base: 'bert-base-uncased' })
 * ```
 *
 * @throws PipiloError `GRAPH_INVALID` if it has none, `PARAMETER_MISSING` where its tensors are inputs, `WRITE_FAILED`
 */
export const writeLora = lazily(async () => (await import('./sources/peftFolder.ts')).writeLora)

/** The absolute path of a file or folder inside an npm package. See sources/npm.ts. */
export async function findInPackage(specifier: string): Promise<string> {
  return (await import('./sources/npm.ts')).findInPackage(specifier)
}
