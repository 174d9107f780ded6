import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { ran } from './testing/ran.ts'

const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-evaluate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const written = (name: string, rows: readonly string[]) => {
  const path = join(folder, name)
  writeFileSync(path, `${rows.join('\n')}\n`)
  return path
}

const birds = ['towhee', 'owl', 'wren', 'heron', 'gull']
const money = ['loan', 'bank', 'tax', 'fund', 'price']
const labelled = (form: (word: string) => string) => [
  'text,label',
  ...birds.map((word) => `${form(word)},bird`),
  ...money.map((word) => `${form(word)},money`),
]

it('counts doubtful labels among those that were looked at, not among rows to test with', async () => {
  const task = written(
    'task.csv',
    labelled((word) => `the ${word}`),
  )
  const test = written(
    'test.csv',
    labelled((word) => `a ${word} again`),
  )
  const about = ['--model', model, '--resamples', '0', '--suspects']
  const own = await ran('evaluate', ['--task', task, '--test', test, ...about])
  expect(own).toContain('classification of 20 rows')
  expect(own).toMatch(/\n\d+ of 10 labels \(/)
  expect(await ran('evaluate', ['--task', task, ...about])).toMatch(/\n\d+ of 10 labels \(/)
})

it('writes files of MTEB under the split and the revision that are named', async () => {
  const pairs = written('dev.csv', [
    'sentence1,sentence2,score',
    ...birds.map((word, i) => `the ${word},a ${money[i]},${i}`),
  ])
  const out = join(folder, 'results')
  const about = ['--task', pairs, '--model', model, '--resamples', '0', '--mteb', out]
  const read = () => {
    const [path] = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.json$/.test(name),
    )
    return JSON.parse(readFileSync(join(out, path!), 'utf8'))
  }
  await ran('evaluate', about)
  expect(Object.keys(read().scores)).toEqual(['test'])
  await ran('evaluate', [...about, '--mteb-split', 'dev', '--mteb-revision', 'abc123'])
  expect(Object.keys(read().scores)).toEqual(['dev'])
  expect(read()).toMatchObject({ dataset_revision: 'abc123', mteb_version: null })
  await expect(ran('evaluate', ['--task', pairs, '--mteb-split', 'dev'])).rejects.toThrow(
    '--mteb-split is for files that --mteb writes',
  )
})
