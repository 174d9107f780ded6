// Reads and writes TensorProto, with its packings of numbers and its external data.
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { PipiloError } from '../../base/index.ts'
import { byteLength, bytesOf, elementCount, typedArray } from '../../tensor/index.ts'
import type { Initializer, SparseTensor } from '../types.ts'
import { DTYPES, dataType, ENTRY, EXTERNAL, SPARSE_TENSOR, TENSOR } from './schema.ts'
import { eachField, type Field, LARGE, type MessageWriter, type Span } from './wire.ts'

/** The file that is read: its name, its bytes and its folder. */
export interface ReadContext {
  /** Path or description of the file, for errors. */
  readonly name: string
  /** The file that external data of a tensor name, and its length in bytes; undefined where there are no files. */
  readonly locate?: ((what: string, location: string) => { path: string; bytes: number }) | undefined
}

/** Reads a TensorProto. In an attribute, its own name means nothing to the graph and is carried along. */
export function readTensor(
  message: Span,
  context: ReadContext,
  role: 'initializer' | 'attribute' = 'initializer',
): { name: string; tensor: Initializer } {
  let name = ''
  let number = 0
  let location = 0
  const dims: (number | bigint)[] = []
  let raw: Field | undefined
  const numbers: (number | bigint)[] = []
  /** The common case of typed fields: all elements in one packed field, whose bytes are the array. */
  let packed: Uint8Array | undefined
  const strings: (string | Uint8Array)[] = []
  const external = new Map<string, string>()
  const fixed = (read: (reader: BinaryReader) => number) => (field: Field) => {
    if (field.packed && !packed && numbers.length === 0) {
      packed = field.bytes()
      return
    }
    if (packed) {
      const reader = new BinaryReader(packed)
      while (reader.pos < reader.len) numbers.push(read(reader))
      packed = undefined
    }
    field.each(read, numbers)
  }
  const carried = eachField(message, {
    [TENSOR.dims]: (field) => field.ints(dims),
    [TENSOR.data_type]: (field) => {
      number = field.number53()
    },
    [TENSOR.float_data]: fixed((reader) => reader.float()),
    [TENSOR.double_data]: fixed((reader) => reader.double()),
    [TENSOR.int32_data]: (field) => field.each((reader) => reader.int32(), numbers),
    [TENSOR.int64_data]: (field) => field.each((reader) => BigInt(reader.int64()), numbers),
    [TENSOR.uint64_data]: (field) => field.each((reader) => BigInt(reader.uint64()), numbers),
    [TENSOR.string_data]: (field) => strings.push(field.text()),
    [TENSOR.raw_data]: (field) => {
      raw = field
    },
    [TENSOR.external_data]: (field) => readEntry(field.span(), external),
    [TENSOR.data_location]: (field) => {
      location = field.number53()
    },
    ...(role === 'initializer' && {
      [TENSOR.name]: (field: Field) => {
        name = field.string()
      },
    }),
  })
  const what = `Tensor ${name || '(in an attribute)'} of ${context.name}`
  const dtype = DTYPES[number]
  if (!dtype) throw new PipiloError('FORMAT_UNSUPPORTED', `${what} has the unknown element type ${number}.`)
  const shape = dims.map(Number)
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new PipiloError('FORMAT_INVALID', `${what} has the impossible shape [${dims.join(', ')}].`)
  }
  const extra = carried ? { carried } : {}
  if (dtype === 'string') {
    expectCount(what, elementCount(shape), strings.length)
    return { name, tensor: { dtype, shape, data: strings, ...extra } }
  }
  const count = elementCount(shape)
  const length = byteLength(dtype, count)
  if (location === EXTERNAL) {
    return { name, tensor: { dtype, shape, file: locate(what, external, length, context), ...extra } }
  }
  if (raw) {
    const { source, start, end } = raw.span()
    if (end - start !== length) {
      throw new PipiloError(
        'FORMAT_INVALID',
        `${what} has ${end - start} bytes, but ${dtype} of shape [${shape.join(', ')}] takes ${length}.`,
      )
    }
    if (source.path !== undefined && length > LARGE) {
      return { name, tensor: { dtype, shape, file: { path: source.path, offset: start, length }, ...extra } }
    }
    const bytes = raw.bytes()
    return {
      name,
      tensor: { dtype, shape, data: typedArray(dtype, source.transient ? bytes.slice() : bytes), ...extra },
    }
  }
  const data = typedArray(dtype, count)
  if (dtype === 'float6e2m3' || dtype === 'float6e3m2') {
    expectCount(what, count, numbers.length)
    packBits(numbers.map(Number), 6, data as Uint8Array)
  } else if (packed) {
    expectCount(what, data.byteLength, packed.length)
    bytesOf(data).set(packed)
  } else {
    expectCount(what, data.length, numbers.length)
    const big = data instanceof BigInt64Array || data instanceof BigUint64Array
    for (const [i, value] of numbers.entries()) data[i] = big ? BigInt(value) : Number(value)
  }
  return { name, tensor: { dtype, shape, data, ...extra } }
}

function expectCount(what: string, wanted: number, got: number): void {
  if (wanted !== got)
    throw new PipiloError('FORMAT_INVALID', `${what} holds ${got} numbers where its shape needs ${wanted}.`)
}

