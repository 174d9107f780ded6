/** Gradient of sums of products in Einstein's notation. */
import { type Dimension, op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { expandLike, unbroadcast } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'

/** Rules by operator. */
export const einsumRules = {
  Einsum: (call) => {
    const operands = call.inputs.map((_, index) => call.input(index))
    const { terms, output } = parse(call, operands)
    return operands.map((_, index) =>
      call.wants(index) ? byOperand(call, operands, terms, output, index) : undefined,
    )
  },
} as const satisfies Record<string, GradientRule>

/** The letters of each operand and of the result, with letters for the axes of an ellipsis too. */
function parse(
  call: BackwardCall,
  operands: readonly Value[],
): { readonly terms: readonly string[]; readonly output: string } {
  const equation = (call.string('equation') ?? '').replace(/\s/g, '')
  const [left = '', right] = equation.split('->')
  const given = left.split(',')
  const extra = given.map((term, i) => operands[i]!.shape.length - term.replace('...', '').length)
  const most = Math.max(0, ...given.map((term, i) => (term.includes('...') ? extra[i]! : 0)))
  const free = freeLetters(equation)
  if (free.length < most) throw call.unsupported('has a gradient for fewer axes only')
  // The axes of an ellipsis are counted from its end.
  const ellipsis = free.slice(0, most)
  const spelled = (term: string, count: number) =>
    term.replace('...', count > 0 ? ellipsis.slice(-count) : '')
  const terms = given.map((term, i) => spelled(term, extra[i]!))
  return { terms, output: spelled(right ?? implied(left), most) }
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

function freeLetters(used: string): string {
  return [...LETTERS].filter((letter) => !used.includes(letter)).join('')
}

/** Without an arrow: the letters that occur once, in alphabetical order, behind the ellipsis. */
function implied(left: string): string {
  const letters = [...left].filter((letter) => LETTERS.includes(letter))
  const once = letters.filter((letter) => left.indexOf(letter) === left.lastIndexOf(letter))
  return (left.includes('...') ? '...' : '') + once.sort().join('')
}

function byOperand(
  call: BackwardCall,
  operands: readonly Value[],
  terms: readonly string[],
  output: string,
  index: number,
): Value {
  const operand = operands[index]!
  const others = operands.filter((_, i) => i !== index)
  const otherTerms = terms.filter((_, i) => i !== index)
  const { term, deltas } = withoutRepetition(call, operand, terms[index]!, [...terms, output].join(''))
  const factors = [call.gradient, ...others, ...deltas.map(({ value }) => value)]
  const factorTerms = [output, ...otherTerms, ...deltas.map((delta) => delta.term)]
  const there = factorTerms.join('')
  const found = [...term].filter((letter) => there.includes(letter)).join('')
  const sum = op.einsum(`${factorTerms.join(',')}->${found}`, ...factors)
  const missing = [...term].flatMap((letter, axis) => (there.includes(letter) ? [] : [axis]))
  const whole = missing.length === 0 ? sum : op.unsqueeze(sum, missing)
  const isClear = whole.shape.every((size, axis) => isAtLeast(size, operand.shape[axis]!))
  return unbroadcast(isClear ? whole : expandLike(whole, operand), operand)
}

/** True if a gradient's size surely is that of its operand, or one that this was broadcast to. */
function isAtLeast(size: Dimension, own: Dimension): boolean {
  return own === 1 || (own === size && own !== '')
}

/** A letter that one operand has twice takes its diagonal: the second becomes a letter of its own, bound by an identity matrix. */
function withoutRepetition(
  call: BackwardCall,
  operand: Value,
  term: string,
  used: string,
): { readonly term: string; readonly deltas: readonly { readonly term: string; readonly value: Value }[] } {
  const free = [...freeLetters(used)]
  const deltas: { term: string; value: Value }[] = []
  const letters = [...term].map((letter, axis) => {
    if (term.indexOf(letter) === axis) return letter
    const other = free.shift()
    const size = operand.shape[axis]
    if (!other || typeof size !== 'number')
      throw call.unsupported(
        `has a gradient by a diagonal of known size only; ${operand.name} repeats ${letter}`,
      )
    deltas.push({ term: letter + other, value: identity(operand, size) })
    return other
  })
  return { term: letters.join(''), deltas }
}

function identity({ builder, dtype }: Value, size: number): Value {
  const elements = Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0))
  return builder.constant(tensor(dtype, [size, size], elements))
}
