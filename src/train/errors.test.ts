/** Errors of the trainer: each says what is wrong with which input, and leaves nothing half-written. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, type ReadDatasetOptions, readDataset } from '../embed/index.ts'
import { op, parametersOf } from '../graph/index.ts'
import { tensor } from '../tensor/index.ts'
import {
  classification,
  freshNetwork,
  type Network,
  type Objective,
  openedNetwork,
  rankedPairs,
  reconstruction,
  simClr,
  subset,
  supervisedContrast,
  type TrainOptions,
  train,
  trainingRecipe,
  triplets,
} from './index.ts'
import { picture, pictures } from './testing/data.ts'

let folder: string
let data: Dataset
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-train-errors-'))
  data = await pictures(24)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lenet = (more: Parameters<typeof freshNetwork>[1] = {}) =>
  freshNetwork('lenet', { config: { num_classes: 3, act: 'relu', pool: 'max' }, size: [16, 16], ...more })

const options = (): TrainOptions => ({
  network: lenet(),
  objective: classification(),
  data,
  batch: 6,
  epochs: 1,
  optimizer: { kind: 'sgd', lr: 0.1 },
  threads: 1,
})

const rows = (given: string | readonly object[], more: ReadDatasetOptions = {}): Promise<Dataset> =>
  readDataset(given, more)

/** Options in place of the usual ones; `undefined` leaves one out. */
type Given = { readonly [Name in keyof TrainOptions]?: TrainOptions[Name] | undefined }

type Wrong = readonly [
  what: string,
  options: Given | (() => Given | Promise<Given>),
  code: string,
  input: unknown,
  message: RegExp,
]

/** The error of a run, after which there is no folder. */
async function refused(more: Wrong[1]) {
  const out = join(folder, 'run')
  const run = async () => {
    const given = typeof more === 'function' ? await more() : more
    const all = Object.entries({ ...options(), out, ...given }).filter(([, value]) => value !== undefined)
    return train(Object.fromEntries(all) as unknown as TrainOptions)
  }
  const error = await run().catch((reason: unknown) => reason)
  expect(existsSync(out)).toBe(false)
  return error
}

