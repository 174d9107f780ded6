// Keeps vectors on disk by recipe and content, up to a number of bytes: files of records that are only appended to, the oldest of which goes.
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeFolder } from '../../base/files/index.ts'
import type { AnyInput, EmbedOptions, EmbedResult } from '../../embed/index.ts'
import type { Opened } from '../models/modelTable.ts'

/** A vector as it is kept, with what was read of its input. */
interface Kept {
  readonly vector: Float32Array
  readonly tokens: number
  readonly truncated: boolean
}

interface Segment {
  readonly path: string
  readonly file: FileHandle
  readonly keys: Set<string>
  bytes: number
}

/** The part of one recipe, whose vectors all have one length. */
interface Shelf {
  readonly name: string
  /** Bytes of a record; 0 until the first vector tells. */
  record: number
  readonly places: Map<string, { readonly segment: Segment; readonly at: number }>
  readonly segments: Segment[]
  /** The one that is appended to. */
  writing: Segment | undefined
}

/** Bytes of a key, of what stands beside a vector, and of a file's head. */
const KEY = 16
const BESIDE = KEY + 12
const HEAD = 8
const MAGIC = 0x31_76_70_70
/** Files that a full cache has, about. */
const FILES = 16

/** Vectors on disk. */
export class VectorCache {
  readonly #folder: string
  readonly #bytes: number
  readonly #onError: (error: unknown) => void
  readonly #shelves = new Map<string, Promise<Shelf>>()
  #writes: Promise<void> = Promise.resolve()
  #broken = false
  hits = 0
  misses = 0

  constructor(folder: string, bytes: number, onError: (error: unknown) => void) {
    this.#folder = folder
    this.#bytes = bytes
    this.#onError = onError
  }

  /** Results of `embed`, of which those that are kept are not made again. A cache that fails is none, and no failure of the call. */
  async through(
    { recipeKey, embedder }: Opened,
    inputs: readonly AnyInput[],
    options: EmbedOptions,
    embed: (some: readonly AnyInput[]) => Promise<EmbedResult>,
  ): Promise<EmbedResult> {
    const { prompt = null, truncate = null } = options
    const keys = inputs.map((input) =>
      keyOf(input, embedder.modality === 'text', JSON.stringify([prompt, truncate])),
    )
    const shelf = await this.#shelf(recipeKey).catch((error: unknown) => this.#fail(error))
    if (!shelf || keys.every((key) => key === undefined)) return embed(inputs)
    const found = await Promise.all(
      keys.map((key) => (key === undefined ? undefined : this.#read(shelf, key))),
    )
    const missing: number[] = []
    const first = new Map<string, number>()
    for (const [i, key] of keys.entries()) {
      if (found[i] || (key !== undefined && first.has(key))) continue
      if (key !== undefined) first.set(key, missing.length)
      missing.push(i)
    }
    this.hits += inputs.length - missing.length
    this.misses += missing.length
    const made = missing.length > 0 ? await embed(missing.map((i) => inputs[i]!)) : undefined
    const dimensions = made?.dimensions ?? found.find((kept) => kept)?.vector.length ?? embedder.dimensions
    // Flattened texts are as long as they have tokens: the embedder says what of it.
    if (found.some((kept) => kept && kept.vector.length !== dimensions)) return embed(inputs)
    const all = keys.map((key, i): Kept => {
      const kept = found[i]
      if (kept) return kept
      const at = key === undefined ? missing.indexOf(i) : first.get(key)!
      return {
        vector: made!.vectors[at]!,
        tokens: made!.tokens[at]!,
        truncated: made!.truncated.includes(at),
      }
    })
    this.#write(shelf, new Map([...first].map(([key, at]) => [key, all[missing[at]!]!])))
    const data = new Float32Array(all.length * dimensions)
    const vectors = all.map(({ vector }, i) => {
      data.set(vector, i * dimensions)
      return data.subarray(i * dimensions, (i + 1) * dimensions)
    })
    return {
      vectors,
      data,
      dimensions,
      truncated: all.flatMap(({ truncated }, i) => (truncated ? [i] : [])),
      tokens: all.map(({ tokens }) => tokens),
      errors: [],
    }
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writes
    for (const opening of this.#shelves.values()) {
      const shelf = await opening.catch(() => undefined)
      for (const { file } of shelf?.segments ?? []) await file.close().catch(() => {})
    }
    this.#shelves.clear()
  }

  #shelf(recipeKey: string): Promise<Shelf> {
    const found = this.#shelves.get(recipeKey) ?? this.#openShelf(recipeKey)
    this.#shelves.set(recipeKey, found)
    return found
  }

  async #openShelf(name: string): Promise<Shelf> {
    await makeFolder(this.#folder)
    const shelf: Shelf = { name, record: 0, places: new Map(), segments: [], writing: undefined }
    const names = (await readdir(this.#folder)).filter(
      (file) => file.startsWith(`${name}-`) && file.endsWith('.vectors'),
    )
    for (const file of names.sort()) await this.#readSegment(shelf, join(this.#folder, file)).catch(() => {})
    return shelf
  }

  /** Notes the records of a file; one that was cut off ends it. */
  async #readSegment(shelf: Shelf, path: string): Promise<void> {
    const file = await open(path, 'r')
    const content = await file.readFile()
    const record = content.length >= HEAD && content.readUInt32LE(0) === MAGIC ? content.readUInt32LE(4) : 0
    if (record <= BESIDE || (shelf.record > 0 && record !== shelf.record)) return file.close()
    shelf.record = record
    const segment: Segment = { path, file, keys: new Set(), bytes: content.length }
    for (let at = HEAD; at + record <= content.length; at += record) {
      const key = content.toString('latin1', at, at + KEY)
      segment.keys.add(key)
      shelf.places.set(key, { segment, at })
    }
    shelf.segments.push(segment)
  }

  async #read(shelf: Shelf, key: string): Promise<Kept | undefined> {
    const place = shelf.places.get(key)
    if (!place) return undefined
    const bytes = Buffer.alloc(shelf.record)
    const { bytesRead } = await place.segment.file
      .read(bytes, 0, shelf.record, place.at)
      .catch(() => ({ bytesRead: 0 }))
    const isRight =
      bytesRead === shelf.record &&
      bytes.toString('latin1', 0, KEY) === key &&
      crc32(bytes.subarray(0, shelf.record - 4)) === bytes.readUInt32LE(shelf.record - 4)
    if (!isRight) {
      shelf.places.delete(key)
      return undefined
    }
    const vector = new Float32Array((shelf.record - BESIDE) / 4)
    for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(KEY + 8 + 4 * i)
    return { vector, tokens: bytes.readUInt32LE(KEY), truncated: bytes.readUInt32LE(KEY + 4) === 1 }
  }

