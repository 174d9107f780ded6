/** `pipilo train` on folders of tiny pictures. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { embedder } from '../embed/index.ts'
import { freshNetwork, reconstruction, type TrainOptions, trainingRecipes } from '../train/index.ts'
import { picture } from '../train/testing/data.ts'
import { helpOf, parseArguments, type Terminal } from './command.ts'
import { trainCommand } from './commands/train.ts'
import { progress } from './progress.ts'

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-cli-train-'))
  for (let i = 0; i < 18; i++) {
    const name = at(`birds/${['gull', 'owl', 'towhee'][i % 3]!}`)
    mkdirSync(name, { recursive: true })
    await sharp(picture(i, { channels: 3 }).data, { raw: { width: 16, height: 16, channels: 3 } }).toFile(
      join(name, `${i}.png`),
    )
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the command here; what it printed, and how it ended. */
async function run(argv: readonly string[], stopAt?: number, interactive = false) {
  const printed = { out: '', err: '' }
  const stop = new AbortController()
  const terminal: Terminal = {
    async out(text) {
      printed.out += text
      if (stopAt !== undefined && text.includes(`"step":${stopAt},`)) stop.abort()
    },
    err(text) {
      printed.err += text
    },
    interactive,
    width: 120,
    signal: stop.signal,
  }
  try {
    await trainCommand.run(parseArguments(trainCommand, argv), terminal)
    return { ...printed, error: undefined }
  } catch (error) {
    if (!(error instanceof PipiloError)) throw error
    return { ...printed, error: `${error.code}: ${error.message}` }
  }
}

const events = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const quick = ['--epochs', '1', '--size', '16', '--batch', '6']

