import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../../base/index.ts'
import type { ImagePreprocessing } from '../../models/index.ts'
import type { Input, RawImage } from '../types.ts'
import { decodeImage } from './image.ts'

let folder: string
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-image-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Left half red, right half blue. */
function halves(width: number, height: number, channels: 3 | 4 = 3) {
  const data = Buffer.alloc(width * height * channels, 255)
  for (let i = 0; i < width * height; i++) {
    data.set(i % width < width / 2 ? [255, 0, 0] : [0, 0, 255], i * channels)
  }
  return sharp(data, { raw: { width, height, channels } })
}

const at = ({ width, data }: RawImage, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
]

function near(actual: number[], expected: number[], within = 12): void {
  for (const [i, value] of expected.entries())
    expect(Math.abs(actual[i]! - value), `${actual} ≈ ${expected}`).toBeLessThanOrEqual(within)
}

const failure = async (input: Input, options = {}): Promise<PipiloError> => {
  const error = await decodeImage(input, undefined, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(PipiloError)
  return error as PipiloError
}

/** A PNG that only says how large it is. */
function hollowPng(width: number, height: number): Buffer {
  const chunk = (type: string, body: Buffer) => {
    const content = Buffer.concat([Buffer.from(type, 'latin1'), body])
    const out = Buffer.alloc(content.length + 8)
    out.writeUInt32BE(body.length, 0)
    content.copy(out, 4)
    out.writeUInt32BE(crc32(content), content.length + 4)
    return out
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

describe('formats', () => {
  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('reads %s', async (format) => {
    const image = await decodeImage(await halves(32, 16).toFormat(format).toBuffer())
    expect([image.width, image.height, image.channels, image.data.length]).toEqual([32, 16, 3, 32 * 16 * 3])
    near(at(image, 2, 8), [255, 0, 0])
    near(at(image, 29, 8), [0, 0, 255])
  })

  it('reads SVG, white where nothing is drawn', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="10" height="10" fill="#00ff00"/></svg>'
    const image = await decodeImage(Buffer.from(svg))
    expect([image.width, image.height]).toEqual([20, 10])
    expect(at(image, 2, 5)).toEqual([0, 255, 0])
    expect(at(image, 17, 5)).toEqual([255, 255, 255])
  })

  it("reads an animated GIF's first frame", async () => {
    const frame = (color: string) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background: color } })
        .png()
        .toBuffer()
    const gif = await sharp([await frame('red'), await frame('blue')], { join: { animated: true } })
      .gif()
      .toBuffer()
    const image = await decodeImage(gif)
    expect([image.width, image.height]).toEqual([8, 8])
    near(at(image, 4, 4), [255, 0, 0])
  })

  it('turns pictures upright by EXIF', async () => {
    const image = await decodeImage(await halves(32, 16).jpeg().withMetadata({ orientation: 6 }).toBuffer())
    expect([image.width, image.height]).toEqual([16, 32])
    near(at(image, 8, 2), [255, 0, 0])
    near(at(image, 8, 29), [0, 0, 255])
  })

  it('shows the background under transparent pixels', async () => {
    const clear = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    })
      .png()
      .toBuffer()
    expect(at(await decodeImage(clear), 1, 1)).toEqual([255, 255, 255])
    const seen = await decodeImage(clear, { ...squash, size: [4, 4], background: [0, 128, 0] })
    expect(at(seen, 1, 1)).toEqual([0, 128, 0])
  })

  it('reads grey, grey with alpha, 16 bits, CMYK and palettes as RGB', async () => {
    const grey = sharp({ create: { width: 4, height: 4, channels: 3, background: '#808080' } })
    const samples = [
      await grey.clone().toColourspace('b-w').png().toBuffer(),
      await grey.clone().ensureAlpha().toColourspace('b-w').png().toBuffer(),
      await grey.clone().toColourspace('rgb16').png().toBuffer(),
      await grey.clone().toColourspace('grey16').png().toBuffer(),
      await grey.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(),
      await grey.clone().png({ palette: true }).toBuffer(),
    ]
    for (const sample of samples) {
      const image = await decodeImage(sample)
      expect([image.channels, image.data.length]).toEqual([3, 48])
      near(at(image, 2, 2), [128, 128, 128], 16)
    }
    expect((await sharp(samples[2]!).metadata()).depth).toBe('ushort')
    expect((await sharp(samples[4]!).metadata()).space).toBe('cmyk')
  })

  it('converts colours by the ICC profile', async () => {
    const green = sharp({ create: { width: 4, height: 4, channels: 3, background: '#40c040' } })
    const wide = await green.png().withIccProfile('p3').toBuffer()
    const stored = at(await decodeImage(await sharp(wide).withIccProfile('p3').png().toBuffer()), 1, 1)
    near(stored, [0x40, 0xc0, 0x40], 3)
  })
})