  /** Appends records, after those that are being written. Nobody waits for it. */
  #write(shelf: Shelf, kept: ReadonlyMap<string, Kept>): void {
    if (this.#broken || kept.size === 0) return
    this.#writes = this.#writes
      .then(() => this.#append(shelf, kept))
      .catch((error: unknown) => this.#fail(error))
  }

  async #append(shelf: Shelf, kept: ReadonlyMap<string, Kept>): Promise<void> {
    const [first] = kept.values()
    shelf.record ||= BESIDE + 4 * first!.vector.length
    const segment = shelf.writing ?? (await this.#newSegment(shelf))
    const keys = [...kept.keys()].filter((key) => !shelf.places.has(key))
    const bytes = Buffer.concat(keys.map((key) => recordOf(key, kept.get(key)!)))
    if (bytes.length !== keys.length * shelf.record) return
    await segment.file.appendFile(bytes)
    for (const [i, key] of keys.entries()) {
      segment.keys.add(key)
      shelf.places.set(key, { segment, at: segment.bytes + i * shelf.record })
    }
    segment.bytes += bytes.length
    if (segment.bytes < this.#bytes / FILES) return
    shelf.writing = undefined
    await this.#shrink()
  }

  async #newSegment(shelf: Shelf): Promise<Segment> {
    // Names begin in the order of time; other processes have others.
    const name = `${shelf.name}-${Date.now().toString(36)}-${randomBytes(4).toString('hex')}.vectors`
    const path = join(this.#folder, name)
    const file = await open(path, 'ax+')
    const head = Buffer.alloc(HEAD)
    head.writeUInt32LE(MAGIC, 0)
    head.writeUInt32LE(shelf.record, 4)
    await file.appendFile(head)
    const segment: Segment = { path, file, keys: new Set(), bytes: HEAD }
    shelf.segments.push(segment)
    shelf.writing = segment
    return segment
  }

  /** Removes the oldest files, of whatever recipe, until there is room for another one. */
  async #shrink(): Promise<void> {
    const files = await Promise.all(
      (await readdir(this.#folder))
        .filter((name) => name.endsWith('.vectors'))
        .map(async (name) => ({
          path: join(this.#folder, name),
          found: await stat(join(this.#folder, name)).catch(() => undefined),
        })),
    )
    const there = files.flatMap(({ path, found }) =>
      found ? [{ path, size: found.size, time: found.mtimeMs }] : [],
    )
    let sum = there.reduce((total, { size }) => total + size, 0)
    for (const { path, size } of there.sort((a, b) => a.time - b.time)) {
      if (sum <= this.#bytes - this.#bytes / FILES) return
      await rm(path, { force: true })
      sum -= size
      await this.#forget(path)
    }
  }

  async #forget(path: string): Promise<void> {
    for (const opening of this.#shelves.values()) {
      const shelf = await opening.catch(() => undefined)
      const place = shelf?.segments.findIndex((segment) => segment.path === path) ?? -1
      if (!shelf || place < 0) continue
      const [segment] = shelf.segments.splice(place, 1)
      for (const key of segment!.keys)
        if (shelf.places.get(key)?.segment === segment) shelf.places.delete(key)
      if (shelf.writing === segment) shelf.writing = undefined
      await segment!.file.close().catch(() => {})
    }
  }

  #fail(error: unknown): undefined {
    if (!this.#broken) this.#onError(error)
    this.#broken = true
    return undefined
  }
}

function recordOf(key: string, { vector, tokens, truncated }: Kept): Buffer {
  const bytes = Buffer.alloc(BESIDE + 4 * vector.length)
  bytes.write(key, 0, 'latin1')
  bytes.writeUInt32LE(tokens, KEY)
  bytes.writeUInt32LE(truncated ? 1 : 0, KEY + 4)
  for (let i = 0; i < vector.length; i++) bytes.writeFloatLE(vector[i]!, KEY + 8 + 4 * i)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4)
  return bytes
}

/** The key of an input's content; undefined for a path, whose content nobody has seen, and for tensors. */
function keyOf(input: AnyInput, isText: boolean, how: string): string | undefined {
  const part =
    typeof input === 'string'
      ? isText
        ? input
        : undefined
      : input instanceof Uint8Array
        ? input
        : typeof input === 'object' && 'text' in input && typeof input.text === 'string'
          ? input.text
          : typeof input === 'object' && 'image' in input && input.image instanceof Uint8Array
            ? input.image
            : undefined
  if (part === undefined) return undefined
  const kind = typeof part === 'string' ? 'text' : 'image'
  return createHash('sha256').update(`${kind} ${how}\n`).update(part).digest().toString('latin1', 0, KEY)
}
