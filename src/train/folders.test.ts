/** Runs whose folders are opened as models: the vectors are those of the trained network's own graph. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, embedder, readDataset } from '../embed/index.ts'
import { writeOnnx } from '../graph/files/index.ts'
import { tap } from '../graph/index.ts'
import { open } from '../models/index.ts'
import { evaluate } from '../runtime/index.ts'
import { type Tensor, tensor } from '../tensor/index.ts'
import { pictureDecoder, pictureTensor } from './data/pictures.ts'
import { withWeights } from './evaluation.ts'
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
  reconstruction,
  simClr,
  train,
} from './index.ts'
import { picture, pictures } from './testing/data.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-folders-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The normalised picture, as the trainer gives it. */
async function given({ image }: Network, path: string): Promise<Tensor> {
  const { size, channels, mean = [0, 0, 0], std = [1, 1, 1], preparation } = image!
  const decoded = await pictureDecoder({ size, channels, crop: 'center', ...preparation }).decode(
    { nameOf: () => path },
    0,
    path,
  )
  const { shape, data } = pictureTensor([decoded])
  const plane = size[0] * size[1]
  const channel = (i: number) => Math.floor(i / plane)
  const numbers = Float32Array.from(
    data as Float32Array,
    (v, i) => (v - mean[channel(i)]!) / std[channel(i)]!,
  )
  return tensor('float32', shape, numbers)
}

/** Trains for an epoch and compares what the folder's embedder says with the network's own graph. */
async function compare(
  name: string,
  network: Network,
  objective: Objective,
  data: Dataset,
  feeds: Readonly<Record<string, Tensor>> = {},
): Promise<number[]> {
  const out = join(folder, name)
  const { weights } = await train({ network, objective, data, epochs: 1, batch: 8, out, threads: 1 })
  // A photograph in colours, larger than the network's pictures and not square.
  const file = join(folder, 'photo.png')
  const raw = picture(1, { size: 48, channels: 3 })
  await sharp(raw.data, { raw: { width: 48, height: 48, channels: 3 } })
    .resize(48, 40, { fit: 'fill' })
    .toFile(file)
  const e = await embedder(out, { normalize: false })
  const { vectors } = await e.embed([file])
  await e.dispose()
  const graph = withWeights(tap(network.inference, network.representation), weights)
  const results = await evaluate(graph, { pixel_values: await given(network, file), ...feeds })
  const own = results[network.representation]!
  const features = own.shape.at(-1)!
  const rows = own.data.length / features
  // Of several tokens the embedding is the mean.
  const mean = Array.from({ length: features }, (_, i) => {
    let sum = 0
    for (let row = 0; row < rows; row++) sum += Number(own.data[row * features + i])
    return sum / rows
  })
  const vector = [...vectors[0]!]
  const scale = Math.max(...mean.map(Math.abs))
  expect(vector).toHaveLength(features)
  expect(Math.max(...vector.map((v, i) => Math.abs(v - mean[i]!))) / scale).toBeLessThan(1e-5)
  return vector
}

const order = (count: number) =>
  tensor(
    'int64',
    [1, count],
    Array.from({ length: count }, (_, i) => i),
  )

