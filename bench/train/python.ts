/**
 * Folders of trained networks, opened by timm and sentence-transformers: largest difference of their vectors from Pipilo's.
 *
 *     PYTHON=venv/bin/python npx tsx train/python.ts     # in bench/
 *
 * PYTHON is one with timm and sentence-transformers. Each network is trained for an epoch on a few pictures or pairs drawn here.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Dataset, embedder, readDataset } from '../../src/embed/index.ts'
import { evaluate } from '../../src/runtime/index.ts'
import { type Tensor, tensor } from '../../src/tensor/index.ts'
import { withWeights } from '../../src/train/evaluation.ts'
import {
  classification,
  data2vec,
  freshNetwork,
  mae,
  maeNetwork,
  maskedVitNetwork,
  type Network,
  type Objective,
  openedNetwork,
  rankedPairs,
  simClr,
  train,
} from '../../src/train/index.ts'
import { pictures } from '../../src/train/testing/data.ts'

const python = process.env.PYTHON ?? 'python3'
const folder = mkdtempSync(join(tmpdir(), 'pipilo-python-'))
const SIDE = 32

const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const classes = { num_classes: 3 }
const size = [SIDE, SIDE] as const
const vit = { img_size: SIDE, patch_size: 8, embed_dim: 48, depth: 2, num_heads: 3 }
const decoder = { decoder_embed_dim: 24, decoder_depth: 1, decoder_num_heads: 2 }

const networks: readonly [string, Network, Objective, 1 | 3][] = [
  ['resnet18', freshNetwork('resnet18', { config: classes, size, ...half }), classification(), 3],
  [
    'resnet18-grey',
    freshNetwork('resnet18', { config: { ...classes, in_chans: 1 }, size, mean: [0.13], std: [0.31] }),
    classification(),
    1,
  ],
  ['resnet18-simclr', freshNetwork('resnet18', { config: { num_classes: 0 }, size, ...half }), simClr(), 3],
  [
    'mobilenetv3_small_100',
    freshNetwork('mobilenetv3_small_100', { config: classes, size, ...half }),
    classification(),
    3,
  ],
  ['mae', maeNetwork({ ...vit, ...decoder }, half), mae({ patchSize: 8 }), 3],
  [
    'data2vec',
    maskedVitNetwork({ ...vit, top_layers: 1 }, half),
    data2vec({ grid: [4, 4], layers: ['hidden_state_1'] }),
    3,
  ],
]

interface Expected {
  readonly folder: string
  readonly kind: 'timm' | 'sentences'
  readonly inputs: readonly string[]
  readonly vectors: readonly (readonly number[])[]
}

const expected: Record<string, Expected> = {}
const pixels = await drawn()
for (const [name, network, objective, channels] of networks) {
  const out = join(folder, name)
  const data = await pictures(32, { size: SIDE, channels })
  await train({ network, objective, data, batch: 16, epochs: 1, out })
  // The embedder's own graph behind its preprocessing: pictures as numbers, so that decoders have no say.
  const { open } = await import('../../src/models/index.ts')
  const model = await open(out)
  const graph = withWeights(model.embedding({ normalize: false, preprocess: false }), new Map())
  const picture = tensor('float32', [4, channels, SIDE, SIDE], pixels.slice(0, 4 * channels * SIDE * SIDE))
  const { embedding } = await evaluate(graph, { pixel_values: picture })
  expected[name] = { folder: out, kind: 'timm', inputs: [], vectors: rowsOf(embedding!) }
}
await sentences()
writeFileSync(join(folder, 'pixels.json'), JSON.stringify([...pixels]))
writeFileSync(join(folder, 'expected.json'), JSON.stringify(expected))
execFileSync(python, [fileURLToPath(new URL('python.py', import.meta.url)), folder], { stdio: 'inherit' })
rmSync(folder, { recursive: true, force: true })

async function sentences(): Promise<void> {
  const words = ['owl', 'towhee', 'finch', 'gull', 'hawk', 'heron', 'crow', 'jay']
  const data = (await readDataset(
    words.map((word) => ({ anchor: `a ${word} sings`, positive: `the song of the ${word}` })),
  )) as Dataset
  const out = join(folder, 'sentences')
  const network = await openedNetwork('all-MiniLM-L6-v2', { maxLength: 32 })
  await train({ network, objective: rankedPairs(), data, batch: 8, epochs: 3, out })
  const inputs = ['A towhee sings in the brush.', 'Stock markets fell again', 'Ünïcode wörds, 42 of them!']
  const e = await embedder(out)
  const { vectors } = await e.embed(inputs)
  await e.dispose()
  expected['sentences'] = {
    folder: out,
    kind: 'sentences',
    inputs,
    vectors: vectors.map((vector) => [...vector]),
  }
}

async function drawn(): Promise<Float32Array> {
  const { seeded } = await import('../../src/nn/index.ts')
  const random = seeded(1, 'pixels')
  return Float32Array.from({ length: 4 * 3 * SIDE * SIDE }, () => random.normal())
}

function rowsOf({ shape, data }: Tensor): number[][] {
  const features = shape.at(-1)!
  return Array.from({ length: shape[0]! }, (_, row) =>
    Array.from(data.slice(row * features, (row + 1) * features) as Float32Array),
  )
}
