// Reads and writes safetensors files.
import { PipiloError, parseJson } from '../../base/index.ts'
import {
  bytesOf,
  bytesPerElement,
  type DType,
  elementCount,
  expectBytes,
  type FileTensor,
  type Tensor,
} from '../../tensor/index.ts'
import { isObject, type OpenFile, viewOf } from '../files.ts'

/** Content of a safetensors file. */
export interface Safetensors {
  /** By name, in the order of the header. Nothing but the header was read. */
  readonly tensors: Map<string, FileTensor>
  /** The header's `__metadata__`. */
  readonly metadata: Map<string, string>
}

/** Longest header that the format's own reader takes, in bytes. */
const maxHeader = 100_000_000

/** Our dtype by the format's name. */
const dtypes: ReadonlyMap<string, DType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U64', 'uint64'],
  ['U32', 'uint32'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
  ['F8_E4M3', 'float8e4m3fn'],
  ['F8_E4M3FNUZ', 'float8e4m3fnuz'],
  ['F8_E5M2', 'float8e5m2'],
  ['F8_E5M2FNUZ', 'float8e5m2fnuz'],
  ['F8_E8M0', 'float8e8m0'],
  ['C64', 'complex64'],
])

/** The header of a safetensors file. See `readSafetensors` in ../onDemand.ts. */
export async function parseSafetensors(file: OpenFile): Promise<Safetensors> {
  const header = await readHeader(file)
  const dataStart = 8 + header.length
  const entries = parseHeader(file.name, header)
  checkOffsets(file.name, entries, file.size - dataStart)
  const tensors = new Map<string, FileTensor>()
  for (const { name, dtype, shape, begin, end } of entries.tensors) {
    tensors.set(name, {
      dtype,
      shape,
      file: { path: file.path, offset: dataStart + begin, length: end - begin },
    })
  }
  return { tensors, metadata: entries.metadata }
}

/** The start of a safetensors file, and the tensors in the order in which they follow it. */
export function safetensorsParts(
  tensors: ReadonlyMap<string, Tensor | FileTensor>,
  metadata: ReadonlyMap<string, string>,
): { readonly start: Uint8Array; readonly tensors: readonly (Tensor | FileTensor)[] } {
  const names = new Map([...dtypes].map(([name, dtype]) => [dtype, name]))
  const rows = [...tensors].map(([name, tensor]) => {
    const type = names.get(tensor.dtype)
    if (!type) {
      throw new PipiloError(
        'FORMAT_UNSUPPORTED',
        `Safetensors cannot hold ${tensor.dtype} (tensor '${name}').`,
      )
    }
    const length = 'file' in tensor ? tensor.file.length : bytesOf(tensor.data as ArrayBufferView).byteLength
    expectBytes(`Tensor '${name}'`, tensor.dtype, tensor.shape, length)
    return { name, tensor, type, length, width: bytesPerElement(tensor.dtype) }
  })
  // Wide elements first keeps each tensor aligned to its element, as the format's own writer does.
  rows.sort((a, b) => b.width - a.width || (a.name < b.name ? -1 : 1))
  const header: [string, unknown][] = metadata.size ? [['__metadata__', Object.fromEntries(metadata)]] : []
  let offset = 0
  for (const { name, tensor, type, length } of rows) {
    header.push([name, { dtype: type, shape: tensor.shape, data_offsets: [offset, offset + length] }])
    offset += length
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const start = new Uint8Array(8 + padded).fill(0x20)
  viewOf(start).setBigUint64(0, BigInt(padded), true)
  start.set(json, 8)
  return { start, tensors: rows.map(({ tensor }) => tensor) }
}

interface Entry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

interface Header {
  readonly tensors: readonly Entry[]
  readonly metadata: Map<string, string>
}

async function readHeader({ name, size, read }: OpenFile): Promise<Uint8Array> {
  if (size < 8) throw invalid(name, `has ${size} bytes, too few for a safetensors header`)
  const length = viewOf(await read(0, 8)).getBigUint64(0, true)
  if (length > maxHeader) {
    throw invalid(name, `claims a header of ${length} bytes; the format allows ${maxHeader}`)
  }
  if (Number(length) > size - 8) {
    throw invalid(name, `is cut off: its header has ${length} bytes, and ${size - 8} are there`)
  }
  return read(8, Number(length))
}

function parseHeader(path: string, bytes: Uint8Array): Header {
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    header = parseJson(text)
  } catch (cause) {
    throw invalid(path, 'has a header that is not JSON', cause)
  }
  if (!isObject(header)) throw invalid(path, 'has a header that is not a JSON object')
  const duplicate = duplicateKey(text)
  if (duplicate !== undefined) throw invalid(path, `has the name '${duplicate}' twice in its header`)
  const tensors: Entry[] = []
  const metadata = new Map<string, string>()
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__') {
      tensors.push(parseEntry(path, name, entry))
      continue
    }
    if (!isObject(entry)) throw invalid(path, 'has __metadata__ that is not a JSON object')
    for (const [key, value] of Object.entries(entry)) {
      if (typeof value !== 'string') throw invalid(path, `has __metadata__ '${key}' that is not a string`)
      metadata.set(key, value)
    }
  }
  return { tensors, metadata }
}

function parseEntry(path: string, name: string, entry: unknown): Entry {
  const about = `tensor '${name}'`
  if (!isObject(entry)) throw invalid(path, `describes ${about} by something that is not a JSON object`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') throw invalid(path, `has ${about} without a dtype`)
  const type = dtypes.get(dtype)
  if (!type) {
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${path} has ${about} of dtype '${dtype}', which is not known.`,
      {
        input: path,
        hint: `Known: ${[...dtypes.keys()].join(', ')}.`,
      },
    )
  }
  if (!isSizes(shape)) throw invalid(path, `has ${about} whose shape is not a list of sizes`)
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw invalid(path, `has ${about} whose data_offsets are not two places in the file`)
  }
  const [begin, end] = offsets as [number, number]
  const length = elementCount(shape) * bytesPerElement(type)
  if (end - begin !== length) {
    const needed = Number.isSafeInteger(length) ? `${length} bytes` : 'more bytes than any file has'
    throw invalid(
      path,
      `has ${about} with ${end - begin} bytes, where ${dtype} [${shape.join(', ')}] takes ${needed}`,
    )
  }
  return { name, dtype: type, shape, begin, end }
}

/** The format wants the tensors to cover the data exactly: no hole, no overlap, nothing behind. */
function checkOffsets(path: string, header: Header, available: number): void {
  const sorted = [...header.tensors].sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { name, begin, end } of sorted) {
    if (end > available) {
      throw invalid(
        path,
        `is cut off, or points outside: tensor '${name}' ends at ${end} of ${available} bytes`,
      )
    }
    if (begin < covered) throw invalid(path, `has tensor '${name}' overlap another one`)
    if (begin > covered) throw invalid(path, `has a hole of ${begin - covered} bytes before tensor '${name}'`)
    covered = end
  }
  if (covered !== available) throw invalid(path, `has ${available - covered} bytes that belong to no tensor`)
}

/** The first key that an object of a valid JSON text has twice: `JSON.parse` would keep the last in silence. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (token.endsWith(':')) {
      const key: string = JSON.parse(token.slice(0, -1))
      const keys = open.at(-1)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
  }
  return undefined
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

function invalid(path: string, complaint: string, cause?: unknown): PipiloError {
  return new PipiloError('FORMAT_INVALID', `The safetensors file ${path} ${complaint}.`, {
    input: path,
    hint: 'Download or write it again.',
    cause,
  })
}
