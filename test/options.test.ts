// What callers from JavaScript may get wrong: options and arguments of every door, refused with a code and a name.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embeddingMap, mapHtml, mapPng, mapSvg, thumbnailsOf, writeMap } from '../src/atlas/index.ts'
import * as embed from '../src/embed/index.ts'
import * as evaluate from '../src/evaluate/index.ts'
import {
  connect,
  cosineSimilarity,
  dc,
  embedder,
  fileChanges,
  glob,
  indexFiles,
  marginalRelevance,
  open,
  openRecipe,
  ops,
  PipiloError,
  pipe,
  pipeline,
  rerank,
  resolveRecipe,
  similarityMatrix,
  topK,
  zeroShot,
} from '../src/index.ts'
import { openRepository } from '../src/models/index.ts'
import * as reduce from '../src/reduce/index.ts'
import { compile } from '../src/runtime/index.ts'
import { collectionItems } from '../src/store/index.ts'
import * as train from '../src/train/index.ts'

/** Callers from JavaScript pass what they like. */
// biome-ignore lint/suspicious/noExplicitAny: the tests are about what no compiler has looked at
type Anything = any

const model = join(fileURLToPath(new URL('../src/models/testdata', import.meta.url)), 'sentence-transformers')
const vectors = [
  [1, 0],
  [0, 1],
  [1, 1],
  [1, 2],
].map((row) => new Float32Array(row))
const labelled = { vectors, labels: [0, 1, 0, 1] }
const map = { items: [], views: [] } as Anything

let e: Anything
let opened: Anything
let folder: string
let store: Anything
let collection: Anything

beforeAll(async () => {
  e = await embedder(model, { runtime: { workers: 0 } })
  opened = await open(model)
  folder = mkdtempSync(join(tmpdir(), 'pipilo-doors-'))
  store = await connect(folder)
  collection = await store.collection('c', { dimensions: 2 })
  await collection.upsert([{ id: 'a', vector: [1, 0], metadata: { text: 'owl' } }])
})

