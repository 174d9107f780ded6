import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, readDataset } from '../../embed/index.ts'
import { type Batch, type BatchOptions, batches, samplerOf } from './batches.ts'
import { pictureDecoder, pictureTensor } from './pictures.ts'
import { splitDataset, subset } from './split.ts'

let cwd: string
let birds: Dataset
let texts: Dataset

async function picture(path: string, colour: [number, number, number], size = 8) {
  mkdirSync(join(cwd, path, '..'), { recursive: true })
  const [r, g, b] = colour
  const form = { width: size, height: size, channels: 3 as const, background: { r, g, b } }
  await sharp({ create: form }).png().toFile(join(cwd, path))
}

async function collect(dataset: Parameters<typeof batches>[0], options: BatchOptions): Promise<Batch[]> {
  const all: Batch[] = []
  for await (const batch of batches(dataset, options)) all.push(batch)
  return all
}
const indicesOf = (all: readonly Batch[]) => all.map(({ indices }) => indices)

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
  for (let i = 0; i < 6; i++) {
    await picture(`birds/owl/${i}.png`, [10 * i, 0, 0])
    await picture(`birds/towhee/${i}.png`, [0, 10 * i, 255])
  }
  birds = await readDataset('birds', { cwd })
  texts = await readDataset(
    Array.from({ length: 23 }, (_, i) => ({ anchor: `question ${i % 12}`, positive: `answer ${i}` })),
  )
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

describe('batches', () => {
  it('has every row once an epoch, with its label, in another order each epoch', async () => {
    const [first, again, other] = await Promise.all(
      [0, 0, 1].map((epoch) => collect(birds, { batch: 5, seed: 3, epoch })),
    )
    expect(indicesOf(first!)).toEqual(indicesOf(again!))
    expect(indicesOf(first!)).not.toEqual(indicesOf(other!))
    expect(first!.map(({ number, indices }) => [number, indices.length])).toEqual([
      [0, 5],
      [1, 5],
      [2, 2],
    ])
    expect(
      indicesOf(first!)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 12 }, (_, i) => i))
    for (const { indices, labels, rows } of first!) {
      expect([...labels!]).toEqual(indices.map((index) => (index < 6 ? 0 : 1)))
      for (const [i, { id }] of rows.entries()) expect(id).toBe(birds.nameOf(indices[i]!))
    }
  })

  it('goes on where it stopped', async () => {
    for (const sampler of ['plain', 'distinct', { classes: 2, samples: 3 }] as const) {
      const dataset = sampler === 'distinct' ? texts : birds
      const options = { ...(typeof sampler === 'string' && { batch: 4 }), seed: 9, epoch: 2, sampler }
      const whole = await collect(dataset, options)
      expect(await collect(dataset, { ...options, startAt: 1 })).toEqual(whole.slice(1))
    }
  })

  it('repeats no text within a batch where asked to', async () => {
    for (const { rows } of await collect(texts, { batch: 8, sampler: 'distinct' })) {
      expect(new Set(rows.map(({ anchor }) => anchor)).size).toBe(rows.length)
    }
    await expect(collect(texts, { batch: 13, sampler: 'distinct' })).rejects.toThrow('12 different values')
  })

  it('makes tensors of pictures while the caller works, and keeps them', async () => {
    const pictures = pictureDecoder({ channels: 3 })
    const options = { batch: 4, shuffle: false, pictures } as const
    const [first, , third] = await collect(birds, options)
    expect(first!.pixels).toMatchObject({ dtype: 'float32', shape: [4, 3, 8, 8] })
    const plane = (batch: Batch, sample: number, channel: number) => {
      const data = batch.pixels!.data as Float32Array
      return [...new Set(data.subarray((sample * 3 + channel) * 64, (sample * 3 + channel + 1) * 64))]
    }
    expect(plane(first!, 3, 0)).toEqual([Math.fround(30 / 255)])
    expect(plane(first!, 3, 1)).toEqual([0])
    expect(plane(third!, 3, 2)).toEqual([1])
    // From the cache: the files are no longer asked.
    rmSync(join(cwd, 'birds/owl'), { recursive: true })
    expect((await collect(birds, options))[0]!.pixels).toEqual(first!.pixels)
    await expect(collect(birds, { ...options, pictures: {} })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    })
    for (let i = 0; i < 6; i++) await picture(`birds/owl/${i}.png`, [10 * i, 0, 0])
  })

  it('leaves bad pictures out, or says which is bad', async () => {
    await picture('mixed/a/1.png', [0, 0, 0])
    await picture('mixed/b/2.png', [0, 0, 0])
    writeFileSync(join(cwd, 'mixed/b/3.png'), 'no picture')
    const dataset = await readDataset('mixed', { cwd })
    const options = { batch: 2, shuffle: false, pictures: { size: 4 } } as const
    await expect(collect(dataset, options)).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
    const all = await collect(dataset, { ...options, onError: 'skip' })
    expect(indicesOf(all)).toEqual([[0, 1]])
    const [one] = await collect(dataset, { ...options, batch: 3, onError: 'skip' })
    expect(one).toMatchObject({ indices: [0, 1], pixels: { shape: [2, 3, 4, 4] } })
    expect(one!.skipped).toMatchObject([{ index: 2, error: { code: 'IMAGE_INVALID' } }])
  })

  it('refuses pictures of different sizes, and resizes them where a size is said', async () => {
    await picture('sizes/a/1.png', [0, 0, 0], 8)
    await picture('sizes/a/2.png', [0, 0, 0], 9)
    const dataset = await readDataset('sizes', { cwd })
    const options = { batch: 1, shuffle: false } as const
    await expect(collect(dataset, { ...options, pictures: {} })).rejects.toThrow(
      'a/2.png is 9 × 9, and a/1.png is 8 × 8.',
    )
    const [, second] = await collect(dataset, { ...options, pictures: { size: [4, 6], channels: 1 } })
    expect(second!.pixels!.shape).toEqual([1, 1, 4, 6])
  })

  it('makes grey of colours as Pillow does', async () => {
    // Image.new('RGB', (1, 1), colour).convert('L')
    const colours = { '255,0,0': 76, '0,255,0': 150, '0,0,255': 29, '200,100,50': 124, '255,255,255': 255 }
    for (const [colour, level] of Object.entries(colours)) {
      const image = {
        width: 1,
        height: 1,
        channels: 3 as const,
        data: Uint8Array.from(colour.split(',').map(Number)),
      }
      const { data } = await pictureDecoder({ channels: 1 }).decode(birds, 0, image)
      expect([...data]).toEqual([level])
    }
    const grey = { width: 2, height: 1, channels: 1 as const, data: Uint8Array.of(0, 51) }
    const decoded = await pictureDecoder().decode(birds, 0, grey)
    expect([...(pictureTensor([decoded]).data as Float32Array)]).toEqual(
      [0, 0.2, 0, 0.2, 0, 0.2].map(Math.fround),
    )
  })

  it('reads a stream in order, no further ahead than asked, and ends it when left', async () => {
    let read = 0
    let ended = false
    const source = async function* () {
      try {
        for (; ; read++) yield { text: `row ${read}` }
      } finally {
        ended = true
      }
    }
    const stream = await readDataset(source)
    for await (const { indices, rows } of batches(stream, { batch: 3, startAt: 2, ahead: 2 })) {
      expect(indices).toEqual([6, 7, 8])
      expect(rows.map(({ text }) => text)).toEqual(['row 6', 'row 7', 'row 8'])
      await new Promise((resolve) => setTimeout(resolve, 20))
      break
    }
    expect(ended).toBe(true)
    expect(read).toBeLessThan(9 + 3 * 4)
    await expect(collect(stream, { batch: 3, shuffle: true })).rejects.toThrow('read in order')
  })

  it('refuses what it cannot do', async () => {
    const wrong = async (dataset: Dataset, options: object, message: string) =>
      expect(collect(dataset, options)).rejects.toThrow(message)
    await wrong(birds, {}, 'batch is undefined')
    await wrong(birds, { batch: 2, sampler: 'distnct' }, 'Did you mean distinct?')
    await wrong(birds, { batch: 2, startAt: 9 }, 'an epoch has 6 batches')
    await wrong(birds, { batch: 2, sampler: { classes: 2, samples: 3 } }, '2 classes × 3 samples are 6')
    await wrong(texts, { sampler: { classes: 2, samples: 3 } }, 'has no labels')
    await wrong(texts, { batch: 2, pictures: {} }, 'has no pictures')
    await wrong(birds, { batch: 2, pictures: { crop: 'center' } }, 'crop needs a size')
    await wrong(birds, { batch: 2, signal: AbortSignal.abort() }, 'cancelled')
    expect((await samplerOf(birds, { batch: 5 })).length).toBe(3)
  })
})

