/** The trainer: resumed runs, early stopping, accumulation, frozen weights, the caller's numbers, validation. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Dataset } from '../embed/index.ts'
import { loadTensor, op, parametersOf } from '../graph/index.ts'
import { readSafetensors } from '../models/index.ts'
import { evaluate } from '../runtime/index.ts'
import { bytesOf, type Tensor, tensor } from '../tensor/index.ts'
import { withWeights } from './evaluation.ts'
import {
  classification,
  classWeights,
  freshNetwork,
  type Objective,
  reconstruction,
  simClr,
  subset,
  type TrainEvent,
  type TrainOptions,
  train,
} from './index.ts'
import { picture, pictures } from './testing/data.ts'

let folder: string
let data: Dataset
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-train-'))
  data = await pictures(24)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lenet = () =>
  freshNetwork('lenet', { config: { num_classes: 3, act: 'relu', pool: 'max' }, size: [16, 16], seed: 3 })

const options = (): TrainOptions => ({
  network: lenet(),
  objective: classification(),
  data,
  batch: 6,
  epochs: 3,
  optimizer: { kind: 'adam', lr: 3e-3 },
  seed: 5,
  threads: 1,
  logEvery: 1,
})

const bytes = (weights: ReadonlyMap<string, Tensor>) =>
  Object.fromEntries(
    [...weights].map(([name, { data: numbers }]) => [name, Array.from(numbers as Float32Array)]),
  )

const lines = (path: string) =>
  readFileSync(join(path, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; step: number; epoch: number })

/** Stops the run by its signal before step `at + 1`. */
async function stopped(given: TrainOptions, at: number) {
  const stop = new AbortController()
  const onProgress = (event: TrainEvent) => {
    if (event.kind === 'step' && event.step === at) stop.abort('enough')
  }
  return train({ ...given, signal: stop.signal, onProgress }).catch((error: unknown) => error)
}

