import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open } from '../../models/index.ts'
import {
  relativeError,
  type TowerName,
  type TowerReferences,
  towerFolder,
  towerPictures,
  towerReferences,
} from '../../models/testing/towers.ts'
import { cosineSimilarity, l2Normalize } from '../../tensor/index.ts'
import { embedder } from '../embedder.ts'
import type { AnyInput, Embedder, TextImageInput } from '../types.ts'
import { rerank, zeroShot } from './zeroShot.ts'

/** In place: opened at once. */
const runtime = { workers: 0 }
let folder: string
let references: TowerReferences
let clip: Embedder<Float32Array, TextImageInput>
let siglip: Embedder<Float32Array, TextImageInput>
const path = (name: TowerName) => towerFolder(name, folder)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-towers-'))
  references = await towerReferences()
  const workers = { modality: 'text-image', runtime: { workers: 1, threads: 1 } } as const
  clip = await embedder(await path('clip'), workers)
  siglip = await embedder(await path('siglip'), workers)
})
afterAll(async () => {
  await Promise.all([clip?.dispose(), siglip?.dispose()])
  await rm(folder, { recursive: true, force: true })
})

const pictures = () => towerPictures(references.side)
const image = (index: number): TextImageInput => ({ image: pictures()[index]! })
const normalized = (rows: readonly number[][]) => rows.map((row) => [...l2Normalize(row)])
const photo = (name: string) => fileURLToPath(new URL(`../../../samples/pictures/${name}`, import.meta.url))

/** A promise, and what fulfils it. */
function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

