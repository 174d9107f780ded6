import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, type Embedder, embedder } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import {
  anisotropy,
  evaluate,
  mtebResult,
  pearson,
  rankMe,
  readTask,
  spearman,
  suspectsPage,
} from '../index.ts'

let folder: string
let texts: Embedder
const at = (name: string) => join(folder, name)
const lines = (name: string, rows: readonly object[]) =>
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))

const birds = [
  'a towhee sings',
  'the owl hunts',
  'a gull eats fish',
  'sparrows fly',
  'the wren nests',
  'a heron waits',
]
const money = [
  'stock markets fell',
  'the bank lends',
  'prices rise',
  'a fund buys shares',
  'taxes grow',
  'the loan ends',
]
const pairs = birds.flatMap((sentence1, i) => [
  { sentence1, sentence2: birds[(i + 1) % 6]!, score: 3 + (i % 3) },
  { sentence1, sentence2: money[i]!, score: i % 2 },
])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-evaluate-'))
  texts = (await embedder(
    fileURLToPath(new URL('../../models/testdata/sentence-transformers', import.meta.url)),
  )) as Embedder
  lines('pairs.jsonl', pairs)
  lines(
    'labelled.jsonl',
    [...birds, ...money].map((text, i) => ({ text, label: i < 6 ? 'bird' : 'money' })),
  )
  mkdirSync(at('beir/qrels'), { recursive: true })
  lines(
    'beir/corpus.jsonl',
    [...birds, ...money].map((text, i) => ({ _id: `d${i}`, title: '', text })),
  )
  lines('beir/queries.jsonl', [
    { _id: 'q0', text: birds[0] },
    { _id: 'q1', text: money[3] },
    { _id: 'q2', text: 'nobody judged this' },
  ])
  writeFileSync(at('beir/qrels/test.tsv'), 'query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\td9\t2\nq1\td8\t1\n')
})
afterAll(async () => {
  await texts.dispose()
  rmSync(folder, { recursive: true, force: true })
})

