// Reads the bodies of requests: within a limit of bytes and of time, as JSON or as a form.
import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'
import { hasMoreValues } from './values.ts'

/** Bounds of one body. */
export interface BodyLimits {
  readonly bytes: number
  /** Milliseconds until it has to be there: who sends slowly holds nobody up, but is not waited for without end either. */
  readonly patience: number
  /** Told of the bytes that have come so far. @throws Refusal when there is no room for them beside those of others */
  readonly hold: (bytes: number) => void
}

/** Files of a form, as bytes, and its other fields. */
export type Fields = Record<string, unknown>

/**
 * The bytes of a body. What its head says is too long is refused before a byte of it is read, and else when it becomes so.
 *
 * @throws Refusal 413, 408, 400
 */
export async function readBody(
  incoming: IncomingMessage,
  { bytes, patience, hold }: BodyLimits,
): Promise<Buffer> {
  const tooLong = () =>
    new Refusal(
      413,
      'body_too_large',
      `The request's body is longer than ${bytes.toLocaleString('en')} bytes.`,
      {
        closes: true,
      },
    )
  if (declaredLength(incoming) > bytes) throw tooLong()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => {
      end(
        new Refusal(408, 'body_too_slow', `The request's body did not come within ${patience / 1000} s.`, {
          closes: true,
        }),
      )
    }, patience)
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size > bytes) return end(tooLong())
      try {
        hold(size)
      } catch (error) {
        return end(error as Refusal)
      }
      chunks.push(chunk)
    }
    const done = () => end()
    const gone = () =>
      end(new Refusal(400, 'body_cut_off', 'The request ended before its body did.', { closes: true }))
    const end = (refusal?: Refusal) => {
      clearTimeout(timer)
      incoming.off('data', take).off('end', done).off('close', gone).off('error', gone)
      if (!refusal) {
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size))
        return
      }
      incoming.pause()
      reject(refusal)
    }
    incoming.on('data', take).on('end', done).on('close', gone).on('error', gone)
  })
}

/** Bytes that the head of a request announces; 0 where it does not say. */
export function declaredLength(incoming: IncomingMessage): number {
  const length = Number(incoming.headers['content-length'] ?? 0)
  return Number.isFinite(length) ? length : 0
}

/** Values of a body, keys among them, and parts of a form. */
const VALUES = 2 ** 18
const PARTS = 10_000

/**
 * @param vectors the body may hold many numbers
 * @throws Refusal 400 for what is no JSON, 413 for more values than are taken at a time, 415 for another type of content
 */
export async function parseBody(
  body: Buffer,
  headers: IncomingMessage['headers'],
  vectors: boolean,
): Promise<unknown> {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new Refusal(415, 'encoding_unsupported', 'Bodies are read as they are: without a content-encoding.')
  }
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type === 'multipart/form-data') return formOf(body, headers['content-type']!, vectors)
  // Pages of other origins can send text and forms without asking; JSON they cannot.
  if (type !== 'application/json' && !type.endsWith('+json')) {
    throw new Refusal(
      415,
      'content_type_unsupported',
      `The body's content-type is ${type === '' ? 'missing' : JSON.stringify(type)}; it has to be application/json or multipart/form-data.`,
    )
  }
  return parsed(body, vectors, 'The body')
}

/** Fields that hold lists also where a form has one of them. */
const lists = new Set('input inputs texts images embedding_types files ids tap inputs.sentences'.split(' '))
/** Those whose entries are names, so that a JSON array cannot be meant as one of them. */
const lettered = new Set('embedding_types ids tap'.split(' '))
/** Fields of texts, which stay as they are. */
const texts = new Set(
  'input inputs texts images inputs.sentences inputs.source_sentence model prompt prompt_name user query.text query.id rows.id rows.text rows.metadata.text hybrid.words hybrid.field'.split(
    ' ',
  ),
)
const plain = /^(?:-?\d+(?:\.\d+)?|true|false|null|[[{].*[\]}])$/s

/** How forms are written, for the description. */
export const forms = [
  'A form (multipart/form-data) has the same fields, and pictures as files.',
  'A list is a field that is repeated, as in input=bird and input=cat; one is a list of one. A text stays what it is, also one in brackets; lists of names (embedding_types, ids, tap) may be JSON arrays.',
  'A dot leads into an object or, with a number from 0, into a list: query.image=@bird.jpg; rows=[{"id":"a"}] and rows.0.image=@bird.jpg.',
  'Other fields are numbers, true, false, null and JSON where they look like it. A field called json holds further fields as a JSON object.',
].join(' ')

