// Reads the parts of a `tokenizer.json`, and refuses by name what it does not know.
import { PipiloError } from '../../../base/index.ts'

/** Steps within steps: files as Python writes them have two or three. */
const DEEPEST = 16

/**
 * An object of a `tokenizer.json`, read key by key.
 *
 * @example
 * ```ts
 * const part = Part.of(file.normalizer, 'normalizer')
 * part.only('strip_left', 'strip_right')
 * part.flag('strip_left')
 * ```
 */
export class Part {
  readonly type: string
  readonly place: string
  readonly #values: Readonly<Record<string, unknown>>
  readonly #depth: number

  private constructor(values: Readonly<Record<string, unknown>>, place: string, depth: number) {
    this.#values = values
    this.#depth = depth
    const { type } = values
    this.type = typeof type === 'string' ? type : ''
    this.place = this.type === '' ? place : `${place} ${this.type}`
  }

  /** @throws PipiloError `FORMAT_INVALID` for what is no object */
  static of(value: unknown, place: string, depth = 0): Part {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new PipiloError('FORMAT_INVALID', `The ${place} is no object.`)
    }
    return new Part(value as Record<string, unknown>, place, depth)
  }

  /** A file may hold no other keys than these: an option that is passed over may change ids. */
  only(...keys: string[]): void {
    const known = new Set(['type', ...keys])
    const other = Object.keys(this.#values).find((key) => !known.has(key))
    if (other !== undefined) throw this.unsupported(`has the option '${other}', which is not known`)
  }

  get(key: string): unknown {
    return this.#values[key]
  }

  text(key: string, usual?: string): string {
    return this.#typed(key, 'string', usual, 'a text')
  }

  flag(key: string, usual?: boolean): boolean {
    return this.#typed(key, 'boolean', usual, 'true or false')
  }

  /** One Unicode character. */
  character(key: string): string {
    const value = this.text(key)
    if ([...value].length !== 1) throw this.invalid(`has no single character for '${key}'`)
    return value
  }

  /** A whole number from 0 on. */
  count(key: string, usual?: number): number {
    const value = this.#typed(key, 'number', usual, 'a number')
    if (!Number.isSafeInteger(value) || value < 0) throw this.invalid(`has ${value} for '${key}'`)
    return value
  }

  oneOf<T extends string>(key: string, known: readonly T[], usual?: T): T {
    const value = this.text(key, usual)
    if (!known.includes(value as T)) throw this.unsupported(`has '${value}' for '${key}'`)
    return value as T
  }

  list(key: string): readonly unknown[] {
    const value = this.#values[key]
    if (!Array.isArray(value)) throw this.invalid(`has no list '${key}'`)
    return value
  }

  /** The parts of a list. */
  parts(key: string, place: string): Part[] {
    if (this.#depth >= DEEPEST) throw this.unsupported(`lies more than ${DEEPEST} steps deep`)
    return this.list(key).map((value) => Part.of(value, place, this.#depth + 1))
  }

  /** The part under a key. */
  part(key: string): Part {
    return Part.of(this.#values[key], key, this.#depth + 1)
  }

  invalid(what: string): PipiloError {
    return new PipiloError('FORMAT_INVALID', `The ${this.place} ${what}.`)
  }

  unsupported(what: string): PipiloError {
    return new PipiloError('FORMAT_UNSUPPORTED', `The ${this.place} ${what}.`)
  }

  /** The error for a type that is none of the known ones. */
  unknownType(): PipiloError {
    const type = this.#values['type']
    const name = typeof type === 'string' ? `'${type}' is not known` : 'has no type'
    return new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The ${this.type === '' ? this.place : this.place.slice(0, -this.type.length - 1)} ${name}.`,
    )
  }

  #typed<T>(key: string, type: 'string' | 'boolean' | 'number', usual: T | undefined, what: string): T {
    const value = this.#values[key] ?? usual
    if (typeof value !== type) throw this.invalid(`has not ${what} for '${key}'`)
    return value as T
  }
}
