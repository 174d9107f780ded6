import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parquetWriteFile } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ran } from './testing/ran.ts'

const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
const home = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'pipilo-compare-'))
const texts = [
  'a towhee sings in the brush of a garden that nobody has looked after for many years, early and late',
  'markets fell',
  'an owl hunts',
  'prices rise, and nobody knows why',
]
const labels = ['bird', 'money', 'bird', 'money']
const quoted = (text: string) => (text.includes(',') ? `"${text}"` : text)

beforeAll(async () => {
  process.chdir(folder)
  cpSync(model, 't', { recursive: true })
  mkdirSync('notes')
  const csv = ['text,label', ...texts.map((text, i) => `${quoted(text)},${labels[i]}`)]
  for (const path of ['rows.csv', 'notes/rows.csv']) writeFileSync(path, `${csv.join('\n')}\n`)
  writeFileSync('notes/numbers.csv', 'id,score\n1,2\n')
  const rows = texts.map((text, i) => JSON.stringify({ label: labels[i], text }))
  writeFileSync('rows.jsonl', `${rows.join('\n')}\n`)
  await parquetWriteFile({
    filename: 'rows.parquet',
    columnData: [
      { name: 'label', data: labels },
      { name: 'text', data: texts },
    ],
  })
})
afterAll(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

const compare = (data: string, ...more: string[]) =>
  ran('compare', ['t', '--data', data, '--tap', 'last_hidden_state; encoder.layer.0', ...more])

interface Told {
  readonly inputs: readonly { id: string; input: string; a: string[]; b: string[] }[]
}

it.each([
  'rows.csv',
  'rows.jsonl',
  'rows.parquet',
  'notes',
  '*.csv',
])('takes the texts of a table, without its header and labels: %s', async (data) => {
  const { inputs } = JSON.parse(await compare(data, '-k', '1', '--json')) as Told
  expect(inputs.map(({ input }) => input).sort()).toEqual(texts.toSorted())
  const ids = inputs.map(({ id }) => id)
  expect(ids.every((id) => /rows\.\w+:[1-5]$/.test(id))).toBe(true)
  expect(ids).toEqual(expect.arrayContaining(inputs.flatMap(({ a, b }) => [...a, ...b])))
})

it('takes the same texts of a table for duplicates, of Parquet too', async () => {
  for (const data of ['rows.csv', 'rows.parquet']) {
    const found = await ran('duplicates', [data, '--model', 't', '--threshold', '-0.99'])
    expect(found).toContain(`${data}:`)
    expect(found).toContain('4 inputs: 1 groups')
    expect(found).not.toContain('text,label')
  }
})

it('says which column a table lacks', async () => {
  await expect(compare('notes/numbers.csv')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringContaining('no column image'),
    hint: 'It has id, score.',
  })
})

it('refuses a broken row of a table that is named, and leaves it out where --on-error skip says so', async () => {
  writeFileSync('broken.jsonl', `${texts.map((text) => JSON.stringify({ text })).join('\n')}\n{ no JSON\n`)
  await expect(compare('broken.jsonl', '-k', '1')).rejects.toThrow('Line 5 of broken.jsonl')
  const words = ['broken.jsonl', '--model', 't', '--threshold', '-0.99', '--on-error', 'skip']
  expect(await ran('duplicates', words)).toContain('4 inputs: 1 groups')
})

it('shows the texts and their nearest by each, cut to the width of the terminal', async () => {
  const printed = await compare('rows.csv', '-k', '1')
  const shown = printed.split('\n\n')[1]!.trimEnd().split('\n')
  expect(shown).toHaveLength(2 + 3 * texts.length)
  for (const line of shown) expect(line.length).toBeLessThanOrEqual(80)
  expect(shown.join('\n')).toMatch(
    / % +rows\.csv:3: markets fell\n +a +rows\.csv:\d: .+\n +b +rows\.csv:\d: /,
  )
  expect(printed).toMatch(/rows\.csv:2: a towhee sings .*…/)
})

it('refuses fewer inputs than neighbours before a model is opened', async () => {
  const unopened = ['nowhere/a', 'nowhere/b', '--data', 'rows.csv']
  await expect(ran('compare', unopened)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringContaining('4 inputs have no 10 neighbours each.'),
    hint: expect.stringContaining('-k 3'),
  })
  writeFileSync('two.txt', 'an owl\na wren\n')
  await expect(ran('compare', ['nowhere/a', 'nowhere/b', '--data', 'two.txt', '-k', '1'])).rejects.toThrow(
    'takes 3 inputs or more, not 2',
  )
})