describe('a run that was stopped', () => {
  const cases: [string, () => Partial<TrainOptions>][] = [
    ['of LeNet', () => ({})],
    [
      'with momentum, accumulation and augmentation',
      () => ({
        optimizer: { kind: 'sgd', lr: 0.05, momentum: 0.9 },
        accumulate: 3,
        augment: [{ kind: 'randomCrop', size: 16, padding: 2 }],
        schedule: (steps) => ({ kind: 'cosine', steps }),
      }),
    ],
    [
      'with a checkpoint in the middle',
      () => ({ checkpoint: 2, validation: 6 / 24, earlyStopping: { patience: 9 } }),
    ],
    [
      'with an average of the weights',
      () => ({ average: { decay: 0.9, warmup: true }, accumulate: 2, validation: 6 / 24 }),
    ],
    [
      'of a denoising autoencoder',
      () => ({
        network: freshNetwork('mlp_autoencoder', { config: { hidden: [16], latent: 4 }, size: [16, 16] }),
        objective: reconstruction({ noise: 0.2 }),
      }),
    ],
    [
      'with dropout',
      () => ({
        network: freshNetwork('vit_tiny_patch16_224', {
          config: {
            ...{
              img_size: 16,
              patch_size: 8,
              embed_dim: 12,
              depth: 1,
              num_heads: 2,
              in_chans: 1,
              num_classes: 3,
            },
            ...{ drop_rate: 0.3, attn_drop_rate: 0.2, drop_path_rate: 0.2 },
          },
          size: [16, 16],
        }),
      }),
    ],
  ]
  it.each(
    cases,
  )('%s ends in the same weights, bit for bit, and has logged each step once', async (name, more) => {
    const out = join(folder, name)
    const given = { ...options(), ...more() }
    const whole = await train({ ...given, out: `${out} whole` })
    for (const at of [2, 5, 8]) {
      expect(await stopped({ ...given, out, resume: true }, at)).toMatchObject({
        code: 'ABORTED',
        cause: 'enough',
      })
      expect(readdirSync(join(out, 'checkpoints'))).toEqual([`step-00000000${at}.safetensors`])
    }
    const resumed = await train({ ...given, out, resume: true })
    expect(bytes(resumed.weights)).toEqual(bytes(whole.weights))
    const told = (path: string) =>
      lines(path).map(({ kind, step, epoch, ...rest }) => {
        const {
          samplesPerSecond: _,
          secondsLeft: __,
          waiting: ___,
          ...numbers
        } = rest as Record<string, unknown>
        return { kind, step, epoch, ...numbers }
      })
    expect(told(out)).toEqual(told(`${out} whole`))
    const steps = lines(out).flatMap(({ kind, step }) => (kind === 'step' ? [step] : []))
    expect(steps).toEqual(Array.from({ length: resumed.steps }, (_, i) => i + 1))
    expect(resumed.history.map(({ numbers }) => numbers)).toEqual(whole.history.map(({ numbers }) => numbers))
    expect(resumed.history.every(({ waiting }) => waiting >= 0 && waiting < 1)).toBe(true)
  })

  it('says in run.json what it is and was made with', async () => {
    const run = JSON.parse(readFileSync(join(folder, 'of LeNet whole/run.json'), 'utf8')) as object
    expect(run).toMatchObject({
      network: 'lenet',
      objective: 'classification',
      data: await data.hash(),
      rows: 24,
      batch: 6,
      seed: 5,
      steps: 12,
      optimizer: { kind: 'adam', lr: 3e-3 },
      schedule: { kind: 'constant' },
      started: expect.stringMatching(/^\d{4}-/),
      finished: expect.stringMatching(/^\d{4}-/),
      result: { epoch: 3, loss: expect.any(Number), accuracy: expect.any(Number) },
      versions: {
        pipilo: expect.stringMatching(/^\d+\.\d+/),
        onnxruntime: expect.stringMatching(/^\d+\.\d+/),
        node: process.versions.node,
      },
    })
  })

  it.each<[string, Partial<TrainOptions> | (() => Promise<Partial<TrainOptions>>), RegExp]>([
    ['seed', { seed: 6 }, /seed was 5 and is 6/],
    ['batch', { batch: 4 }, /batch was 6 and is 4/],
    [
      'data',
      async () => ({ data: subset(data, [...Array(24).keys()].reverse()) }),
      /data was "[0-9a-f]{64}" and is "[0-9a-f]{64}"/,
    ],
    [
      'network',
      { network: freshNetwork('mlp_autoencoder', { size: [16, 16] }), objective: reconstruction() },
      /network was "lenet" and is "mlp_autoencoder"/,
    ],
    [
      'learning rate',
      { optimizer: { kind: 'adam', lr: 1 } },
      /optimizer was {"kind":"adam","lr":0.003} and is {"kind":"adam","lr":1}/,
    ],
    [
      'option of the objective',
      { objective: classification({ labelSmoothing: 0.1 }) },
      /a setting of its objective or network was another/,
    ],
    [
      'beginning',
      {
        network: freshNetwork('lenet', {
          config: { num_classes: 3, act: 'relu', pool: 'max' },
          size: [16, 16],
          seed: 8,
        }),
      },
      /the weights that it began with were others/,
    ],
    ['number of epochs', { epochs: 4 }, /steps was 12 and is 16/],
    [
      'configuration',
      { network: freshNetwork('lenet', { config: { num_classes: 4 }, size: [16, 16] }) },
      /fc3\.\w+ is \[3/,
    ],
  ])('is not gone on with by another %s', async (_, given, message) => {
    const more = typeof given === 'function' ? await given() : given
    const out = join(folder, 'of LeNet')
    const before = readFileSync(join(out, 'log.jsonl'), 'utf8')
    await expect(train({ ...options(), ...more, out, resume: true })).rejects.toMatchObject({
      code: 'RECIPE_MISMATCH',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/Resume/),
    })
    expect(readFileSync(join(out, 'log.jsonl'), 'utf8')).toBe(before)
  })

  it('is not begun anew in its folder', async () => {
    await expect(train({ ...options(), out: join(folder, 'of LeNet') })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      hint: expect.stringMatching(/resume: true/),
    })
  })
})