describe('evaluate', () => {
  it('measures how cosines follow the scores of pairs', async () => {
    const task = await readTask(at('pairs.jsonl'))
    const events: number[] = []
    const found = await evaluate(texts, task, { resamples: 50, onProgress: ({ done }) => events.push(done) })
    const { vectors } = await texts.embed(pairs.flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2]))
    const cosines = pairs.map((_, i) => cosineSimilarity(vectors[2 * i]!, vectors[2 * i + 1]!))
    const scores = pairs.map(({ score }) => score)
    expect(found.measures['spearman']).toBeCloseTo(spearman(cosines, scores), 6)
    expect(found.measures['pearson']).toBeCloseTo(pearson(cosines, scores), 6)
    expect(found.main).toMatchObject({ measure: 'spearman', value: found.measures['spearman'] })
    expect(found.main.interval!.low).toBeLessThanOrEqual(found.main.interval!.high)
    expect(found.model).toMatchObject({ tap: texts.tap, dimensions: texts.dimensions, dtype: 'fp32' })
    expect(found.cost.bytesPerVector).toBe(4 * texts.dimensions)
    expect(found.cost.perSecond).toBeGreaterThan(0)
    expect(events.at(-1)).toBe(2 * pairs.length)
    expect(found.intervals['spearman']).toEqual(found.main.interval)
    expect(Object.keys(found.intervals)).toEqual(['spearman', 'pearson'])
    expect(found.space).toBeUndefined()
    const result = mtebResult(found, { task: 'STSBenchmark', split: 'dev', revision: 'abc123' })
    const { scores: written, ...head } = result
    // MTEB parses a text there as a version of its own, and fails.
    expect(head).toMatchObject({
      task_name: 'STSBenchmark',
      dataset_revision: 'abc123',
      mteb_version: null,
    })
    expect(Object.keys(written)).toEqual(['dev'])
    expect(written['dev']![0]).toMatchObject({
      main_score: found.main.value,
      cosine_spearman: found.main.value,
      hf_subset: 'default',
    })
  })

  it('classifies by neighbours and by a probe, and heeds rows to test with', async () => {
    const task = await readTask(at('labelled.jsonl'))
    const { measures, task: told } = await evaluate(texts, task, { neighbors: 3, resamples: 0 })
    expect(told).toMatchObject({ kind: 'classification', rows: 12 })
    expect(Object.keys(measures)).toContain('knn_macro_f1')
    const same = await readTask(at('labelled.jsonl'), { test: at('labelled.jsonl') })
    const own = await evaluate(texts, same, { neighbors: 1, resamples: 0 })
    // Each row's nearest is itself.
    expect(own.measures['knn_accuracy']).toBe(1)
    expect(own.main.interval).toBeUndefined()
    const twelve = [...birds, ...birds, ...birds, ...money, ...money, ...money].map((text, i) => ({
      text,
      label: i === 4 || i >= 18 ? 'money' : 'bird',
    }))
    lines('turned.jsonl', twelve)
    const { suspects } = await evaluate(texts, await readTask(at('turned.jsonl')), {
      suspects: true,
      resamples: 0,
    })
    const turned = suspects!.find(({ index }) => index === 4)!
    expect(turned).toMatchObject({ label: 'money', likelier: 'bird' })
    expect(turned.row).toMatch(/turned\.jsonl.*5/)
    const page = await suspectsPage(suspects!, (await readTask(at('turned.jsonl'))).data as Dataset)
    expect(page).toMatch(/the wren nests.*<td>money<\/td><td><strong>bird<\/strong><\/td>/)
    const plain = await evaluate(texts, same, { neighbors: 1, probe: false, resamples: 0 })
    expect(plain.main.measure).toBe('knn_accuracy')
  })

  it('measures the space of what it embedded, on request', async () => {
    const { space } = await evaluate(texts, await readTask(at('labelled.jsonl'), { kind: 'clustering' }), {
      space: true,
      resamples: 0,
    })
    const { vectors } = await texts.embed([...birds, ...money])
    expect(space).toMatchObject({ vectors: 12, anisotropy: expect.closeTo(anisotropy(vectors), 6) })
    expect(space!.rankMe).toBeCloseTo(await rankMe(vectors), 6)
  })

  it('names the row of a vector of zeros, and refuses too few rows for the space before it embeds', async () => {
    const task = await readTask(at('labelled.jsonl'), { kind: 'clustering' })
    const embed: Embedder['embed'] = async (inputs, options) => {
      const found = await texts.embed(inputs, options)
      found.vectors[4]!.fill(0)
      return found
    }
    const broken = new Proxy(texts, {
      get: (whole, key) => (key === 'embed' ? embed : Reflect.get(whole, key, whole)),
    })
    await expect(evaluate(broken, task, { space: true, resamples: 0 })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/labelled\.jsonl.*5 is all zeros/),
    })
    lines(
      'ten.jsonl',
      [...birds, ...money.slice(2)].map((text, i) => ({ text, label: i < 6 ? 'bird' : 'money' })),
    )
    const ten = await readTask(at('ten.jsonl'))
    let done = 0
    const onProgress = () => {
      done++
    }
    await expect(evaluate(texts, ten, { space: true, onProgress })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/gives 10 vectors; .* at least 11/),
    })
    expect(done).toBe(0)
    // Of ten rows each has nine others.
    const { suspects } = await evaluate(texts, ten, { suspects: true, resamples: 0 })
    expect(suspects).toBeInstanceOf(Array)
  })

  it('counts only classes that occur, however large their numbers', async () => {
    const rows = [...birds, ...money, ...birds].map((text, i) => ({ text, small: i < 6 || i > 11 ? 0 : 1 }))
    lines(
      'small.jsonl',
      rows.map(({ text, small }) => ({ text, label: small })),
    )
    lines(
      'large.jsonl',
      rows.map(({ text, small }) => ({ text, label: small === 0 ? 7 : 1_000_000 })),
    )
    for (const kind of ['classification', 'clustering'] as const) {
      const options = { resamples: 20, suspects: true }
      const [small, large] = [
        await evaluate(texts, await readTask(at('small.jsonl'), { kind }), options),
        await evaluate(texts, await readTask(at('large.jsonl'), { kind }), options),
      ]
      expect(large.measures).toEqual(small.measures)
      expect(large.intervals).toEqual(small.intervals)
      expect(large.confusion!.counts).toEqual(small.confusion!.counts)
      expect(large.confusion!.classes).toEqual(['7', '1000000'])
    }
  })

  it('clusters, and tells classes by few shots', async () => {
    const clusters = await evaluate(texts, await readTask(at('labelled.jsonl'), { kind: 'clustering' }), {
      resamples: 20,
    })
    expect(clusters.main.measure).toBe('v_measure')
    expect(clusters.measures['ari']).toBeLessThanOrEqual(1)
    const few = await evaluate(texts, await readTask(at('labelled.jsonl'), { kind: 'few-shot' }), {
      shots: 2,
    })
    expect(few.measures['classes']).toBe(2)
    expect(few.main.value).toBeGreaterThan(0)
    expect(few.intervals['accuracy']).toEqual(few.main.interval)
    const bare = await evaluate(texts, await readTask(at('labelled.jsonl'), { kind: 'few-shot' }), {
      shots: 2,
      resamples: 0,
    })
    expect(bare.main).toEqual({ measure: 'accuracy', value: few.main.value })
    expect(bare.intervals).toEqual({})
  })

  it('finds documents, of queries that somebody judged', async () => {
    const task = await readTask(at('beir'))
    expect(task.kind).toBe('retrieval')
    const { main, measures, task: told } = await evaluate(texts, task, { at: [1, 10] })
    // Each query's text is a document of its own.
    expect(measures['mrr']).toBe(1)
    expect(measures['recall@1']).toBe(0.75)
    expect(main.measure).toBe('ndcg@10')
    expect(told.rows).toBe(14)
  })

  it('leaves out a document of the query’s id unless it is judged, and orders ties by id', async () => {
    const beir = async (name: string, corpus: readonly string[], judged: readonly string[]) => {
      mkdirSync(at(`${name}/qrels`), { recursive: true })
      lines(
        `${name}/corpus.jsonl`,
        corpus.map((_id) => ({ _id, title: '', text: birds[0] })),
      )
      lines(`${name}/queries.jsonl`, [{ _id: '2', text: birds[0] }])
      const grades = judged.map((id, i) => `2\t${id}\t${i === 0 ? 1 : 0}\n`)
      writeFileSync(at(`${name}/qrels/test.tsv`), `query-id\tcorpus-id\tscore\n${grades.join('')}`)
      const { measures } = await evaluate(texts, await readTask(at(name)), { at: [1, 3], resamples: 0 })
      return measures['mrr']
    }
    // Of equal texts the order is 3, 2, 10, 1, however they lie in the file.
    expect(await beir('judged', ['1', '2', '3', '10'], ['2'])).toBe(1 / 2)
    expect(await beir('turned', ['10', '3', '2', '1'], ['2'])).toBe(1 / 2)
    expect(await beir('own', ['1', '2', '3', '10'], ['10'])).toBe(1 / 2)
    expect(await beir('grade0', ['1', '2', '3', '10'], ['10', '2'])).toBe(1 / 3)
  })

  it('leaves out pictures that cannot be read, counts them, and fails when none can', async () => {
    for (let i = 0; i < 12; i++) {
      const place = at(`photos/${i % 2 === 0 ? 'red' : 'blue'}`)
      mkdirSync(place, { recursive: true })
      const background = i % 2 === 0 ? { r: 200 + i, g: 20, b: 10 } : { r: 10, g: 20, b: 200 + i }
      const drawn = sharp({ create: { width: 32, height: 32, channels: 3, background } }).png()
      writeFileSync(join(place, `${i}.png`), i === 5 ? 'no picture' : await drawn.toBuffer())
    }
    const pictures = (await embedder(
      fileURLToPath(new URL('../../models/testdata/vision/resnet50', import.meta.url)),
    )) as Embedder
    const found = await evaluate(pictures, await readTask(at('photos')), { neighbors: 1, resamples: 0 })
    expect([found.skipped, found.task.rows]).toEqual([1, 11])
    mkdirSync(at('none/a'), { recursive: true })
    mkdirSync(at('none/b'), { recursive: true })
    for (const name of ['none/a/1.png', 'none/b/1.png']) writeFileSync(at(name), 'no picture')
    await expect(evaluate(pictures, await readTask(at('none')))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
    })
    await pictures.dispose()
  })

  it.each([
    ['columns that say nothing', 'nothing.jsonl', [{ text: 'a' }], /nothing to measure/],
    [
      'one class',
      'one.jsonl',
      birds.map((text) => ({ text, label: 'bird' })),
      /All rows of .*one.jsonl are of one class/,
    ],
    [
      'fewer rows than neighbours',
      'few.jsonl',
      [...birds.slice(0, 2), ...money.slice(0, 2)].map((text, i) => ({ text, label: i < 2 ? 'a' : 'b' })),
      /neighbours|none would be/,
    ],
    [
      'classes of one row',
      'single.jsonl',
      birds.slice(0, 3).map((text) => ({ text, label: text })),
      /Of 3 rows in 3 classes .* needs two rows/,
    ],
    [
      'sentences that are all the same',
      'alike.jsonl',
      pairs.map(({ score }) => ({ sentence1: birds[0], sentence2: birds[0], score })),
      /All cosine similarities of the sentences of .*alike.jsonl are/,
    ],
    [
      'scores that are all the same',
      'same.jsonl',
      pairs.map((pair) => ({ ...pair, score: 2 })),
      /All scores of .*same.jsonl are 2/,
    ],
  ])('refuses %s', async (_, name, rows, message) => {
    lines(name, rows)
    const run = async () => evaluate(texts, await readTask(at(name)), {})
    await expect(run()).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('refuses pictures for a model of texts, and zero shots without two towers', async () => {
    lines('pictures.jsonl', [
      { image: 'a.png', label: 'x' },
      { image: 'b.png', label: 'y' },
    ])
    const task = await readTask(at('pictures.jsonl'))
    await expect(evaluate(texts, task)).rejects.toThrow(/takes texts/)
    const zero = await readTask(at('pictures.jsonl'), { kind: 'zero-shot' })
    await expect(evaluate(texts, zero)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const stopped = AbortSignal.abort()
    await expect(evaluate(texts, task, { signal: stopped })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
