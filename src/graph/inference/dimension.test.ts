import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add,
  divideCeil,
  divideExact,
  divideFloor,
  elements,
  extreme,
  multiply,
  subtract,
  symbol,
} from './dimension.ts'

describe('arithmetic on dimensions', () => {
  it('keeps numbers and brings expressions into one form', () => {
    expect(add(2, 3)).toBe(5)
    expect(add('b', 'a')).toBe('a+b')
    expect(subtract(add('sequence', 1), 'sequence')).toBe(1)
    expect(multiply('batch', 8)).toBe('8*batch')
    expect(multiply(add('a', 1), subtract('a', 1))).toBe('a*a-1')
    expect(multiply('past + 1', 2)).toBe('2*past+2')
    expect(elements(['batch', 12, 'sequence', 0])).toBe(0)
    expect(add('', 1)).toBe('')
  })

  it('divides where it can', () => {
    expect(divideExact('768*batch*sequence', '64*batch')).toBe('12*sequence')
    expect(divideExact('2*a+2*b', 'a+b')).toBe(2)
    expect(divideExact('a', 2)).toBe('')
    expect(divideFloor('4*h+6', 4)).toBe('h+1')
    expect(divideFloor('h+3', 2)).toBe(add(divideFloor('h+1', 2), 1))
    expect(divideFloor('h', 2)).toBe('floor(h/2)')
    expect(divideCeil('h', 2)).toBe('floor((h+1)/2)')
    expect(divideFloor(multiply(2, divideFloor('h', 2)), 2)).toBe('floor(h/2)')
    expect(divideFloor(divideFloor(add('h', 1), 4), 2)).toBe('floor((h+1)/8)')
    // Five convolutions of stride 2, as in ResNet.
    expect([2, 2, 2, 2, 2].reduce((size, stride) => divideCeil(size, stride), 'h' as string | number)).toBe(
      'floor((h+31)/32)',
    )
    expect(divideFloor(divideFloor('a', 'b'), 2)).toBe('floor(floor(a/b)/2)')
  })

  it('compares what it can', () => {
    expect(extreme('max', 'a', 'a+1')).toBe('a+1')
    expect(extreme('min', 'b', 'a')).toBe('min(a,b)')
  })

  it('takes any text as a symbol, and makes symbols of names', () => {
    expect(add('what is this?', 0)).toBe('what is this?')
    expect(symbol('/model/Gather_output_0')).toBe('model_Gather_output_0')
  })

  it('agrees with numbers put in', () => {
    const value = fc.integer({ min: 1, max: 9 })
    const operation = fc.constantFrom('+', '-', '*', '/', '^')
    fc.assert(
      fc.property(
        value,
        value,
        fc.array(fc.tuple(operation, value, fc.boolean()), { maxLength: 6 }),
        (a, b, steps) => {
          let known = a
          let dimension: string | number = 'a'
          for (const [kind, n, symbolic] of steps) {
            const operand = symbolic ? b : n
            const right = symbolic ? 'b' : n
            if (kind === '+') [known, dimension] = [known + operand, add(dimension, right)]
            else if (kind === '-') [known, dimension] = [known - operand, subtract(dimension, right)]
            else if (kind === '*') [known, dimension] = [known * operand, multiply(dimension, right)]
            else if (kind === '/')
              [known, dimension] = [Math.floor(known / operand), divideFloor(dimension, right)]
            else [known, dimension] = [Math.max(known, operand), extreme('max', dimension, right)]
          }
          const text = String(dimension).replace(/(floor|max|min)\(/g, 'Math.$1(')
          expect(new Function('a', 'b', `return ${text}`)(a, b)).toBe(known)
          // Reading what was printed changes nothing.
          expect(add(dimension, 0)).toBe(dimension)
        },
      ),
    )
  })
})