describe('early stopping', () => {
  /** Accuracies that fall after the second epoch. */
  const fall = { compute: async ({ epoch }: { epoch: number }) => ({ rank: [1, 5, 4, 5, 3, 9][epoch - 1]! }) }
  const watched = (): TrainOptions => ({
    ...options(),
    epochs: 6,
    metrics: fall,
    earlyStopping: { metric: 'rank', patience: 3 },
  })

  it('gives the weights of the best epoch, and writes them', async () => {
    const out = join(folder, 'best')
    const two = await train({ ...options(), epochs: 2 })
    const stop = await train({ ...watched(), out })
    expect(stop).toMatchObject({ stoppedEarly: true, epoch: 2, steps: 20 })
    expect(bytes(stop.weights)).toEqual(bytes(two.weights))
    const { tensors } = await readSafetensors(join(out, 'model.safetensors'))
    expect([...tensors.keys()].sort()).toEqual([...two.weights.keys()].sort())
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({
      result: { epoch: 2, rank: 5 },
    })
  })

  it('keeps them over a stop', async () => {
    const out = join(folder, 'best stopped')
    expect(await stopped({ ...watched(), out }, 14)).toMatchObject({ code: 'ABORTED' })
    const resumed = await train({ ...watched(), out, resume: true })
    expect(resumed).toMatchObject({ stoppedEarly: true, epoch: 2, steps: 20 })
    const two = await train({ ...options(), epochs: 2 })
    expect(bytes(resumed.weights)).toEqual(bytes(two.weights))
  })

  it('prefers low losses and high accuracies', async () => {
    const { epoch, history } = await train({ ...options(), validation: data, earlyStopping: { patience: 5 } })
    const losses = history.map(({ numbers }) => numbers['validation_loss']!)
    expect(losses[epoch - 1]).toBe(Math.min(...losses))
  })

  it.each<[Partial<TrainOptions>, RegExp]>([
    [{ earlyStopping: { patience: 1 } }, /validation_loss.*Give it validation data/],
    [
      { earlyStopping: { metric: 'acuracy', patience: 1 } },
      /acuracy.*Epochs end with loss, accuracy, learning_rate/,
    ],
    [{ earlyStopping: { metric: 'loss', patience: 0 } }, /patience/],
  ])('by what is not there is refused before the first step: %o', async (more, message) => {
    const out = join(folder, 'unwatched')
    await expect(train({ ...options(), ...more, out })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'earlyStopping',
      message: expect.stringMatching(message),
    })
    expect(existsSync(out)).toBe(false)
  })
})

describe('a step', () => {
  it('over accumulated batches is that of the large batch, whose schedule it follows', async () => {
    const rates: number[][] = [[], []]
    const run = (batch: number, accumulate: number, kept: number[]) =>
      train({
        ...options(),
        batch,
        accumulate,
        optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9 },
        schedule: (steps) => ({ kind: 'cosine', steps }),
        onProgress: (event) => {
          if (event.kind === 'step' && event.step % accumulate === 0)
            kept.push(event.numbers['learning_rate']!)
        },
      })
    const [small, large] = [await run(4, 3, rates[0]!), await run(12, 1, rates[1]!)]
    expect(rates[0]).toEqual(rates[1])
    expect(rates[0]!.at(-1)).toBeLessThan(rates[0]![0]! / 5)
    for (const [name, { data: numbers }] of large.weights) {
      const other = small.weights.get(name)!.data as Float32Array
      for (const [i, value] of (numbers as Float32Array).entries()) expect(other[i]).toBeCloseTo(value, 5)
    }
  })

  it('leaves frozen weights as they are, bit for bit', async () => {
    const before = lenet().training.initializers
    const { weights } = await train({
      ...options(),
      freeze: ['conv1', /^fc1\./],
      optimizer: { kind: 'adamw', lr: 0.01, weightDecay: 0.1 },
    })
    for (const [name, { data: numbers }] of weights) {
      const { data: begun } = before.get(name) as Tensor
      const isFrozen = /^(conv1|fc1)\./.test(name)
      const same = Buffer.from(bytesOf(begun as Float32Array)).equals(bytesOf(numbers as Float32Array))
      expect(same, name).toBe(isFrozen)
    }
  })

  it('takes the weights of classes', async () => {
    const uneven = subset(data, [0, 1, 2, 3, 6, 9, 12, 15])
    const weight = classWeights(uneven.labels!, 3)
    expect([...weight].map((one) => +one.toFixed(3))).toEqual([0.444, 2.667, 2.667])
    const losses = await Promise.all(
      [undefined, weight].map(async (each) => {
        const objective = classification(each ? { weight: each } : {})
        const { history } = await train({ ...options(), data: uneven, batch: 8, epochs: 1, objective })
        return history[0]!.numbers['loss']!
      }),
    )
    expect(losses[0]).not.toBe(losses[1])
  })

  it('has a teacher that follows changes of the weights, not batches', async () => {
    const objective: Objective = {
      name: 'distance',
      teacher: { momentum: 0.5 },
      build(scope) {
        const inputs = { pixel_values: scope.pixels() }
        const [own] = scope.network(inputs, ['logits'])
        const [other] = scope.teacher(() => scope.network(inputs, ['logits']))
        return { loss: op.reduceMean(op.add(own!, other!)) }
      },
    }
    const optimizer = { kind: 'sgd', lr: 0.1 } as const
    const { weights } = await train({
      ...options(),
      objective,
      optimizer,
      batch: 6,
      epochs: 1,
      accumulate: 3,
    })
    // Four batches: one change after the third, of which the teacher has taken half; the fourth changed neither.
    const begun = (lenet().training.initializers.get('fc3.bias') as Tensor).data as Float32Array
    const now = weights.get('fc3.bias')!.data as Float32Array
    const followed = weights.get('teacher.fc3.bias')!.data as Float32Array
    for (const [i, value] of followed.entries()) expect(value).toBeCloseTo((begun[i]! + now[i]!) / 2, 6)
    expect(now).not.toEqual(begun)
  })
})

