import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { moduleBytes, moduleLiteral } from './literal.ts'

/** What a minifier makes of a bundle around one module. */
const bundle = (literal: string) =>
  `!function(e){"object"==typeof exports&&"undefined"!=typeof module?module.exports=e():self.m=e()}(function(){return ` +
  `function e(a,n){var r=n[0]={exports:{}};return r.exports}({1:[function(e,a,n){a.exports=${literal}},{}]},{},[1])(1)});`

describe('moduleLiteral', () => {
  it('reads what minifiers write', () => {
    const source = String.raw`{a:!0,b:!1,c:[.5,-1e-3,+2,0x1F,],'d e':void 0,$f:null,1:"\u0041\x42\n\"",g:{}}`
    const value = {
      a: true,
      b: false,
      c: [0.5, -0.001, 2, 31],
      'd e': undefined,
      $f: null,
      1: 'AB\n"',
      g: {},
    }
    expect(moduleLiteral(bundle(source), 'm.js')).toEqual(value)
    expect(moduleLiteral('export default [/* the model */ 1, // one\n 2]', 'm.js')).toEqual([1, 2])
  })

  it('reads all that JSON can say', () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())), (value) => {
        const text = JSON.stringify(value)
        expect(moduleLiteral(bundle(text), 'm.js')).toEqual(JSON.parse(text))
      }),
    )
  })

  it.each([
    ['{a:process.exit(1)}', /other than a literal, at character \d+/],
    ['{get a(){return 1}}', /lacks a ":"/],
    ['{[a]:1}', /lacks a key/],
    ['[1 2]', /lacks a ","/],
    ['["ab', /does not end/],
    ['[`a`]', /other than a literal/],
    ['{a:1', /lacks a ","/],
    ['['.repeat(10_000), /nests deeper than 200/],
  ])('executes and accepts nothing but literals: %.20s', (literal, message) => {
    expect(() => moduleLiteral(`module.exports=${literal}`, 'm.js')).toThrow(message)
  })

  it('makes own properties only', () => {
    const value = moduleLiteral('module.exports={__proto__:{polluted:!0}}', 'm.js') as Record<string, unknown>
    expect(value['polluted']).toBeUndefined()
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
  })

  it('says so where there is no literal', () => {
    expect(() => moduleLiteral('console.log({})', 'm.js')).toThrow(/m\.js is no JavaScript module/)
  })
})

describe('moduleBytes', () => {
  it('decodes a base64 string', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const source = Buffer.from(bundle(JSON.stringify(Buffer.from(bytes).toString('base64'))))
        expect(new Uint8Array(moduleBytes(source, 'm.js'))).toEqual(bytes)
      }),
    )
  })

  it.each(['"AAAA', '"AAA"', '"AA!A"', '"AAA=AAAA"', '{}', 'f()'])('refuses %s', (literal) => {
    expect(() => moduleBytes(Buffer.from(`module.exports=${literal}`), 'm.js')).toThrow(/base64/)
  })
})