describe('the folder of a run is a model', () => {
  it('of grey pictures, of which colours become Pillow’s L', async () => {
    const network = freshNetwork('lenet', {
      config: { num_classes: 3, act: 'relu', pool: 'max' },
      size: [16, 16],
      mean: [0.1307],
      std: [0.3081],
    })
    const data = await pictures(24)
    const vector = await compare('lenet', network, classification(), data)
    expect(vector).toHaveLength(84)
    // Bytes of grey and of a picture in memory are read alike.
    const e = await embedder(join(folder, 'lenet'))
    const raw = picture(0)
    const png = await sharp(raw.data, { raw: { width: 16, height: 16, channels: 1 } })
      .png()
      .toBuffer()
    const [a, b] = (await e.embed([raw, png])).vectors
    expect([...a!]).toEqual([...b!])
    expect(e.recipe.image).toMatchObject({ channels: 1, mean: [0.1307], std: [0.3081] })
    await e.dispose()
  })

  it('of a residual network with a head, and of one without that an objective gave a head of its own', async () => {
    const data = await pictures(16, { channels: 3 })
    const size = [16, 16] as const
    const classes = freshNetwork('resnet20_cifar', { config: { num_classes: 3 }, size })
    expect(await compare('resnet', classes, classification(), data)).toHaveLength(64)
    const bare = freshNetwork('resnet20_cifar', { config: { num_classes: 0 }, size })
    expect(await compare('simclr', bare, simClr(), data)).toHaveLength(64)
  })

  it.each([
    ['mlp_autoencoder', { hidden: [24], latent: 5 }, 1],
    ['conv_autoencoder', { in_chans: 3, channels: [4, 8], latent: 5, act: 'gelu' }, 3],
  ])('of %s, whose embedding is its code', async (name, config, channels) => {
    const network = freshNetwork(name, { config, size: [16, 16] })
    const data = await pictures(16, { channels })
    expect(await compare(name, network, reconstruction(), data)).toHaveLength(5)
  })

  it('of masked transformers, without what serves their training alone', async () => {
    const data = await pictures(16, { channels: 3 })
    const vit = { img_size: 16, patch_size: 4, embed_dim: 24, depth: 2, num_heads: 2 }
    const decoder = { decoder_embed_dim: 12, decoder_depth: 1, decoder_num_heads: 2 }
    const whole = { ids_keep: order(16), ids_restore: order(16) }
    expect(
      await compare('mae', maeNetwork({ ...vit, ...decoder }), mae({ patchSize: 4 }), data, whole),
    ).toHaveLength(24)
    const student = maskedVitNetwork({ ...vit, top_layers: 1 })
    const objective = data2vec({ grid: [4, 4], layers: ['hidden_state_1'] })
    const none = {
      mask: tensor(
        'bool',
        [1, 16],
        Array.from({ length: 16 }, () => 0),
      ),
    }
    expect(await compare('data2vec', student, objective, data, none)).toHaveLength(24)
  })

  it.each(['vit_reg4', 'vit'])('of a model that was opened, trained further: %s', async (name) => {
    const from = fileURLToPath(new URL(`../models/testdata/vision/${name}`, import.meta.url))
    const network = await openedNetwork(from)
    const data = await pictures(8, { channels: 3 })
    const vector = await compare(`opened ${name}`, network, simClr({ hidden: 8, out: 4 }), data)
    const before = await embedder(from, { normalize: false })
    expect([...(await before.embed([join(folder, 'photo.png')])).vectors[0]!]).not.toEqual(vector)
    await before.dispose()
  })

  it.each(['its own card', 'no card'])('of one .onnx file with %s', async (card) => {
    const from = fileURLToPath(new URL('../models/testdata/vision/resnet50', import.meta.url))
    const model = await open(from)
    const file = join(folder, `${card}.onnx`)
    if (card === 'its own card') await model.save(file)
    else await writeOnnx({ ...model.graph, metadata: new Map() }, file)
    // A configuration that is beside the file is not that of the graph.
    cpSync(join(from, 'config.json'), join(folder, 'config.json'))
    const network = await openedNetwork(file)
    rmSync(join(folder, 'config.json'))
    const data = await pictures(8, { channels: 3 })
    const name = `one file with ${card}`
    const vector = await compare(name, network, simClr({ hidden: 8, out: 4 }), data)
    expect(existsSync(join(folder, name, 'config.json'))).toBe(false)
    const again = await openedNetwork(join(folder, name))
    expect(again.representation).toBe(network.representation)
    expect(again.image).toEqual(network.image)
    const before = await embedder(file, { normalize: false, tap: network.representation })
    expect([...(await before.embed([join(folder, 'photo.png')])).vectors[0]!]).not.toEqual(vector)
    await before.dispose()
  })

  it('of a TensorFlow.js model', async () => {
    const from = fileURLToPath(new URL('../models/formats/tfjs/testdata/layers/model.json', import.meta.url))
    const network = await openedNetwork(from)
    const data = await pictures(8, { channels: network.image!.channels })
    await compare('tfjs', network, simClr({ hidden: 8, out: 4 }), data)
  })

  it.each(['a folder', 'one file', 'one file, by LoRA'])('of sentences, begun as %s', async (form) => {
    const from = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const begun = join(folder, form === 'a folder' ? 'begun' : 'begun.onnx')
    if (form === 'a folder') cpSync(from, begun, { recursive: true })
    else await (await open(from)).save(begun)
    const words = ['owl', 'towhee', 'finch', 'gull', 'hawk', 'heron', 'crow', 'jay']
    const data = await readDataset(
      words.map((word) => ({ anchor: `a ${word} sings`, positive: `the song of the ${word}` })),
    )
    const lora = { targets: /query|value/, rank: 2, alpha: 64 }
    const network = await openedNetwork(begun, form.endsWith('LoRA') ? { lora } : {})
    const out = join(folder, `sentences of ${form}`)
    const { weights } = await train({
      network,
      objective: rankedPairs(),
      data: data as Dataset,
      epochs: 2,
      batch: 4,
      out,
    })
    const text = 'a towhee sings in the brush'
    const e = await embedder(out, { normalize: false })
    expect(e.card.normalize).toBe(true)
    expect(e.card.text?.maxLength).toBe(12)
    const { vectors } = await e.embed([text])
    await e.dispose()
    const ids = network.text!.encode([text])[0]!
    const feeds = {
      input_ids: tensor('int64', [1, ids.length], ids),
      attention_mask: tensor(
        'int64',
        [1, ids.length],
        ids.map(() => 1),
      ),
      token_type_ids: tensor(
        'int64',
        [1, ids.length],
        ids.map(() => 0),
      ),
    }
    const known = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => network.inference.inputs.some((input) => input.name === name)),
    )
    const { embedding } = await evaluate(withWeights(network.inference, weights), known)
    for (const [i, value] of [...vectors[0]!].entries())
      expect(value).toBeCloseTo(Number(embedding!.data[i]), 6)
    // It has learned: it is not the model that it began as.
    const before = await embedder(begun, { normalize: false })
    expect([...(await before.embed([text])).vectors[0]!]).not.toEqual([...vectors[0]!])
    await before.dispose()
  })

  it('which its card may say of any grey network', async () => {
    const out = join(folder, 'lenet')
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>
    expect(config['pretrained_cfg']).toMatchObject({ input_size: [1, 16, 16], mean: [0.1307] })
    const wrong = join(folder, 'wrong')
    cpSync(out, wrong, { recursive: true })
    writeFileSync(
      join(wrong, 'config.json'),
      JSON.stringify({
        ...config,
        pretrained_cfg: { input_size: [3, 16, 16], mean: [0, 0, 0], std: [1, 1, 1] },
      }),
    )
    await expect(embedder(wrong)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })
})