describe('the caller’s own numbers', () => {
  it('come with each epoch, or every so many steps', async () => {
    const calls: string[] = []
    const compute = async ({
      step,
      epoch,
      weights,
    }: {
      step: number
      epoch: number
      weights(): Promise<ReadonlyMap<string, Tensor>>
    }) => {
      calls.push(`${epoch}/${step}/${(await weights()).size}`)
      return { own: step }
    }
    const { history } = await train({ ...options(), metrics: { compute } })
    expect(history.map(({ numbers }) => numbers['own'])).toEqual([4, 8, 12])
    expect(calls).toEqual(['1/4/10', '2/8/10', '3/12/10'])
    calls.length = 0
    const out = join(folder, 'own')
    await train({ ...options(), metrics: { every: 5, compute }, out })
    expect(calls).toEqual(['1/5/10', '2/10/10'])
    expect(lines(out).filter(({ kind }) => kind === 'metrics')).toEqual([
      { kind: 'metrics', step: 5, own: 5 },
      { kind: 'metrics', step: 10, own: 10 },
    ])
  })
})

describe('validation', () => {
  it('is the mean over all rows, the last few too, without dropout', async () => {
    const held = subset(await pictures(40), [30, 31, 32, 33, 34, 35, 36, 37, 38, 39])
    const { weights, history } = await train({ ...options(), epochs: 1, batch: 4, validation: held })
    const pixels = Float32Array.from(
      [30, 31, 32, 33, 34, 35, 36, 37, 38, 39].flatMap((i) => [...picture(i).data].map((byte) => byte / 255)),
    )
    const graph = withWeights(lenet().inference, weights)
    const { logits } = await evaluate(graph, { pixel_values: tensor('float32', [10, 1, 16, 16], pixels) })
    const rows = Array.from({ length: 10 }, (_, i) => [
      ...(logits!.data as Float32Array).slice(3 * i, 3 * i + 3),
    ])
    const label = (i: number) => (30 + i) % 3
    const losses = rows.map(
      (row, i) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[label(i)]!,
    )
    const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === label(i)).length
    const { validation_loss: loss, validation_accuracy: accuracy } = history[0]!.numbers
    expect(loss).toBeCloseTo(losses.reduce((sum, x) => sum + x, 0) / 10, 5)
    expect(accuracy).toBeCloseTo(right / 10, 6)
  })

  it('has the views that an objective compares', async () => {
    const colours = await pictures(8, { channels: 3 })
    const network = freshNetwork('resnet20_cifar', { config: { num_classes: 0 }, size: [16, 16] })
    const { history } = await train({
      network,
      objective: simClr(),
      data: colours,
      batch: 4,
      epochs: 1,
      validation: colours,
    })
    expect(history[0]!.numbers['validation_loss']).toBeGreaterThan(0)
  })
})

describe('an average of the weights', () => {
  const run = (decay: number, more: Partial<TrainOptions> = {}) =>
    train({ ...options(), validation: 6 / 24, average: { decay }, ...more })

  it('is what a run ends in, and what is validated', async () => {
    const whole = await train({ ...options(), validation: 6 / 24 })
    // An average that keeps nothing is the weights themselves; one that keeps all stays at the beginning.
    const none = await run(0)
    expect(bytes(none.weights)).toEqual(bytes(whole.weights))
    const all = await run(1)
    const begun = freshWeights()
    expect(bytes(all.weights)).toEqual(bytes(begun))
    expect(new Set(all.history.map(({ numbers }) => numbers['validation_loss'])).size).toBe(1)
    expect(all.history.map(({ numbers }) => numbers['loss'])).toEqual(
      whole.history.map(({ numbers }) => numbers['loss']),
    )
    expect(all.history[0]!.numbers['ema.decay']).toBe(1)
  })

  it('is the model in the run’s folder', async () => {
    const out = join(folder, 'averaged')
    const { weights } = await run(0.5, { out })
    const { tensors } = await readSafetensors(join(out, 'model.safetensors'))
    const [name] = [...weights.keys()]
    expect((await loadTensor(tensors.get(name!)!)).data).toEqual(weights.get(name!)!.data)
  })

  it('has a decay from 0 to 1', async () => {
    await expect(run(1.5)).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'average.decay' })
  })
})

/** Weights and buffers before the first step. */
function freshWeights(): ReadonlyMap<string, Tensor> {
  const { inference } = lenet()
  return new Map(
    parametersOf(inference).map(({ name }) => [name, inference.initializers.get(name) as Tensor]),
  )
}
