/**
 * How fast whole models are, in one run on the same weights: Pipilo in float32 and in int8 beside PyTorch and transformers.js.
 *
 *     PYTHON=venv/bin/python npm run zoo [name…]     # in bench/; names as in the table, `texts`, `pictures`, `files`, `load`; default all
 *
 * PYTHON is one with torch, timm, transformers, safetensors, onnx and onnxruntime. zoo/weights.py draws the weights in the first run
 * (MiniLM's are real).
 * Each side first tries several batch sizes (PyTorch also layouts of memory, and one thread beside all); its
 * fastest way is then repeated, the sides by turns, and the least time of each counts.
 *
 * - texts: from strings to vectors, tokenising included. Pipilo and PyTorch (as sentence-transformers does) sort them by length;
 *   transformers.js gets them as they come, and once more sorted by its caller.
 * - files: from JPEG files to vectors, for Pipilo and transformers.js, at 1280×960 and at a telephone's 4032×3024
 * - pictures: from normalised float32 numbers to vectors: models alone, of which two run on the same library
 * - load: ResNet-50 in a fresh process, from the imported library to the model that is ready, and to the first picture's vector
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cosineSimilarity, open } from 'pipilo'
import { fold, rename, writeOnnx } from 'pipilo/graph'
import { evaluate } from 'pipilo/runtime'
import sharp from 'sharp'
import { photographs } from './photographs.ts'
import { mixedTexts } from './sentences.ts'
import { type Run, Side, type Way, type Work } from './zoo/side.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const root = process.env.ZOO ?? join(tmpdir(), 'pipilo-bench-zoo')
const python = process.env.PYTHON ?? 'python3'
const rounds = Number(process.env.ROUNDS ?? 4)
const count = Number(process.env.COUNT ?? 24)
const wanted = process.argv.slice(2)

// As networks for ImageNet take them.
const [mean, std] = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
] as const
const photos = {
  '1280×960': await photographs(join(root, 'photographs'), count),
  '4032×3024': await photographs(join(root, 'photographs-4032'), count, [4032, 3024]),
}
const numbers = join(root, `pictures-${count}.bin`)
const minilm = dirname((await open('all-MiniLM-L6-v2')).tokenizer!)

const text = (name: string, folder: string, weights: string, texts: readonly string[]): Work => ({
  name,
  kind: 'text',
  folder,
  weights,
  texts,
  maxLength: 256,
  count: texts.length,
})
const picture = (name: string, size?: keyof typeof photos): Work => ({
  name,
  kind: size ? 'file' : 'picture',
  folder: join(root, name),
  weights: 'model.safetensors',
  count,
  ...(size ? { files: photos[size], what: `JPEG files of ${size}` } : { file: numbers }),
})
const networks = ['resnet50', 'vit_small_patch16_224', 'convnext_tiny']
const works = [
  text('all-MiniLM-L6-v2', minilm, 'model.fp16.safetensors', mixedTexts(512)),
  text('bert-base', join(root, 'bert-base'), 'model.safetensors', mixedTexts(64)),
  ...networks.map((name) => picture(name)),
  ...networks.map((name) => picture(name, '1280×960')),
  ...networks.map((name) => picture(name, '4032×3024')),
].filter(({ name, kind }) => wanted.length === 0 || wanted.includes(name) || wanted.includes(`${kind}s`))

async function writeNumbers(): Promise<void> {
  const side = 224 * 224
  const all = new Float32Array(count * 3 * side)
  for (const [i, file] of photos['1280×960'].entries()) {
    const data = await sharp(file).resize(224, 224, { fit: 'cover' }).raw().toBuffer()
    for (let at = 0; at < 3 * side; at++) {
      const channel = at % 3
      all[(i * 3 + channel) * side + Math.floor(at / 3)] = (data[at]! / 255 - mean[channel]!) / std[channel]!
    }
  }
  writeFileSync(numbers, new Uint8Array(all.buffer))
}

/** A folder as transformers.js wants it: the same weights, as float32, in the graph that Pipilo saves. */
async function transformersFolder(work: Work): Promise<string> {
  const folder = join(root, 'transformers.js', work.name)
  if (existsSync(join(folder, 'onnx/model_quantized.onnx'))) return folder
  mkdirSync(join(folder, 'onnx'), { recursive: true })
  const model = await open(`file:${work.folder}`)
  if (work.kind === 'text') {
    for (const file of ['config.json', 'tokenizer.json']) cpSync(join(work.folder, file), join(folder, file))
    cpSync(join(root, 'bert-base/tokenizer_config.json'), join(folder, 'tokenizer_config.json'))
  } else {
    const { mean, std, size, cropRatio } = model.card.image!
    const [height, width] = size!
    const preparation = {
      image_processor_type: 'CLIPImageProcessor',
      do_normalize: true,
      do_center_crop: true,
      crop_size: { height, width },
      size: { shortest_edge: Math.floor(height / cropRatio!) },
      resample: 3,
      image_mean: mean,
      image_std: std,
    }
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'vit' }))
    writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(preparation))
  }
  const graph =
    work.kind === 'text'
      ? model.cut('last_hidden_state').graph
      : rename(model.embedding({ preprocess: false }), { embedding: 'last_hidden_state' })
  await writeOnnx(await fold(graph, evaluate), join(folder, 'onnx/model.onnx'))
  const quantised = join(folder, 'onnx/model_quantized.onnx')
  execFileSync(python, [here('zoo/quantize.py'), join(folder, 'onnx/model.onnx'), quantised], {
    stdio: 'ignore',
  })
  return folder
}