const squash: ImagePreprocessing = {
  size: [8, 8],
  crop: 'squash',
  interpolation: 'bilinear',
  mean: [0, 0, 0],
  std: [1, 1, 1],
}

describe('what the model sees', () => {
  it('squashes, crops the centre, or pads', async () => {
    // 64 × 16: red, green in the middle half, blue.
    const strip = await halves(64, 16)
      .composite([
        {
          input: { create: { width: 32, height: 16, channels: 3, background: '#00ff00' } },
          left: 16,
          top: 0,
        },
      ])
      .png()
      .toBuffer()
    const squashed = await decodeImage(strip, squash)
    near(at(squashed, 0, 4), [255, 0, 0])
    near(at(squashed, 4, 4), [0, 255, 0])
    near(at(squashed, 7, 4), [0, 0, 255])
    const centred = await decodeImage(strip, { ...squash, crop: 'center' })
    for (const x of [0, 7]) near(at(centred, x, 4), [0, 255, 0])
    const cropped = await decodeImage(strip, { ...squash, size: [8, 16], crop: 'center', cropRatio: 0.5 })
    expect([cropped.width, cropped.height]).toEqual([16, 8])
    const padded = await decodeImage(strip, { ...squash, crop: 'border', background: [1, 2, 3] })
    expect(at(padded, 4, 0)).toEqual([1, 2, 3])
    near(at(padded, 4, 4), [0, 255, 0])
  })

  it.each(['nearest', 'bilinear', 'bicubic', 'lanczos'] as const)('resizes %s', async (interpolation) => {
    const image = await decodeImage(await halves(640, 480).jpeg().toBuffer(), { ...squash, interpolation })
    near(at(image, 1, 4), [255, 0, 0], 25)
    near(at(image, 6, 4), [0, 0, 255], 25)
  })

  it('averages over all pixels when it makes a picture small', async () => {
    const data = Buffer.alloc(256 * 256 * 3)
    for (let i = 0; i < 256 * 256; i++) if ((i + (i >> 8)) % 2) data.fill(255, i * 3, i * 3 + 3)
    const image = await decodeImage({ width: 256, height: 256, channels: 3, data }, squash)
    for (const value of image.data) near([value], [128], 3)
  })
})

