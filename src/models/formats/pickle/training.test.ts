import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTensor } from '../../../graph/index.ts'
import { resolveSource } from '../../sources/sources.ts'
import { readCheckpoint } from '../checkpoint.ts'

const at = (name: string) => fileURLToPath(new URL(`./testdata/${name}`, import.meta.url))
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-training-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function checkpoint(path: string) {
  const files = await resolveSource({ kind: 'file', path })
  return readCheckpoint(files, files.file!)
}

// Made by testdata/make_training_checkpoints.py: what timm's load_state_dict takes.
type Expected = Record<string, Record<string, { shape: number[]; data: number[] }>>
const expected = async () => JSON.parse(await readFile(at('training.json'), 'utf8')) as Expected

describe('a training checkpoint', () => {
  it.each([
    ['asides.ckpt', 'a-20: arguments, dates, paths, numpy and more beside the state dict stay unread'],
    ['asides.pth.tar', 'a-32: the format before PyTorch 1.6, by its content'],
    ['loose.pt', 'a-19: a loose tensor beside the state dict'],
    ['ema.pt', 'the averaged weights, as timm takes them'],
    ['one.pt', 'the only dictionary of tensors, under a name of its own'],
    ['attribute.pt', 'a parameter with attributes'],
  ])('gives the parameters that timm takes: %s (%s)', async (name) => {
    const { tensors } = await checkpoint(at(name))
    const wanted = (await expected())[name]!
    expect([...tensors.keys()]).toEqual(Object.keys(wanted))
    for (const [key, { shape, data }] of Object.entries(wanted)) {
      const found = await loadTensor(tensors.get(key)!)
      expect([found.shape, Array.from(found.data, Number)], key).toEqual([shape, data])
    }
  })

  it('says so where it took the averaged weights', async () => {
    expect((await checkpoint(at('ema.pt'))).note).toMatch(/averaged ones \(state_dict_ema\)/)
    expect((await checkpoint(at('loose.pt'))).note).toBeUndefined()
  })

  it('with tensors that are not plain is refused by their name, rather than read without them', async () => {
    await expect(checkpoint(at('quantized.pt'))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/holds fc\.bias as torch\._utils\._rebuild_qtensor/),
    })
  })
})

/** The format before PyTorch 1.6 around pickles: `object` makes the value, `keys` those of storages, `storages` their bytes. */
function legacy(object: string | Uint8Array, keys = '].', storages = Buffer.alloc(0)): Buffer {
  const text = (pickle: string | Uint8Array) =>
    typeof pickle === 'string' ? Buffer.from(`\x80\x02${pickle}`, 'latin1') : Buffer.from(pickle)
  const magic = '\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.'
  return Buffer.concat([magic, 'M\xe9\x03.', '}.', object, keys].map(text).concat(storages))
}

/** A tensor of `shape` and `strides` over a storage of one float32, as opcodes. */
const tensorOf = (shape: string, strides: string) =>
  `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000` +
  `X\x03\x00\x00\x00cpuK\x01Ntq\x02QK\x00${shape}${strides}\x89}tR`

// c-07: work and memory are bounded by the file, whatever it claims.
describe('a hostile checkpoint', () => {
  /** `(x, x)` of the one before, `levels` times. */
  const doubled = (levels: number) => `K\x01\x85${'2\x86'.repeat(levels)}`
  const named = (value: string) => `}X\x01\x00\x00\x00w${value}s.`
  const storage = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(4)])

  it.each<[string, string, RegExp]>([
    ['shared tuples as a key', `}${doubled(60)}K\x01s.`, /its keys are one that is no text/],
    ['shared tuples as the name of an object', `\x80\x04${doubled(60)}X\x01\x00\x00\x00x\x93.`, /by no text/],
    ['shared tuples as a device', `ctorch\ndevice\n${doubled(60)}R.`, /it is torch\.device/],
    [
      'shared dictionaries',
      `}X\x01\x00\x00\x00x}s${'q\x01}X\x01\x00\x00\x00ah\x01sX\x01\x00\x00\x00bh\x01s'.repeat(60)}.`,
      /no dictionary of tensors/,
    ],
    [
      'a long integer of 1 MB',
      named(`\x8b\x00\x00\x10\x00${'\x7f'.repeat(1 << 20)}`),
      /its keys are w \(builtins\.int\)/,
    ],
    [
      'lists of lists',
      named(`${']'.repeat(200_000)}${'a'.repeat(199_999)}`),
      /no dictionary of tensors: its keys are w/,
    ],
    [
      'a list copied again and again',
      `](${'K\x01'.repeat(20_000)}eq\x01${'cbuiltins\nlist\nh\x01\x85R'.repeat(20_000)}.`,
      /it is builtins\.list/,
    ],
    ['a program', `}X\x01\x00\x00\x00wcos\nsystem\nX\x02\x00\x00\x00ls\x85Rs.`, /asks for os\.system/],
  ])('is answered soon, in little memory: %s', async (_, object, message) => {
    const path = join(folder, `${Math.random()}.pt`)
    await writeFile(path, legacy(object))
    const before = process.memoryUsage().rss
    await expect(checkpoint(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^FORMAT_/),
      message: expect.stringMatching(message),
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })

  it.each([
    ['one', named(tensorOf('J\x00\x00\x00\x70\x85', 'K\x00\x85'))],
    [
      'many of a small size',
      `}(${Array.from({ length: 200 }, (_, i) => `X\x03\x00\x00\x00${String(i).padStart(3, '0')}${tensorOf('J\x00\x00\x10\x00\x85', 'K\x00\x85')}`).join('')}u.`,
    ],
  ])('cannot have more numbers laid out than it holds: %s', async (_, object) => {
    const path = join(folder, `${Math.random()}.pt`)
    await writeFile(path, legacy(object, ']X\x01\x00\x00\x000a.', storage))
    await expect(checkpoint(path)).rejects.toThrow(/many more than the file holds/)
  })
})