describe('the trainer refuses', () => {
  const bytes = { width: 16, height: 16, channels: 1, data: new Uint8Array(256) } as const
  it.each<Wrong>([
    [
      'fewer logits than classes',
      { network: lenet({ config: { num_classes: 2 } }) },
      'INPUT_INVALID',
      'logits',
      /3 classes.*tell 2 apart.*num_classes: 3/,
    ],
    [
      'data without labels',
      async () => ({ data: await rows([{ image: bytes }, { image: bytes }]), batch: 2 }),
      'INPUT_INVALID',
      expect.any(String),
      /no column label; classification needs it/,
    ],
    [
      'data without pictures',
      async () => ({
        data: await rows([
          { text: 'a', label: 0 },
          { text: 'b', label: 1 },
        ]),
        batch: 2,
      }),
      'INPUT_INVALID',
      expect.any(String),
      /no column image/,
    ],
    [
      'validation data without labels',
      async () => ({ validation: await rows([{ image: bytes }]) }),
      'INPUT_INVALID',
      expect.any(String),
      /no column label/,
    ],
    [
      'validation data of other classes',
      async () => ({ validation: await rows([{ image: bytes, label: 'owl' }]) }),
      'INPUT_INVALID',
      'validation',
      /classes to validate on/,
    ],
    [
      'one class only for triplets',
      () => ({ objective: triplets(), data: subset(data, [0, 3, 6, 9, 12]), batch: 4 }),
      'INPUT_INVALID',
      expect.any(String),
      /one class only; triplets?/,
    ],
    [
      'one class only for supervised contrast',
      () => ({ objective: supervisedContrast(), data: subset(data, [0, 3, 6, 9, 12]), batch: 4 }),
      'INPUT_INVALID',
      expect.any(String),
      /one class only/,
    ],
    [
      'a batch of one for contrast',
      { objective: simClr(), batch: 1 },
      'OPTION_INVALID',
      'batch',
      /too small for simclr|A batch of 1/i,
    ],
    [
      'one row for contrast',
      () => ({ objective: simClr(), data: subset(data, [0]), batch: undefined }),
      'INPUT_INVALID',
      expect.any(String),
      /1 rows?; .* at least 2/,
    ],
    ['a batch larger than the data', { batch: 25 }, 'OPTION_INVALID', 'batch', /25.*24 rows.*At most 24/],
    [
      'frozen weights that are not there',
      { freeze: ['conv3'] },
      'OPTION_INVALID',
      'freeze',
      /conv3.*Did you mean conv/,
    ],
    [
      'frozen patterns that match nothing',
      { freeze: [/^encoder/] },
      'OPTION_INVALID',
      'freeze',
      /encoder.*Weights are called conv1/,
    ],
    ['everything frozen', { freeze: [/./] }, 'OPTION_INVALID', 'freeze', /Every weight is frozen/],
    ['no epochs', { epochs: 0 }, 'OPTION_INVALID', 'epochs', /epochs is 0/],
    [
      'a learning rate that is none',
      { optimizer: { kind: 'adam', lr: Number.NaN } },
      'OPTION_INVALID',
      expect.any(String),
      /lr is NaN/,
    ],
    [
      'too few weights of classes',
      { objective: classification({ weight: [1, 2] }) },
      'OPTION_INVALID',
      'weight',
      /3 numbers, one a class/,
    ],
    [
      'accumulation over more batches than there are',
      { accumulate: 5 },
      'OPTION_INVALID',
      'accumulate',
      /5.*4 batches/,
    ],
    ['resuming without a folder', { resume: true, out: undefined }, 'OPTION_INVALID', 'resume', /no folder/],
    [
      'augmentation to another size',
      { augment: [{ kind: 'randomResizedCrop', size: 12 }] },
      'OPTION_INVALID',
      'augment',
      /12 × 12/,
    ],
    [
      'groups that match nothing',
      { groups: [{ names: /^bert/, weightDecay: 0 }] },
      'OPTION_INVALID',
      expect.anything(),
      /bert/,
    ],
    [
      'an option that is misspelt',
      { epoch: 3 } as Given,
      'OPTION_INVALID',
      'epoch',
      /no option epoch.*Did you mean epochs/,
    ],
    ['no network', { network: undefined }, 'OPTION_INVALID', 'network', /network .*freshNetwork/],
    ['no objective', { objective: undefined }, 'OPTION_INVALID', 'objective', /objective .*classification/],
    [
      'rows in place of a data set',
      { data: [{ image: bytes, label: 0 }] } as unknown as Given,
      'OPTION_INVALID',
      'data',
      /readDataset/,
    ],
    [
      'validation that is neither share nor data',
      { validation: false } as unknown as Given,
      'OPTION_INVALID',
      'validation',
      /a share of the data/,
    ],
    [
      'one class',
      async () => ({
        network: lenet({ config: { num_classes: 1 } }),
        data: await rows([
          { image: bytes, label: 'owl' },
          { image: bytes, label: 'owl' },
        ]),
        batch: 2,
      }),
      'INPUT_INVALID',
      'label',
      /one class only, owl/,
    ],
    [
      'pictures decoded to nothing',
      { augment: [{ kind: 'randomCrop', size: 16 }], decodeSize: 0 },
      'OPTION_INVALID',
      'decodeSize',
      /decodeSize is 0/,
    ],
    ['a seed that is no integer', { seed: 0.5 }, 'OPTION_INVALID', 'seed', /0\.5/],
  ])('%s', async (_, more, code, input, message) => {
    expect(await refused(more)).toMatchObject({
      name: 'PipiloError',
      code,
      input,
      message: expect.stringMatching(message),
    })
  })

  it('labels that are no class, by their row', async () => {
    const wrong = {
      ...data,
      getMany: async (at: ArrayLike<number>) =>
        (await data.getMany(at)).map((row, i) => (at[i] === 7 ? { ...row, label: 5 } : row)),
    }
    const error = await train({ ...options(), data: wrong }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'INPUT_INVALID',
      input: data.nameOf(7),
      message: expect.stringMatching(/label is 5.*the 3 classes/),
    })
  })

  it('pictures that are gone or broken, by their path', async () => {
    const birds = join(folder, 'birds')
    for (const name of ['owl', 'towhee']) {
      mkdirSync(join(birds, name), { recursive: true })
      for (let i = 0; i < 3; i++)
        await sharp(picture(i).data, { raw: { width: 16, height: 16, channels: 1 } }).toFile(
          join(birds, name, `${i}.png`),
        )
    }
    const found = await rows(birds)
    rmSync(join(birds, 'owl/1.png'))
    expect(await refused({ data: found, batch: 6 })).toMatchObject({
      message: expect.stringMatching(/owl\/1\.png/),
    })
    writeFileSync(join(birds, 'owl/1.png'), 'no picture')
    expect(await refused({ data: await rows(birds), batch: 6 })).toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringMatching(/owl\/1\.png/),
    })
  })

  it('architectures and recipes that are not known, with the closest', async () => {
    expect(() => freshNetwork('lennet')).toThrow(/lennet.*Did you mean lenet/)
    expect(() => trainingRecipe('simclir')).toThrow(/simclir.*Did you mean simclr/)
    await expect(readDataset(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await expect(readDataset([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const empty = { ...data, length: 0 }
    expect(await refused({ data: empty })).toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/no rows/),
    })
  })
})

