import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, type Graph, op, type Value } from '../graph/index.ts'
import { sentenceTransformers } from '../models/testing/fixtures.ts'
import { tensor } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import { openRecipe } from './openRecipe.ts'
import type { EmbedderOptions } from './types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-foreign-texts-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

const WIDTH = 4
const WORDS = 68
const texts = ['a towhee sings', 'owl', 'the towhee and the owl sing in the brush']
/** A word's row of the table. */
const row = (id: number): number[] => Array.from({ length: WIDTH }, (_, i) => Math.sin(1 + id * (i + 1)))
const table = (b: Builder): Value =>
  b.initializer(
    'E',
    tensor('float32', [WORDS, WIDTH], Array.from({ length: WORDS }, (_, id) => row(id)).flat()),
  )

let folders = 0
/** A folder with a tokenizer and the files of these names: graphs, or what becomes JSON. */
async function model(files: Readonly<Record<string, Graph | object>>): Promise<string> {
  const path = join(folder, `${folders++}`)
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, name)
    await mkdir(dirname(file), { recursive: true })
    if ('nodes' in content) await writeOnnx(content as Graph, file)
    else await writeFile(file, JSON.stringify(content))
  }
  await copyFile(join(sentenceTransformers, 'tokenizer.json'), join(path, 'tokenizer.json'))
  return path
}

/** Vectors of the texts, all at once and each alone, which have to be the same. */
async function embed(path: string, options: EmbedderOptions = {}): Promise<number[][]> {
  const e = await embedder(path, { runtime: { workers: 0 }, ...options })
  try {
    const { vectors, dimensions } = await e.embed(texts)
    expect(dimensions).toBe(vectors[0]!.length)
    for (const [i, text] of texts.entries()) {
      const alone = (await e.embed([text])).vectors[0]!
      for (const [j, value] of alone.entries()) expect(value).toBeCloseTo(vectors[i]![j]!, 5)
    }
    return vectors.map((vector) => [...vector])
  } finally {
    await e.dispose()
  }
}

/** Token ids of the texts. */
async function ids(): Promise<number[][]> {
  const { loadTokenizer } = await import('./onDemand.ts')
  const tokenizer = await loadTokenizer(join(sentenceTransformers, 'tokenizer.json'))
  return texts.map((text) => tokenizer.encode(text, 512).ids)
}
const mean = (rows: readonly number[][]): number[] =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)

function expectRows(got: readonly number[][], wanted: readonly number[][], digits = 5): void {
  expect(got).toHaveLength(wanted.length)
  for (const [i, vector] of got.entries()) {
    expect(vector).toHaveLength(wanted[i]!.length)
    for (const [j, value] of vector.entries()) expect(value).toBeCloseTo(wanted[i]![j]!, digits)
  }
}

describe('further inputs (o-task-id, o-task-id-1d)', () => {
  /** Adds ten times the task to every number. */
  const graph = (shape: readonly (number | string)[]) => {
    const b = new Builder()
    const x = op.gather(table(b), b.input('input_ids', 'int64', ['b', 's']))
    const task = op.cast(b.input('task_id', 'int64', shape), 'float32')
    b.output('last_hidden_state', op.add(x, op.mul(shape.length === 2 ? op.unsqueeze(task, [2]) : task, 10)))
    return b.build()
  }

  it.each([
    ['a number', []],
    ['one number', [1]],
    ['numbers of unknown count', ['n']],
    ['a number a token', ['b', 's']],
    ['a number a row', ['b', 1]],
  ])('that are %s are what the option says', async (_, shape) => {
    const path = await model({ 'model.onnx': graph(shape) })
    const wanted = (await ids()).map((text) => mean(text.map(row)).map((value) => value + 40))
    for (const task_id of [4, 4n, '4']) expectRows(await embed(path, { inputs: { task_id } }), wanted)
  })

  it('are in the recipe, which opens the same', async () => {
    const path = await model({ 'model.onnx': graph([]) })
    const e = await embedder(path, { inputs: { task_id: 4n }, runtime: { workers: 0 } })
    expect(e.recipe.inputs).toEqual({ task_id: '4' })
    const again = await openRecipe(JSON.parse(JSON.stringify(e.recipe)), { runtime: { workers: 0 } })
    expect((await again.embed(texts)).data).toEqual((await e.embed(texts)).data)
    await e.dispose()
    await again.dispose()
  })

  it('are errors that name them without a value, with a wrong one, and where they are not there', async () => {
    const path = await model({ 'model.onnx': graph([]) })
    await expect(embed(path)).rejects.toMatchObject({ code: 'INPUT_UNKNOWN', input: 'task_id' })
    const given = (inputs: object) => embed(path, { inputs } as EmbedderOptions)
    await expect(given({ task_id: 0.5 })).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'task_id' })
    await expect(given({ task_id: 2n ** 63n })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(given({ task_id: 4, taks: 1 })).rejects.toMatchObject({
      code: 'INPUT_UNKNOWN',
      input: 'taks',
    })
    await expect(given({ task_id: 4, input_ids: 1 })).rejects.toMatchObject({ input: 'input_ids' })
    for (const wrong of [Number.NaN, 'four', '', true, [4], null])
      await expect(given({ task_id: wrong })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        input: 'task_id',
      })
  })
})
