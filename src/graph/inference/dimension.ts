/**
 * Arithmetic on dimensions: numbers stay numbers, symbols become expressions in one normal form
 * (`2*batch*sequence+1`, `floor((height+1)/2)`), so that equal sizes are equal strings.
 */
import type { Dimension } from '../types.ts'

/** A sum of products: from the product's atoms (sorted, joined by `*`; `''` is the constant) to its coefficient. */
type Polynomial = Map<string, number>

/** Longest expression and most terms: what grows beyond is an unknown size, as each step could double it. */
const LONGEST = 1000
const MOST_TERMS = 64

const parsed = new Map<string, Polynomial>()

function polynomial(dimension: Dimension): Polynomial {
  if (typeof dimension === 'number') return constant(dimension)
  let result = parsed.get(dimension)
  if (!result) {
    // A foreign file's symbol may be any text: what is no expression is one atom.
    const isShort = dimension.length <= LONGEST
    result = (isShort ? new Parser(dimension).parse() : undefined) ?? new Map([[dimension, 1]])
    if (parsed.size > 10_000) parsed.clear()
    parsed.set(dimension, result)
  }
  return result
}

function constant(value: number): Polynomial {
  return new Map(value === 0 ? [] : [['', value]])
}

function print(terms: Polynomial): Dimension {
  if (terms.size === 0) return 0
  if (terms.size > MOST_TERMS || [...terms.values()].some((one) => !Number.isSafeInteger(one))) return ''
  if (terms.size === 1 && terms.has('')) return terms.get('')!
  const order = [...terms.keys()].sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
  let text = ''
  for (const atoms of order) {
    const coefficient = terms.get(atoms)!
    const size = Math.abs(coefficient)
    text += coefficient < 0 ? '-' : text ? '+' : ''
    text += atoms === '' ? `${size}` : size === 1 ? atoms : `${size}*${atoms}`
  }
  return bounded(text)
}

const bounded = (text: string): Dimension => (text.length <= LONGEST ? text : '')

function sum(a: Polynomial, b: Polynomial, sign = 1): Polynomial {
  const result = new Map(a)
  for (const [atoms, coefficient] of b) {
    const total = (result.get(atoms) ?? 0) + sign * coefficient
    if (total === 0) result.delete(atoms)
    else result.set(atoms, total)
  }
  return result
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  let result: Polynomial = new Map()
  for (const [left, x] of a) {
    for (const [right, y] of b) {
      const atoms = [...splitAtoms(left), ...splitAtoms(right)].sort().join('*')
      result = sum(result, new Map([[atoms, x * y]]))
    }
  }
  return result
}

/** Splits at `*` outside parentheses. */
function splitAtoms(atoms: string): string[] {
  if (atoms === '') return []
  const result: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < atoms.length; i++) {
    if (atoms[i] === '(') depth++
    else if (atoms[i] === ')') depth--
    else if (atoms[i] === '*' && depth === 0) {
      result.push(atoms.slice(start, i))
      start = i + 1
    }
  }
  result.push(atoms.slice(start))
  return result
}

/** `a / b` where every term divides exactly, else undefined. */
function exactQuotient(a: Polynomial, b: Polynomial): Polynomial | undefined {
  if (b.size !== 1) {
    const [first] = a
    const [lead] = b
    if (!first || !lead || a.size !== b.size) return undefined
    // A multiple of the whole divisor: (2*a+2*b) / (a+b).
    const factor = exactQuotient(new Map([first]), new Map([lead]))
    return factor && print(product(factor, b)) === print(a) ? factor : undefined
  }
  const [[atoms, divisor]] = [...b] as [[string, number]]
  const result: Polynomial = new Map()
  for (const [left, coefficient] of a) {
    if (coefficient % divisor !== 0) return undefined
    const rest = splitAtoms(left)
    for (const atom of splitAtoms(atoms)) {
      const at = rest.indexOf(atom)
      if (at < 0) return undefined
      rest.splice(at, 1)
    }
    result.set(rest.join('*'), coefficient / divisor)
  }
  return result
}

const unknown = (a: Dimension, b: Dimension) => a === '' || b === ''

/** `a + b`; `''` when either is unknown. */
export function add(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  return unknown(a, b) ? '' : print(sum(polynomial(a), polynomial(b)))
}

/** `a - b` */
export function subtract(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return unknown(a, b) ? '' : print(sum(polynomial(a), polynomial(b), -1))
}

/** `a · b` */
export function multiply(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  if (a === 0 || b === 0) return 0
  if (unknown(a, b) || notInteger(a) || notInteger(b)) return ''
  const [left, right] = [polynomial(a), polynomial(b)]
  return left.size * right.size > MOST_TERMS ** 2 ? '' : print(product(left, right))
}

/** `⌊a / b⌋`; what does not divide stays as `floor(a/b)`. */
export function divideFloor(a: Dimension, b: Dimension): Dimension {
  if (b === 0) return ''
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b)
  if (unknown(a, b) || notInteger(a) || notInteger(b)) return ''
  const dividend = polynomial(a)
  const exact = exactQuotient(dividend, polynomial(b))
  if (exact) return print(exact)
  if (typeof b !== 'number') return bounded(`floor(${group(a)}/${group(b)})`)
  // ⌊(q·b + r) / b⌋ = q + ⌊r / b⌋
  const whole: Polynomial = new Map()
  const rest: Polynomial = new Map()
  for (const [atoms, coefficient] of dividend) {
    const quotient = Math.floor(coefficient / b)
    if (quotient !== 0) whole.set(atoms, quotient)
    if (coefficient - quotient * b !== 0) rest.set(atoms, coefficient - quotient * b)
  }
  const joined = joinedFloor(rest, b)
  if (joined !== undefined) return add(print(whole), joined)
  const remainder = print(rest)
  const left: Polynomial =
    typeof remainder === 'number'
      ? constant(Math.floor(remainder / b))
      : new Map([[`floor(${group(remainder)}/${b})`, 1]])
  return print(sum(whole, left))
}