it('trains where a class has no rows, or pictures have several sizes', async () => {
  const four = await rows(
    Array.from({ length: 12 }, (_, i) => ({
      image: picture(i, { size: i % 2 ? 16 : 20 }),
      label: ['owl', 'gull'][i % 2]!,
    })),
    { classes: ['gull', 'none', 'owl'] },
  )
  for (const objective of [classification(), triplets()]) {
    const { history } = await train({ ...options(), data: four, objective })
    expect(history[0]!.numbers['loss']).toBeGreaterThan(0)
  }
})

it('refuses texts that repeat so much that no batch is whole, and pictures that patches do not fill', async () => {
  // Each text of 0 to 5 stands in two rows, once in each column: at most three rows share none.
  const pairs = await rows(
    Array.from({ length: 6 }, (_, i) => ({ anchor: `text ${i}`, positive: `text ${(i + 1) % 6}` })),
  )
  const network = await openedNetwork('all-MiniLM-L6-v2', {
    maxLength: 16,
    lora: { targets: ['query'], rank: 1, alpha: 1 },
  })
  const given = { network, objective: rankedPairs(), data: pairs, augment: undefined }
  expect(await refused({ ...given, batch: 4 })).toMatchObject({
    code: 'INPUT_INVALID',
    input: 'batch',
    message: expect.stringMatching(/No 4 of the 6 rows .* share no text/),
  })
  const choices = { data, epochs: 1, batch: 4, lr: 1e-3, seed: 0, size: 20 }
  for (const name of ['mae', 'data2vec'])
    expect(() => trainingRecipe(name).prepare(choices)).toThrow(/size is 20.*multiple of 8.*24 would do/)
})

it('refuses low-rank changes of a model of pictures, whose statistics are no weights', async () => {
  await expect(
    openedNetwork('mobilenet-v2', { lora: { targets: /./, rank: 2, alpha: 4 } }),
  ).rejects.toMatchObject({ code: 'OPTION_INVALID', message: expect.stringMatching(/lora.*takes no texts/) })
  const { training } = await openedNetwork('mobilenet-v2')
  const statistics = parametersOf(training).filter(({ name }) => name.includes('/moving_'))
  expect(new Set(statistics.map(({ role }) => role))).toEqual(new Set(['buffer']))
})