describe('an embedder of texts and pictures', () => {
  it.each([
    'clip',
    'siglip',
    'open-clip',
  ] as const)('gives the vectors that Python gives for %s, its vocabulary and pixels included, in the order of the inputs', async (name) => {
    const e = await embedder(await path(name), { runtime })
    const { texts } = references
    const mixed = [
      { image: pictures()[0]! },
      { text: texts[0]! },
      { text: texts[1]! },
      { image: pictures()[1]! },
      { text: texts[2]! },
      { text: texts[3]! },
      { image: pictures()[2]! },
    ]
    const { vectors, dimensions, truncated, errors } = await e.embed(mixed)
    const { text_embeds, image_embeds } = references[name]
    expect(
      relativeError([vectors[1], vectors[2], vectors[4], vectors[5]], normalized(text_embeds)),
    ).toBeLessThan(1e-4)
    expect(relativeError([vectors[0], vectors[3], vectors[6]], normalized(image_embeds))).toBeLessThan(1e-4)
    expect(dimensions).toBe(text_embeds[0]!.length)
    expect(truncated).toEqual([5])
    expect(errors).toEqual([])
    await e.dispose()
  })

  it('has one recipe for both, and neither tap nor limit of its own', async () => {
    expect(clip.modality).toBe('text-image')
    expect(clip.recipe).toMatchObject({
      source: { fingerprint: (await clip.model()).fingerprint },
      modality: 'text-image',
      taps: ['text_embeds', 'image_embeds'],
      normalize: true,
      dimensions: 6,
    })
    const model = await open(await path('clip'))
    const same = await embedder(model, { tap: ['text_embeds', 'image_embeds'], runtime })
    expect(same.recipe).toEqual(clip.recipe)
    await same.dispose()
    for (const [options, hint] of [
      [{ tap: 'text_model' }, /towers/],
      [{ dimensions: 7 }, undefined],
      [{ maxLength: 78 }, undefined],
      [{ modality: 'image' }, undefined],
    ] as const) {
      await expect(embedder(model, options)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        ...(hint ? { hint: expect.stringMatching(hint) } : {}),
      })
    }
    await expect(embedder('mobilenet-v2', { modality: 'text-image' })).rejects.toThrow(
      /for image, not for text-image/,
    )
  })

  it('takes each tower as a model of its own', async () => {
    const { towers } = await open(await path('clip'))
    const e = await embedder(towers!.image, { runtime })
    const { vectors } = await e.embed([pictures()[0]!])
    expect(relativeError(vectors, normalized(references.clip.image_embeds.slice(0, 1)))).toBeLessThan(1e-4)
    const early = await embedder(towers!.text, { tap: 'text_model.encoder.layers.0', pool: 'mean', runtime })
    expect((await early.embed(['snow'])).dimensions).toBe(8)
    await Promise.all([e.dispose(), early.dispose()])
  })

  it('keeps the first numbers, puts prompts before texts, and means the chunks of a long one', async () => {
    const model = await open(await path('clip'))
    const short = await embedder(model, { dimensions: 4, prompt: { text: 'a photo of ' }, runtime })
    const prompted = await short.embed([{ text: 'a bird' }, image(0)])
    const expected = [references.clip.text_embeds[0]!, references.clip.image_embeds[0]!]
    expect(relativeError(prompted.vectors, normalized(expected.map((row) => row.slice(0, 4))))).toBeLessThan(
      1e-4,
    )
    await expect(short.embed([{ text: 'a bird' }], { prompt: 'query' })).rejects.toMatchObject({
      code: 'PROMPT_UNKNOWN',
    })
    const chunked = await embedder(model, { chunk: { tokens: 20, overlap: 0 }, runtime })
    const { vectors, truncated } = await chunked.embed([
      { text: references.texts[3]! },
      image(0),
      { text: 'snow' },
    ])
    expect(truncated).toEqual([])
    expect(Math.hypot(...vectors[0]!)).toBeCloseTo(1, 5)
    expect(
      relativeError(vectors.slice(1, 2), normalized(references.clip.image_embeds.slice(0, 1))),
    ).toBeLessThan(1e-4)
    const kept = await embedder(model, { chunk: { tokens: 20, pool: 'keep' }, runtime })
    const { chunks } = await kept.embed([image(0), { text: references.texts[3]! }])
    expect(chunks![0]).toMatchObject({ input: 0 })
    expect(chunks!.slice(1).every(({ input }) => input === 1)).toBe(true)
    expect(chunks!.length).toBeGreaterThan(3)
    await Promise.all([short, chunked, kept].map((one) => one.dispose()))
  })

  it.each([
    ['a red bird', 'INPUT_INVALID', /Input 1 is a bare string.*\{ text: 'a red bird' \}/],
    [towerPictures(8, 1)[0]!, 'INPUT_INVALID', /a bare picture.*\{ image: 'bird\.jpg' \}/],
    [new URL('file:///bird.jpg'), 'INPUT_INVALID', /a bare URL/],
    [new Blob(['x']), 'INPUT_INVALID', /a bare picture/],
    [{ text: 'a', image: 'b' }, 'INPUT_INVALID', /both/],
    [{}, 'INPUT_INVALID', /neither/],
    [null, 'INPUT_INVALID', /null/],
    [{ text: 5 }, 'TEXT_INVALID', /The text of input 1 is of type number/],
    [{ image: 'missing.jpg' }, 'FILE_NOT_FOUND', /missing\.jpg/],
    [{ image: new Uint8Array([1, 2, 3]) }, 'IMAGE_INVALID', /input 1/i],
  ] as [unknown, string, RegExp][])('says what is wrong with %o', async (bad, code, message) => {
    const inputs = [{ text: 'snow' }, bad, image(0)] as AnyInput[] as TextImageInput[]
    await expect(clip.embed(inputs)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    const progress: number[] = []
    const { vectors, errors } = await clip.embed(inputs, {
      onError: 'skip',
      onProgress: ({ done }) => progress.push(done),
    })
    expect(errors).toMatchObject([{ index: 1, error: { code } }])
    expect(vectors[1]!.every(Number.isNaN)).toBe(true)
    expect(
      relativeError(vectors.slice(2), normalized(references.clip.image_embeds.slice(0, 1))),
    ).toBeLessThan(1e-4)
    expect(progress.at(-1)).toBe(3)
  })

  it('streams in order without end, holding little, and stops when it is left', async () => {
    let read = 0
    const closed = gate()
    async function* endless(): AsyncGenerator<TextImageInput> {
      try {
        for (;;) {
          read++
          yield read % 100 === 0 ? image(read % 3) : { text: `snow ${read % 7}` }
        }
      } finally {
        closed.resolve()
      }
    }
    let index = 0
    for await (const result of clip.stream(endless())) {
      expect(result.index).toBe(index)
      expect(result.vector.length).toBe(6)
      expect('image' in result.input).toBe((index + 1) % 100 === 0)
      if (++index === 6000) break
    }
    expect(read).toBeLessThan(6000 + 12_000)
    await closed.promise
  })

  it('hands out a text at once though pictures wait, and pictures though texts wait', async () => {
    const reached = gate()
    async function* slowly(): AsyncGenerator<TextImageInput> {
      yield image(0)
      yield { text: 'snow' }
      // Were the text held back for more texts, or the picture for more pictures, this would wait for ever.
      await reached.promise
      yield image(1)
    }
    const seen: number[] = []
    for await (const { index } of clip.stream(slowly())) {
      seen.push(index)
      if (index === 1) reached.resolve()
    }
    expect(seen).toEqual([0, 1, 2])
    expect(await all(clip.stream([]))).toEqual([])
  })

  it('stops at a signal, and passes on what the source throws', async () => {
    const controller = new AbortController()
    async function* aborting(): AsyncGenerator<TextImageInput> {
      yield { text: 'snow' }
      controller.abort()
      await new Promise(() => {})
    }
    await expect(all(clip.stream(aborting(), { signal: controller.signal }))).rejects.toMatchObject({
      code: 'ABORTED',
    })
    async function* failing(): AsyncGenerator<TextImageInput> {
      yield image(0)
      throw new Error('the disk is full')
    }
    await expect(all(clip.stream(failing()))).rejects.toThrow('the disk is full')
    await expect(clip.embed([{ text: 'snow' }], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })

  it('opens a tower with the first input for it, and none after it is disposed', async () => {
    const model = await open(await path('clip'))
    // Without a tokenizer the text tower cannot be opened; the other one can.
    const { tokenizer: _, ...towerless } = model
    const text = { ...model.towers!.text } as { tokenizer?: string }
    delete text.tokenizer
    const e = await embedder({ ...towerless, towers: { ...model.towers!, text } } as typeof model, {
      runtime,
    })
    expect((await e.embed([image(0)])).vectors.length).toBe(1)
    await expect(e.embed([{ text: 'snow' }])).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await e.dispose()
    await expect(e.embed([image(0)])).rejects.toMatchObject({ code: 'DISPOSED' })
  })
})

describe('zeroShot and rerank', () => {
  it.each(['clip', 'siglip'] as const)('give the probabilities that %s gives in Python', async (name) => {
    const e = name === 'clip' ? clip : siglip
    const { texts } = references
    const { probabilities } = references[name]
    const found = await zeroShot(e, pictures(), texts, { prompts: ['{}'] })
    for (const [i, row] of found.entries()) {
      expect(row.map(({ score }) => score)).toEqual(row.map(({ score }) => score).sort((a, b) => b - a))
      const byLabel = texts.map((text) => row.find(({ label }) => label === text)!.probability)
      expect(relativeError([byLabel], [probabilities[i]!])).toBeLessThan(1e-4)
    }
    const [one] = await zeroShot(e, pictures()[1]!, texts, { prompts: ['{}'] })
    expect(one).toEqual(found[1]![0])
  })

  it('mean the vectors of several prompts, each of length 1', async () => {
    const prompts = ['a photo of {}', 'two {}, by the sea']
    const [best] = await zeroShot(clip, [pictures()[0]!], ['dogs'], { prompts })
    const { vectors } = await clip.embed([
      ...prompts.map((prompt) => ({ text: prompt.replace('{}', 'dogs') })),
      image(0),
    ])
    const mean = vectors[0]!.map((value, i) => value + vectors[1]![i]!)
    expect(best![0]!.score).toBeCloseTo(cosineSimilarity(mean, vectors[2]!), 6)
    expect(best![0]!.probability).toBe(1)
  })

  it('order pictures by a text, or their vectors', async () => {
    const { logits_per_image: logits } = references.clip
    const column = logits.map((row) => row[1]!)
    const order = [0, 1, 2].sort((a, b) => column[b]! - column[a]!)
    const found = await rerank(clip, references.texts[1]!, pictures())
    expect(found.map(({ index }) => index)).toEqual(order)
    const sum = column.reduce((total, value) => total + Math.exp(value), 0)
    for (const { index, probability } of found)
      expect(probability).toBeCloseTo(Math.exp(column[index]!) / sum, 5)
    const { vectors } = await clip.embed([0, 1, 2].map(image))
    const again = await rerank(clip, references.texts[1]!, vectors, { k: 2 })
    expect(again.map(({ index }) => index)).toEqual(order.slice(0, 2))
    expect(again[0]!.image).toBe(vectors[order[0]!])
    const sure = await rerank(siglip, references.texts[1]!, pictures())
    for (const { index, probability } of sure) {
      expect(probability).toBeCloseTo(references.siglip.probabilities[index]![1]!, 4)
    }
    expect(await rerank(clip, 'snow', [])).toEqual([])
  })

  it('refuse what they cannot work with', async () => {
    const labels = (given: string[], options = {}) => zeroShot(clip, pictures(), given, options)
    await expect(labels([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(labels(['a'], { prompts: [] })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(labels(['a'], { prompts: ['a photo'] })).rejects.toThrow(/no place for the label/)
    const image = await embedder('mobilenet-v2', { runtime })
    await expect(rerank(image, 'a', pictures())).rejects.toThrow(/no model of texts and pictures/)
    await image.dispose()
  })

  it('take photographs by their paths and as files in memory', async () => {
    // The middle of the picture, brought to the size of the model beforehand: nothing is left to resize.
    const seen = await sharp(photo('cat.jpg')).resize(32, 32, { fit: 'cover' }).png().toBuffer()
    const { vectors } = await clip.embed([{ image: photo('cat.jpg') }, { image: new Uint8Array(seen) }])
    expect(cosineSimilarity(vectors[0]!, vectors[1]!)).toBeGreaterThan(0.99)
    const found = await rerank(clip, 'a cat', [photo('dogs.jpg'), photo('cat.jpg'), photo('coffee.jpg')])
    expect(found.length).toBe(3)
  })
})