/** The fastest of several ways, each tried twice after a run that warms up. */
async function fastest(side: Side, ways: readonly Way[]): Promise<Way> {
  if (ways.length === 1) return ways[0]!
  let best: { way: Way; milliseconds: number } | undefined
  for (const way of ways) {
    await side.run(way)
    const milliseconds = leastOf([await side.run(way), await side.run(way)])
    if (!best || milliseconds < best.milliseconds) best = { way, milliseconds }
  }
  return best!.way
}

const batches = (...sizes: number[]): Way[] => sizes.map((batch) => ({ batch }))
const threads = availableParallelism()
const ours: Record<Work['kind'], Way[]> = {
  text: batches(512),
  picture: batches(1, 4, 8),
  file: batches(0),
}
const layouts = ['', 'channels last'].flatMap((layout) =>
  [1, 8, 16].map((batch) => ({ threads, layout, batch })),
)
const ways: Record<string, Record<Work['kind'], Way[]>> = {
  'Pipilo fp32': ours,
  'Pipilo int8': ours,
  PyTorch: {
    // Tokens a batch.
    text: [...[256, 512, 1024, 2048].map((batch) => ({ threads, batch })), { threads: 1, batch: 512 }],
    picture: [...layouts, { threads: 1, layout: 'channels last', batch: 8 }],
    file: [],
  },
  'transformers.js': { text: batches(1, 4, 8, 16), picture: batches(1, 4, 8), file: batches(1, 4) },
  'transformers.js q8': { text: batches(1, 4, 8, 16), picture: batches(1, 4, 8), file: batches(1, 4) },
  'transformers.js, sorted': {
    text: batches(4, 8, 16).map((way) => ({ ...way, order: 'sorted' })),
    picture: [],
    file: [],
  },
}

execFileSync(python, [here('zoo/weights.py'), root, minilm], { stdio: 'inherit' })
if (!existsSync(numbers)) await writeNumbers()

const tsx = ['--import', import.meta.resolve('tsx')]
const sides: Record<string, Side> = {
  'Pipilo fp32': new Side(process.execPath, [...tsx, here('zoo/pipilo.ts')]),
  'Pipilo int8': new Side(process.execPath, [...tsx, here('zoo/pipilo.ts')]),
  // The default allocator's page faults cost PyTorch time: it gets one that keeps its memory.
  PyTorch: new Side(python, [here('zoo/peer.py')], {
    OPENBLAS_CORETYPE: undefined,
    MALLOC_MMAP_THRESHOLD_: '2000000000',
    MALLOC_TRIM_THRESHOLD_: '4000000000',
    MALLOC_TOP_PAD_: '268435456',
  }),
  'transformers.js': new Side(process.execPath, [...tsx, here('zoo/transformers.ts')]),
  'transformers.js q8': new Side(process.execPath, [...tsx, here('zoo/transformers.ts')]),
  'transformers.js, sorted': new Side(process.execPath, [...tsx, here('zoo/transformers.ts')]),
}

const leastOf = (runs: readonly Run[]) => Math.min(...runs.map(({ milliseconds }) => milliseconds))
const leastCosine = (a: readonly number[][], b: readonly number[][]) =>
  Math.min(...a.map((row, i) => cosineSimilarity(Float32Array.from(row), Float32Array.from(b[i]!))))
const line = (what: string, ratio: number, goal?: number) => {
  const wanted = goal === undefined ? '' : ` (goal ≥ ${goal})${ratio < goal ? ' missed' : ''}`
  console.log(`${what}: ${ratio.toFixed(2)}${wanted}`)
}