it('refuses to choose the best of epochs by a number that is none', async () => {
  const error = await train({
    ...options(),
    metrics: { compute: async () => ({ mine: Number.NaN }) },
    earlyStopping: { metric: 'mine', patience: 1 },
  }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'RESULT_INVALID', message: expect.stringMatching(/mine.*NaN/) })
})

it.each([
  ['no function', { metrics: { every: 2 } }, /metrics is none/],
  ['a text', { metrics: { compute: async () => ({ mine: 'good' }) } }, /gave "good" for mine/],
  ['a name of the log', { metrics: { compute: async () => ({ step: 3 }) } }, /called step/],
  ['nothing', { metrics: { compute: async () => undefined } }, /gave undefined/],
  ['a mistyped option', { earlyStopping: { patience: 1, metrik: 'x' } }, /metrik/],
])('refuses metrics and early stopping with %s', async (_, more, message) => {
  const error = await train({ ...options(), ...(more as object) }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringMatching(message) })
})

it('writes the model where run.json was damaged meanwhile', async () => {
  const out = join(folder, 'damaged')
  await train({
    ...options(),
    out,
    onProgress: ({ kind }) => kind === 'epoch' && writeFileSync(join(out, 'run.json'), '{'),
  })
  expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({
    objective: 'classification',
  })
})

describe('a folder', () => {
  it('that is a file is refused before the first step', async () => {
    const out = join(folder, 'file')
    writeFileSync(out, 'mine')
    let steps = 0
    const run = train({ ...options(), out, onProgress: () => steps++ })
    await expect(run).rejects.toMatchObject({ code: 'OPTION_INVALID', input: out })
    expect(steps).toBe(0)
    expect(readFileSync(out, 'utf8')).toBe('mine')
  })

  it('that holds a model is not written over', async () => {
    const out = join(folder, 'a model')
    mkdirSync(out)
    writeFileSync(join(out, 'model.safetensors'), 'weights')
    for (const resume of [false, true]) {
      await expect(train({ ...options(), out, resume })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/holds a model \(model\.safetensors\)/),
      })
    }
    expect(readdirSync(out)).toEqual(['model.safetensors'])
  })

  it('is of one run at a time', async () => {
    const out = join(folder, 'shared')
    let second: Promise<unknown> | undefined
    await train({
      ...options(),
      out,
      metrics: {
        every: 1,
        compute: async ({ step }) => {
          if (step !== 1) return {}
          second = train({ ...options(), out, seed: 1 }).catch((error: unknown) => error)
          await second
          return {}
        },
      },
    })
    expect(await second).toMatchObject({ code: 'BUSY', input: out })
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({ seed: 0 })
    expect(existsSync(join(out, '.lock'))).toBe(false)
  })
})