/** A form's fields: files as bytes, `json` as further fields, and numbers, truths and JSON where a field holds no text. */
async function formOf(body: Buffer, type: string, vectors: boolean): Promise<Fields> {
  checkParts(body, type)
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } })
    .formData()
    .catch(() => {
      throw new Refusal(400, 'form_invalid', 'The body is not a valid form (multipart/form-data).')
    })
  // Without a prototype: a field may have any name.
  const fields: Fields = Object.create(null)
  // A list as JSON comes before what is put into it.
  const entries = [...form.entries()].sort(([a], [b]) => Number(a.includes('.')) - Number(b.includes('.')))
  for (const [path, value] of entries) {
    const name = path.replaceAll(/\.\d+(?=\.|$)/g, '')
    if (path === 'json' && typeof value === 'string') {
      const more = parsed(Buffer.from(value), vectors, 'The form’s field json')
      // A text is an object of letters: each would become a field.
      if (typeof more !== 'object' || more === null || Array.isArray(more))
        throw new Refusal(400, 'invalid_request', 'json: a form’s field json holds an object of fields', {
          field: 'json',
        })
      Object.assign(fields, more)
    } else if (typeof value === 'string') add(fields, path, name, read(name, value, vectors))
    else add(fields, path, name, { name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) })
  }
  return fields
}

/** The value that a field's text stands for. */
function read(name: string, text: string, vectors: boolean): unknown {
  const json = () => parsed(Buffer.from(text), vectors, 'A field of the form')
  // Of one interface a query is a text, of another an object.
  if (texts.has(name) || (name === 'query' && !/^\{.*\}$/s.test(text))) return text
  if (lettered.has(name)) return /^\[.*\]$/s.test(text) ? json() : text
  return plain.test(text) ? json() : text
}

/** Refuses a form of more parts than are taken, before each becomes an object. */
function checkParts(body: Buffer, type: string): void {
  const [, quoted, plainly] = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? []
  const boundary = `--${quoted ?? plainly ?? ''}`
  let count = 0
  for (let at = body.indexOf(boundary); at >= 0; at = body.indexOf(boundary, at + boundary.length)) {
    if (++count > PARTS + 1) throw tooMany('The form', PARTS, 'parts')
  }
}

function parsed(json: Buffer, vectors: boolean, what: string): unknown {
  if (hasMoreValues(json, VALUES, vectors)) throw tooMany(what, VALUES, 'values')
  try {
    return JSON.parse(json.toString('utf8'))
  } catch {
    throw new Refusal(400, 'json_invalid', `${what} is not valid JSON.`)
  }
}

const tooMany = (what: string, most: number, things: string) =>
  new Refusal(413, 'body_too_large', `${what} holds more than ${most.toLocaleString('en')} ${things}.`)

/** @param name the path without its numbers */
function add(fields: Fields, path: string, name: string, value: unknown): void {
  const parts = path.split('.')
  const last = parts.pop()!
  let at = fields
  for (const [i, part] of parts.entries()) {
    check(at, part, path)
    if (!Object.hasOwn(at, part))
      at[part] = /^\d+$/.test(parts[i + 1] ?? last) ? [] : (Object.create(null) as Fields)
    const next = at[part]
    if (typeof next !== 'object' || next === null) throw misplaced(path)
    at = next as Fields
  }
  check(at, last, path)
  const before = at[last]
  if (!lists.has(name)) at[last] = value
  else if (!Array.isArray(before)) at[last] = [value].flat()
  else for (const each of [value].flat()) before.push(each)
}

/** Deeper than any request goes. */
const DEEPEST = 8

/** @throws Refusal 400 for a place that is none: a list has no names, and no gaps */
function check(at: Fields, part: string, path: string): void {
  const isPlace = !Array.isArray(at) || (/^\d{1,6}$/.test(part) && Number(part) <= at.length)
  if (part === '__proto__' || !isPlace || path.split('.', DEEPEST + 1).length > DEEPEST) throw misplaced(path)
}

const misplaced = (path: string) =>
  new Refusal(
    400,
    'form_invalid',
    `The form's field ${JSON.stringify(path.slice(0, 80))} leads nowhere: a dot leads into an object or, with a number from 0 on, into a list.`,
    { field: path.slice(0, 80) },
  )
