// All formats that are read: a folder of good files of each, and what is done with a folder of which one file is damaged.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'
import {
  decodeImage,
  embedder,
  loadTokenizer,
  openRecipe,
  readDataset,
  readInputs,
  readRetrieval,
  resolveRecipe,
} from '../../src/embed/index.ts'
import { fold, inferShapes, layers, loadTensor } from '../../src/graph/index.ts'
import { readOnnx } from '../../src/graph/public.ts'
import { readCheckpoint } from '../../src/models/formats/checkpoint.ts'
import { open, resolveSource, tokenizerPath } from '../../src/models/index.ts'
import {
  kernelPca,
  lda,
  loadQuantized,
  loadReducer,
  pca,
  quantize,
  randomProjection,
  umap,
  whitening,
} from '../../src/reduce/index.ts'
import { compile, evaluate } from '../../src/runtime/index.ts'
import { connect } from '../../src/store/index.ts'
import { elementCount, readNpy, type Tensor, tensor, typedArray, writeNpy } from '../../src/tensor/public.ts'
import { latestCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.ts'

export interface Format {
  readonly name: string
  /** Writes the good files. */
  readonly make: (folder: string) => Promise<void>
  /** Names of files that are damaged. Default: all of them. */
  readonly damaged?: RegExp
  /** Opens and uses what is in the folder, as a user would. */
  readonly use: (folder: string, context: Context) => Promise<unknown>
}

export interface Context {
  /** Path of the damaged file, within the folder. */
  readonly file: string
  /** Folder of the cache. */
  readonly cache: string
  readonly isolate: boolean
}

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
const copied = (path: string) => (folder: string) => cp(source(path), folder, { recursive: true })

const TEXTS = ['A bird sings in the tree', 'the quick brown fox, twice', 'is a bird']

const runtimeOf = ({ cache, isolate }: Context) => ({
  runtime: { cacheDir: cache, ...(isolate ? { isolate, workers: 1 } : { workers: 0 }), threads: 1 },
})

/** Vectors of two texts, which are finite by what `embed` promises: looked at again here. */
export async function embedTexts(
  model: string,
  context: Context,
  options: object = {},
  inputs: readonly unknown[] = TEXTS,
) {
  const e = await embedder(`file:${model}`, { ...runtimeOf(context), ...options })
  try {
    return finite((await e.embed(inputs as never)).data)
  } finally {
    await e.dispose()
  }
}

/** Mistakes that are no errors: numbers that nobody may get. */
export class WrongNumbers extends Error {}

function finite<N extends ArrayLike<number>>(numbers: N): N {
  for (let i = 0; i < numbers.length; i++)
    if (!Number.isFinite(numbers[i])) throw new WrongNumbers(`number ${i} is ${numbers[i]}`)
  return numbers
}

const folderOfText = (path: string, damaged?: RegExp): Omit<Format, 'name'> => ({
  make: copied(path),
  ...(damaged && { damaged }),
  use: (folder, context) => embedTexts(folder, context),
})

async function embedPicture(model: string, context: Context, isTower = false) {
  const e = await embedder(model.includes(':') ? model : `file:${model}`, runtimeOf(context))
  try {
    const data = new Uint8Array(32 * 32 * 3).map((_, i) => (i * 7) % 256)
    const image = { width: 32, height: 32, channels: 3, data }
    return finite(
      (
        await (e as { embed(inputs: unknown[]): Promise<{ data: Float32Array }> }).embed([
          isTower ? { image } : image,
        ])
      ).data,
    )
  } finally {
    await e.dispose()
  }
}

/** Feeds of zeros for a graph's inputs, of small sizes where they have names. */
function zeros(inputs: Awaited<ReturnType<typeof compile>>['inputs']): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.flatMap(({ name, type }) => {
      if (type?.kind !== 'tensor' || type.dtype === 'string') return []
      const shape = (type.shape ?? []).map((size) => (typeof size === 'number' && size > 0 ? size : 2))
      if (elementCount(shape) > 1e6) return []
      return [
        [name, { dtype: type.dtype, shape, data: typedArray(type.dtype, elementCount(shape)) } as Tensor],
      ]
    }),
  )
}

/** The passages, rows and problems in the files of a folder. */
async function readAll(folder: string, { file }: Context) {
  for await (const input of readInputs([join(folder, file)], { cwd: folder })) void input
}

const rows = Array.from({ length: 24 }, (_, i) =>
  Float32Array.from({ length: 8 }, (_, d) => Math.sin(i * 1.3 + d * (1 + (i % 5)))),
)

