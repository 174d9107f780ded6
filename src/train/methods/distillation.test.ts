/** Distillation: the loss at step 0 is that of the embedders' own vectors, the teacher embeds each row once, and some steps lower the loss. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, type Embedder, embedder, readDataset } from '../../embed/index.ts'
import { Builder, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import {
  distillation,
  embeddingDistillation,
  freshNetwork,
  type Network,
  type Objective,
  openedNetwork,
  similarityDistillation,
  train,
} from '../index.ts'
import { pictures } from '../testing/data.ts'

const path = (name: string) => fileURLToPath(new URL(`../../models/testdata/${name}`, import.meta.url))
const small = path('sentence-transformers')

const texts = ['birds sing', 'football', 'the bird', 'query: birds']
let folder: string
let lines: Dataset
let network: Network
let teacher: Embedder
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-distillation-'))
  lines = (await readDataset(texts.map((text) => ({ text })))) as Dataset
  network = await openedNetwork(small)
  // The same model with other vectors: means over the tokens, of length 1.
  teacher = (await embedder(small, { pool: 'mean' })) as Embedder
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await teacher.dispose()
})

async function losses(objective: Objective, data: Dataset, student: Network): Promise<readonly number[]> {
  const { history } = await train({
    network: { ...student, training: student.inference },
    objective,
    data,
    batch: 4,
    epochs: 8,
    optimizer: { kind: 'adam', lr: 3e-3 },
    threads: 1,
  })
  return history.map(({ numbers }) => numbers['loss']!)
}

/** A loss on the vectors of the student and of the teacher. */
async function lossOf(loss: (student: Value, teacher: Value) => Value): Promise<number> {
  const builder = new Builder({ name: 'loss' })
  const student = await embedder(small, { normalize: false })
  const value = async (e: Pick<Embedder, 'embed'>) => {
    const { vectors } = await e.embed(texts)
    const data = Float32Array.from(vectors.flatMap((one) => [...one]))
    return builder.constant(tensor('float32', [texts.length, vectors[0]!.length], data))
  }
  builder.output('loss', loss(await value(student as unknown as Embedder), await value(teacher)))
  await student.dispose()
  return Number((await evaluate(builder.build(), {}))['loss']!.data[0])
}

/** An embedder that counts the inputs that it is given. */
function counted(e: Embedder): { readonly e: Embedder; readonly counts: number[] } {
  const counts: number[] = []
  const embed: Embedder['embed'] = (inputs, options) => {
    counts.push(inputs.length)
    return e.embed(inputs, options)
  }
  return { e: { ...e, recipe: e.recipe, embed }, counts }
}

describe('distillation of texts', () => {
  it.each([
    ['mse', {}, (a: Value, b: Value) => embeddingDistillation(a, b)],
    [
      'cosine',
      { distanceMetric: 'cosine' },
      (a: Value, b: Value) => embeddingDistillation(a, b, { distanceMetric: 'cosine' }),
    ],
    [
      'similarity',
      { loss: 'similarity', divergence: 'kl', temperature: 0.5 },
      (a: Value, b: Value) => similarityDistillation(a, b, { divergence: 'kl', temperature: 0.5 }),
    ],
  ] as const)('begins with the loss of their vectors and lowers it: %s', async (_, options, loss) => {
    const all = await losses(await distillation({ teacher, ...options }), lines, network)
    expect(all[0]!).toBeCloseTo(await lossOf(loss), 5)
    expect(all.at(-1)!).toBeLessThan(all[0]! * 0.9)
  })

  it('embeds each row once, and leaves no file behind', async () => {
    const { e, counts } = counted(teacher)
    const before = leftovers()
    await losses(await distillation({ teacher: e }), lines, network)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(texts.length)
    expect(leftovers()).toEqual(before)
  })

  it('opens a teacher by its name, and is another run with another teacher', async () => {
    const objective = await distillation({ teacher: small })
    const out = join(folder, 'named')
    const given = { network, data: lines, batch: 4, epochs: 1, threads: 1, out }
    await train({ ...given, objective })
    const other = await distillation({ teacher })
    await expect(
      train({ ...given, epochs: 2, objective: { ...other, name: objective.name }, resume: true }),
    ).rejects.toMatchObject({ code: 'RECIPE_MISMATCH' })
  })
})

describe('distillation of pictures', () => {
  it('puts a linear layer behind a student of another width, which its folder does not have', async () => {
    const data = await pictures(8, { channels: 3 })
    const student = freshNetwork('resnet20_cifar', { config: { num_classes: 0 }, size: [16, 16], seed: 1 })
    const e = (await embedder(path('vision/vit'))) as Embedder
    expect(e.dimensions).not.toBe(64)
    const objective = await distillation({ teacher: e })
    const { counts, e: counting } = counted(e)
    const out = join(folder, 'pictures')
    const { history, weights } = await train({
      network: student,
      objective: await distillation({ teacher: counting }),
      data,
      validation: data,
      batch: 4,
      epochs: 4,
      optimizer: { kind: 'adam', lr: 1e-2 },
      augment: [{ kind: 'horizontalFlip', p: 0.5 }],
      threads: 1,
      out,
    })
    expect(objective.name).toMatch(/distillation \(.*vit, embedding\)/)
    expect(history.at(-1)!.numbers['loss']).toBeLessThan(history[0]!.numbers['loss']!)
    expect(weights.has('distillation_head.weight')).toBe(true)
    // The rows that are trained on, and those that are validated on.
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(16)
    await e.dispose()
    const opened = await embedder(out)
    expect(opened.dimensions).toBe(64)
    await opened.dispose()
  })
})

describe('distillation refuses', () => {
  it.each([
    ['a loss that is none', { loss: 'embeddings' }, /loss is 'embeddings'/],
    [
      'a column of pictures for a teacher of texts',
      { column: 'image' },
      /takes texts, and the column is image/,
    ],
  ])('%s', async (_, options, message) => {
    await expect(distillation({ teacher, ...(options as object) })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('a teacher without one vector a text, and data without its column', async () => {
    const many = (await embedder(small, { pool: 'none' })) as unknown as Embedder
    await expect(distillation({ teacher: many })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await many.dispose()
    const data = (await readDataset([{ sentence1: 'a', sentence2: 'b' }])) as Dataset
    await expect(
      train({ network, objective: await distillation({ teacher }), data, batch: 1 }),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID', message: expect.stringMatching(/no column text/) })
  })
})

const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('pipilo-rows-'))
