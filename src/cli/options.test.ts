import { createHash } from 'node:crypto'
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
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { embedder } from '../embed/index.ts'
import { towerFolder } from '../models/testing/towers.ts'
import { pca } from '../reduce/index.ts'
import { connect } from '../store/index.ts'
import { commands } from './cli.ts'
import { parseArguments, type Terminal } from './command.ts'
import { embedderOptions } from './modelOptions.ts'

const testdata = fileURLToPath(new URL('../models/testdata', import.meta.url))
const home = process.cwd()
/** What every run begins with: models, inputs and a database. */
let world: string
let cwd: string

beforeAll(async () => {
  world = mkdtempSync(join(tmpdir(), 'pipilo-options-'))
  process.chdir(world)
  cpSync(join(testdata, 'sentence-transformers'), 't', { recursive: true })
  cpSync(join(testdata, 'vision/resnet50'), 'i', { recursive: true })
  await towerFolder('clip', world)
  mkdirSync('photos')
  for (const [name, background] of Object.entries({ red: '#c02010', blue: '#1030d0' }))
    await sharp({ create: { width: 40, height: 32, channels: 3, background } }).toFile(
      join('photos', `${name}.png`),
    )
  for (const [name, background] of Object.entries({ red: '#c02010', blue: '#1030d0' })) {
    mkdirSync(join('birds', name), { recursive: true })
    for (let i = 0; i < 4; i++)
      await sharp({ create: { width: 16 + i, height: 16, channels: 3, background } }).toFile(
        join('birds', name, `${i}.png`),
      )
  }
  await run('train', ['lenet5', '--data', 'birds', '--size', '16', '--epochs', '1', '--out', 'begun'])
  writeFileSync(
    'pairs.jsonl',
    ['a towhee', 'an owl', 'a market', 'a train']
      .map((text, i) => `${JSON.stringify({ sentence1: text, sentence2: `${text} again`, score: i / 3 })}\n`)
      .join(''),
  )
  writeFileSync('many.txt', 'a towhee sings\nmarkets fell\nan owl hunts\nprices rise\nthe train is late\n')
  writeFileSync(
    'labelled.jsonl',
    ['towhee', 'owl', 'wren', 'heron', 'gull', 'loan', 'bank', 'tax', 'fund', 'price']
      .flatMap((word, i) =>
        [`the ${word}`, `a ${word} again`].map((text) => ({ text, label: i < 5 ? 'bird' : 'money' })),
      )
      .map((row, i) => `${JSON.stringify(i === 3 ? { ...row, label: 'money' } : row)}\n`)
      .join(''),
  )
  writeFileSync(
    'same.jsonl',
    ['a towhee', 'an owl', 'a market']
      .map(
        (text, i) =>
          `${JSON.stringify({ sentence1: text, sentence2: i === 0 ? text : 'rain', score: i === 0 ? 1 : 0 })}\n`,
      )
      .join(''),
  )
  writeFileSync('broken.jsonl', `${readFileSync('pairs.jsonl', 'utf8')}{ no JSON\n`)
  writeFileSync(
    'triplets.jsonl',
    ['a towhee', 'an owl', 'a market', 'a train']
      .map((text) => `${JSON.stringify({ anchor: text, positive: `${text} again`, negative: 'a bus' })}\n`)
      .join(''),
  )
  writeFileSync('notes.txt', 'a towhee sings in the brush\nstock markets fell again\ngone tomorrow\n')
  mkdirSync('old')
  writeFileSync('old/old.txt', 'of a folder that will be gone\n')
  writeFileSync('keys.txt', 'a-key-of-these-tests\n')
  writeFileSync('twice.txt', 'a towhee sings\na towhee sings\n')
  await run('index', ['twice.txt', '--model', 't', '--collection', 'twice'])
  writeFileSync('bad.txt', Buffer.from('fine\nb\xe4d\n', 'latin1'))
  await run('index', ['notes.txt', 'old', '--model', 't', '--by', 'line'])
  await run('index', ['notes.txt', 'photos', '--model', 'clip', '--collection', 'both', '--by', 'line'])
  writeFileSync('notes.txt', 'a towhee sings in the brush\nstock markets fell again\n')
  rmSync('old/old.txt')
  // Two that were made from a length alone: they do not say which model their vectors are of.
  const store = await connect('.pipilo')
  for (const [name, model, options, inputs] of [
    ['texts-by-hand', 't', {}, ['a towhee sings in the brush', 'stock markets fell again']],
    ['minilm-by-hand', 'all-MiniLM-L6-v2', {}, ['a towhee']],
    ['pictures-by-hand', 'i', { tap: 'stages.2' }, ['photos/red.png', 'photos/blue.png']],
  ] as const) {
    const e = await embedder(model, { ...options, runtime: { workers: 0 } })
    const collection = await store.collection(name, { dimensions: e.dimensions })
    const { vectors } = await e.embed(inputs)
    await collection.upsert(vectors.map((vector, i) => ({ id: inputs[i]!, vector })))
    if (model === 't') await (await pca.fit(vectors, { components: 2 })).save('pca.safetensors')
    await e.dispose()
  }
  await store.close()
})
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-option-'))
  return () => {
    process.chdir(home)
    rmSync(cwd, { recursive: true, force: true })
  }
})
afterAll(() => {
  process.chdir(home)
  rmSync(world, { recursive: true, force: true })
})