const picture = () => {
  const data = new Uint8Array(24 * 20 * 3).map((_, i) => (i * i) % 256)
  return sharp(data, { raw: { width: 24, height: 20, channels: 3 } })
}

const decodeAll = async (folder: string, { file }: Context) => {
  const path = join(folder, file)
  const { data } = await decodeImage(path, {
    size: [16, 16],
    resize: { shorter: 16, filter: 'bicubic' },
  } as never).catch(async (error) => {
    if ((error as { code?: string }).code !== 'OPTION_INVALID') throw error
    return decodeImage(path)
  })
  return data
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" viewBox="0 0 40 30"><defs><linearGradient id="a"><stop offset="0" stop-color="#f00"/><stop offset="1" stop-color="#00f"/></linearGradient><filter id="f"><feGaussianBlur stdDeviation="2"/></filter></defs><g transform="rotate(10)"><rect width="20" height="10" fill="url(#a)"/><path d="M1 1 L 10 20 C 1 2 3 4 5 6 z" filter="url(#f)"/></g><use href="#a"/><text x="4" y="9">bird</text></svg>`

/** Pictures that sharp writes, and the ones that are decoded here. */
const pictureFormats: Format[] = [
  ...Object.entries({
    png: () => picture().png(),
    'grey.png': () => picture().greyscale().png({ palette: true }),
    'deep.png': () => picture().toColourspace('rgb16').png({ progressive: true }),
    jpg: () => picture().withMetadata({ orientation: 6 }).jpeg(),
    'progressive.jpg': () => picture().jpeg({ progressive: true }),
    webp: () => picture().webp(),
    'lossless.webp': () => picture().webp({ lossless: true }),
    gif: () => picture().gif(),
    tiff: () => picture().tiff({ compression: 'lzw' }),
    'plain.tiff': () => picture().tiff({ compression: 'none', tile: true }),
    avif: () => picture().avif({ effort: 0 }),
  }).map(
    ([name, made]): Format => ({
      name,
      make: async (folder) =>
        writeFile(join(folder, name.includes('.') ? name : `a.${name}`), await made().toBuffer()),
      use: decodeAll,
    }),
  ),
  { name: 'svg', make: (folder) => writeFile(join(folder, 'a.svg'), svg), use: decodeAll },
  ...(['bmp', 'ico', 'tga', 'qoi', 'p[bgp]m'] as const).map(
    (ending): Format => ({
      name: ending,
      async make(folder) {
        const { read } = JSON.parse(await readFile(source('embed/testdata/rarer.json'), 'utf8'))
        for (const [name, { file }] of Object.entries(read as Record<string, { file: string }>))
          if (new RegExp(`\\.${ending}$`).test(name))
            await writeFile(join(folder, name), Buffer.from(file, 'base64'))
      },
      use: decodeAll,
    }),
  ),
  {
    name: 'jpeg2000',
    async make(folder) {
      const { read } = JSON.parse(await readFile(source('embed/pictures/testdata/jpeg2000.json'), 'utf8'))
      for (const [name, { file }] of Object.entries(read as Record<string, { file: string }>))
        await writeFile(join(folder, name), Buffer.from(file, 'base64'))
    },
    use: decodeAll,
  },
]

const html = `<!doctype html><html lang="en"><head><title>Birds</title><style>p{}</style></head><body><h1>Owls &amp; wrens</h1><p>An owl flies.<br>At night.</p><ul><li>one<li>two</ul><table><tr><td>a<td>b</table><pre>code\n  here</pre><!-- no --></body></html>`
const markdown = `# Birds\n\nOwls fly at night. They hoot.\n\n## Wrens\n\n- one\n- two\n\n\`\`\`ts\nconst a = 1\n\`\`\`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted *text* [link](http://x.y)\n`
const csv = `id,title,text,label\n1,Owl,"An owl, at ""night""",0\n2,Wren,A wren sings,1\n3,Tit,A tit,1\n`
const jsonl = [1, 2, 3]
  .map((i) =>
    JSON.stringify({
      id: `${i}`,
      title: `t${i}`,
      text: `A bird ${i}`,
      label: i % 2,
      nested: { a: [1, { b: null }] },
    }),
  )
  .join('\n')
const parquet = () =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', data: ['1', '2', '3'] },
        { name: 'text', data: ['an owl', 'a wren', 'a tit'] },
        { name: 'label', data: [0, 1, 1], type: 'INT32' },
        { name: 'score', data: [0.5, 0.25, 1], type: 'DOUBLE' },
      ],
    }),
  )

