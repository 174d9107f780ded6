// Reads the tensors of files that `torch.save` wrote, without executing anything in them.
import { PipiloError } from '../../../base/index.ts'
import type { Initializer } from '../../../graph/index.ts'
import { bytesPerElement, elementCount, type Tensor, typedArray } from '../../../tensor/index.ts'
import { type OpenFile, viewOf } from '../../files.ts'
import { type Storage, type TorchTensor, torchVocabulary } from './objects.ts'
import { stateDict } from './stateDict.ts'
import { Truncated, type Unpickled, unpickle } from './unpickle.ts'
import { readZip } from './zip.ts'

/** First number that `torch.save` writes before version 1.6. */
const MAGIC = 0x1950a86a20f9469cfc6cn

/** Longest description (all but the numbers) that is read into memory, in bytes. */
const MOST = 1 << 28

/** Bytes that may be laid out anew, for tensors whose elements are not in row-major order, beside {@link MOST_COPIES} times the file's. */
const SPARE = 1 << 24
const MOST_COPIES = 4

/** The tensors of a file that `torch.save` wrote, and where in it they were. */
export interface TorchFile {
  readonly tensors: ReadonlyMap<string, Initializer>
  /** Keys that lead to their dictionary, such as `state_dict`; empty for the whole file. */
  readonly place: string
  /** A choice that was made among networks, in a sentence. */
  readonly note?: string
}

/**
 * The tensors of a file that `torch.save` wrote (`pytorch_model.bin`, `.pt`, `.pth`), in the zip format or the one before
 * PyTorch 1.6. Nothing in it is executed. Tensors stay in the file; only those whose elements are not in row-major order
 * (transposed, strided, expanded) are read and laid out.
 *
 * @example
 * ```ts
 * const { tensors } = await files.open('pytorch_model.bin', readTorch)
 * tensors.get('embeddings.word_embeddings.weight')   // { dtype: 'float32', shape, file: { path, offset, length } }
 * ```
 *
 * @remarks
 * A checkpoint that holds more than parameters gives those under `state_dict_ema`, `model_ema`, `state_dict`, `model`, `model_state_dict` and
 * their like. Values that are neither tensors nor plain containers (arguments, dates, paths, numpy's arrays) are passed over unread. Work
 * and memory are bounded by the file's length, whatever it claims.
 *
 * @param prefix see {@link stateDict}
 * @throws PipiloError `FORMAT_UNSUPPORTED` for a pickle that names what only harmful ones do (with the name), for one without a dictionary of
 * tensors, for tensors that are not plain, for other formats; `FORMAT_INVALID` for a file that is cut off or broken; those of reading files
 * @see https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
 */
export async function readTorch(file: OpenFile, prefix?: string): Promise<TorchFile> {
  const start = await file.read(0, Math.min(4, file.size))
  const isZip = start.length === 4 && viewOf(start).getUint32(0, true) === 0x04034b50
  const { value, storages } = isZip ? await readArchive(file) : await readLegacy(file)
  const tensors = new Map<string, Initializer>()
  const { tensors: found, ...rest } = stateDict(value, file.name, prefix)
  const budget = { left: MOST_COPIES * file.size + SPARE }
  for (const [name, tensor] of found) {
    tensors.set(name, await place(file, storages, name, tensor, budget))
  }
  return { tensors, ...rest }
}

interface Contents {
  readonly value: unknown
  /** Places of the bytes of each storage. */
  readonly storages: ReadonlyMap<string, { readonly offset: number; readonly length: number }>
}

async function readArchive(file: OpenFile): Promise<Contents> {
  const { name: label, read } = file
  const entries = await readZip(file)
  const pickle = entries.find(({ name }) => name.endsWith('data.pkl'))
  if (!pickle || entries.some(({ name }) => name.endsWith('constants.pkl'))) {
    throw unsupported(
      label,
      pickle ? 'is a TorchScript program' : 'is a zip archive that torch.save did not write',
    )
  }
  const root = pickle.name.slice(0, -'data.pkl'.length)
  const order = entries.find(({ name }) => name === `${root}byteorder`)
  const stated = order && new TextDecoder().decode(await read(order.offset, Math.min(order.length, 16)))
  if (stated !== undefined && stated !== 'little') {
    throw unsupported(label, 'holds numbers in big-endian order')
  }
  if (pickle.length > MOST) throw invalid(label, `describes its tensors in ${pickle.length} bytes`)
  const bytes = await read(pickle.offset, pickle.length)
  const named = new Map<string, Storage>()
  let value: unknown
  try {
    value = unpickle(bytes, 0, torchVocabulary(named), label).value
  } catch (error) {
    throw error instanceof Truncated ? invalid(label, 'holds a pickle that is cut off', error) : error
  }
  const contents = new Map(entries.map((entry) => [entry.name, entry]))
  const storages = new Map<string, { offset: number; length: number }>()
  for (const [key, { length }] of named) {
    const entry = contents.get(`${root}data/${key}`)
    if (!entry || entry.length < length) {
      throw invalid(label, `has ${entry?.length ?? 'none'} of the ${length} bytes of the storage ${key}`)
    }
    storages.set(key, entry)
  }
  return { value, storages }
}

