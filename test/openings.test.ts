// Tests the check of how files and comments begin.
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkAllOpenings, checkOpenings } from '../scripts/openings.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const opening = '// Reads the weights of a model from their shards.\n'
const faultsOf = (text: string) =>
  checkOpenings('src/example.ts', text).map(({ line, fault }) => `${line}: ${fault}`)

describe('openings', () => {
  it('finds no fault in the files of this repository', () => {
    const { files, findings } = checkAllOpenings(project)
    expect(files).toBeGreaterThan(300)
    expect(findings).toEqual([])
  })

  it('accepts a file that opens with a sentence, also below a line for the shell', () => {
    const code = `import { readFile } from 'node:fs/promises'\n\n/** Bytes of a shard. */\nexport const size = 4\n`
    expect(faultsOf(opening + code)).toEqual([])
    expect(faultsOf(`#!/usr/bin/env node\n${opening}${code}`)).toEqual([])
  })

  it.each([
    ['no comment', 'export const a = 1\n'],
    ['a comment behind the first import', `import fs from 'node:fs'\n// Reads a file.\nvoid fs\n`],
  ])('finds a file that opens with %s', (_, text) => {
    expect(faultsOf(text)).toEqual(['1: does not open with a sentence that says what it is'])
  })

  it('finds an opening that is no sentence', () => {
    expect(faultsOf('// weights\nexport const a = 1\n')).toEqual([
      '1: opens with what is no sentence: weights',
    ])
  })

  it('finds documentation of the first declaration in place of an opening', () => {
    const one = '/** Bytes of a shard. */\nexport const size = 4\n'
    expect(faultsOf(one)).toEqual([])
    expect(faultsOf(`${one}export const count = 2\n`)).toEqual([
      '1: opens with the comment of its first declaration',
    ])
  })

  it.each([
    ['of a declaration', '/** What a batch is run with. */', 'What a batch is run with.'],
    ['of several lines', '/**\n * Whether a value has this name.\n */', 'Whether a value has this name.'],
    ['of a line', '// Where weights come to lie.', 'Where weights come to lie.'],
  ])('finds a riddle in a comment %s', (_, comment, words) => {
    expect(faultsOf(`${opening}\n${comment}\nexport const a = 1\n`)).toEqual([
      `3: a riddle before the noun: ${words}`,
    ])
  })

  it('finds a riddle that opens a file', () => {
    expect(faultsOf('// What the pieces of a model share.\n')).toEqual([
      '1: a riddle before the noun: What the pieces of a model share.',
    ])
  })

  it('finds riddles behind templates and regular expressions, and none in strings', () => {
    const tricky =
      'const a = `$' + '{[1].map((x) => `$' + '{x}`)} // What is text`\nconst b = /[/*]/.test(a)\n'
    expect(faultsOf(`${opening}${tricky}const c = '// Who is text'\n`)).toEqual([])
    expect(faultsOf(`${opening}${tricky}// Who reads this.\n`)).toEqual([
      '4: a riddle before the noun: Who reads this.',
    ])
  })

  it('leaves question words alone within a sentence', () => {
    expect(faultsOf(`${opening}\n// The stage in which a row failed, and what it was.\n`)).toEqual([])
  })
})
