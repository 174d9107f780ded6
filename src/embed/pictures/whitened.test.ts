import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeBase64 } from '../../base/index.ts'
import { whiteningOf } from '../../models/cards/whitening.ts'
import { open } from '../../models/index.ts'
import { cosineSimilarity, float16ToFloat32 } from '../../tensor/index.ts'
import { type Embedder, embedder, type RawImage } from '../index.ts'

const sample = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../samples/pictures/${name}`, import.meta.url)))

let whitened: Embedder
beforeAll(async () => {
  whitened = (await embedder('mobilenet-v2-whitened')) as Embedder
})
afterAll(() => whitened.dispose())

const cosine = async (a: Uint8Array | RawImage, b: Uint8Array | RawImage) => {
  const { vectors } = await whitened.embed([a, b] as never)
  return cosineSimilarity(vectors[0]!, vectors[1]!)
}

describe('mobilenet-v2-whitened', () => {
  it('is the joined layers, times its matrix', async () => {
    const { taps, weight, bias, dimensions } = (await whiteningOf('mobilenet-v2-whitened'))!
    const plain = (await embedder('mobilenet-v2', { tap: taps })) as Embedder
    const picture = sample('drawing-cat.png')
    const [[x], [y]] = [(await plain.embed([picture])).vectors, (await whitened.embed([picture])).vectors]
    await plain.dispose()
    const numbers = (text: string) => float16ToFloat32(new Uint16Array(decodeBase64(text)!.slice().buffer))
    const [matrix, shift] = [numbers(weight), numbers(bias)]
    const expected = Float32Array.from(shift, (start, column) =>
      x!.reduce((sum, value, row) => sum + value * matrix[row * dimensions + column]!, start),
    )
    expect(y).toHaveLength(dimensions)
    expect(cosineSimilarity(expected, y!)).toBeGreaterThan(1 - 1e-6)
  })

  it('is a layer of a model with another fingerprint, whose other layers are as they were', async () => {
    const [model, other] = [await open('mobilenet-v2-whitened'), await open('mobilenet-v2')]
    expect(model.fingerprint).not.toBe(other.fingerprint)
    const names = other.layers().map(({ name }) => name)
    expect(model.layers().map(({ name }) => name)).toEqual(expect.arrayContaining([...names, 'whitened']))
  })

  // mobilenet-v2 puts the smaller copy at 0.920 and the cat beside a sunflower at 0.951.
  it('puts a smaller copy of a drawing nearer than the drawing beside another', async () => {
    const cat = sample('drawing-cat.png')
    const { width, height } = await sharp(cat).metadata()
    const flat = await sharp(cat).flatten({ background: 'white' }).png().toBuffer()
    const smaller = await sharp(flat)
      .resize(Math.round(width / 4))
      .png()
      .toBuffer()
    const sunflower = await sharp(sample('drawing-sunflower.png'))
      .flatten({ background: 'white' })
      .resize(width, height, { fit: 'contain', background: 'white' })
      .png()
      .toBuffer()
    const beside = await sharp({ create: { width: 2 * width, height, channels: 3, background: 'white' } })
      .composite([
        { input: flat, left: 0, top: 0 },
        { input: sunflower, left: width, top: 0 },
      ])
      .png()
      .toBuffer()
    const [copy, pair] = [await cosine(flat, smaller), await cosine(flat, beside)]
    expect(copy).toBeGreaterThan(pair + 0.1)
  })
})
