import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { commands } from './cli.ts'
import { parseArguments, type Terminal } from './command.ts'

const testdata = fileURLToPath(new URL('../models/testdata', import.meta.url))
const home = process.cwd()
let world: string

beforeAll(async () => {
  world = mkdtempSync(join(tmpdir(), 'pipilo-project-'))
  process.chdir(world)
  cpSync(join(testdata, 'sentence-transformers'), 't', { recursive: true })
  cpSync(join(testdata, 'vision/resnet50'), 'i', { recursive: true })
  for (const [name, background] of Object.entries({ red: '#c02010', blue: '#1030d0' })) {
    mkdirSync(join('birds', name), { recursive: true })
    for (let i = 0; i < 4; i++)
      await sharp({ create: { width: 16 + i, height: 16, channels: 3, background } }).toFile(
        join('birds', name, `${i}.png`),
      )
  }
  writeFileSync(
    'rows.csv',
    'text,label,mood\na towhee sings,bird,glad\nmarkets fell,market,sad\nan owl hunts,bird,sad\n',
  )
  writeFileSync('empty.txt', '')
})
afterAll(() => {
  process.chdir(home)
  rmSync(world, { recursive: true, force: true })
})

/** Runs a command; what it printed, and how it ended. */
async function run(name: string, argv: readonly string[], signal = new AbortController().signal) {
  const printed = { out: '', err: '' }
  const terminal: Terminal = {
    out: async (text) => {
      printed.out += text
    },
    err: (text) => {
      printed.err += text
    },
    interactive: false,
    width: 80,
    signal,
  }
  const command = await commands[name]!()
  try {
    await command.run(parseArguments(command, argv), terminal)
    return { ...printed, error: undefined }
  } catch (error) {
    if (!(error instanceof PipiloError)) throw error
    return { ...printed, error: `${error.code}: ${error.message}` }
  }
}

interface Printed {
  readonly views: readonly { readonly name: string }[]
  readonly groups: { readonly kind: string; readonly names: readonly string[] }
  readonly items: readonly {
    readonly id: string
    readonly label?: string
    readonly places: readonly unknown[]
  }[]
}
const project = async (...argv: string[]): Promise<Printed> => {
  const { out, error } = await run('project', [...argv, '--json'])
  expect(error).toBeUndefined()
  return JSON.parse(out) as Printed
}

it('Words, rows of tables and pictures by class have places, and labels where they are said', async () => {
  const words = await project('towhee', 'owl', 'a market', '--model', 't')
  expect(words.items.map(({ id }) => id)).toEqual(['towhee', 'owl', 'a market'])
  expect(words.groups.kind).toBe('cluster')
  const rows = await project('rows.csv', '--model', 't')
  expect(rows.groups).toEqual({ kind: 'label', names: ['bird', 'market'] })
  expect((await project('rows.csv', '--model', 't', '--label', 'mood')).groups.names).toEqual(['glad', 'sad'])
  const birds = await project('birds', '--model', 'i')
  expect(birds.groups).toEqual({ kind: 'label', names: ['blue', 'red'] })
  expect(birds.items).toHaveLength(8)
})

it('Several models and layers stand side by side', async () => {
  const { views, items } = await project(
    'rows.csv',
    '--model',
    't',
    '--tap',
    'last_hidden_state; encoder.layer.0',
  )
  expect(views.map(({ name }) => name)).toEqual(['t last_hidden_state', 't encoder.layer.0'])
  expect(items[0]!.places).toHaveLength(2)
})

it('A collection is drawn by its own vectors', async () => {
  expect(
    (await run('index', ['rows.csv', '--model', 't', '--by', 'line', '--collection', 'rows'])).error,
  ).toBeUndefined()
  const { items, groups } = await project('--collection', 'rows', '--label', 'line')
  expect(items).toHaveLength(4)
  expect(groups).toEqual({ kind: 'label', names: ['1', '2', '3', '4'] })
  expect((await run('project', ['--collection', 'none', '--json'])).error).toMatch(
    /^(COLLECTION|OPTION|INPUT)/,
  )
})

it.each([
  [['towhee'], /USAGE: Draw the map into which file/],
  [['--out', 'a.html'], /USAGE: Put what on the map/],
  [['towhee', '--out', 'a.pdf'], /OPTION_INVALID: .*\.html, \.svg or \.png/],
  [['towhee', '--out', 'a.html', '--method', 'lda'], /USAGE: .*umap/],
  [['missing.txt', '--out', 'a.html'], /FILE_NOT_FOUND: .*pass --text/],
  [['empty.txt', '--out', 'a.html'], /FILE_EMPTY/],
  [['birds', 'towhee', '--out', 'a.html', '--model', 'i'], /INPUT_INVALID: towhee is text/],
  [['towhee', 'owl', '--neighbors', '5', '--model', 't', '--out', 'a.html'], /OPTION_INVALID|undefined/],
  [['towhee', '--collection', 'rows', '--out', 'a.html'], /USAGE: A collection has vectors/],
  [['towhee', '--watch', 'run', '--model', 't', '--out', 'a.html'], /USAGE: --watch names the model/],
] as const)('%j ends with a clear error', async (argv, message) => {
  expect(`${(await run('project', argv)).error}`).toMatch(message)
})

it('A training run is followed: an epoch a view, and the file is drawn again with each', async () => {
  const train = [
    'lenet5',
    '--data',
    'birds',
    '--size',
    '16',
    '--epochs',
    '3',
    '--out',
    'run',
    '--snapshots',
    '1',
  ]
  // It begins before there is a run to follow.
  const following = run('project', [
    'birds',
    '--watch',
    'run',
    '--method',
    'pca',
    '--out',
    'run.html',
    '--json',
  ])
  expect((await run('train', train)).error).toBeUndefined()
  const { out, err, error } = await following
  expect(error).toBeUndefined()
  const maps = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Printed)
  expect(maps.at(-1)!.views.map(({ name }) => name)).toEqual(['epoch 1', 'epoch 2', 'epoch 3'])
  // Once more when the run is over: the page no longer loads itself again.
  expect(err.match(/run\.html: 8 points/g)).toHaveLength(4)
  const page = readFileSync('run.html', 'utf8')
  expect(page).not.toContain('"following"')
  expect(page).toContain('"epochs":true')
  expect(readdirSync('run/snapshots')).toEqual(['epoch-0001', 'epoch-0002', 'epoch-0003'])
  // The last of them is the run's own model.
  const weights = (folder: string) => readFileSync(join(folder, 'model.safetensors'))
  expect(weights('run/snapshots/epoch-0003').equals(weights('run'))).toBe(true)
})

it('Following ends with the signal, and what was drawn stays', async () => {
  const stop = new AbortController()
  const following = run('project', ['birds', '--watch', 'nowhere', '--out', 'never.html'], stop.signal)
  setTimeout(() => stop.abort(), 300)
  expect((await following).error).toMatch(/^ABORTED/)
  expect(existsSync('never.html')).toBe(false)
})