describe('splitDataset', () => {
  it('gives each row to one part, the same share of every class', async () => {
    const labels = [
      ...new Array<number>(50).fill(0),
      ...new Array<number>(30).fill(1),
      ...new Array<number>(5).fill(2),
    ]
    const dataset = await readDataset(labels.map((label, i) => ({ text: `text ${i}`, label })))
    const { train, validation } = splitDataset(dataset, { validation: 0.2, seed: 4 })
    const texts = async (part: Dataset) =>
      (await part.getMany([...Array(part.length).keys()])).map(({ text }) => text!)
    const all = [...(await texts(train)), ...(await texts(validation))]
    expect(new Set(all).size).toBe(85)
    const counts = (part: Dataset) => [0, 1, 2].map((c) => part.labels!.filter((label) => label === c).length)
    expect(counts(validation)).toEqual([10, 6, 1])
    expect(counts(train)).toEqual([40, 24, 4])
    expect(await texts(splitDataset(dataset, { validation: 0.2, seed: 4 }).validation)).toEqual(
      await texts(validation),
    )
    expect(await texts(splitDataset(dataset, { validation: 0.2, seed: 5 }).validation)).not.toEqual(
      await texts(validation),
    )
    expect(splitDataset(dataset, { validation: 0.01 }).train.length).toBe(84)
  })

  it('refuses empty parts and shares that are none', async () => {
    const dataset = await readDataset([{ text: 'a' }, { text: 'b' }])
    expect(() => splitDataset(dataset, { validation: 0.1 })).toThrow('none would be for validation')
    expect(() => splitDataset(dataset, { validation: 1 })).toThrow('between 0 and 1')
    expect(() => splitDataset(dataset, { stratify: true })).toThrow('no labels')
    expect(() => subset(dataset, [2])).toThrow('no row 2')
    const part = subset(dataset, [1])
    expect(await part.get(0)).toEqual({ text: 'b' })
    await expect(part.get(1)).rejects.toThrow('no row 1')
    expect(await part.hash()).not.toBe(await dataset.hash())
    for await (const row of part) expect(row).toEqual({ text: 'b' })
  })
})
