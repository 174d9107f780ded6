import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  relativeError,
  type TowerReferences,
  towerFolder,
  towerPictures,
  towerReferences,
} from '../models/testing/towers.ts'
import { l2Normalize } from '../tensor/index.ts'
import { dc, FailedRow, glob, ops, pipe, pipeline } from './index.ts'

const runtime = { workers: 0 }
let folder: string
let model: string
let references: TowerReferences
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-towers-'))
  model = await towerFolder('clip', folder)
  references = await towerReferences()
})
afterAll(() => rm(folder, { recursive: true }))

const pictures = () => towerPictures(references.side)
const expected = (of: 'text_embeds' | 'image_embeds', ...rows: number[]) =>
  rows.map((row) => [...l2Normalize(references.clip[of][row]!)])

describe('the pipeline of texts and pictures', () => {
  it('is a function of either, of many, and of both mixed', async () => {
    const embed = await pipeline('text-image-embedding', { model, runtime })
    const { texts } = references
    const [towhee] = pictures()
    expect(relativeError([await embed.text(texts[0]!)], expected('text_embeds', 0))).toBeLessThan(1e-4)
    expect(relativeError(await embed.text(texts), expected('text_embeds', 0, 1, 2, 3))).toBeLessThan(1e-4)
    expect(relativeError([await embed.image(towhee!)], expected('image_embeds', 0))).toBeLessThan(1e-4)
    expect(relativeError(await embed.image(pictures()), expected('image_embeds', 0, 1, 2))).toBeLessThan(1e-4)
    const [words, photo] = await embed([{ text: texts[1]! }, { image: towhee! }])
    expect(relativeError([words], expected('text_embeds', 1))).toBeLessThan(1e-4)
    expect(relativeError([photo], expected('image_embeds', 0))).toBeLessThan(1e-4)
    expect(relativeError([await embed({ text: texts[2]! })], expected('text_embeds', 2))).toBeLessThan(1e-4)
    expect(await embed.text([])).toEqual([])
    expect(embed.embedder.modality).toBe('text-image')
    await expect(embed('a red bird' as never)).rejects.toThrow(/\{ text: 'a red bird' \}/)
    await embed.dispose()
    await expect(embed.text('snow')).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  it('needs a model of both, and other tasks one of their own', async () => {
    const other = { model: 'mobilenet-v2', runtime }
    await expect(pipeline('text-image-embedding', other)).rejects.toThrow(/for image, not for text-image/)
    await expect(pipeline('text-embedding', { model, runtime })).rejects.toThrow(/text-image-embedding/)
  })
})

describe('the operator of texts and pictures', () => {
  it('embeds texts, pictures and both in chains', async () => {
    const { texts } = references
    const words = await dc(texts).textImageEmbedding.clip({ model, modality: 'text', runtime }).toList()
    expect(relativeError(words, expected('text_embeds', 0, 1, 2, 3))).toBeLessThan(1e-4)
    const seen = await dc(pictures()).textImageEmbedding.clip({ model, modality: 'image', runtime }).toList()
    expect(relativeError(seen, expected('image_embeds', 0, 1, 2))).toBeLessThan(1e-4)
    const both = dc([{ image: pictures()[2]! }, { text: texts[0]! }])
    const mixed = await both.textImageEmbedding.clip({ model, runtime }).toList()
    expect(relativeError(mixed.slice(0, 1), expected('image_embeds', 2))).toBeLessThan(1e-4)
    expect(relativeError(mixed.slice(1), expected('text_embeds', 0))).toBeLessThan(1e-4)
    const cwd = fileURLToPath(new URL('../../samples/pictures/', import.meta.url))
    const photos = await glob('cat*.jpg', { cwd })
      .imageDecode()
      .textImageEmbedding.clip({ model, modality: 'image', runtime })
      .toList()
    expect(photos.map(({ length }) => length)).toEqual([6, 6])
  })

  it('puts prompts before texts, and refuses them where there are only pictures', async () => {
    const words = await dc(['bird'])
      .textImageEmbedding.clip({ model, modality: 'text', prompt: { text: 'a photo of a ' }, runtime })
      .toList()
    expect(relativeError(words, expected('text_embeds', 0))).toBeLessThan(1e-4)
    const prompt = { text: 'a photo of ' }
    const options = { model, modality: 'image', prompt, runtime } as const
    expect(() => ops.textImageEmbedding.clip(options)).toThrow(/embeds pictures/)
    const timm = { prompt } as object
    await expect(dc(pictures()).imageEmbedding.timm(timm).toList()).rejects.toThrow(/embeds pictures/)
    const embed = await pipeline('text-image-embedding', { model, runtime })
    await expect(embed.image(pictures(), { prompt } as object)).rejects.toThrow(/embeds pictures/)
    expect(relativeError([await embed.text('a bird', { prompt })], expected('text_embeds', 0))).toBeLessThan(
      1e-4,
    )
    await embed.dispose()
  })

  it('fails row by row, and takes columns', async () => {
    const rows = await dc(['snow', 7 as unknown as string, 'rain'])
      .textImageEmbedding.clip({ model, modality: 'text', runtime })
      .toList({ onError: 'keep' })
    expect(rows.map((row) => row instanceof FailedRow)).toEqual([false, true, false])
    const index = pipe
      .input<{ caption: string }>('caption')
      .map('caption', 'vector', ops.textImageEmbedding.clip({ model, modality: 'text', runtime }))
      .output('vector')
    const { vector } = await index(references.texts[0]!)
    expect(relativeError([vector], expected('text_embeds', 0))).toBeLessThan(1e-4)
    await index.dispose()
  })
})