async function measure(work: Work): Promise<void> {
  const taking = Object.entries(sides).filter(([name]) => ways[name]![work.kind].length > 0)
  const chosen: Record<string, Way> = {}
  const vectors: Record<string, number[][]> = {}
  for (const [name, side] of taking) {
    const folder = name.startsWith('transformers.js') ? await transformersFolder(work) : work.folder
    const dtype = /fp32|int8|q8/.exec(name)?.[0] ?? 'fp32'
    await side.open({ ...work, folder }, { dtype })
    chosen[name] = await fastest(side, ways[name]![work.kind])
    vectors[name] = (await side.run(chosen[name], true)).vectors!
  }
  const runs: Record<string, Run[]> = {}
  for (let round = 0; round < rounds; round++)
    for (const [name, side] of taking) {
      runs[name] ??= []
      runs[name].push(await side.run(chosen[name]!))
    }
  for (const [, side] of taking) await side.close()

  console.log(`\n${work.name}, ${work.count} ${work.what ?? `${work.kind}s`}`)
  const said = (way: Way) =>
    Object.entries(way)
      .filter(([, value]) => value !== '' && value !== 0)
      .map(([key, value]) => (key === 'layout' ? value : `${key} ${value}`))
      .join(', ')
  const least = Object.fromEntries(Object.entries(runs).map(([name, all]) => [name, leastOf(all)]))
  const exact = vectors['PyTorch'] ?? vectors['Pipilo fp32']!
  console.table(
    Object.fromEntries(
      taking.map(([name]) => [
        name,
        {
          'a second': ((work.count / least[name]!) * 1000).toFixed(1),
          'its fastest way': said(chosen[name]!),
          [`least cosine to ${vectors['PyTorch'] ? 'PyTorch' : 'the first'}`]: leastCosine(
            vectors[name]!,
            exact,
          ).toFixed(7),
        },
      ]),
    ),
  )
  const ratio = (of: string, to: string) => least[to]! / least[of]!
  if (least['PyTorch']) {
    line('fp32 / PyTorch', ratio('Pipilo fp32', 'PyTorch'), 1)
    line('int8 / PyTorch', ratio('Pipilo int8', 'PyTorch'), 2)
  }
  // Of models alone nothing is asked in float32: both run one library, near what the processor can do.
  line(
    'fp32 / transformers.js',
    ratio('Pipilo fp32', 'transformers.js'),
    work.kind === 'picture' ? undefined : 1.5,
  )
  line('int8 / transformers.js', ratio('Pipilo int8', 'transformers.js'), 1.5)
  line('int8 / transformers.js q8', ratio('Pipilo int8', 'transformers.js q8'), 1.5)
  if (work.kind === 'text')
    line('fp32 / transformers.js, sorted', ratio('Pipilo fp32', 'transformers.js, sorted'))
}

interface Loaded {
  readonly ready: number
  readonly first: number
}

/** Fresh processes by turns, weights in the page cache, our own cache empty. */
function measureLoading(): void {
  const folder = join(root, 'resnet50')
  const cache = join(root, 'cache')
  const programs: Record<string, [command: string, args: string[]]> = {
    Pipilo: [process.execPath, [here('zoo/load.js'), folder, cache]],
    'Pipilo, from the second time on': [
      process.execPath,
      [here('zoo/load.js'), folder, join(root, 'cache-kept'), 'kept'],
    ],
    'timm.create_model(checkpoint_path)': [python, [here('zoo/load.py'), folder, 'usual']],
    'PyTorch, nothing drawn': [python, [here('zoo/load.py'), folder, 'fastest']],
  }
  const results: Record<string, Loaded[]> = {}
  for (let round = 0; round < 5; round++)
    for (const [name, [command, args]] of Object.entries(programs)) {
      const out = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      results[name] ??= []
      results[name].push(JSON.parse(out.trim().split('\n').at(-1)!) as Loaded)
    }
  const least = (name: string, what: keyof Loaded) => Math.min(...results[name]!.map((one) => one[what]))
  console.log('\nresnet50 in a fresh process, milliseconds from the imported library')
  console.table(
    Object.fromEntries(
      Object.keys(programs).map((name) => [
        name,
        {
          'model ready': least(name, 'ready').toFixed(0),
          'first picture done': least(name, 'first').toFixed(0),
        },
      ]),
    ),
  )
  const peer = 'timm.create_model(checkpoint_path)'
  for (const name of ['Pipilo', 'Pipilo, from the second time on']) {
    line(`${name} / PyTorch, ready`, least(peer, 'ready') / least(name, 'ready'), 1)
    line(`${name} / PyTorch, first picture`, least(peer, 'first') / least(name, 'first'), 1)
  }
}

console.log(`${cpus().length} × ${cpus()[0]!.model}`)
for (const work of works) await measure(work)
for (const side of Object.values(sides)) side.end()
if (wanted.length === 0 || wanted.includes('load')) measureLoading()