afterAll(async () => {
  await store?.close()
  await e?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

const any = <T>(value: T): Anything => value
const list = async (values: AsyncIterable<unknown>) => {
  for await (const _ of values);
}

/** Every door that takes options, called with some. */
const doors: Record<string, (options: Anything) => unknown> = {
  embedder: (o) => embedder(model, o),
  open: (o) => open(model, o),
  resolveRecipe: (o) => resolveRecipe(model, o),
  openRecipe: (o) => openRecipe(e.recipe, o),
  embed: (o) => e.embed(['owl'], o),
  stream: (o) => list(e.stream(['owl'], o)),
  zeroShot: (o) => zeroShot(e, 'x.png', ['a'], o),
  rerank: (o) => rerank(e, 'a', ['x.png'], o),
  decodeImage: (o) => embed.decodeImage('x.png', undefined, o),
  loadTokenizer: (o) => embed.loadTokenizer(join(model, 'tokenizer.json'), o),
  readInputs: (o) => list(embed.readInputs([], o)),
  readDataset: (o) => embed.readDataset([], o),
  collectDataset: (o) => embed.collectDataset([], o),
  readRetrieval: (o) => embed.readRetrieval('x', o),
  semanticSearch: (o) => embed.semanticSearch(vectors, vectors, o),
  paraphraseMining: (o) => embed.paraphraseMining(vectors, o),
  communityDetection: (o) => embed.communityDetection(vectors, o),
  hardNegatives: (o) =>
    embed.hardNegatives({ anchors: vectors, corpus: vectors, positives: [[0], [1], [2], [3]] }, o),
  pipeline: (o) => pipeline('text-embedding', o),
  'textEmbedding.sentence': (o) => ops.textEmbedding.sentence(o),
  'textEmbedding.transformers': (o) => ops.textEmbedding.transformers(o),
  'imageEmbedding.timm': (o) => ops.imageEmbedding.timm(o),
  'textImageEmbedding.clip': (o) => ops.textImageEmbedding.clip(o),
  imageDecode: (o) => ops.imageDecode(o),
  glob: (o) => glob('*.md', o),
  embedding: (o) => opened.embedding(o),
  save: (o) => opened.save(join(folder, 'x.onnx'), o),
  export: (o) => opened.export(join(folder, 'x.onnx'), o),
  marginalRelevance: (o) => marginalRelevance([1, 0], vectors, o),
  passages: (o) => dc(['a']).passages(o),
  window: (o) => dc(['a']).window(2, 1, o),
  'window of a pipe': (o) => pipe.input('a').window(2, 1, o),
  toList: (o) => dc(['a']).toList(o),
  'stream of dc': (o) => list(any(dc(['a'])).stream(o)),
  'batch of a pipe': (o) =>
    any(
      pipe
        .input('a')
        .map('a', 'b', (a) => a)
        .output('b'),
    ).batch(['x'], o),
  connect: (o) => connect(folder, o),
  collection: (o) => store.collection('c', o),
  upsert: (o) => collection.upsert([], o),
  search: (o) => collection.search([1, 0], o),
  delete: (o) => collection.delete(['a'], o),
  optimize: (o) => collection.optimize(o),
  fileChanges: (o) => fileChanges([folder], o),
  attribute: (o) => evaluate.attribute(e, 'owl', 'wren', o),
  heatMap: (o) => evaluate.heatMap(any({}), undefined, o),
  colorTokens: (o) => evaluate.colorTokens(any({ tokens: [] }), o),
  evaluate: (o) => evaluate.evaluate(e, any({}), o),
  evaluateLayers: (o) => evaluate.evaluateLayers(model, any({}), o),
  confusionMatrixPlot: (o) => evaluate.confusionMatrixPlot([[1]], o),
  similarityPlot: (o) => evaluate.similarityPlot(vectors, o),
  depthPlot: (o) => evaluate.depthPlot([], o),
  readTask: (o) => evaluate.readTask('x', o),
  mtebResult: (o) => evaluate.mtebResult(any({}), o),
  bootstrap: (o) => evaluate.bootstrap([1, 2], undefined, o),
  rankingMeasures: (o) => evaluate.rankingMeasures(new Map(), new Map(), o),
  kMeans: (o) => evaluate.kMeans(vectors, o),
  logisticRegression: (o) => evaluate.logisticRegression(labelled, o),
  linearProbe: (o) => evaluate.linearProbe(labelled, o),
  fewShot: (o) => evaluate.fewShot(labelled, o),
  nearestNeighbors: (o) => evaluate.nearestNeighbors(labelled, undefined, o),
  suspects: (o) => evaluate.suspects(labelled, o),
  suspectsPage: (o) => evaluate.suspectsPage([], any({}), o),
  duplicates: (o) => evaluate.duplicates(e, ['owl'], o),
  duplicatesPage: (o) => evaluate.duplicatesPage(any({}), any({}), o),
  duplicateThreshold: (o) => evaluate.duplicateThreshold(e, [], o),
  compareEmbeddings: (o) => evaluate.compareEmbeddings(vectors, vectors, o),
  'pca.fit': (o) => reduce.pca.fit(vectors, o),
  'incrementalPca.fit': (o) => reduce.incrementalPca.fit([vectors], o),
  'whitening.fit': (o) => reduce.whitening.fit(vectors, o),
  'lda.fit': (o) => reduce.lda.fit(vectors, [0, 1, 0, 1], o),
  'randomProjection.fit': (o) => reduce.randomProjection.fit(vectors, o),
  'kernelPca.fit': (o) => reduce.kernelPca.fit(vectors, o),
  'umap.fit': (o) => reduce.umap.fit(vectors, o),
  'tsne.fit': (o) => reduce.tsne.fit(vectors, o),
  trustworthiness: (o) => reduce.trustworthiness(vectors, vectors, o),
  singularValues: (o) => reduce.singularValues(vectors, o),
  quantize: (o) => reduce.quantize(vectors, 'int8', o),
  compareQuantized: (o) => reduce.compareQuantized(vectors, vectors, o),
  transform: async (o) => (await reduce.pca.fit(vectors, { components: 1 })).transform(vectors, o),
  'search of quantized rows': async (o) =>
    any(await reduce.quantize(vectors, 'int8')).search(new Float32Array([1, 0]), o),
  embeddingMap: (o) => embeddingMap([], [], o),
  writeMap: (o) => writeMap('x.html', map, o),
  mapHtml: (o) => mapHtml(map, o),
  mapSvg: (o) => mapSvg(map, o),
  mapPng: (o) => mapPng(map, o),
  thumbnailsOf: (o) => thumbnailsOf([], o),
  collectionItems: (o) => collectionItems(collection, o),
  train: (o) => train.train(o),
  batches: (o) => list(train.batches(any({}), o)),
  splitDataset: (o) => train.splitDataset(any({ length: 2 }), o),
  splitLabels: (o) => train.splitLabels([0, 1], o),
  plainSampler: (o) => train.plainSampler(4, o),
  classSampler: (o) => train.classSampler([0, 1], o),
  pictureDecoder: (o) => train.pictureDecoder(o),
  freshNetwork: (o) => train.freshNetwork('resnet20_cifar', o),
  openedNetwork: (o) => train.openedNetwork(model, o),
  clipNetwork: (o) => train.clipNetwork(o),
  headNetwork: (o) => train.headNetwork(o),
  maeNetwork: (o) => train.maeNetwork({}, o),
  byol: (o) => train.byol(o),
  classification: (o) => train.classification(o),
  classPairs: (o) => train.classPairs(o),
  data2vec: (o) => train.data2vec(o),
  distillation: (o) => train.distillation(o),
  imageText: (o) => train.imageText(o),
  labelledPairs: (o) => train.labelledPairs(o),
  mae: (o) => train.mae(o),
  maskedLanguageModel: (o) => train.maskedLanguageModel(o),
  probe: (o) => train.probe(o),
  rankedPairs: (o) => train.rankedPairs(o),
  reconstruction: (o) => train.reconstruction(o),
  scoredPairs: (o) => train.scoredPairs(o),
  simClr: (o) => train.simClr(o),
  singleTexts: (o) => train.singleTexts(o),
  supervisedContrast: (o) => train.supervisedContrast(o),
  textTriplets: (o) => train.textTriplets(o),
  triplets: (o) => train.triplets(o),
  simClrAugmentation: (o) => train.simClrAugmentation(8, o),
  runSnapshots: (o) => list(train.runSnapshots('x', o)),
  terminalCurve: (o) => train.terminalCurve([1, 2], o),
  openRepository: (o) => openRepository('owner/name', o),
  compile: (o) => compile(any({ inputs: [], outputs: [], nodes: [] }), o),
}

const refusal = async (call: () => unknown): Promise<Anything> => {
  try {
    await call()
  } catch (error) {
    if (error instanceof PipiloError) return error
    throw error
  }
  throw new Error('It was not refused.')
}

describe('Options that are none are refused, by every door:', () => {
  it.each(Object.keys(doors))('%s', async (door) => {
    const call = doors[door]!
    for (const none of [3, 'x', null, [], true, new Map(), new URL('file:///x')]) {
      // A text is one more pattern.
      if (door === 'glob' && none === 'x') continue
      expect(await refusal(() => call(none)), String(none)).toMatchObject({
        code: 'OPTION_INVALID',
        input: 'options',
      })
    }
    const unknown = await refusal(() => call({ fooBar: 1 }))
    expect(unknown).toMatchObject({ code: 'OPTION_INVALID', input: 'fooBar' })
    expect(unknown.message).toContain('has no option fooBar')
  })
})

it.each([
  ['embedder', { pooling: 'cls' }, 'pooling', 'Did you mean pool?'],
  ['embedder', { batchSize: -1 }, 'batchSize', 'Did you mean size or batchPixels?'],
  ['embedder', { runtime: 3 }, 'runtime'],
  ['embedder', { runtime: { workers: '2' } }, 'runtime'],
  ['embedder', { runtime: { thread: 2 } }, 'runtime', 'Did you mean threads'],
  ['embedder', { device: 'x' }, 'device', 'cpu, webgpu'],
  ['embedder', { device: 'web-gpu' }, 'device', 'Did you mean webgpu?'],
  ['embedder', { chunk: true }, 'chunk'],
  ['embedder', { chunk: { size: 3 } }, 'chunk'],
  ['embedder', { pool: 'avg' }, 'pool', 'one of cls, mean'],
  ['embedder', { tap: 3 }, 'tap'],
  ['embedder', { card: 3 }, 'card'],
  ['embedder', { card: { text: 3 } }, 'card'],
  ['embedder', { card: { text: {} } }, 'card', 'maxLength'],
  ['embedder', { card: { pool: 'avg' } }, 'card'],
  ['embedder', { card: { tap: 3 } }, 'card'],
  ['embedder', { card: { image: { mean: 0 } } }, 'card'],
  ['embedder', { offline: 'yes' }, 'offline'],
  ['embedder', { signal: 3 }, 'signal'],
  ['embedder', { size: [2] }, 'size'],
  ['embedder', { inputs: 3 }, 'inputs'],
  ['embedder', { maxPixels: 0.5 }, 'maxPixels'],
  ['embedder', { calibration: 'x.png' }, 'calibration'],
  ['embedding', { pool: 'avg' }, 'pool', 'one of cls, mean'],
  ['embedding', { tap: 3 }, 'tap'],
  ['embedding', { pol: 'mean' }, 'pol', 'Did you mean pool?'],
  ['save', { preproces: true }, 'preproces', 'Did you mean preprocess?'],
  ['export', { dimensions: 0.5 }, 'dimensions'],
  ['embed', { signal: 3 }, 'signal'],
  ['embed', { onProgress: true }, 'onProgress'],
  ['embed', { prompt: 3 }, 'prompt'],
  ['stream', { onProgress: () => {} }, 'onProgress'],
  ['search', { exact: 'yes' }, 'exact'],
  ['search', { limit: 5 }, 'limit'],
  ['search', { k: 0 }, 'k'],
  ['search', { k: '5' }, 'k'],
  ['search', { hybrid: { word: 'owl' } }, 'hybrid', 'Did you mean words'],
  ['search', { distinct: 3 }, 'distinct'],
  ['connect', { indexAt: -1 }, 'indexAt'],
  ['connect', { storageOptions: { region: 3 } }, 'storageOptions'],
  ['collection', { embedder: 3 }, 'embedder'],
  ['readInputs', { columns: ['text', '', 'text'] }, 'columns'],
  ['readInputs', { columns: ['text', 'text'] }, 'columns', 'each once'],
  ['readInputs', { columns: [] }, 'columns'],
  ['readInputs', { by: 'passages' }, 'by', 'Did you mean passage?'],
  ['toList', { onError: 'ignore' }, 'onError'],
  ['pca.fit', { components: 0 }, 'components'],
  ['umap.fit', { metric: 'cosin' }, 'metric', 'Did you mean cosine?'],
  ['train', { signal: 3 }, 'signal'],
  ['triplets', { mining: 'harder' }, 'mining', 'Did you mean hard?'],
])('%s refuses %j', async (door, options, input, message = '') => {
  const error = await refusal(() => doors[door]!(options))
  expect(error).toMatchObject({ code: 'OPTION_INVALID', input })
  expect(error.message).toContain(message)
})

it('indexFiles refuses what is no path, embedder, collection or option', async () => {
  const right = { embedder: e, collection }
  const asked = (paths: Anything, options: Anything) => refusal(() => indexFiles(paths, options))
  for (const none of [null, undefined, 3, {}]) {
    expect(await asked(none, right)).toMatchObject({ code: 'INPUT_INVALID', input: 'paths' })
    expect(await asked([], { ...right, embedder: none })).toMatchObject({ input: 'embedder' })
    expect(await asked([], { ...right, collection: none })).toMatchObject({ input: 'collection' })
  }
  for (const [name, value] of Object.entries({ metadata: 'x', prune: 'yes', batch: 0, by: 'page' }))
    expect(await asked([], { ...right, [name]: value })).toMatchObject({
      code: 'OPTION_INVALID',
      input: name,
    })
  for (const none of [3, null, undefined]) expect(await asked([], none)).toBeInstanceOf(PipiloError)
})

it('What is no model has no embedder', async () => {
  for (const none of [3, {}, [], null, undefined, new URL('file:///x'), true, '', ' ']) {
    for (const door of [embedder, open, resolveRecipe] as Anything[])
      expect(await refusal(() => door(none))).toMatchObject({ code: 'INPUT_INVALID' })
  }
  expect(await refusal(() => embedder('__proto__', { offline: true }))).toMatchObject({
    code: 'MODEL_UNKNOWN',
  })
  expect(await refusal(() => any(pipeline)(undefined))).toMatchObject({ code: 'OPTION_INVALID' })
  expect(await refusal(() => any(pipeline)('constructor'))).toMatchObject({ code: 'OPTION_INVALID' })
  for (const none of [3, null, {}, 'x'])
    expect(await refusal(() => any(openRecipe)(none))).toMatchObject({ code: 'OPTION_INVALID' })
})

it('What is no layer is not read, cut or fed', async () => {
  for (const none of [undefined, null, 3, {}, ['encoder']]) {
    for (const door of ['cut', 'tap', 'feed', 'resolve'])
      expect(await refusal(() => opened[door](none)), door).toMatchObject({ code: 'LAYER_UNKNOWN' })
  }
})

it('What is no vector has no similarity, and what embeds nothing no pictures', async () => {
  for (const none of [undefined, null, 3, 'ab', {}]) {
    const calls: (() => unknown)[] = [
      () => cosineSimilarity(any(none), [1, 0]),
      () => cosineSimilarity([1, 0], any(none)),
      () => topK(any(none), vectors, 1),
      () => topK([1, 0], any(none), 1),
      () => topK([1, 0], any([none]), 1),
      () => similarityMatrix(any(none), vectors),
      () => similarityMatrix(any([none])),
      () => marginalRelevance(any(none), vectors),
    ]
    // Left out, the columns are the rows.
    if (none !== undefined) calls.push(() => similarityMatrix(vectors, any(none)))
    for (const call of calls)
      expect(await refusal(call), String(call)).toMatchObject({ code: 'INPUT_INVALID' })
    for (const door of [rerank, zeroShot] as Anything[])
      expect(await refusal(() => door(none))).toMatchObject({ code: 'OPTION_INVALID', input: 'embedder' })
  }
  for (const k of [undefined, '1', -1, 1.5])
    expect(await refusal(() => topK([1, 0], vectors, any(k)))).toMatchObject({ input: 'k' })
})

it('A store refuses rows, ids, names and queries that are none', async () => {
  for (const none of [null, 3, {}, 'x', undefined]) {
    expect(await refusal(() => collection.upsert(none))).toMatchObject({ code: 'INPUT_INVALID' })
    expect(await refusal(() => collection.get(none))).toMatchObject({ code: 'INPUT_INVALID' })
    expect(await refusal(() => collection.metadata(none))).toMatchObject({ code: 'INPUT_INVALID' })
    expect(await refusal(() => collection.search(none))).toMatchObject({ code: 'INPUT_INVALID' })
  }
  for (const none of [null, 3, 'x', undefined])
    expect(await refusal(() => collection.delete(none))).toBeInstanceOf(PipiloError)
  for (const none of [undefined, null, 3, '', 'a/b', '../x']) {
    expect(await refusal(() => store.collection(none))).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await refusal(() => store.drop(none))).toMatchObject({ code: 'OPTION_INVALID' })
  }
  for (const none of [5, null, '', {}])
    expect(await refusal(() => connect(any(none)))).toMatchObject({ code: 'OPTION_INVALID' })
  const vector = [1, 0]
  for (const row of [
    null,
    'x',
    { id: '', vector },
    { id: 5, vector },
    { id: 'b' },
    { id: 'b', vector, metadata: null },
    { id: 'b', vector, metadata: 'x' },
    { id: 'b', vector, metadata: ['x'] },
    { id: 'b', vector, metadata: { '': 1 } },
    { id: 'b', vector, metadata: { a: {} } },
    { id: 'b', vector, text: 'owl' },
  ])
    expect(await refusal(() => collection.upsert([row])), JSON.stringify(row)).toMatchObject({
      code: 'INPUT_INVALID',
    })
  for (const query of [
    { text: 3 },
    { text: 'a', id: 'b' },
    { id: 3 },
    { text: 'a', k: 3 },
    { id: 'a', prompt: 'query' },
    {},
  ])
    expect(await refusal(() => collection.search(query)), JSON.stringify(query)).toMatchObject({
      code: 'INPUT_INVALID',
    })
  expect(await collection.count()).toBe(1)
})