describe('pipilo train', () => {
  it.each([
    ['lenet5', 84, 'accuracy'],
    ['resnet', 64, 'accuracy'],
    ['autoencoder', 32, 'loss'],
  ])('%s gives a folder that is a model', async (recipe, dimensions, number) => {
    const out = at(recipe)
    const ended = await run([recipe, '--data', at('birds'), '--out', out, ...quick, '--validation', '0.2'])
    expect(ended.error).toBeUndefined()
    expect(ended.out).toMatch(/^epoch 1\/1 {2}loss [\d.e-]+ .*samples\/s\n/)
    expect(ended.out).toContain(`validation ${number} `)
    expect(ended.out).toContain(`the model and its curves are in ${out}\n`)
    const e = await embedder(out)
    const { vectors } = await e.embed([at('birds/owl/1.png')])
    expect(vectors[0]).toHaveLength(dimensions)
    await e.dispose()
  })

  it('classifier embeds each picture once, and gives a head', { timeout: 60_000 }, async () => {
    const out = at('classifier')
    const words = ['classifier', '--data', at('birds'), '--out', out, '--epochs', '3', '--validation', '0.2']
    const ended = await run(words)
    expect(ended.error).toBeUndefined()
    expect(ended.out).toContain('validation accuracy ')
    expect(JSON.parse(readFileSync(join(out, 'classes.json'), 'utf8'))).toMatchObject({
      classes: ['gull', 'owl', 'towhee'],
    })
    expect(existsSync(join(out, 'head.safetensors'))).toBe(true)
  })

  it('tells its events as JSON lines, and goes on where it was stopped', async () => {
    const out = at('json')
    const words = ['lenet5', '--data', at('birds'), '--out', out, '--size', '16', '--batch', '6', '--json']
    const stopped = await run([...words, '--epochs', '3'], 4)
    expect(stopped.error).toMatch(/^ABORTED/)
    expect(events(stopped.out).map(({ kind }) => kind)).toEqual([
      ...['step', 'step', 'step', 'epoch', 'checkpoint', 'step', 'checkpoint'],
    ])
    const again = await run([...words, '--epochs', '3'])
    expect(again.error).toMatch(/^OPTION_INVALID: .*--resume/)
    const resumed = await run([...words, '--epochs', '3', '--resume'])
    const told = events(resumed.out)
    expect(told[0]).toMatchObject({ kind: 'resumed', step: 4 })
    expect(told.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual([5, 6, 7, 8, 9])
    expect(told.find(({ kind }) => kind === 'step')).toMatchObject({
      steps: 9,
      epoch: 2,
      epochs: 3,
      loss: expect.any(Number),
      learning_rate: expect.any(Number),
    })
    expect(told.at(-1)).toEqual({ kind: 'done', folder: out, stoppedEarly: false })
    expect(readFileSync(join(out, 'log.jsonl'), 'utf8').match(/"kind":"epoch"/g)).toHaveLength(3)
  })

  it('heeds the signal, the listener and the wish to resume of a file', async () => {
    const out = at('heard')
    // A file in JavaScript can load no TypeScript here: it hands on what the test has made.
    writeFileSync(at('heard.mjs'), 'export default () => globalThis.optionsOfTest\n')
    const given = (more: Partial<Record<keyof TrainOptions, unknown>>) =>
      vi.stubGlobal('optionsOfTest', {
        network: freshNetwork('mlp_autoencoder', { config: { hidden: [8], latent: 3 }, size: [16, 16] }),
        objective: reconstruction(),
        batch: 6,
        epochs: 2,
        ...more,
      })
    const words = [at('heard.mjs'), '--data', at('birds'), '--out', out]
    const heard: [string, number][] = []
    const stop = new AbortController()
    const onProgress: TrainOptions['onProgress'] = ({ kind, step }) => {
      heard.push([kind, step])
      if (step === 2) stop.abort()
    }
    try {
      given({ onProgress, signal: stop.signal })
      const stopped = await run(words)
      expect(stopped.error).toMatch(/^ABORTED/)
      expect(stopped.err).toContain('step 2 is kept: go on with --resume')
      expect(heard).toEqual([
        ['step', 1],
        ['step', 2],
        ['checkpoint', 2],
      ])

      given({ onProgress, signal: new AbortController().signal, resume: true })
      expect((await run([...words, '--no-resume'])).error).toMatch(/^OPTION_INVALID: .*--resume/)
      const resumed = await run([...words, '--json'], 4)
      expect(resumed.error).toMatch(/^ABORTED/)
      expect(events(resumed.out)[0]).toMatchObject({ kind: 'resumed', step: 2 })
      expect(heard.slice(3).map(([kind]) => kind)).toEqual([
        ...['resumed', 'step', 'epoch', 'checkpoint', 'step', 'checkpoint'],
      ])

      given({ signal: 5 })
      expect((await run(words)).error).toMatch(/^OPTION_INVALID: .*signal/)
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('draws how fast it goes', async () => {
    const words = ['autoencoder', '--data', at('birds'), '--out', at('drawn'), ...quick]
    const { err, error } = await run(words, undefined, true)
    expect(error).toBeUndefined()
    expect(err).toMatch(/training ━* +3\/3 · [\d.]+\/s · epoch 1\/1 · loss \S+ · 0:00 left · \d+ samples\/s/)
  })

  it('counts its rate from the first step that it is told, and leaves out what has no room', () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1000)
    try {
      let err = ''
      const terminal = {
        err: (text: string) => (err = text),
        interactive: true,
        width: 60,
      } as unknown as Terminal
      const bar = progress(terminal, 'training')
      now.mockReturnValue(9000)
      bar.update(501, 1000, 'epoch 6/10')
      expect(err).toMatch(/501\/1000 · epoch 6\/10$/)
      now.mockReturnValue(11_000)
      bar.update(541, 1000, 'epoch 6/10 · 183 samples/s · lr 0.001')
      expect(err).toMatch(/541\/1000 · 20\/s · epoch 6\/10 · 183 samples\/s$/)
    } finally {
      now.mockRestore()
    }
  })

  it('takes mnist to validate on: its test pictures', async () => {
    for (let i = 0; i < 10; i++) {
      mkdirSync(at(`digits/${i}`), { recursive: true })
      await sharp(picture(i, { channels: 3 }).data, { raw: { width: 16, height: 16, channels: 3 } }).toFile(
        at(`digits/${i}/0.png`),
      )
    }
    const words = [
      'lenet5',
      '--validation',
      'mnist',
      '--out',
      at('validated'),
      '--size',
      '16',
      '--batch',
      '5',
    ]
    // Stopped before it goes through all ten thousand.
    expect((await run([...words, '--data', at('digits'), '--json'], 1)).error).toMatch(/^ABORTED/)
    const other = await run([...words, '--data', at('birds')])
    expect(other.error).toMatch(/^INPUT_INVALID: .*t10k-images/)
  })

  it('takes a batch that fits where the recipe’s does not', async () => {
    const out = at('small')
    const words = ['lenet5', '--data', at('birds'), '--out', out, '--epochs', '1', '--size', '16']
    expect((await run([...words, '--validation', '0.4'])).error).toBeUndefined()
    const { batch, rows } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as Record<string, number>
    expect(batch).toBe(rows)
  })

  const cases: [string, string[], RegExp][] = [
    ['nothing', [], /^USAGE: Train what\? See pipilo train --help/],
    ['two recipes', ['lenet5', 'resnet', '--out', 'x'], /^USAGE: .*one recipe, not 2/],
    ['no folder', ['lenet5', '--data', 'birds'], /^USAGE: --out is missing/],
    ['no data', ['lenet5', '--out', 'x'], /^USAGE: --data is missing.*lenet5 needs grey pictures/],
    [
      'an unknown recipe',
      ['lenet', '--data', 'birds', '--out', 'x'],
      /^OPTION_INVALID: There is no recipe lenet. Did you mean lenet5/,
    ],
    [
      'a rate that is none',
      ['lenet5', '--data', 'birds', '--out', 'x', '--lr', 'fast'],
      /^USAGE: --lr is a number above 0, not "fast"/,
    ],
    ['a negative rate', ['lenet5', '--data', 'birds', '--out', 'x', '--lr=-1'], /^USAGE: --lr/],
    ['no epochs', ['lenet5', '--data', 'birds', '--out', 'x', '--epochs', '0'], /^USAGE: --epochs/],
    ['data that is not there', ['lenet5', '--data', 'nothing', '--out', 'x'], /^FILE_NOT_FOUND: .*nothing/],
    [
      'an unknown model',
      ['resnet', '--data', 'birds', '--out', 'x', '--model', 'resnet20_cifa'],
      /^MODEL_INVALID: .*Did you mean resnet20_cifar/,
    ],
    [
      'a model where the recipe has its own',
      ['mae', '--data', 'birds', '--out', 'x', '--model', 'resnet18'],
      /^OPTION_INVALID: mae trains transformers of its own/,
    ],
    [
      'a size for texts',
      ['sentences', '--data', 'birds', '--out', 'x', '--size', '8'],
      /^USAGE: --size is of no use: sentences/,
    ],
    [
      'a size where a model has its own',
      ['classifier', '--data', 'birds', '--out', 'x', '--size', '32'],
      /^USAGE: --size is of no use: classifier does not take it\. These recipes do: lenet5, resnet, autoencoder, .*clip\.$/,
    ],
    [
      'low ranks where there is nothing to fine-tune',
      ['classifier', '--data', 'birds', '--out', 'x', '--lora', '4'],
      /^USAGE: --lora is of no use: classifier does not take it\. Only sentences does\.$/,
    ],
    [
      'a scale of scores where there are none',
      ['lenet5', '--data', 'birds', '--out', 'x', '--score-scale', '5'],
      /^USAGE: --score-scale is of no use: lenet5/,
    ],
    [
      'a loss for pictures',
      ['lenet5', '--data', 'birds', '--out', 'x', '--loss', 'triplet'],
      /^USAGE: --loss/,
    ],
    [
      'an unknown loss',
      ['sentences', '--data', 'birds', '--out', 'x', '--loss', 'tripled'],
      /^USAGE: --loss is one of ranking, triplet, not tripled/,
    ],
    [
      'pictures for texts',
      ['sentences', '--data', 'birds', '--out', 'x', '--model', 'none'],
      /(INPUT_INVALID|MODEL_UNKNOWN)/,
    ],
    [
      'too large a batch',
      ['lenet5', '--data', 'birds', '--out', 'x', '--batch', '19'],
      /^OPTION_INVALID: The batch is 19.*18 rows/,
    ],
    [
      'a size that is too small',
      ['lenet5', '--data', 'birds', '--out', 'x', '--size', '4'],
      /^(OPTION_INVALID|SHAPE_MISMATCH|GRAPH_INVALID|MODEL_INVALID): /,
    ],
    ['a share of all', ['lenet5', '--data', 'birds', '--out', 'x', '--validation', '1'], /^OPTION_INVALID: /],
    [
      'validation of other classes',
      ['lenet5', '--data', 'birds', '--out', 'x', '--validation', 'fish'],
      /^(INPUT_INVALID|FILE_NOT_FOUND): /,
    ],
    ['a file that is not there', ['mine.mjs', '--out', 'x'], /^INPUT_INVALID: mine\.mjs cannot be loaded/],
    [
      'a file without options',
      ['empty.mjs', '--out', 'x'],
      /^INPUT_INVALID: The default export of empty\.mjs is not the options of train/,
    ],
    ['a rate for a file', ['empty.mjs', '--out', 'x', '--lr', '1'], /^USAGE: --lr changes a recipe/],
  ]
  it.each(cases)('with %s is refused, and writes nothing', async (_, argv, message) => {
    const home = process.cwd()
    writeFileSync(at('empty.mjs'), 'export default 1\n')
    process.chdir(folder)
    try {
      expect((await run(argv)).error).toMatch(message)
      expect(existsSync('x')).toBe(false)
    } finally {
      process.chdir(home)
    }
  })

  it('fine-tunes sentences, wholly and by LoRA with a learning rate of its own', {
    timeout: 60_000,
  }, async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const pairs = Array.from({ length: 12 }, (_, i) => ({
      sentence1: `a towhee ${['sings', 'eats', 'sleeps'][i % 3]} in the brush ${'and sings '.repeat(20)}`,
      sentence2: ['a bird', 'stock markets fell'][i % 2],
      score: 5 * ((i + 1) % 2),
    }))
    writeFileSync(at('pairs.jsonl'), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
    const words = [
      'sentences',
      '--data',
      at('pairs.jsonl'),
      '--model',
      model,
      '--epochs',
      '1',
      '--json',
      '--score-scale',
      '5',
    ]
    const rates: number[] = []
    for (const [name, ...more] of [['whole'], ['lora', '--lora', '2']] as const) {
      const { out, error } = await run([...words, '--out', at(name), ...more])
      expect(error).toBeUndefined()
      const first = events(out).find(({ kind }) => kind === 'step') as { learning_rate: number }
      rates.push(first.learning_rate)
      const e = await embedder(at(name))
      expect((await e.embed(['a towhee sings'])).vectors[0]).toHaveLength(e.dimensions)
      await e.dispose()
    }
    expect(rates[1]! / rates[0]!).toBeCloseTo(5e-4 / 2e-5, 3)
    const beyond = await run([...words.slice(0, -2), '--out', at('beyond')])
    expect(beyond.error).toMatch(/^INPUT_INVALID: .*from 0 to 5.*between 0 and 1.*--score-scale 5/)
    expect(existsSync(at('beyond'))).toBe(false)
  })

  it('lists its recipes in its help', async () => {
    const help = await helpOf(trainCommand, { meta: { name: 'pipilo' } })
    for (const { name, summary, needs, defaults } of trainingRecipes) {
      expect(help).toMatch(new RegExp(`^\\s+${name}\\s`, 'm'))
      expect(help).toContain(summary)
      expect(help).toContain(`needs ${needs}`)
      expect(help).toContain(`--epochs ${defaults.epochs} --batch ${defaults.batch} --lr ${defaults.lr}`)
    }
  })
})

describe('in a process of its own', () => {
  // Where tsx is found.
  const home = fileURLToPath(new URL('../..', import.meta.url))
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const process_ = (...argv: string[]) =>
    new Promise<{ status: number; out: string; err: string }>((resolve) => {
      execFile(
        process.execPath,
        ['--import', 'tsx', main, 'train', ...argv],
        { cwd: home },
        (error, out, err) => resolve({ status: error ? Number(error.code) : 0, out, err }),
      )
    })

  it('takes the options that a file exports, and says by its status how it ended', async () => {
    const room = pathToFileURL(fileURLToPath(new URL('../train/index.ts', import.meta.url))).href
    writeFileSync(
      at('own.mjs'),
      `import { freshNetwork, reconstruction } from '${room}'
export default () => ({
  network: freshNetwork('mlp_autoencoder', { config: { hidden: [8], latent: 3 }, size: [16, 16] }),
  objective: reconstruction(),
  batch: 9,
  epochs: 40,
})
`,
    )
    const [done, wrong, usage] = await Promise.all([
      process_(
        at('own.mjs'),
        '--data',
        at('birds'),
        '--out',
        at('own'),
        '--epochs',
        '2',
        '--validation',
        '0.5',
        '--json',
      ),
      process_('lenet5', '--data', at('nothing'), '--out', at('x')),
      process_('lenet5', '--data', at('birds'), '--out', at('x'), '--lr', '0'),
    ])
    expect(done.err).toBe('')
    expect(done.status).toBe(0)
    expect(events(done.out).map(({ kind }) => kind)).toEqual([
      ...['step', 'epoch', 'checkpoint'],
      ...['step', 'epoch', 'checkpoint'],
      'done',
    ])
    expect(events(done.out)[1]).toMatchObject({ validation_loss: expect.any(Number) })
    expect(wrong).toMatchObject({ status: 1, out: '', err: expect.stringMatching(/\[FILE_NOT_FOUND\]/) })
    expect(usage).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(/--lr is a number above 0/),
    })
  })
})