/** Runs a command here; what it printed, and how it ended. */
async function run(name: string, argv: readonly string[]) {
  const printed = { out: '', err: '' }
  const terminal: Terminal = {
    async out(text) {
      printed.out += text
    },
    err(text) {
      printed.err += text
    },
    interactive: false,
    width: 80,
    signal: new AbortController().signal,
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

/** What a command does in a copy of the world: what it prints, writes and stores. */
async function done(name: string, argv: readonly string[]) {
  rmSync(cwd, { recursive: true, force: true })
  cpSync(world, cwd, { recursive: true, preserveTimestamps: true })
  process.chdir(cwd)
  const ended = await run(name, argv)
  const files = readdirSync('.')
    .filter((file) => /\.(onnx|npy|jsonl|png|svg|html)$/.test(file))
    .map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')])
  const out = withoutTimes(ended.out)
  return { ...ended, out, files, measured: measured(), stored: await stored(), trained: trained() }
}

const before = new Map<string, Awaited<ReturnType<typeof done>>>()

/** {@link done}, once for the same words: many options are compared with one command. */
async function doneBefore(name: string, argv: readonly string[]) {
  const key = [name, ...argv].join('\n')
  const found = before.get(key) ?? (await done(name, argv))
  before.set(key, found)
  return found
}

/** What is printed, but for how fast it went. */
const withoutTimes = (text: string) =>
  text.replace(
    /(?:\d+% waiting for data {2})?\d+ samples\/s|"(?:samplesPerSecond|secondsLeft|waiting)":[\d.e-]+|"cost":\{[^}]*\}/g,
    'so fast',
  )

/** Files of MTEB, but for how long it took. */
function measured() {
  if (!existsSync('results')) return []
  const names = readdirSync('results', { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const { evaluation_time: _, ...rest } = JSON.parse(readFileSync(join('results', name), 'utf8'))
      return [name, rest]
    })
}

/** The models that were trained, and their checkpoints. */
function trained() {
  return ['trained', 'elsewhere'].flatMap((folder) => {
    const model = join(folder, 'model.safetensors')
    if (!existsSync(model)) return []
    const checkpoints = join(folder, 'checkpoints')
    const hash = createHash('sha256').update(readFileSync(model)).digest('hex')
    const kept = [checkpoints, join(folder, 'snapshots')].map((path) =>
      existsSync(path) ? readdirSync(path) : [],
    )
    return [[folder, hash, kept]]
  })
}

async function stored() {
  const rows: unknown[] = []
  for (const db of ['.pipilo', 'elsewhere'].filter((folder) => existsSync(folder))) {
    const store = await connect(db)
    for (const name of await store.list()) {
      const collection = await store.collection(name)
      const { dtype, taps } = collection.recipe ?? {}
      const ids: string[] = []
      for await (const { id } of collection.rows()) ids.push(id)
      for (const row of await collection.get(ids.sort()))
        rows.push([db, name, dtype, taps, row!.id, [...row!.vector]])
    }
    await store.close()
  }
  return rows
}

/** The arguments without an option, and with it. */
type Runs = readonly [without: string[], option: string[]]

/** Options of opening and of embedding, after the arguments of a command that embeds a text and one that embeds a picture. */
const modelRuns = (text: string[], picture: string[]): Record<string, Runs> => ({
  tap: [text, ['--tap', 'encoder.layer.0']],
  pool: [text, ['--pool', 'max']],
  normalize: [text, ['--no-normalize']],
  dimensions: [text, ['--dimensions', '4']],
  architecture: [picture, ['--architecture', 'resnet18']],
  prefix: [picture, ['--prefix', 'teacher.']],
  size: [picture, ['--size', '64']],
  input: [text, ['--input', 'token_type_ids=1']],
  card: [picture, ['--card', '{"image": {"crop": "border", "background": [9, 200, 90]}}']],
})
const promptRuns = (text: string[]): Record<string, Runs> => ({
  prompt: [text, ['--prompt', 'query']],
  'prompt-text': [text, ['--prompt-text', 'a song: ']],
})

/** Of reading files, after the arguments of a command that embeds those that are named. */
const readRuns = (...more: string[]): Record<string, Runs> => ({
  by: [
    ['notes.txt', ...more],
    ['--by', 'line'],
  ],
  chunk: [
    ['notes.txt', ...more],
    ['--chunk', '8'],
  ],
  overlap: [
    ['many.txt', '--chunk', '12', ...more],
    ['--overlap', '0'],
  ],
  columns: [
    ['labelled.jsonl', ...more],
    ['--columns', 'label'],
  ],
  encoding: [
    ['bad.txt', ...more],
    ['--encoding', 'latin1'],
  ],
})

const embedText = ['--text', 'towhee', '--model', 't']
const embedPicture = ['photos', '--model', 'i', '--tap', 'stages.2']
const indexText = ['notes.txt', '--model', 't', '--collection', 'new']
const indexPicture = ['photos', '--model', 'i', '--tap', 'stages.2', '--collection', 'new']
const searchText = ['towhee', '--model', 't', '--collection', 'texts-by-hand', '--json']
const searchPicture = [
  'photos/red.png',
  '--model',
  'i',
  '--tap',
  'stages.2',
  '--collection',
  'pictures-by-hand',
  '--json',
]

const attributeText = ['a towhee sings', '--towards', 'bird', '--model', 't', '--json']
const attributePicture = [
  'photos/red.png',
  '--towards',
  'photos/blue.png',
  '--model',
  'i',
  '--tap',
  'stages.2',
  '--steps',
  '2',
  '--json',
]
// Cosines do not depend on the lengths of vectors.
const { normalize: _, ...attributeModelRuns } = modelRuns(attributeText, attributePicture)
const birds = ['lenet5', '--data', 'birds', '--out', 'trained', '--size', '16', '--epochs', '2']

const evaluatePairs = ['--task', 'pairs.jsonl', '--model', 't', '--json']
const evaluateBirds = ['--task', 'birds', '--model', 'i', '--tap', 'stages.2', '--json', '--resamples', '0']
const evaluateLabelled = ['--task', 'labelled.jsonl', '--model', 't', '--json', '--resamples', '0']
const { normalize: __, ...evaluateModelRuns } = modelRuns(evaluatePairs, evaluateBirds)

const compareTexts = [
  't',
  '--data',
  'many.txt',
  '--tap',
  'last_hidden_state; encoder.layer.0',
  '-k',
  '1',
  '--json',
]
const comparePictures = [
  'i',
  '--data',
  'photos,birds/red',
  '--tap',
  'stages.1; stages.2',
  '-k',
  '1',
  '--json',
]
const duplicateTexts = ['many.txt', '--model', 't', '--threshold', '0.1', '--json']
const duplicatePictures = ['photos', '--model', 'i', '--tap', 'stages.2', '--threshold', '0.1', '--json']
const { normalize: ____, ...duplicateModelRuns } = modelRuns(duplicateTexts, duplicatePictures)
const { normalize: ___, ...compareModelRuns } = modelRuns(compareTexts, comparePictures)

const projectTexts = ['many.txt', '--model', 't', '--json']
const projectPictures = ['photos', '--model', 'i', '--tap', 'stages.2', '--json']
const { normalize: _____, ...projectModelRuns } = modelRuns(projectTexts, projectPictures)

// A file that is written takes its further inputs when it runs.
const { input: ______, ...exportModelRuns } = modelRuns(['t', '-o', 'a.onnx'], ['i', '-o', 'a.onnx'])

const checkServe = ['--model', 't', '--check', '--json']

const runs: Record<string, Record<string, Runs>> = {
  project: {
    ...projectModelRuns,
    ...promptRuns(projectTexts),
    size: [projectPictures, ['--size', 'none']],
    text: [projectTexts, ['--text']],
    as: [projectTexts, ['--as', 'image']],
    label: [
      ['--collection', 'texts', '--json'],
      ['--label', 'line'],
    ],
    collection: [['--json'], ['--collection', 'texts']],
    db: [
      ['--collection', 'texts', '--json'],
      ['--db', 'elsewhere'],
    ],
    model: [
      ['many.txt', '--json'],
      ['--model', 't'],
    ],
    dtype: [
      ['many.txt', '--json'],
      ['--dtype', 'int8'],
    ],
    threads: [projectTexts, ['--threads', 'none']],
    device: [projectTexts, ['--device', 'none']],
    isolate: [projectTexts, ['--isolate', '--device', 'webgpu']],
    method: [projectTexts, ['--method', 'pca']],
    neighbors: [projectTexts, ['--neighbors', '3']],
    perplexity: [
      [...projectTexts, '--method', 'tsne'],
      ['--perplexity', '2'],
    ],
    near: [projectTexts, ['--near', '2']],
    color: [
      ['birds', '--model', 'i', '--json'],
      ['--color', 'cluster'],
    ],
    clusters: [projectTexts, ['--clusters', '1']],
    seed: [
      [...projectTexts, '--method', 'umap'],
      ['--seed', '1'],
    ],
    title: [
      ['many.txt', '--model', 't', '--out', 'map.svg'],
      ['--title', 'Many'],
    ],
    watch: [
      ['photos', '--json'],
      ['--watch', 'begun'],
    ],
    out: [
      ['many.txt', '--model', 't'],
      ['--out', 'map.svg'],
    ],
    'on-error': [
      ['bad.txt', '--model', 't', '--json'],
      ['--on-error', 'skip'],
    ],
    json: [['many.txt', '--model', 't', '--out', 'map.svg'], ['--json']],
  },
  compare: {
    ...compareModelRuns,
    ...promptRuns(compareTexts),
    tap: [
      ['t', '--data', 'many.txt', '-k', '1'],
      ['--tap', 'last_hidden_state; encoder.layer.0'],
    ],
    size: [comparePictures, ['--size', 'none']],
    data: [compareTexts.filter((word) => !/data|many/.test(word)), ['--data', 'many.txt']],
    dtype: [
      ['all-MiniLM-L6-v2', '--data', 'many.txt', '-k', '1'],
      ['--dtype', 'fp32; int8'],
    ],
    threads: [compareTexts, ['--threads', 'none']],
    device: [compareTexts, ['--device', 'none']],
    isolate: [compareTexts, ['--isolate', '--device', 'webgpu']],
    k: [compareTexts, ['-k', '2']],
    show: [compareTexts.slice(0, -1), ['--show', '1']],
    plot: [compareTexts, ['--plot', 'drawn.svg']],
    json: [compareTexts.slice(0, -1), ['--json']],
  },
  evaluate: {
    ...evaluateModelRuns,
    card: [evaluateBirds, ['--card', 'none']],
    ...promptRuns(evaluatePairs),
    size: [evaluateBirds, ['--size', 'none']],
    task: [
      ['--model', 't', '--json'],
      ['--task', 'pairs.jsonl'],
    ],
    kind: [evaluateBirds, ['--kind', 'clustering']],
    test: [evaluateBirds, ['--test', 'birds']],
    split: [evaluateBirds, ['--split', 'dev']],
    model: [
      ['--task', 'pairs.jsonl', '--json'],
      ['--model', 't'],
    ],
    dtype: [
      ['--task', 'pairs.jsonl', '--json'],
      ['--dtype', 'int8'],
    ],
    threads: [evaluatePairs, ['--threads', 'none']],
    device: [evaluatePairs, ['--device', 'none']],
    isolate: [evaluatePairs, ['--isolate', '--device', 'webgpu']],
    neighbors: [evaluateBirds, ['--neighbors', '100']],
    probe: [evaluateBirds, ['--no-probe']],
    shots: [
      [...evaluateBirds, '--kind', 'few-shot'],
      ['--shots', '2'],
    ],
    out: [
      [...evaluateLabelled, '--suspects'],
      ['--out', 'suspects.html'],
    ],
    plot: [evaluateLabelled, ['--plot', 'drawn.svg']],
    'every-layer': [evaluatePairs, ['--every-layer']],
    space: [evaluateLabelled, ['--space']],
    suspects: [evaluateLabelled, ['--suspects']],
    resamples: [evaluatePairs, ['--resamples', '0']],
    seed: [
      [...evaluatePairs, '--resamples', '2'],
      ['--seed', '3'],
    ],
    'on-error': [
      ['--task', 'broken.jsonl', '--model', 't', '--json'],
      ['--on-error', 'skip'],
    ],
    mteb: [evaluatePairs.slice(0, -1), ['--mteb', 'results']],
    'mteb-task': [
      [...evaluatePairs.slice(0, -1), '--mteb', 'results'],
      ['--mteb-task', 'STSBenchmark'],
    ],
    'mteb-split': [
      [...evaluatePairs.slice(0, -1), '--mteb', 'results'],
      ['--mteb-split', 'dev'],
    ],
    'mteb-revision': [
      [...evaluatePairs.slice(0, -1), '--mteb', 'results'],
      ['--mteb-revision', 'abc123'],
    ],
    json: [evaluatePairs.slice(0, -1), ['--json']],
  },
  duplicates: {
    ...duplicateModelRuns,
    ...promptRuns(duplicateTexts),
    model: [
      ['many.txt', '--threshold', '0.5', '--json'],
      ['--model', 't'],
    ],
    dtype: [
      ['many.txt', '--model', 'all-MiniLM-L6-v2', '--threshold', '0.1', '--json'],
      ['--dtype', 'int8'],
    ],
    size: [duplicatePictures, ['--size', 'none']],
    as: [
      ['many.txt', '--model', 't', '--threshold', '0.5', '--json'],
      ['--as', 'image'],
    ],
    threads: [duplicateTexts, ['--threads', 'none']],
    device: [duplicateTexts, ['--device', 'none']],
    isolate: [duplicateTexts, ['--isolate', '--device', 'webgpu']],
    threshold: [
      ['many.txt', '--model', 't', '--json'],
      ['--threshold', '0.5'],
    ],
    pairs: [
      ['many.txt', '--model', 't', '--json'],
      ['--pairs', 'same.jsonl'],
    ],
    show: [duplicateTexts.slice(0, -1), ['--show', '0']],
    out: [duplicateTexts, ['--out', 'groups.html']],
    'on-error': [
      ['bad.txt', 'many.txt', '--model', 't', '--threshold', '0.1', '--json'],
      ['--on-error', 'skip'],
    ],
    json: [duplicateTexts.slice(0, -1), ['--json']],
  },
  demo: {
    db: [['--json'], ['--db', 'elsewhere']],
    open: [['--json'], ['--open']],
    json: [[], ['--json']],
  },
  embed: {
    ...modelRuns(embedText, embedPicture),
    ...promptRuns(embedText),
    ...readRuns('--model', 't'),
    text: [['notes.txt', '--model', 't'], ['--text']],
    as: [
      ['notes.txt', '--model', 't'],
      ['--as', 'image'],
    ],
    model: [
      ['--text', 'towhee'],
      ['--model', 't'],
    ],
    dtype: [
      ['--text', 'towhee'],
      ['--dtype', 'int8'],
    ],
    threads: [embedText, ['--threads', 'none']],
    device: [embedText, ['--device', 'none']],
    isolate: [embedText, ['--isolate', '--device', 'webgpu']],
    reduce: [embedText, ['--reduce', 'pca.safetensors']],
    out: [embedText, ['--out', 'v.npy']],
    'on-error': [
      ['bad.txt', '--model', 't'],
      ['--on-error', 'skip'],
    ],
    json: [[...embedText, '--out', 'v.npy'], ['--json']],
  },
  index: {
    ...modelRuns(indexText, indexPicture),
    ...promptRuns(indexText),
    ...readRuns('--model', 't', '--collection', 'new'),
    db: [indexText, ['--db', 'elsewhere']],
    collection: [
      ['notes.txt', '--model', 't'],
      ['--collection', 'new'],
    ],
    as: [indexText, ['--as', 'image']],
    model: [
      ['notes.txt', '--collection', 'new'],
      ['--model', 't'],
    ],
    threads: [indexText, ['--threads', 'none']],
    device: [indexText, ['--device', 'none']],
    isolate: [indexText, ['--isolate', '--device', 'webgpu']],
    dtype: [indexText, ['--dtype', 'int8']],
    prune: [['notes.txt'], ['--prune']],
    'prune-all': [['old', '--model', 't', '--prune'], ['--prune-all']],
    watch: [['old', '--model', 't', '--prune-all'], ['--watch']],
    'on-error': [
      ['bad.txt', '--model', 't'],
      ['--on-error', 'skip'],
    ],
    json: [indexText, ['--json']],
  },
  search: {
    ...modelRuns(searchText, searchPicture),
    ...promptRuns(searchText),
    // The one of queries is there without being asked for.
    prompt: [searchText, ['--prompt', 'document']],
    db: [
      ['towhee', '--collection', 'texts'],
      ['--db', 'elsewhere'],
    ],
    collection: [['towhee'], ['--collection', 'both']],
    k: [['towhee'], ['-k', '1']],
    filter: [['towhee'], ['--filter', '{"line":2}']],
    hybrid: [['markets', '--json'], ['--hybrid']],
    exact: [['towhee', '--probes', '4'], ['--exact']],
    probes: [['towhee'], ['--probes', 'none']],
    distinct: [['towhee', '--collection', 'twice', '--json'], ['--distinct']],
    as: [
      ['photos/red.png', '--collection', 'both'],
      ['--as', 'text'],
    ],
    model: [
      ['towhee', '--collection', 'texts-by-hand'],
      ['--model', 't'],
    ],
    dtype: [
      ['towhee', '--model', 'all-MiniLM-L6-v2', '--collection', 'minilm-by-hand', '--json'],
      ['--dtype', 'int8'],
    ],
    threads: [searchText, ['--threads', 'none']],
    device: [searchText, ['--device', 'none']],
    isolate: [searchText, ['--isolate', '--device', 'webgpu']],
    json: [['towhee'], ['--json']],
  },
  attribute: {
    ...attributeModelRuns,
    ...promptRuns(attributeText),
    towards: [
      ['towhee', '--model', 't'],
      ['--towards', 'bird'],
    ],
    as: [attributeText, ['--as', 'image']],
    model: [
      ['towhee', '--towards', 'bird'],
      ['--model', 't'],
    ],
    dtype: [attributeText, ['--dtype', 'int8']],
    threads: [attributeText, ['--threads', 'none']],
    method: [attributeText, ['--method', 'gradient']],
    steps: [attributeText, ['--steps', '2']],
    baseline: [attributePicture, ['--baseline', 'black']],
    out: [attributePicture.filter((word) => word !== '--json'), ['--out', 'heat.png']],
    json: [attributeText.filter((word) => word !== '--json'), ['--json']],
  },
  inspect: {
    architecture: [['i'], ['--architecture', 'resnet18']],
    prefix: [['i'], ['--prefix', 'teacher.']],
    size: [['i'], ['--size', '64']],
    card: [['i'], ['--card', '{"image": {"crop": "squash"}}']],
    dtype: [['all-MiniLM-L6-v2'], ['--dtype', 'int8']],
    device: [['i'], ['--device', 'cpu']],
    graph: [['i'], ['--graph']],
    json: [['i'], ['--json']],
  },
  export: {
    ...exportModelRuns,
    dtype: [
      ['all-MiniLM-L6-v2', '-o', 'a.onnx'],
      ['--dtype', 'int8'],
    ],
    out: [['t'], ['--out', 'a.onnx']],
    tower: [
      ['clip', '-o', 'a.onnx'],
      ['--tower', 'image'],
    ],
    preprocess: [['i', '-o', 'a.onnx'], ['--no-preprocess']],
    reduce: [
      ['t', '-o', 'a.onnx'],
      ['--reduce', 'pca.safetensors'],
    ],
    json: [['t', '-o', 'a.onnx'], ['--json']],
  },
  collections: {
    db: [[], ['--db', 'elsewhere']],
    yes: [['delete', 'texts'], ['--yes']],
    json: [['show', 'texts'], ['--json']],
  },
  models: { json: [[], ['--json']] },
  serve: {
    model: [checkServe, ['--model', 'i']],
    dtype: [checkServe, ['--dtype', 'int8']],
    device: [checkServe, ['--device', 'none']],
    threads: [checkServe, ['--threads', '1']],
    db: [checkServe, ['--db', 'elsewhere']],
    files: [checkServe, ['--files', 'photos']],
    host: [checkServe, ['--host', 'localhost']],
    port: [checkServe, ['--port', '0']],
    'key-file': [checkServe, ['--key-file', 'keys.txt']],
    anyone: [checkServe, ['--anyone']],
    cors: [checkServe, ['--cors', '*']],
    'fetch-from': [checkServe, ['--fetch-from', 'a.example', '--fetch-from', 'b.example']],
    'token-ids': [checkServe, ['--token-ids']],
    queue: [checkServe, ['--queue', '512']],
    timeout: [checkServe, ['--timeout', '5']],
    idle: [checkServe, ['--idle', '5']],
    memory: [checkServe, ['--memory', '500']],
    cache: [checkServe, ['--cache', 'kept']],
    'cache-size': [
      [...checkServe, '--cache', 'kept'],
      ['--cache-size', '1'],
    ],
    warm: [checkServe, ['--warm']],
    page: [checkServe, ['--no-page']],
    log: [checkServe, ['--log', 'log.txt']],
    traces: [checkServe, ['--traces']],
    // Nothing can listen at an address for documentation.
    check: [['--model', 't', '--host', '203.0.113.1', '--anyone'], ['--check']],
    json: [['--model', 't', '--check'], ['--json']],
  },
  train: {
    data: [
      ['lenet5', '--out', 'trained', '--size', '16', '--epochs', '1'],
      ['--data', 'birds'],
    ],
    validation: [birds, ['--validation', '0.5']],
    out: [
      ['lenet5', '--data', 'birds', '--size', '16', '--epochs', '1'],
      ['--out', 'trained'],
    ],
    model: [
      ['autoencoder', '--data', 'birds', '--out', 'trained', '--size', '16', '--epochs', '1'],
      ['--model', 'conv_autoencoder'],
    ],
    size: [
      ['lenet5', '--data', 'birds', '--out', 'trained', '--epochs', '1'],
      ['--size', '20'],
    ],
    epochs: [
      ['lenet5', '--data', 'birds', '--out', 'trained', '--size', '16'],
      ['--epochs', '1'],
    ],
    batch: [birds, ['--batch', '4']],
    lr: [birds, ['--lr', '0.2']],
    lora: [
      [
        'sentences',
        '--data',
        'pairs.jsonl',
        '--model',
        't',
        '--out',
        'trained',
        '--epochs',
        '1',
        '--lr',
        '0.01',
      ],
      ['--lora', '2'],
    ],
    'score-scale': [
      [
        'sentences',
        '--data',
        'pairs.jsonl',
        '--model',
        't',
        '--out',
        'trained',
        '--epochs',
        '1',
        '--lr',
        '0.01',
      ],
      ['--score-scale', '2'],
    ],
    loss: [
      [
        'sentences',
        '--data',
        'triplets.jsonl',
        '--model',
        't',
        '--out',
        'trained',
        '--epochs',
        '1',
        '--lr',
        '0.01',
      ],
      ['--loss', 'triplet'],
    ],
    seed: [birds, ['--seed', '1']],
    checkpoint: [birds, ['--checkpoint', '0']],
    snapshots: [birds, ['--snapshots', '1']],
    resume: [['lenet5', '--data', 'birds', '--size', '16', '--epochs', '1', '--out', 'begun'], ['--resume']],
    json: [birds, ['--json']],
  },
}

describe.each(Object.keys(commands))('pipilo %s', (name) => {
  it('has a run here for every option that it declares', async () => {
    const { args } = await commands[name]!()
    const options = Object.keys(args).filter((option) => args[option]!.type !== 'positional')
    expect(Object.keys(runs[name] ?? {}).sort()).toEqual(options.sort())
  })

  it.each(Object.entries(runs[name] ?? {}))('does otherwise with --%s', async (_, [without, option]) => {
    const [plain, changed] = [await doneBefore(name, without), await done(name, [...without, ...option])]
    // One of them works: otherwise the difference may be that of two mistakes.
    expect([plain.error, changed.error]).toContain(undefined)
    expect(changed).not.toEqual(plain)
  })
})

it('trains the same twice, so that a difference is the option’s', async () => {
  expect(await done('train', birds)).toEqual(await done('train', birds))
})

it('turns all arguments of a model into options in one place', () => {
  const size = [224, 288]
  const written = {
    tap: 'a,b',
    pool: 'max',
    normalize: false,
    dimensions: '4',
    dtype: 'int8',
    architecture: 'resnet50',
    size: '224x288',
    input: 'task_id=4,scale=0.50',
    card: '{"image": {"mean": [0, 0, 0]}}',
    threads: '3',
    device: 'webgpu',
    isolate: true,
    'prompt-text': 'query: ',
  }
  expect(embedderOptions(written)).toEqual({
    tap: ['a', 'b'],
    pool: 'max',
    normalize: false,
    dimensions: 4,
    dtype: 'int8',
    architecture: 'resnet50',
    size,
    inputs: { task_id: '4', scale: '0.5' },
    card: { image: { mean: [0, 0, 0] } },
    runtime: { workers: 3, threads: 1 },
    device: 'webgpu',
    isolate: true,
    prompt: { text: 'query: ' },
  })
  expect(embedderOptions({ tap: 'a', prompt: 'query' })).toEqual({ tap: 'a', prompt: 'query' })
})

describe('a collection that remembers its recipe', () => {
  const search = (...argv: string[]) => run('search', ['towhee', '--collection', 'small', '--json', ...argv])
  const best = ({ out }: { out: string }) => (JSON.parse(out) as { id: string; score: number }[])[0]

  it('is searched and indexed again without an option, and refuses those that contradict it', async () => {
    await done('models', [])
    const options = [
      '--model',
      't',
      '--dtype',
      'int8',
      '--tap',
      'hidden_states.1',
      '--pool',
      'max',
      '--prompt',
      'document',
    ]
    const index = (...argv: string[]) =>
      run('index', ['notes.txt', '--by', 'line', '--collection', 'small', '--json', ...argv])
    expect(JSON.parse((await index(...options)).out)).toMatchObject({ indexed: 2 })
    // It ended in COLLECTION_MISMATCH, with --dtype int8 as without.
    const found = await search()
    expect(found.error).toBeUndefined()
    const exact = ['stock markets fell again', '--collection', 'small', '--json', '--prompt', 'document']
    expect(best(await run('search', exact))).toMatchObject({ id: 'notes.txt:2', score: expect.closeTo(1, 5) })
    for (const same of [
      ['--dtype', 'int8'],
      ['--tap', 'encoder.layer.0', '--pool', 'max'],
      ['--model', join(world, 't')],
    ])
      expect(await search(...same), same.join(' ')).toEqual(found)
    expect((await search('--dtype', 'fp32')).error).toMatch(
      /^COLLECTION_MISMATCH: .*kind: dtype int8, not fp32\./,
    )
    expect((await search('--pool', 'cls')).error).toMatch(/^COLLECTION_MISMATCH: .*kind: pool max, not cls\./)
    expect((await search('--model', 'i')).error).toMatch(/^RECIPE_MISMATCH/)
    expect(JSON.parse((await index()).out)).toMatchObject({ indexed: 0, unchanged: 2 })
    expect((await index('--pool', 'cls')).error).toMatch(/^COLLECTION_MISMATCH/)
    expect(JSON.parse((await index('--prompt', 'query')).out)).toMatchObject({ indexed: 2, unchanged: 0 })
  })

  it('is asked with the prompt of the query, not of what is stored', async () => {
    await done('models', [])
    await run('index', ['notes.txt', '--collection', 'small', '--model', 't', '--prompt', 'document'])
    const scores = await Promise.all(
      [[], ['--prompt-text', ''], ['--prompt', 'query'], ['--prompt', 'document']].map(
        async (prompt) => best(await search(...prompt))!.score,
      ),
    )
    expect(scores[0]).toBe(scores[2])
    expect(new Set(scores).size).toBe(3)
  })
})
