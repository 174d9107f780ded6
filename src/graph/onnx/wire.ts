/**
 * Protobuf's wire format, message by message, without ever holding the weights of a model in memory.
 *
 * Reading: a {@link Span} is a message somewhere in memory or in a file; {@link eachField} hands its fields to a table of
 * handlers and gives back the bytes of those it has no handler for. Writing: a {@link MessageWriter} collects small fields
 * in a buffer and large ones by reference.
 */

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { concatenate, type FileRange, PipiloError } from '../../base/index.ts'

/** Bytes that can be read by their place: those in memory, or a file. */
export interface Source {
  /** Set if the bytes lie in a file and large fields are better left there. */
  readonly path?: string
  /** True if the bytes handed out are the source's own buffer, which must not be kept. */
  readonly transient: boolean
  read(start: number, end: number): Uint8Array
}

/** A message, or another field with a length: `start` to `end` in its source. */
export interface Span {
  readonly source: Source
  readonly start: number
  readonly end: number
  readonly depth: number
}

/** Messages in a file that are longer are walked field by field instead of being read at once. */
export const LARGE = 65_536

/** Graphs nest in attributes of nodes; no real model comes near this. */
const DEEPEST = 200

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array, transient = false): Source {
  return { transient, read: (start, end) => bytes.subarray(start, end) }
}

/** One field of a message. Its methods read its value; each throws when the wire type is another. */
export class Field {
  readonly number: number
  readonly #wire: WireType
  readonly #content: Span
  readonly #reader: BinaryReader

  constructor(number: number, wire: WireType, content: Span, reader: BinaryReader) {
    this.number = number
    this.#wire = wire
    this.#content = content
    this.#reader = reader
  }

  /** The message, or other field with a length, without reading it. */
  span(): Span {
    this.#expect(WireType.LengthDelimited)
    return this.#content
  }

  /** A view of the bytes; copy what is to be kept if the source is transient. */
  bytes(): Uint8Array {
    const { source, start, end } = this.span()
    return source.read(start, end)
  }

  string(): string {
    return decodeStrictly(this.bytes())
  }

  /** Text if the bytes are UTF-8, else a copy of the bytes. */
  text(): string | Uint8Array {
    const bytes = this.bytes()
    try {
      return decodeStrictly(bytes)
    } catch {
      return bytes.slice()
    }
  }

  float(): number {
    this.#expect(WireType.Bit32)
    return this.#reader.float()
  }