/** ⌊(⌊x / m⌋ + c) / b⌋ = ⌊(x + m·c) / (m·b)⌋: the sizes behind several strides stay short. */
function joinedFloor(dividend: Polynomial, b: number): Dimension | undefined {
  const [atoms, ...others] = [...dividend.keys()].filter((key) => key !== '')
  if (atoms === undefined || others.length > 0 || dividend.get(atoms) !== 1 || !closes(atoms))
    return undefined
  const [, inner, divisor] = /^floor\((.+)\/(\d+)\)$/.exec(atoms) ?? []
  if (inner === undefined) return undefined
  const m = Number(divisor)
  return divideFloor(add(inner, m * (dividend.get('') ?? 0)), m * b)
}

/** `⌈a / b⌉` */
export function divideCeil(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return b === 0 ? '' : Math.ceil(a / b)
  return divideFloor(add(a, subtract(b, 1)), b)
}

/** `a / b` where it must divide (a size that `Reshape` infers); `''` when that is not known. */
export function divideExact(a: Dimension, b: Dimension): Dimension {
  if (unknown(a, b) || b === 0) return ''
  const exact = exactQuotient(polynomial(a), polynomial(b))
  return exact ? print(exact) : ''
}

/** The larger (or smaller) of both, as far as known. */
export function extreme(kind: 'max' | 'min', a: Dimension, b: Dimension): Dimension {
  if (a === b) return a
  if (unknown(a, b)) return ''
  const difference = subtract(a, b)
  if (typeof difference === 'number') return difference > 0 === (kind === 'max') ? a : b
  return bounded(`${kind}(${[a, b].map(String).sort().join(',')})`)
}

/** The product of a shape's dimensions: its number of elements. */
export function elements(shape: readonly Dimension[]): Dimension {
  return shape.reduce((total, dimension) => multiply(total, dimension), 1 as Dimension)
}

/** A text that reads as one symbol inside an expression. */
export function symbol(text: string): string {
  const cleaned = text.replace(/[^\w.]+/g, '_').replace(/^_+|(?<!_)_+$/g, '')
  return /^[A-Za-z_]/.test(cleaned) ? cleaned : `_${cleaned}`
}

const notInteger = (value: Dimension) => typeof value === 'number' && !Number.isInteger(value)
const group = (dimension: Dimension) =>
  /^[\w.]*$/.test(`${dimension}`) || closes(`${dimension}`) ? `${dimension}` : `(${dimension})`

/** Recursive descent over `+ - * ( )`, integers, symbols, `floor(a/b)`, `max(a,b)` and `min(a,b)`. */
class Parser {
  readonly #tokens: string[]
  #at = 0

  constructor(text: string) {
    this.#tokens = text.match(/[A-Za-z_][\w.]*|\d+|\S/gu) ?? []
  }

  parse(): Polynomial | undefined {
    const result = this.#sum()
    return this.#at === this.#tokens.length ? result : undefined
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false
    this.#at++
    return true
  }

  #sum(): Polynomial | undefined {
    let result: Polynomial = new Map()
    let sign = this.#take('-') ? -1 : 1
    for (;;) {
      const term = this.#product()
      if (!term) return undefined
      result = sum(result, term, sign)
      if (this.#take('+')) sign = 1
      else if (this.#take('-')) sign = -1
      else return result
    }
  }

  #product(): Polynomial | undefined {
    let result = this.#factor()
    while (result && this.#take('*')) {
      const factor = this.#factor()
      result = factor && product(result, factor)
    }
    return result
  }

  #factor(): Polynomial | undefined {
    const token = this.#tokens[this.#at++]
    if (token === undefined) return undefined
    if (/^\d/.test(token)) return constant(Number(token))
    if (token === '(') {
      const inner = this.#sum()
      return this.#take(')') ? inner : undefined
    }
    if (!/^[A-Za-z_]/.test(token)) return undefined
    if (!this.#take('(')) return new Map([[token, 1]])
    const left = this.#sum()
    const separator = token === 'floor' ? '/' : token === 'max' || token === 'min' ? ',' : undefined
    if (!left || !separator || !this.#take(separator)) return undefined
    const right = this.#sum()
    if (!right || !this.#take(')')) return undefined
    if (token === 'floor') return polynomialOf(divideFloor(print(left), print(right)))
    return polynomialOf(extreme(token as 'max' | 'min', print(left), print(right)))
  }
}

/** Of a dimension made by this file: a lone call is an atom, and must not be parsed again. */
function polynomialOf(dimension: Dimension): Polynomial {
  if (typeof dimension === 'number') return constant(dimension)
  if (/^(floor|max|min)\(/.test(dimension) && closes(dimension)) return new Map([[dimension, 1]])
  return polynomial(dimension)
}

/** True for one call or bracket alone: what opens first closes at the end. */
function closes(text: string): boolean {
  if (!/^[A-Za-z_]*\(/.test(text)) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    else if (text[i] === ')' && --depth === 0) return i === text.length - 1
  }
  return false
}