describe('a step that is not finite', () => {
  const wrong = (more: Partial<TrainOptions>) =>
    train({ ...options(), epochs: 30, ...more }).catch((error: unknown) => error)

  it('by a learning rate that is absurd, names the first node', async () => {
    const error = await wrong({ optimizer: { kind: 'sgd', lr: 1e12 } })
    expect(error).toMatchObject({
      code: 'RESULT_INVALID',
      input: expect.any(Number),
      message: expect.stringMatching(
        /^Step \d+ is not finite: the first was (NaN|an infinity) \(element \d+\) in \S+, which \w+ at \S+ made of /,
      ),
      hint: expect.stringMatching(/learning rate/),
    })
    // It is in the network or its gradients, not in the optimiser, which only hands on what it was given.
    expect((error as Error).message).not.toMatch(/ at optimizer/)
  })

  it('by a change beyond all numbers, names the weight’s change', async () => {
    const error = await wrong({ optimizer: { kind: 'sgd', lr: 3e38, momentum: 0.9 } })
    expect(error).toMatchObject({
      code: 'RESULT_INVALID',
      message: expect.stringMatching(/^Step [1-3] is not finite: the first was/),
    })
  })

  it('by an input, names the input', async () => {
    const objective: Objective = {
      ...classification(),
      build(scope) {
        const noise = scope.drawn('noise', 'float32', [6, 1, 16, 16], ({ step }) =>
          new Float32Array(6 * 256).fill(0).map((_, i) => (step === 2 && i === 77 ? Number.NaN : 0)),
        )
        const [logits] = scope.network({ pixel_values: op.add(scope.pixels(), noise) }, ['logits'])
        return { loss: op.reduceMean(op.mul(logits!, logits!)) }
      },
    }
    expect(await wrong({ objective })).toMatchObject({
      code: 'RESULT_INVALID',
      input: 3,
      message: expect.stringMatching(
        /^Step 3 is not finite: its input noise holds NaN \(element 77\)\. Look at the data/,
      ),
    })
  })

  it('by numbers of the data, names the row before the step', async () => {
    const pairs = await rows([
      { sentence1: 'a', sentence2: 'b', score: 1, image: picture(0) },
      { sentence1: 'a', sentence2: 'b', score: 2, image: picture(1) },
    ])
    const holed = {
      ...pairs,
      getMany: async (at: ArrayLike<number>) =>
        (await pairs.getMany(at)).map((row, i) => (at[i] === 1 ? { ...row, score: Number.NaN } : row)),
    }
    const objective: Objective = {
      name: 'scores',
      build(scope) {
        const [logits] = scope.network({ pixel_values: scope.pixels() }, ['logits'])
        return { loss: op.reduceMean(op.sub(op.reduceMean(logits!, [1]), scope.numbers('score'))) }
      },
    }
    expect(await wrong({ data: holed, objective, batch: 2 })).toMatchObject({
      code: 'INPUT_INVALID',
      input: pairs.nameOf(1),
      message: expect.stringMatching(/score is not a number/),
    })
  })

  it('by weights that it began with, names the weight', async () => {
    const network = lenet()
    const spoilt = (graph: Network['training']) => ({
      ...graph,
      initializers: new Map(graph.initializers).set(
        'fc2.bias',
        tensor('float32', [84], new Float32Array(84).fill(Number.POSITIVE_INFINITY)),
      ),
    })
    expect(await wrong({ network: { ...network, training: spoilt(network.training) } })).toMatchObject({
      message: expect.stringMatching(
        /^Step 1 is not finite: fc2\.bias held an infinity \(element 0\) before it/,
      ),
    })
  })

  it('by a gradient that overflows while the loss is finite, names the gradient’s node in that very step', async () => {
    // The square root of 0 is 0, and its slope infinite.
    const objective: Objective = {
      ...reconstruction(),
      name: 'steep',
      build(scope) {
        const [logits] = scope.network({ pixel_values: scope.pixels() }, ['logits'])
        const zero = op.mul(op.reduceMean(op.mul(logits!, logits!)), 0)
        return { loss: op.sqrt(zero) }
      },
    }
    const out = join(folder, 'steep')
    const error = await wrong({ objective, out })
    expect(error).toMatchObject({
      code: 'RESULT_INVALID',
      input: 1,
      message: expect.stringMatching(
        /^Step 1 is not finite: the first was an infinity \(element 0\) in backward\S*, which Div at backward\S* made of \S+/,
      ),
    })
    expect(existsSync(out)).toBe(false)
  })

  it('keeps the checkpoint before it', async () => {
    const out = join(folder, 'kept')
    const objective: Objective = {
      ...classification(),
      build(scope) {
        const factor = scope.drawn('factor', 'float32', [], ({ step }) =>
          Float32Array.of(step === 6 ? 1e30 : 1),
        )
        const [logits] = scope.network({ pixel_values: scope.pixels() }, ['logits'])
        return { loss: op.reduceMean(op.mul(op.mul(logits!, factor), op.mul(logits!, factor))) }
      },
    }
    expect(await wrong({ objective, out })).toMatchObject({ code: 'RESULT_INVALID', input: 7 })
    expect(readdirSync(join(out, 'checkpoints'))).toEqual(['step-000000004.safetensors'])
    expect(readdirSync(out)).not.toContain('config.json')
  })
})