/** Packs codes of `width` bits from the lowest bit up. */
function packBits(codes: readonly number[], width: number, out: Uint8Array): void {
  for (const [i, code] of codes.entries()) {
    const bit = i * width
    const shifted = code << (bit & 7)
    out[bit >> 3] = out[bit >> 3]! | shifted
    if ((bit & 7) + width > 8) out[(bit >> 3) + 1] = shifted >> 8
  }
}

/** Reads a StringStringEntryProto into a map; returns its unknown fields. */
export function readEntry(message: Span, into: Map<string, string>): Uint8Array | undefined {
  let key = ''
  let value = ''
  const unknown = eachField(message, {
    [ENTRY.key]: (field) => {
      key = field.string()
    },
    [ENTRY.value]: (field) => {
      value = field.string()
    },
  })
  into.set(key, value)
  return unknown
}

/** Checks where external data lies: in a file that the model may name, and inside of it. */
function locate(what: string, external: ReadonlyMap<string, string>, length: number, context: ReadContext) {
  const invalid = (reason: string) => new PipiloError('FORMAT_INVALID', `${what} ${reason}.`)
  const location = external.get('location')
  if (!location) throw invalid('is external data without a location')
  if (!context.locate) {
    throw new PipiloError('FILE_NOT_FOUND', `${what} lies in the separate file ${location}.`, {
      hint: 'Read the model by its path, or name the folder of that file (`directory`).',
    })
  }
  const { path, bytes } = context.locate(what, location)
  const offset = size(external.get('offset') ?? '0')
  const stored = external.has('length') ? size(external.get('length') ?? '') : length
  if (offset === undefined || stored === undefined)
    throw invalid('has an offset or length that is no whole number')
  if (stored !== length) throw invalid(`has ${stored} bytes where its shape needs ${length}`)
  if (offset + length > bytes) {
    throw invalid(`ends at byte ${offset + length} of ${path}, which has only ${bytes}`)
  }
  return { path, offset, length }
}

function size(text: string): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

/** Place of a tensor's bytes in a file beside the model. */
export interface ExternalLocation {
  /** File name, relative to the folder that the runtime or reader is told. */
  readonly location: string
  readonly offset: number
  readonly length: number
}

/** Writes a map as StringStringEntryProtos. */
export function writeEntries(
  writer: MessageWriter,
  field: number,
  entries: Iterable<readonly [key: string, value: string]> = [],
): void {
  for (const [key, value] of entries) {
    writer.message(field, (entry) => {
      entry.string(ENTRY.key, key)
      entry.string(ENTRY.value, value)
    })
  }
}

/** Chooses which initializers are written as a reference to another file. */
export type ExternalChoice = (name: string, tensor: Initializer) => ExternalLocation | undefined

/** Writes a TensorProto: numbers as raw bytes. */
export function writeTensor(
  writer: MessageWriter,
  tensor: Initializer,
  name?: string,
  external?: ExternalLocation | undefined,
): void {
  writer.ints(TENSOR.dims, tensor.shape)
  writer.int(TENSOR.data_type, dataType(tensor.dtype))
  writer.string(TENSOR.name, name)
  if (external) {
    const keys = ['location', 'offset', 'length'] as const
    writeEntries(
      writer,
      TENSOR.external_data,
      keys.map((key) => [key, String(external[key])]),
    )
    writer.int(TENSOR.data_location, EXTERNAL)
  } else if ('file' in tensor) writer.bytes(TENSOR.raw_data, tensor.file)
  else if (ArrayBuffer.isView(tensor.data)) {
    const wanted = byteLength(tensor.dtype, elementCount(tensor.shape))
    if (wanted !== tensor.data.byteLength) {
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `Tensor ${name ?? ''} has ${tensor.data.byteLength} bytes, but ${tensor.dtype} of shape [${tensor.shape.join(', ')}] takes ${wanted}.`,
      )
    }
    writer.bytes(TENSOR.raw_data, bytesOf(tensor.data))
  } else {
    for (const value of tensor.data)
      writer.bytes(TENSOR.string_data, typeof value === 'string' ? encode(value) : value)
  }
  writer.raw(tensor.carried)
}

/** A string's bytes in UTF-8. */
export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Reads a SparseTensorProto; its name is that of its values. */
export function readSparse(message: Span, context: ReadContext): { name: string; sparse: SparseTensor } {
  let values: { name: string; tensor: Initializer } | undefined
  let indices: Initializer | undefined
  const dims: (number | bigint)[] = []
  const unknown = eachField(message, {
    [SPARSE_TENSOR.values]: (field) => {
      values = readTensor(field.span(), context)
    },
    [SPARSE_TENSOR.indices]: (field) => {
      indices = readTensor(field.span(), context).tensor
    },
    [SPARSE_TENSOR.dims]: (field) => field.ints(dims),
  })
  if (!values || !indices)
    throw new PipiloError('FORMAT_INVALID', `A sparse tensor of ${context.name} is incomplete.`)
  const sparse = { values: values.tensor, indices, shape: dims.map(Number), ...(unknown && { unknown }) }
  return { name: values.name, sparse }
}

export function writeSparse(writer: MessageWriter, sparse: SparseTensor, name = ''): void {
  writer.message(SPARSE_TENSOR.values, (inner) => writeTensor(inner, sparse.values, name))
  writer.message(SPARSE_TENSOR.indices, (inner) => writeTensor(inner, sparse.indices))
  writer.ints(SPARSE_TENSOR.dims, sparse.shape)
  writer.raw(sparse.unknown)
}
