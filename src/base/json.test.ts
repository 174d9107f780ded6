import { expect, it } from 'vitest'
import { isTooDeep, parseJson } from './json.ts'
import { plainCopy } from './plainCopy.ts'

const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)

it('JSON is read as JSON.parse reads it', () => {
  for (const text of ['1', 'null', '"a"', '[]', '{"a":[{"b":1}]}'])
    expect(parseJson(text)).toEqual(JSON.parse(text))
  expect(parseJson(nested(150))).toEqual(JSON.parse(nested(150)))
})

it('JSON that nests thousands of levels is refused, however deep', () => {
  for (const depth of [300, 8000, 100_000]) {
    expect(() => parseJson(nested(depth))).toThrow(/nests more than/)
    expect(() => parseJson(nested(depth, '{"a":', '}').replace(':}', ':1}'))).toThrow(/nests more than/)
  }
})

it('Options that nest as deep, or hold themselves, are refused', () => {
  const circle: Record<string, unknown> = {}
  circle['again'] = circle
  expect(isTooDeep(circle)).toBe(true)
  expect(() => plainCopy(circle)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  expect(() => plainCopy(JSON.parse(nested(5000)))).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})