/** Files of passages, each with its ending. */
const passageFormats: Format[] = Object.entries({
  'a.html': () => html,
  'a.md': () => markdown,
  'a.ts': () =>
    `// A comment\nexport function owl(a: number) {\n  return { a, b: [1, 2] }\n}\nclass Wren { sing() { return 'x' } }\n`,
  'a.py': () =>
    `import os\n\ndef owl(a):\n    """Says it."""\n    return a\n\nclass Wren:\n    def sing(self):\n        return 1\n`,
  'a.txt': () => 'An owl. A wren sings!\n\nAnother paragraph.\n'.repeat(5),
  'a.csv': () => csv,
  'a.jsonl': () => jsonl,
  'a.parquet': parquet,
  'a.html.gz': () => gzipSync(html),
  'a.jsonl.gz': () => gzipSync(jsonl),
  'a.pdf': () => readFile(source('embed/inputs/passages/testdata/birds.pdf')),
  'a.docx': () => readFile(source('embed/inputs/passages/testdata/birds.docx')),
}).map(([name, made]) => ({
  name: name.slice(2),
  make: async (folder) => writeFile(join(folder, name), await made()),
  use: readAll,
}))

/** Files of labelled rows. */
const datasetFormats: Format[] = [
  ...Object.entries({ 'rows.csv': () => csv, 'rows.jsonl': () => jsonl }).map(
    ([name, made]): Format => ({
      name,
      make: async (folder) => writeFile(join(folder, name), made()),
      async use(folder) {
        const dataset = await readDataset(join(folder, name))
        for await (const row of dataset) void row
      },
    }),
  ),
  {
    name: 'idx',
    async make(folder) {
      const head = (kind: number, ...sizes: number[]) =>
        Buffer.concat([Buffer.from([0, 0, 8, kind]), ...sizes.map((size) => Buffer.from([0, 0, 0, size]))])
      await writeFile(
        join(folder, 'train-images-idx3-ubyte'),
        Buffer.concat([head(3, 4, 6, 6), Buffer.alloc(144, 9)]),
      )
      await writeFile(
        join(folder, 'train-labels-idx1-ubyte'),
        Buffer.concat([head(1, 4), Buffer.from([0, 1, 2, 1])]),
      )
    },
    async use(folder) {
      const dataset = await readDataset(folder)
      for await (const row of dataset) void row
    },
  },
  {
    name: 'beir',
    async make(folder) {
      await mkdir(join(folder, 'qrels'))
      await writeFile(
        join(folder, 'corpus.jsonl'),
        ['a', 'b'].map((id) => JSON.stringify({ _id: id, title: id, text: `text ${id}` })).join('\n'),
      )
      await writeFile(join(folder, 'queries.jsonl'), JSON.stringify({ _id: 'q', text: 'which?' }))
      await writeFile(join(folder, 'qrels/test.tsv'), 'query-id\tcorpus-id\tscore\nq\ta\t1\n')
    },
    use: (folder) => readRetrieval(folder),
  },
]

/** A transformers folder of a vision model with fresh weights. */
const visionFolder = (name: string): Omit<Format, 'name'> => ({
  make: copied(`models/testdata/vision/${name}`),
  damaged: /\.(?:json|safetensors|bin|pth)$/,
  use: (folder, context) => embedPicture(folder, context),
})

const onnxFolder = 'graph/testdata'