  int(): number | bigint {
    this.#expect(WireType.Varint)
    return narrow(BigInt(this.#reader.int64()))
  }

  /** An integer that must be exact in JavaScript. */
  number53(): number {
    const value = this.int()
    if (typeof value === 'bigint')
      throw new RangeError(`the number ${value} in field ${this.number} is too large`)
    return value
  }

  /** Numbers of a repeated field, packed or one at a time; appends to `out`. */
  each<T>(read: (reader: BinaryReader) => T, out: T[]): void {
    if (this.#wire !== WireType.LengthDelimited) {
      out.push(read(this.#reader))
      return
    }
    const reader = new BinaryReader(this.bytes())
    while (reader.pos < reader.len) out.push(read(reader))
    if (reader.pos > reader.len) throw new RangeError(`field ${this.number} is cut off`)
  }

  ints(out: (number | bigint)[]): void {
    this.each((reader) => narrow(BigInt(reader.int64())), out)
  }

  /** True if a repeated field of fixed-size numbers is packed, so that its bytes are the array. */
  get packed(): boolean {
    return this.#wire === WireType.LengthDelimited
  }

  #expect(wire: WireType): void {
    if (this.#wire !== wire)
      throw new RangeError(`field ${this.number} has wire type ${this.#wire}, not ${wire}`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeStrictly(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}

/** A number where it is exact, a bigint beyond. */
function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/**
 * Hands each field of a message to the handler of its number.
 * @returns the fields without a handler, as they were, or undefined if there were none
 */
export function eachField(
  message: Span,
  handlers: Readonly<Record<number, (field: Field) => unknown>>,
): Uint8Array | undefined {
  if (message.depth > DEEPEST) throw new RangeError(`messages nest more than ${DEEPEST} deep`)
  const unknown: Uint8Array[] = []
  for (const { field, raw } of fieldsOf(message)) {
    const handle = handlers[field.number]
    if (handle) handle(field)
    else unknown.push(raw())
  }
  return unknown.length > 0 ? concatenate(unknown) : undefined
}

function* fieldsOf(message: Span): Generator<{ field: Field; raw: () => Uint8Array }> {
  const { source, start, end } = message
  const depth = message.depth + 1
  if (source.path !== undefined && end - start > LARGE) {
    // Only the head of each field is read: tag and length, or tag and number, take at most 5 + 10 bytes.
    for (let at = start; at < end; ) {
      const reader = new BinaryReader(source.read(at, Math.min(at + 15, end)))
      const from = at
      const { number, wire, content, next } = head(reader, source, from, end, depth)
      yield { field: new Field(number, wire, content, reader), raw: () => source.read(from, next).slice() }
      at = next
    }
    return
  }
  const bytes = source.read(start, end)
  const local = source.path === undefined ? source : memorySource(bytes, true)
  const shift = source.path === undefined ? start : 0
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const at = reader.pos
    const { number, wire, content, next } = head(reader, local, shift, shift + bytes.length, depth)
    yield { field: new Field(number, wire, content, reader), raw: () => bytes.slice(at, next - shift) }
    reader.pos = next - shift
  }
}

/** Reads tag and length; leaves the reader at a number's first byte. `origin` is where its buffer starts in the source. */
function head(reader: BinaryReader, source: Source, origin: number, end: number, depth: number) {
  const [number, wire] = reader.tag()
  let start: number
  let next: number
  if (wire === WireType.LengthDelimited) {
    const length = reader.uint32()
    start = origin + reader.pos
    next = start + length
  } else {
    start = origin + reader.pos
    const at = reader.pos
    reader.skip(wire, number)
    next = origin + reader.pos
    reader.pos = at
  }
  if (next > end) throw new RangeError(`field ${number} ends after its message`)
  return { number, wire, content: { source, start, end: next, depth }, next }
}

/** A piece of an encoded message. */
export type Part = Uint8Array | FileRange

/** Byte arrays from this length on are spliced in by reference. */
const SPLICE = 4096

/** Writes one message: methods by protobuf type; fields in the order of the calls. Empty strings are left out. */
export class MessageWriter {
  readonly #parts: Part[] = []
  #writer = new BinaryWriter()

  string(field: number, value: string | undefined): void {
    if (value) this.#writer.tag(field, WireType.LengthDelimited).string(value)
  }

  strings(field: number, values: readonly string[]): void {
    for (const value of values) this.#writer.tag(field, WireType.LengthDelimited).string(value)
  }

  int(field: number, value: number | bigint): void {
    this.#writer.tag(field, WireType.Varint).int64(value)
  }

  /** Packed. */
  ints(field: number, values: readonly (number | bigint)[]): void {
    if (values.length === 0) return
    this.#writer.tag(field, WireType.LengthDelimited).fork()
    for (const value of values) this.#writer.int64(value)
    this.#writer.join()
  }

  float(field: number, value: number): void {
    this.#writer.tag(field, WireType.Bit32).float(Math.fround(value))
  }

  /** Packed. */
  floats(field: number, values: readonly number[]): void {
    if (values.length === 0) return
    this.#writer.tag(field, WireType.LengthDelimited).fork()
    for (const value of values) this.#writer.float(Math.fround(value))
    this.#writer.join()
  }

  bytes(field: number, value: Part): void {
    this.#writer.tag(field, WireType.LengthDelimited)
    writeLength(this.#writer, value.length)
    this.#append(value)
  }

  message(field: number, build: (writer: MessageWriter) => void): void {
    const inner = new MessageWriter()
    build(inner)
    const parts = inner.finish()
    this.#writer.tag(field, WireType.LengthDelimited)
    writeLength(this.#writer, totalLength(parts))
    for (const part of parts) this.#append(part)
  }

  /** Fields that were kept from reading. */
  raw(fields: Uint8Array | undefined): void {
    if (fields) this.#append(fields)
  }

  /** The pieces of the message; the writer must not be used afterwards. */
  finish(): Part[] {
    this.#flush()
    return this.#parts
  }

  #append(part: Part): void {
    if (part instanceof Uint8Array && part.length < SPLICE) this.#writer.raw(part)
    else {
      this.#flush()
      this.#parts.push(part)
    }
  }

  #flush(): void {
    const bytes = this.#writer.finish()
    if (bytes.length > 0) this.#parts.push(bytes)
    this.#writer = new BinaryWriter()
  }
}

function writeLength(writer: BinaryWriter, length: number): void {
  if (length > 0xffff_ffff) {
    throw new PipiloError('WRITE_FAILED', `A part of ${length} bytes does not fit into an ONNX file.`, {
      hint: 'Write the weights as external data.',
    })
  }
  writer.uint32(length)
}

export function totalLength(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}
