// Reads the literal that a JavaScript module exports, without executing it.
import { decodeBase64, PipiloError } from '../../../base/index.ts'

/**
 * The value that a JavaScript module exports, where that value is a plain literal: read, never executed.
 *
 * @example
 * ```ts
 * moduleLiteral('module.exports={a:[1,-.5],b:!0}', 'model.js')  // { a: [1, -0.5], b: true }
 * ```
 *
 * @remarks
 * Takes what follows the first `exports =` or `export default` that stands before an object, an array or a string, as
 * bundlers and minifiers write them (keys without quotes, `!0` for `true`, `void 0`, `.5`).
 *
 * @param name the file, for errors
 * @throws PipiloError `FORMAT_INVALID` when there is none, or when it holds anything but literals
 */
export function moduleLiteral(source: string, name: string): unknown {
  const start = literalStart(source)
  if (start === undefined) {
    throw new PipiloError('FORMAT_INVALID', `${name} is no JavaScript module that exports a literal.`, {
      input: name,
    })
  }
  return new LiteralReader(source, start, name).value(0)
}

/**
 * The bytes of a JavaScript module that exports one base64 string. Much faster than {@link moduleLiteral} for large
 * strings, since nothing but the string is looked at.
 *
 * @throws PipiloError `FORMAT_INVALID` when the module exports something else, or something that is no base64
 */
export function moduleBytes(source: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  // The string begins behind a bundler's short head. Each byte becomes one character, so positions are the bytes'.
  const head = String.fromCharCode(...source.subarray(0, 4096))
  const start = literalStart(head)
  const quote = start === undefined ? undefined : head[start]
  if (start === undefined || (quote !== '"' && quote !== "'")) {
    throw new PipiloError('FORMAT_INVALID', `${name} is no JavaScript module that exports a base64 string.`, {
      input: name,
    })
  }
  const end = source.indexOf(quote.charCodeAt(0), start + 1)
  const bytes = end < 0 ? undefined : decodeBase64(source.subarray(start + 1, end))
  if (bytes) return bytes
  throw new PipiloError('FORMAT_INVALID', `The base64 string in ${name} is damaged or cut off.`, {
    input: name,
  })
}

/** Position of the first character of the exported literal. */
function literalStart(source: string): number | undefined {
  const found = /(?:\bexports\s*=|\bexport\s+default)\s*(?=[{["'])/.exec(source)
  return found ? found.index + found[0].length : undefined
}

const MAX_DEPTH = 200
const NUMBER = /[+-]?(?:0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)/iy
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$]*/uy
const SPACE = /(?:\s|\/\*.*?\*\/|\/\/[^\n]*)*/sy
const SHORTHANDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['!0', true],
  ['!1', false],
  ['void 0', undefined],
])
const CONSTANTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
])
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  '0': '\0',
}

class LiteralReader {
  private readonly source: string
  private readonly name: string
  private position: number

  constructor(source: string, position: number, name: string) {
    this.source = source
    this.position = position
    this.name = name
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.error(`nests deeper than ${MAX_DEPTH}`)
    this.take(SPACE)
    switch (this.source[this.position]) {
      case '{':
        return this.object(depth)
      case '[':
        return this.array(depth)
      case '"':
      case "'":
        return this.string()
    }
    for (const [text, value] of SHORTHANDS) {
      if (this.source.startsWith(text, this.position)) {
        this.position += text.length
        return value
      }
    }
    const number = this.take(NUMBER)
    if (number) return number.startsWith('-') ? -Number(number.slice(1)) : Number(number)
    const start = this.position
    const word = this.take(WORD) ?? ''
    if (CONSTANTS.has(word)) return CONSTANTS.get(word)
    this.position = start
    throw this.error('holds something other than a literal')
  }

  private object(depth: number): Record<string, unknown> {
    const result: [string, unknown][] = []
    this.list('}', () => {
      const quoted = this.source[this.position] === '"' || this.source[this.position] === "'"
      const key = quoted ? this.string() : (this.take(WORD) ?? this.take(NUMBER))
      if (key === undefined) throw this.error('lacks a key')
      this.expect(':')
      result.push([key, this.value(depth + 1)])
    })
    // Defines own properties even for `__proto__`.
    return Object.fromEntries(result)
  }

  private array(depth: number): unknown[] {
    const result: unknown[] = []
    this.list(']', () => result.push(this.value(depth + 1)))
    return result
  }

  /** Reads the items between an opening character, at the position, and `close`, separated by commas. */
  private list(close: string, item: () => void) {
    this.position++
    for (;;) {
      this.take(SPACE)
      if (this.source[this.position] === close) break
      item()
      this.take(SPACE)
      if (this.source[this.position] === close) break
      this.expect(',')
    }
    this.position++
  }

  private string(): string {
    const quote = this.source[this.position]
    const start = this.position + 1
    let end = start
    while (end < this.source.length && this.source[end] !== quote) end += this.source[end] === '\\' ? 2 : 1
    if (end >= this.source.length) throw this.error('holds a string that does not end')
    this.position = end + 1
    const inner = this.source.slice(start, end)
    if (!inner.includes('\\')) return inner
    return inner.replace(
      /\\(?:u\{([\da-f]+)\}|u([\da-f]{4})|x([\da-f]{2})|\r\n|(.))/gis,
      (_, point?: string, unit?: string, byte?: string, character?: string) => {
        const code = point ?? unit ?? byte
        if (code !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff))
        if (character === undefined || character === '\n') return ''
        return ESCAPES[character] ?? character
      },
    )
  }

  private expect(character: string) {
    this.take(SPACE)
    if (this.source[this.position] !== character) throw this.error(`lacks a "${character}"`)
    this.position++
  }

  /** The text that `pattern` (sticky) matches at the position, which moves behind it. */
  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position
    const found = pattern.exec(this.source)?.[0]
    this.position += found?.length ?? 0
    return found
  }

  private error(what: string) {
    return new PipiloError(
      'FORMAT_INVALID',
      `The literal in ${this.name} ${what}, at character ${this.position}.`,
      {
        input: this.name,
      },
    )
  }
}