export const formats: Format[] = [
  { name: 'safetensors', ...folderOfText('models/testdata/sentence-transformers', /\.safetensors$/) },
  {
    name: 'sentence config',
    ...folderOfText('models/testdata/sentence-transformers', /^(?!tok|ref).*\.json$/),
  },
  { name: 'tokenizer', ...folderOfText('models/testdata/sentence-transformers', /^tok.*\.json$/) },
  { name: 'static safetensors', ...folderOfText('models/testdata/static/model2vec', /^(?!ref)/) },
  { name: 'static sentence', ...folderOfText('models/testdata/static/sentence', /^(?!ref)/) },
  ...(['vit', 'dinov2', 'convnextv2', 'resnet50', 'swin', 'dino'] as const).map((name) => ({
    name: `vision ${name}`,
    ...visionFolder(name),
  })),
  ...(['clip', 'open-clip', 'openai', 'siglip'] as const).map(
    (name): Format => ({
      name: `towers ${name}`,
      make: copied(`models/testdata/two-towers/${name}`),
      use: (folder, context) => embedPicture(folder, context, true),
    }),
  ),
  {
    name: 'vocabularies',
    make: copied('embed/testdata/vocabularies'),
    damaged: /^(?!lines)/,
    async use(folder, { file }) {
      const inner = join(folder, file.split('/')[0]!)
      const path = await tokenizerPath(await resolveSource({ kind: 'file', path: inner }))
      const tokenizer = path && (await loadTokenizer(path))
      for (const text of TEXTS) tokenizer?.encode(text)
    },
  },
  {
    name: 'pickle',
    make: copied('models/formats/pickle/testdata'),
    damaged: /\.(?:pt|pth|ckpt|tar|pkl)$/,
    async use(folder, { file }) {
      const files = await resolveSource({ kind: 'file', path: join(folder, file) })
      const { tensors } = await readCheckpoint(files, file)
      for (const tensor of tensors.values()) await loadTensor(tensor)
    },
  },
  {
    name: 'lora',
    make: copied('models/testdata/lora'),
    async use(folder) {
      const { readLora } = await import('../../src/models/index.ts')
      await readLora(folder)
    },
  },
  {
    name: 'onnx',
    make: copied(onnxFolder),
    damaged: /\.(?:onnx|data)$/,
    async use(folder, context) {
      const path = join(folder, context.file.replace(/\.data$/, ''))
      const graph = await readOnnx(path)
      layers(graph)
      const inferred = await inferShapes(graph)
      await fold(inferred, (part) => (context.isolate ? isolated(part, context) : evaluate(part)))
      const session = await compile(graph, runtimeOf(context).runtime)
      try {
        await session.run(zeros(session.inputs))
      } finally {
        await session.dispose()
      }
    },
  },
  {
    name: 'onnx texts',
    async make(folder) {
      await cp(source('models/testdata/sentence-transformers'), folder, { recursive: true })
      const model = await open(`file:${folder}`)
      await model.save(join(folder, 'model.onnx'))
    },
    damaged: /\.onnx$/,
    use: (folder, context) => embedTexts(join(folder, 'model.onnx'), context),
  },
  {
    name: 'tfjs graph',
    make: copied('models/formats/tfjs/testdata/graph'),
    damaged: /model\.json|weights/,
    async use(folder, context) {
      const model = await open(`file:${folder}`)
      const session = await compile(model.graph, runtimeOf(context).runtime)
      await session.run(zeros(session.inputs)).finally(() => session.dispose())
    },
  },
  {
    name: 'tfjs layers',
    make: copied('models/formats/tfjs/testdata/layers'),
    damaged: /model\.json|weights/,
    use: (folder, context) => embedPicture(folder, context),
  },
  {
    name: 'recipe',
    async make(folder) {
      await cp(source('models/testdata/sentence-transformers'), join(folder, 'model'), { recursive: true })
      await writeFile(
        join(folder, 'recipe.json'),
        JSON.stringify(await resolveRecipe(`file:${join(folder, 'model')}`)),
      )
    },
    damaged: /^recipe/,
    async use(folder, context) {
      const text = await readFile(join(folder, 'recipe.json'), 'utf8')
      let recipe: never
      try {
        recipe = JSON.parse(text)
      } catch {
        return
      }
      const e = await openRecipe(recipe, { model: `file:${join(folder, 'model')}`, ...runtimeOf(context) })
      await e.embed(TEXTS).finally(() => e.dispose())
    },
  },
  {
    name: 'card',
    async make(folder) {
      await cp(source('models/testdata/sentence-transformers'), join(folder, 'model'), { recursive: true })
      const { card } = await open(`file:${join(folder, 'model')}`)
      await writeFile(join(folder, 'card.json'), JSON.stringify(card))
    },
    damaged: /^card/,
    async use(folder, context) {
      let card: never
      try {
        card = JSON.parse(await readFile(join(folder, 'card.json'), 'utf8'))
      } catch {
        return
      }
      await embedTexts(join(folder, 'model'), context, { card })
    },
  },
  {
    name: 'npy',
    async make(folder) {
      await writeNpy(
        join(folder, 'a.npy'),
        tensor(
          'float32',
          [3, 4],
          Array.from({ length: 12 }, (_, i) => i / 3),
        ),
      )
      await writeNpy(join(folder, 'b.npy'), tensor('int64', [2], [3, 4]))
    },
    async use(folder, context) {
      await readNpy(join(folder, context.file))
      await readAll(folder, context)
    },
  },
  {
    name: 'training checkpoint',
    async make(folder) {
      const state = { step: 3, epoch: 1, stepOfEpoch: 0, carried: { best: 1 } }
      const weight = tensor('float32', [4], [1, 2, 3, 4])
      await writeCheckpoint(folder, {
        state,
        run: { seed: 1 } as never,
        tensors: { weight },
        best: new Map([['weight', weight]]),
      })
    },
    use: (folder) => latestCheckpoint(folder),
  },
  {
    name: 'reducers',
    async make(folder) {
      const labels = rows.map((_, i) => i % 3)
      const save = async (name: string, made: Promise<{ save(path: string): Promise<void> }>) =>
        (await made).save(join(folder, `${name}.safetensors`))
      await save('pca', pca.fit(rows, { components: 3 }))
      await save('whitening', whitening.fit(rows, { components: 3 }))
      await save('projection', randomProjection.fit(rows, { components: 3 }))
      await save('lda', lda.fit(rows, labels as never, {}))
      await save('kernel', kernelPca.fit(rows, { components: 2 }))
      await save('umap', umap.fit(rows, { neighbors: 5, components: 2 } as never) as never)
    },
    async use(folder, { file }) {
      const reducer = await loadReducer(join(folder, file))
      const { data } = await (
        reducer as { transform(rows: unknown): Promise<{ data: Float32Array }> }
      ).transform(rows.slice(0, 4))
      finite(data)
    },
  },
  {
    name: 'quantized',
    async make(folder) {
      for (const kind of ['int8', 'binary'] as const)
        await (await quantize(rows, kind)).save(join(folder, `${kind}.safetensors`))
    },
    async use(folder, { file }) {
      const small = await loadQuantized(join(folder, file))
      for (const { score } of await small.search(rows[0]!, { k: 3 })) finite([score])
    },
  },
  {
    name: 'collection',
    async make(folder) {
      const store = await connect(folder)
      const collection = await store.collection('birds', { dimensions: 8 })
      await collection.upsert(
        rows.map((vector, i) => ({
          id: `${i}`,
          vector,
          metadata: { kind: i % 2 ? 'owl' : 'wren', n: i, yes: i % 3 === 0 },
        })),
      )
      await collection.upsert([{ id: '3', vector: rows[4]!, metadata: { kind: 'tit' } }])
      await collection.delete(['5'])
      await store.close()
    },
    async use(folder) {
      const store = await connect(folder)
      try {
        if (!(await store.list()).includes('birds')) return
        const collection = await store.collection('birds')
        await collection.count()
        await collection.search(rows[2]!, { k: 3, filter: { kind: 'owl' } })
        await collection.get(['3', '7'])
        for await (const row of collection.rows()) void row
        await collection.upsert([{ id: 'new', vector: rows[1]!, metadata: { kind: 'owl' } }])
      } finally {
        await store.close()
      }
    },
  },
  {
    name: 'cache',
    async make(folder) {
      await cp(source('models/testdata/sentence-transformers'), join(folder, 'model'), { recursive: true })
      const e = await embedder(`file:${join(folder, 'model')}`, {
        runtime: { cacheDir: join(folder, 'cache'), workers: 0, threads: 1, persist: true },
      })
      await writeFile(join(folder, 'right.json'), JSON.stringify([...(await e.embed(TEXTS)).data]))
      await e.dispose()
    },
    damaged: /^cache/,
    async use(folder, context) {
      const right = JSON.parse(await readFile(join(folder, 'right.json'), 'utf8')) as number[]
      const e = await embedder(`file:${join(folder, 'model')}`, {
        runtime: { ...runtimeOf(context).runtime, cacheDir: join(folder, 'cache'), persist: true },
      })
      const { data } = await e.embed(TEXTS).finally(() => e.dispose())
      if (data.some((value, i) => !(Math.abs(value - right[i]!) < 1e-5)))
        throw new WrongNumbers('other numbers than with a whole cache')
    },
  },
  ...pictureFormats,
  ...passageFormats,
  ...datasetFormats,
]

async function isolated(graph: Parameters<typeof compile>[0], context: Context) {
  const session = await compile(graph, runtimeOf(context).runtime)
  return session.run({}).finally(() => session.dispose())
}

/** Files of a folder and of those in it. */
export async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

export const nameOf = (path: string): string => basename(path)