describe('where pictures come from', () => {
  it('takes paths, URLs, bytes, blobs and pixels', async () => {
    const png = await halves(8, 4).png().toBuffer()
    await writeFile(file('a picture.png'), png)
    const server = createServer((request, response) => {
      if (request.url === '/a.png') response.end(png)
      else response.writeHead(404).end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const expected = (await decodeImage(png)).data
      const inputs: Input[] = [
        file('a picture.png'),
        pathToFileURL(file('a picture.png')),
        pathToFileURL(file('a picture.png')).href,
        `${address}/a.png`,
        `data:image/png;base64,${png.toString('base64')}`,
        new Uint8Array(png),
        new Blob([new Uint8Array(png)]),
        { width: 8, height: 4, channels: 3, data: expected },
      ]
      for (const input of inputs) expect((await decodeImage(input)).data).toEqual(expected)
      const missing = await failure(`${address}/b.png`)
      expect(missing.code).toBe('NETWORK')
      expect(missing.message).toContain('/b.png: the server answered 404')
    } finally {
      server.close()
    }
  })

  it('reads grey and RGBA pixels', async () => {
    const grey = await decodeImage({ width: 2, height: 1, channels: 1, data: new Uint8Array([0, 200]) })
    expect([...grey.data]).toEqual([0, 0, 0, 200, 200, 200])
    const clear = await decodeImage({ width: 1, height: 1, channels: 4, data: new Uint8Array(4) })
    expect([...clear.data]).toEqual([255, 255, 255])
  })
})

describe('bad input', () => {
  it('names a missing file, a folder and an empty file', async () => {
    expect(await failure(file('nowhere.jpg'))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      input: file('nowhere.jpg'),
    })
    await mkdir(file('folder.jpg'))
    expect(await failure(file('folder.jpg'))).toMatchObject({ code: 'NOT_A_FILE', input: file('folder.jpg') })
    await writeFile(file('empty.jpg'), '')
    expect(await failure(file('empty.jpg'))).toMatchObject({ code: 'FILE_EMPTY', input: file('empty.jpg') })
    expect(await failure(new Uint8Array())).toMatchObject({ code: 'FILE_EMPTY', input: 'the picture' })
  })

  it('hints at a text model for words', async () => {
    expect((await failure('a bird on a branch')).message).toContain('for words choose a text model')
  })

  it.each([
    'jpeg',
    'png',
    'webp',
    'gif',
    'tiff',
    'avif',
  ] as const)('refuses a truncated %s', async (format) => {
    const noise = Buffer.alloc(256 * 192 * 3)
    for (let i = 0, seed = 1; i < noise.length; i++) {
      seed = (seed * 48271) % 2147483647
      noise[i] = seed >> 8
    }
    const whole = await sharp(noise, { raw: { width: 256, height: 192, channels: 3 } })
      .toFormat(format)
      .toBuffer()
    const path = file(`cut.${format}`)
    await writeFile(path, whole.subarray(0, whole.length * 0.6))
    for (const input of [path, whole.subarray(0, whole.length * 0.6)]) {
      expect((await failure(input)).code).toBe('IMAGE_INVALID')
    }
    // Also where the decoder reads it at a fraction of its size.
    await expect(decodeImage(path, squash)).rejects.toMatchObject({ code: 'IMAGE_INVALID', input: path })
  })

  it('says that a text file named .jpg is text', async () => {
    await writeFile(file('notes.jpg'), 'Dear diary,\ntoday I saw a towhee.')
    const error = await failure(file('notes.jpg'))
    expect(error).toMatchObject({ code: 'IMAGE_INVALID', input: file('notes.jpg') })
    expect(error.message).toContain('is not a picture: it holds text.')
  })

  it('refuses 60,000 × 60,000 pixels before decoding, and a limit of one’s own', async () => {
    await writeFile(file('huge.png'), hollowPng(60_000, 60_000))
    const before = process.memoryUsage().rss
    expect(await failure(file('huge.png'))).toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      input: file('huge.png'),
    })
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="60000" height="60000"/>')
    expect((await failure(svg)).code).toBe('IMAGE_TOO_LARGE')
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
    expect((await failure(hollowPng(100, 100), { maxPixels: 9_999 })).code).toBe('IMAGE_TOO_LARGE')
  })

  it('names formats that it does not read', async () => {
    const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), Buffer.alloc(64)])
    expect((await failure(heic)).message).toContain('is a HEIC picture, which is not read')
    expect((await failure(Buffer.from('%PDF-1.7 …'))).code).toBe('FORMAT_UNSUPPORTED')
    for (const [head, name] of [
      ['#define bird_width 16\n#define bird_height 16\n', 'an X bitmap (XBM)'],
      ['/* XPM */\nstatic char *bird[] = {', 'an X pixmap (XPM)'],
      ['BLP2\x01\0\0\0', 'a Blizzard texture (BLP)'],
      ['\0\0\0\x30ftypavis\0\0\0\0', 'an AVIF sequence'],
      ['\xa0\x25\0\0\x11\xaf\x05\0', 'an animation (FLI)'],
    ] as const)
      expect((await failure(Buffer.from(head, 'latin1'))).message).toContain(`is ${name}, which is not read`)
    expect((await failure(Buffer.from([1, 2, 3, 4, 0, 255]))).message).toContain(
      'is of no kind of picture that is known',
    )
  })

  it('checks pixels and types', async () => {
    const short = { width: 2, height: 2, channels: 3, data: new Uint8Array(11) } as const
    expect((await failure(short)).code).toBe('IMAGE_INVALID')
    for (const input of [7, null, undefined, {}, []]) {
      expect((await failure(input as unknown as Input)).code).toBe('INPUT_INVALID')
    }
    expect((await failure(new URL('ftp://host/a.jpg'))).code).toBe('INPUT_INVALID')
    expect((await failure('data:image/png;base64,%%%')).code).toMatch(/IMAGE_INVALID|FILE_EMPTY/)
  })

  it.each([
    ['size', [0, 8]],
    ['size', 224],
    ['crop', 'middle'],
    ['cropRatio', 0],
    ['cropRatio', 1.5],
    ['resize', -3],
    ['resize', [8]],
    ['interpolation', 'cubic'],
    ['mean', [0, 0]],
    ['std', [1, 0, 1]],
    ['background', [256, 0, 0]],
  ])('refuses a preparation that cannot be followed, not the picture: %s %j', async (name, value) => {
    const preprocessing = { ...squash, [name]: value } as ImagePreprocessing
    await expect(decodeImage(hollowPng(8, 8), preprocessing)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: name,
    })
  })

  it('stops when asked to', async () => {
    const signal = AbortSignal.abort()
    expect((await failure(await readFile(import.meta.filename), { signal })).code).toBe('ABORTED')
  })
})

it.each([
  'image href="other.png" width="8" height="8"',
  'xi:include href="other.svg"',
  'image href="FOLDER/other.png" width="8" height="8"',
])('An SVG shows nothing of other files: <%s/>', async (element) => {
  const { href } = pathToFileURL(folder)
  const red = { width: 8, height: 8, channels: 3, background: '#f00' } as const
  await sharp({ create: red }).toFile(file('other.png'))
  const head =
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xi="http://www.w3.org/2001/XInclude" width="8" height="8">'
  await writeFile(file('other.svg'), `${head}<rect width="8" height="8" fill="red"/></svg>`)
  for (const name of ['shows.svg', 'shows.png', 'shows']) {
    await writeFile(file(name), `${head}<${element.replace('FOLDER', href)}/></svg>`)
    const { data } = await decodeImage(file(name))
    expect(data.every((value) => value === 255)).toBe(true)
  }
})
