import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readInputs } from '../inputs/inputs.ts'
import { optional } from '../optional.ts'
import { planned } from './decode.ts'
import { jpeg2000Process } from './decodingProcess.ts'
import { decodeImage } from './image.ts'

/** Files written by Pillow, OpenJPEG and by hand, and their pixels as Pillow reads them: testdata/jpeg2000.py. */
const { read, refused } = JSON.parse(
  readFileSync(new URL('testdata/jpeg2000.json', import.meta.url), 'utf8'),
) as {
  read: Record<
    string,
    { file: string; size: [width: number, height: number]; pixels: string; tolerance: number }
  >
  refused: Record<string, string>
}
const bytesOf = (name: string) => Buffer.from(read[name]!.file, 'base64')
const patient = { timeout: 120_000 }
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('JPEG 2000', patient, () => {
  it.each(Object.keys(read))('%s has the pixels that Pillow reads', async (name) => {
    const { size, pixels, tolerance } = read[name]!
    const { width, height, channels, data } = await decodeImage(bytesOf(name))
    expect([width, height, channels]).toEqual([...size, 3])
    const expected = Buffer.from(pixels, 'base64')
    expect(data).toHaveLength(expected.length)
    const apart = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0)
    expect(apart).toBeLessThanOrEqual(tolerance)
  })

  it.each(Object.entries(refused))('%s is refused, and named', async (what, file) => {
    await expect(
      decodeImage(Buffer.from(file, 'base64'), undefined, { label: 'birds' }),
    ).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining(`Birds is a JPEG 2000 picture ${what}`),
      input: 'birds',
    })
  })

  it('is found in folders, and read under other names', async () => {
    const names = ['a.jp2', 'b.j2k', 'c.jpx', 'd.j2c', 'e.jpf', 'f.jpc', 'g.png']
    for (const name of names)
      writeFileSync(join(folder, name), bytesOf(/[kc]$/.test(name) ? 'rgb.j2k' : 'rgb.jp2'))
    const found: string[] = []
    for await (const { id, modality, error } of readInputs('.', { cwd: folder })) {
      expect([id, modality, error]).toEqual([id, 'image', undefined])
      found.push(id)
    }
    expect(found.sort()).toEqual(names)
    expect(await decodeImage(join(folder, 'g.png'))).toEqual(await decodeImage(bytesOf('rgb.jp2')))
  })

  it.each([
    'rgb.jp2',
    'rgb.j2k',
    'tiles.jp2',
    'palette.jp2',
    'grey16.jp2',
  ])('%s cut off is an error', async (name) => {
    const whole = bytesOf(name)
    const path = join(folder, 'cut.jp2')
    for (const share of [0.05, 0.2, 0.5, 0.9]) {
      writeFileSync(path, whole.subarray(0, Math.max(14, whole.length * share)))
      await expect(decodeImage(path), `${share}`).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
        input: path,
      })
    }
  })

  it.each([
    'rgb.jp2',
    'palette.jp2',
    'swapped.jp2',
    'profile.jp2',
    'turned.jp2',
  ])('whatever is in the head of %s, it is read or refused by name', async (name) => {
    const whole = bytesOf(name)
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(whole.length),
        async (changes, end) => {
          const bytes = new Uint8Array(whole)
          for (const [at, value] of changes) bytes[at] = value
          await planned({ name: 'birds', data: bytes.subarray(0, end) }, 1e6).catch((error) =>
            expect(error.code, String(error.stack)).toMatch(
              /^(?:IMAGE_INVALID|IMAGE_TOO_LARGE|FORMAT_UNSUPPORTED)$/,
            ),
          )
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** The picture with another size in its codestream's head. */
function claiming(width: number, height: number, { tile = [width, height] } = {}): Buffer {
  const bytes = bytesOf('rgb.j2k')
  const words = [width, height, 0, 0, tile[0]!, tile[1]!, 0, 0]
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, 8 + 4 * i)
  return bytes
}

describe('JPEG 2000 that claims much', patient, () => {
  const tooLarge = (message: RegExp) =>
    expect.objectContaining({ code: 'IMAGE_TOO_LARGE', message: expect.stringMatching(message) })

  it('is refused before it is decoded', async () => {
    await expect(decodeImage(claiming(60_000, 60_000))).rejects.toEqual(tooLarge(/pixels/))
    await expect(decodeImage(claiming(2 ** 32 - 1, 1))).rejects.toEqual(tooLarge(/pixels/))
    await expect(decodeImage(claiming(16_000, 16_000))).rejects.toEqual(tooLarge(/takes 3072000000 bytes/))
    await expect(decodeImage(claiming(10_000, 10_000, { tile: [1, 1] }))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining('100000000 tiles'),
    })
  })

  it('ends with an error, and its process with it where that takes too long', async () => {
    const usual = jpeg2000Process.limits
    // A millisecond is left of what its size adds.
    jpeg2000Process.limits = { ...usual, time: -242_999 }
    await expect(decodeImage(claiming(9000, 9000))).rejects.toEqual(
      tooLarge(/is a JPEG 2000 picture that takes more than 0.001 s to decode/),
    )
    jpeg2000Process.limits = usual
    expect(await decodeImage(bytesOf('rgb.jp2'))).toMatchObject({ width: 22 })
  })
})

it('A library that is not installed is named, with the command that installs it', async () => {
  const missing: string = 'pipilo-no-such-package'
  await expect(
    optional(missing, `${missing}@5`, 'JPEG 2000 pictures', () => import(missing)),
  ).rejects.toMatchObject({
    code: 'FORMAT_UNSUPPORTED',
    message: expect.stringContaining(
      'JPEG 2000 pictures are read by pipilo-no-such-package, which is not installed.',
    ),
    hint: 'npm install pipilo-no-such-package@5',
  })
})
