import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readInputs } from '../inputs/inputs.ts'
import { decodeImage } from './image.ts'

/** Files written by Pillow and by hand, some turned by XMP alone, and their pixels as Pillow reads them: ../testdata/rarer.py. */
const { read: expected, refused } = JSON.parse(
  readFileSync(new URL('../testdata/rarer.json', import.meta.url), 'utf8'),
) as {
  read: Record<string, { file: string; size: [width: number, height: number]; sha256: string }>
  refused: Record<string, { file: string }>
}
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  for (const [name, { file }] of Object.entries(expected))
    writeFileSync(join(folder, name), Buffer.from(file, 'base64'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('pictures of formats that sharp does not read (a-31)', () => {
  it.each(Object.keys(expected))('%s has the pixels that Pillow reads', async (name) => {
    const { size, sha256 } = expected[name]!
    const { width, height, data } = await decodeImage(join(folder, name))
    expect([width, height]).toEqual(size)
    expect(createHash('sha256').update(data).digest('hex')).toBe(sha256)
  })

  it('are found in folders, and read from bytes and under other names', async () => {
    const names: string[] = []
    for await (const { id, modality, error } of readInputs('.', { cwd: folder })) {
      expect([id, modality, error]).toEqual([id, 'image', undefined])
      names.push(id)
    }
    expect(names.sort()).toEqual(Object.keys(expected).sort())
    const bmp = Buffer.from(expected['rgb.bmp']!.file, 'base64')
    writeFileSync(join(folder, 'named.jpg'), bmp)
    const pictures = [await decodeImage(bmp), await decodeImage(join(folder, 'named.jpg'))]
    expect(pictures[0]).toEqual(pictures[1])
    rmSync(join(folder, 'named.jpg'))
  })

  it.each([
    'rgb.bmp',
    'rgb.ppm',
    'rgb-rle.tga',
    'rgb.qoi',
    'rle8.bmp',
  ])('%s cut off is an error', async (name) => {
    const whole = Buffer.from(expected[name]!.file, 'base64')
    const path = join(folder, `cut-${name}`)
    for (const length of [whole.length >> 1, 30]) {
      if (length >= whole.length) continue
      writeFileSync(path, whole.subarray(0, length))
      await expect(decodeImage(path), `${length}`).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
    }
    rmSync(path)
  })

  it('refuse sizes that are too large before there is room for them', async () => {
    await expect(decodeImage(Buffer.from('P6 60000 60000 255\n'))).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    })
  })

  it.each(Object.entries(refused))('TIFF of %s is refused, and named', async (name, { file }) => {
    const is = { int32: 'signed 32-bit samples', float32: 'floating-point samples', lab: 'in Lab colours' }[
      name
    ]
    const bytes = Buffer.from(file, 'base64')
    const path = join(folder, 'named.jpg')
    writeFileSync(path, bytes)
    for (const picture of [bytes, path]) {
      await expect(decodeImage(picture)).rejects.toMatchObject({
        code: 'FORMAT_UNSUPPORTED',
        message: expect.stringContaining(`is a TIFF picture ${name === 'lab' ? '' : 'of '}${is}`),
      })
    }
    rmSync(path)
  })

  it('do not take prose for pictures', async () => {
    writeFileSync(join(folder, 'prose.txt'), 'P1 is a bitmap, and BM a bicycle.\n')
    for await (const { modality } of readInputs('prose.txt', { cwd: folder })) expect(modality).toBe('text')
    rmSync(join(folder, 'prose.txt'))
  })
})