/** Pickles one after another (a magic number, a version, the machine, the object, the keys of storages), then the storages. */
async function readLegacy(file: OpenFile): Promise<Contents> {
  const { name: label } = file
  const { pickles, named } = await legacyPickles(file)
  const [, , machine, object, keys] = pickles
  if (machine!.value instanceof Map && machine!.value.get('little_endian') === false) {
    throw unsupported(label, 'holds numbers in big-endian order')
  }
  if (!Array.isArray(keys!.value)) throw invalid(label, 'has no list of storages')
  const storages = new Map<string, { offset: number; length: number }>()
  let at = keys!.end
  for (const key of keys!.value) {
    const storage = typeof key === 'string' ? named.get(key) : undefined
    if (!storage)
      throw invalid(
        label,
        `holds a storage ${typeof key === 'string' ? key.slice(0, 100) : ''} that nothing uses`,
      )
    if (at + 8 + storage.length > file.size) {
      throw invalid(
        label,
        `is cut off: the storage ${key} ends at ${at + 8 + storage.length} of ${file.size} bytes`,
      )
    }
    const count = Number(viewOf(await file.read(at, 8)).getBigInt64(0, true))
    if (count * bytesPerElement(storage.dtype) !== storage.length) {
      throw invalid(label, `says two lengths of the storage ${key}`)
    }
    storages.set(storage.key, { offset: at + 8, length: storage.length })
    at += 8 + storage.length
  }
  for (const key of named.keys()) if (!storages.has(key)) throw invalid(label, `has no storage ${key}`)
  return { value: object!.value, storages }
}

/** How long the pickles are is known once they are read: the start of the file is read again, longer, until they fit. */
async function legacyPickles({ name: label, size, read }: OpenFile) {
  for (let length = Math.min(size, 1 << 20); ; length = Math.min(size, 2 * length)) {
    const bytes = await read(0, length)
    const named = new Map<string, Storage>()
    const vocabulary = torchVocabulary(named)
    try {
      const pickles: Unpickled[] = []
      for (let i = 0; i < 5; i++) {
        const pickle = unpickle(bytes, pickles.at(-1)?.end ?? 0, vocabulary, label)
        if (i === 0 && pickle.value !== MAGIC)
          throw unsupported(label, 'is a pickle that torch.save did not write')
        pickles.push(pickle)
      }
      return { pickles, named }
    } catch (error) {
      if (!(error instanceof Truncated)) throw error
      if (length === size || length > MOST)
        throw invalid(label, 'is cut off in its description of tensors', error)
    }
  }
}

async function place(
  file: OpenFile,
  storages: Contents['storages'],
  name: string,
  { storage, dtype, offset, shape, strides }: TorchTensor,
  budget: { left: number },
): Promise<Initializer> {
  const { name: label } = file
  const width = bytesPerElement(dtype)
  const count = elementCount(shape)
  if (count === 0) return { dtype, shape, data: typedArray(dtype, 0) }
  const stored = storages.get(storage.key)!
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset)
  if ((last + 1) * width > storage.length || storage.start + (last + 1) * width > stored.length) {
    throw invalid(label, `has the tensor ${name} reach outside of its storage`)
  }
  const start = stored.offset + storage.start + offset * width
  if (isRowMajor(shape, strides))
    return { dtype, shape, file: { path: file.path, offset: start, length: count * width } }
  budget.left -= (count + last - offset + 1) * width
  if (!(budget.left >= 0)) {
    throw unsupported(
      label,
      `has the tensor ${name} expanded to ${count} elements, many more than the file holds`,
    )
  }
  const bytes = await file.read(start, (last - offset + 1) * width)
  return layOut(bytes, dtype, shape, strides)
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}

/** The elements in row-major order. */
function layOut(
  bytes: Uint8Array,
  dtype: Tensor['dtype'],
  shape: readonly number[],
  strides: readonly number[],
): Tensor {
  const width = bytesPerElement(dtype)
  const count = elementCount(shape)
  const target = new Uint8Array(count * width)
  const index = shape.map(() => 0)
  let from = 0
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < width; byte++) target[i * width + byte] = bytes[from * width + byte]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      from -= shape[axis]! * strides[axis]!
      index[axis] = 0
    }
  }
  return { dtype, shape, data: typedArray(dtype, target) }
}

function unsupported(label: string, what: string): PipiloError {
  return new PipiloError('FORMAT_UNSUPPORTED', `${label} ${what}.`, {
    input: label,
    hint: 'Save the parameters with torch.save(model.state_dict(), path), or as safetensors.',
  })
}

function invalid(label: string, complaint: string, cause?: unknown): PipiloError {
  return new PipiloError('FORMAT_INVALID', `${label} ${complaint}.`, {
    input: label,
    hint: 'Download or write it again.',
    cause,
  })
}
