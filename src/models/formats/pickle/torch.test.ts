import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../../../base/index.ts'
import { type Initializer, loadTensor } from '../../../graph/index.ts'
import { withFile } from '../../sources/files.ts'
import { readTorch as read } from './index.ts'

const readTorch = async (path: string) => (await withFile(path, read)).tensors

const at = (name: string) => fileURLToPath(new URL(`./testdata/${name}`, import.meta.url))

type Expected = Record<string, { shape: number[]; data: (number | string)[] }>
let expected: { tensors: Expected; state: Expected }
let folder: string
beforeAll(async () => {
  expected = JSON.parse(await readFile(at('expected.json'), 'utf8'))
  folder = await mkdtemp(join(tmpdir(), 'pipilo-pickle-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function expectTensors(found: ReadonlyMap<string, Initializer>, wanted: Expected): Promise<void> {
  for (const [name, tensor] of found) {
    const { shape, data } = wanted[name]!
    expect(tensor.shape, name).toEqual(shape)
    const values = [...(await loadTensor(tensor)).data]
    expect(
      values.map((value) => (typeof value === 'bigint' ? String(value) : value)),
      name,
    ).toEqual(tensor.dtype === 'int64' ? data.map(String) : data)
  }
}

/** A copy of a fixture, changed. */
async function altered(name: string, change: (bytes: Buffer) => Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random()}-${name}`)
  await writeFile(path, change(await readFile(at(name))))
  return path
}

describe('readTorch', () => {
  it.each([
    ['zip.pt', 22],
    ['legacy.pt', 20],
    ['protocol5.pt', 20],
  ])('reads every kind of tensor as PyTorch does: %s', async (name, count) => {
    const tensors = await readTorch(at(name))
    expect(tensors.size).toBe(count)
    await expectTensors(tensors, expected.tensors)
    expect([...tensors].filter(([, tensor]) => !('file' in tensor)).map(([key]) => key)).toEqual([
      'transposed',
      'strided',
      'expanded',
      'empty',
      'channels_last',
    ])
  })

  it('leaves shared bytes shared', async () => {
    const tensors = await readTorch(at('zip.pt'))
    const place = (name: string) => {
      const tensor = tensors.get(name)!
      return 'file' in tensor ? tensor.file : expect.fail()
    }
    expect(place('shared.part').offset - place('shared.whole').offset).toBe(12)
  })

  it.each(['training.pth', 'model.pth'])('finds the parameters among what else is kept: %s', async (name) => {
    const tensors = await readTorch(at(name))
    const names = Object.keys(expected.state).map((name) => `module.${name}`)
    expect([...tensors.keys()]).toEqual(names)
    await expectTensors(
      new Map([...tensors].map(([name, tensor]) => [name.replace('module.', ''), tensor])),
      expected.state,
    )
  })

  it.each([
    ['evil.pt', /posix\.system/],
    ['evil_legacy.pt', /posix\.system/],
    ['evil.pkl', /posix\.system/],
    ['evaluated.pt', /builtins\.eval/],
    ['module.pt', /torch\.nn\.modules\.container\.Sequential/],
  ])('refuses by name, and runs nothing: %s', async (name, message) => {
    const error = await readTorch(at(name)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'FORMAT_UNSUPPORTED', message: expect.stringMatching(message) })
    expect(existsSync('/tmp/pipilo-was-here')).toBe(false)
  })

  it.each([
    ['os.system, never called', '\x80\x02cos\nsystem\n.', /os\.system/],
    ['an instance', '\x80\x02(ios\nsystem\n.', /os\.system/],
    ['an attribute of an allowed module', '\x80\x02ctorch\nload\n.', /torch\.load/],
    ['an unknown object alone', '\x80\x02c__proto__\nconstructor\n.', /torch\.save did not write/],
    ['a state', '\x80\x02]}b.', /state of its own/],
    ['an extension', '\x80\x02\x82\x01.', /extension registry/],
    ['text', 'hello, world', /no valid pickle/],
    ['another pickle', '\x80\x02K\x01.', /torch\.save did not write/],
    ['an empty stack', '\x80\x02.', /empty stack/],
    ['a call of a list', '\x80\x02])R.', /call of what is no function/],
    ['wrong arguments', '\x80\x02ctorch\nSize\nK\x01\x85R.', /arguments that it does not take/],
    ['a length beyond its end', '\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f', /cut off/],
  ])('refuses %s', async (_, text, message) => {
    const path = join(folder, 'made.pt')
    await writeFile(path, Buffer.from(text, 'latin1'))
    expect(await readTorch(path).catch((reason: unknown) => reason)).toMatchObject({
      code: expect.stringMatching(/^FORMAT_/),
      message: expect.stringMatching(message),
    })
  })

  it('says so of files that are cut off or changed, wherever that is', async () => {
    const sizes = { 'zip.pt': 6840, 'legacy.pt': 3098 }
    for (const name of ['zip.pt', 'legacy.pt'] as const) {
      const whole = await readFile(at(name))
      const cases = fc.asyncProperty(
        fc.integer({ min: 1, max: Math.min(whole.length, sizes[name]) - 1 }),
        fc.option(fc.integer({ min: 0, max: 255 })),
        async (place, byte) => {
          const path = await altered(name, (bytes) => {
            if (byte === null) return bytes.subarray(0, place)
            bytes[place] = byte
            return bytes
          })
          const result = await readTorch(path).catch((error: unknown) => error)
          await rm(path)
          // A changed byte may hit a number or a name; nothing but a clear error may come of any other.
          const isClear = result instanceof PipiloError || (byte !== null && result instanceof Map)
          expect(isClear, String(result)).toBe(true)
        },
      )
      await fc.assert(cases, { numRuns: 150 })
    }
  })

  it('says where a storage is missing, and what a dictionary without tensors holds', async () => {
    const path = await altered('zip.pt', (bytes) =>
      Buffer.from(bytes.toString('latin1').replaceAll('/data/3', '/data/z'), 'latin1'),
    )
    await expect(readTorch(path)).rejects.toThrow(/has none of the \d+ bytes of the storage 3/)
    const made = join(folder, 'plain.pt')
    const long = '\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19'
    const rest = ['M\xe9\x03.', '}.', '}(X\x05\x00\x00\x00epochK\x03u.', '].'].map(
      (part) => `\x80\x02${part}`,
    )
    await writeFile(made, Buffer.from(`\x80\x02${long}.${rest.join('')}`, 'latin1'))
    await expect(readTorch(made)).rejects.toThrow(/no dictionary of tensors: its keys are epoch/)
  })
})
