import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadTensor } from '../graph/index.ts'
import { open, readSafetensors } from '../models/index.ts'
import { cosineSimilarity } from '../tensor/index.ts'
import { embedder } from './embedder.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const vision = (name: string) => at(`../models/testdata/vision/${name}`)
const cat = at('../../samples/pictures/cat-face.jpg')

/** What Python makes of the picture, prepared by Pillow. */
async function reference(name: string): Promise<Float32Array> {
  const { tensors } = await readSafetensors(`${vision(name)}/references.safetensors`)
  return (await loadTensor(tensors.get('picture')!)).data as Float32Array
}

describe('a photograph', () => {
  it.each([
    'resnet50',
    'vit_reg4',
    'swin',
    'convnextv2',
    'dinov2',
    'dino',
    'vit_mae',
  ])('gives the embedding that Python gives: %s', async (name) => {
    const expected = await reference(name)
    const e = await embedder(vision(name), { normalize: false })
    expect(e.dimensions).toBe(expected.length)
    const { vectors } = await e.embed([cat, await readFile(cat)])
    await e.dispose()
    expect(cosineSimilarity(vectors[0]!, expected)).toBeGreaterThan(0.995)
    expect(vectors[1]).toEqual(vectors[0])
  })
})

describe('an embedder of pictures', () => {
  it('reads places, several of them too, and calls them by one name', async () => {
    const e = await embedder(vision('dinov2'), { tap: ['stages.0', 'classToken'] })
    expect(e.recipe.taps).toEqual(['stages.0', 'class_token'].map((await e.model()).resolve))
    expect(e.dimensions).toBe(24)
    const { vectors } = await e.embed([cat])
    await e.dispose()
    const tokens = await embedder(vision('dinov2'), { tap: 'patch_tokens', pool: 'none' })
    const [matrix] = (await tokens.embed([cat])).vectors
    await tokens.dispose()
    expect([vectors[0]!.length, matrix!.rows, matrix!.columns]).toEqual([24, 16, 12])
  })

  it('of another size is another one, whatever was kept of the first', async () => {
    const embed = async (size?: readonly [number, number]) => {
      const e = await embedder(vision('vit_reg4'), { ...(size ? { size } : {}) })
      const { vectors } = await e.embed([cat])
      await e.dispose()
      return { vector: vectors[0]!, fingerprint: e.recipe.source.fingerprint }
    }
    const [own, wide, again] = [await embed(), await embed([32, 64]), await embed()]
    expect(again).toEqual(own)
    expect(wide.fingerprint).not.toBe(own.fingerprint)
    expect(cosineSimilarity(wide.vector, own.vector)).toBeLessThan(0.9999)
    const model = await open(vision('vit_reg4'), { size: [32, 64] })
    expect(model.card.image?.size).toEqual([32, 64])
  })

  it('takes no texts, and one of texts no pictures', async () => {
    const pictures = await embedder(vision('resnet50'))
    const texts = await embedder('all-MiniLM-L6-v2')
    await expect(pictures.embed(['the birds sing in the morning'])).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      hint: expect.stringMatching(/for words choose a text model/),
    })
    await expect(texts.embed([await readFile(cat)])).rejects.toMatchObject({
      code: 'TEXT_INVALID',
      hint: expect.stringMatching(/choose an image model/),
    })
    await Promise.all([pictures.dispose(), texts.dispose()])
  })

  it('is not made of a model that is fed with embeddings', async () => {
    const picture = (await open(vision('vit_reg4'))).feed('patch_embeddings')
    await expect(embedder(picture)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    const text = (await open('all-MiniLM-L6-v2')).feed('token_embeddings')
    await expect(embedder(text)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/takes vectors at inputs_embeds, not texts/),
    })
  })
})
