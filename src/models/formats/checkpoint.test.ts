import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FileTensor, type Tensor, tensor } from '../../tensor/index.ts'
import { listTensors, open, readSafetensors, writeSafetensors } from '../index.ts'
import {
  embedTexts,
  expectRows,
  rejection,
  sentenceTransformers,
  testdata,
  useFolder,
} from '../testing/fixtures.ts'

const { variant } = useFolder()
const shard = (i: number, ending = 'safetensors') => `model-0000${i}-of-00003.${ending}`

/** The fixture with its tensors split over three files, as transformers does it. */
async function sharded(change: (map: Record<string, string>) => Record<string, unknown> = (map) => map) {
  const { tensors } = await readSafetensors(join(sentenceTransformers, 'model.safetensors'))
  const map = Object.fromEntries([...tensors.keys()].map((name, i) => [name, shard((i % 3) + 1)]))
  const path = await variant({
    'model.safetensors': null,
    'model.safetensors.index.json': { metadata: { total_size: 1 }, weight_map: change({ ...map }) },
  })
  for (const i of [1, 2, 3]) {
    const part = [...tensors].filter(([name]) => map[name] === shard(i))
    await writeSafetensors(join(path, shard(i)), new Map(part))
  }
  return path
}

describe('a checkpoint in several files', () => {
  it('is read as one', async () => {
    const model = await open(await sharded())
    expectRows(await embedTexts(model), await embedTexts(await open(sentenceTransformers)))
    expect((await open(`${await sharded()}/model.safetensors.index.json`)).fingerprint).toBe(
      model.fingerprint,
    )
  })

  it('of PyTorch is read as well', async () => {
    const { tensors } = await readSafetensors(join(sentenceTransformers, 'model.safetensors'))
    const weight_map = Object.fromEntries([...tensors.keys()].map((name) => [name, shard(1, 'bin')]))
    const path = await variant({
      'model.safetensors': null,
      'pytorch_model.bin.index.json': { weight_map },
      [shard(1, 'bin')]: await readFile(testdata('sentence-modules/pytorch_model.bin')),
    })
    expectRows(await embedTexts(await open(path)), await embedTexts(await open(sentenceTransformers)))
  })

  it('names all shards that are missing', async () => {
    const path = await variant({ [shard(1)]: null, [shard(3)]: null }, await sharded())
    expect(await rejection(open(path))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringMatching(
        /lacks 2 of the 3 shards that .*: model-00001-of-00003.safetensors, model-00003-of-00003.safetensors/,
      ),
    })
  })

  it.each<[string, (map: Record<string, string>) => Record<string, unknown>, RegExp]>([
    ['a tensor that its shard lacks', (map) => ({ ...map, extra: shard(2) }), /extra \(model-00002/],
    [
      'a shard elsewhere',
      (map) => ({ ...map, extra: '../secret.bin' }),
      /"..\/secret.bin", which is no name/,
    ],
    ['a shard that is no name', (map) => ({ ...map, extra: 3 }), /puts extra into 3/],
  ])('is refused with %s', async (_, change, message) => {
    expect(await rejection(open(await sharded(change)))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(message),
    })
  })
})

/** The fixture's tensors under other names. */
async function renamed(change: (name: string) => string) {
  const { tensors } = await readSafetensors(join(sentenceTransformers, 'model.safetensors'))
  const path = await variant({})
  await writeSafetensors(
    join(path, 'model.safetensors'),
    new Map([...tensors].map(([name, tensor]) => [change(name), tensor])),
  )
  return path
}

// a-22
describe('a checkpoint of a wrapped network', () => {
  it.each([
    ['_orig_mod.', (name: string) => `_orig_mod.${name}`],
    ['module._orig_mod.', (name: string) => `module._orig_mod.${name}`],
    ['model.module.bert.', (name: string) => `model.module.bert.${name}`],
    ['net.encoder.', (name: string) => `net.encoder.${name}`],
    ['_orig_mod. within', (name: string) => name.replace('encoder.', 'encoder._orig_mod.')],
  ])('is read alike in all formats: %s', async (_, change) => {
    const model = await open(await renamed(change))
    expect(model.unused).toEqual([])
    expectRows(await embedTexts(model), await embedTexts(await open(sentenceTransformers)))
  })
})

// a-32
describe('a checkpoint of another ending', () => {
  const pickled = () => readFile(testdata('sentence-modules/pytorch_model.bin'))

  it.each([
    'last.ckpt',
    'best.pth.tar',
    'weights',
    'model.v2',
  ])('is known by its content: %s', async (name) => {
    const path = await variant({ 'model.safetensors': null, [name]: await pickled() })
    const wanted = await embedTexts(await open(sentenceTransformers))
    expectRows(await embedTexts(await open(path)), wanted)
    expectRows(await embedTexts(await open(join(path, name))), wanted)
  })

  it('whose header is as long as a pickle begins is one of safetensors', async () => {
    const bytes = await readFile(testdata('sentence-transformers/model.safetensors'))
    const length = Number(bytes.readBigUInt64LE())
    const start = Buffer.alloc(8)
    start.writeBigUInt64LE(0x1_03_80n)
    const header = bytes.toString('utf8', 8, 8 + length).padEnd(0x1_03_80, ' ')
    const padded = Buffer.concat([start, Buffer.from(header), bytes.subarray(8 + length)])
    expect([...padded.subarray(0, 2)]).toEqual([0x80, 3])
    const path = await variant({ 'model.safetensors': padded })
    expectRows(await embedTexts(await open(path)), await embedTexts(await open(sentenceTransformers)))
  })

  it('may be that of another format', async () => {
    const path = await variant({ 'model.safetensors': await pickled() })
    expectRows(await embedTexts(await open(path)), await embedTexts(await open(sentenceTransformers)))
  })

  it.each([
    ['a page of the web', '<!DOCTYPE html><html></html>', /a page of the web/],
    ['an archive', Buffer.from('\u001f\u008b\b\0', 'latin1'), /gzip/],
    ['text', 'nothing of the kind', /begins neither as safetensors nor/],
  ])('that holds %s says so', async (_, content, message) => {
    const path = await variant({ 'model.safetensors': null, 'pytorch_model.bin': content })
    expect(await rejection(open(path))).toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })
})

// a-27
describe('a Git LFS pointer', () => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90868376\n'

  it.each([
    'model.safetensors',
    'config.json',
    'modules.json',
    'pytorch_model.bin',
  ])('is told: %s', async (name) => {
    const path = await variant({
      ...(name.endsWith('.bin') && { 'model.safetensors': null }),
      [name]: pointer,
    })
    expect(await rejection(open(path))).toMatchObject({
      code: 'FORMAT_INVALID',
      message: expect.stringMatching(/is a Git LFS pointer, not the file itself.*git lfs pull/),
    })
  })
})

describe('a checkpoint that says nothing of its architecture', () => {
  it('is refused with its tensors, which listTensors gives', async () => {
    const path = await variant({ 'config.json': null, 'modules.json': null })
    expect(await rejection(open(path))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(
        /It holds 39 tensors: embeddings\.LayerNorm\.bias \[8\], .*…\. Name its architecture/,
      ),
    })
    const tensors = await listTensors(join(path, 'model.safetensors'))
    expect(tensors.size).toBe(39)
    expect(tensors.get('embeddings.LayerNorm.bias')).toEqual({ dtype: 'float32', shape: [8] })
  })

  // c-07
  it('or whose configuration claims a million layers is answered before they are built', async () => {
    const config = JSON.parse(await readFile(join(sentenceTransformers, 'config.json'), 'utf8'))
    for (const [layers, code, message] of [
      [900, 'PARAMETER_MISSING', /num_hidden_layers is 900, and they hold 2 blocks/],
      [1_000_000, 'MODEL_INVALID', /num_hidden_layers/],
    ] as const) {
      const path = await variant({ 'config.json': { ...config, num_hidden_layers: layers } })
      for (const strict of [true, false]) {
        const error = await rejection(open(path, { strict }))
        expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
      }
    }
  })
})

describe('a checkpoint that does not fit', () => {
  async function changed(change: (tensors: Map<string, FileTensor | Tensor>) => void) {
    const path = await variant({})
    const file = join(path, 'model.safetensors')
    // The original: a file cannot be read while it is written.
    const tensors = new Map<string, FileTensor | Tensor>(
      (await readSafetensors(join(sentenceTransformers, 'model.safetensors'))).tensors,
    )
    change(tensors)
    await writeSafetensors(file, tensors)
    return path
  }
  const extra = tensor('float32', [1], [0])

  it('with tensors that no part asked for is an error that lists them, heads aside', async () => {
    const path = await changed((map) => {
      for (const name of ['adapter.down', 'adapter.up', 'cls.predictions.bias', 'qa_outputs.weight'])
        map.set(name, extra)
    })
    expect(await rejection(open(path))).toMatchObject({
      code: 'PARAMETER_UNUSED',
      message: expect.stringMatching(/2 tensors that no part of bert asked for: adapter.down, adapter.up\./),
    })
    const model = await open(path, { strict: false })
    expect(model.unused).toEqual(['adapter.down', 'adapter.up', 'cls.predictions.bias', 'qa_outputs.weight'])
  })

  it('without some, or with others of another shape, is an error that lists all of them', async () => {
    const path = await changed((map) => {
      map.delete('encoder.layer.0.attention.self.query.bias')
      map.delete('embeddings.LayerNorm.weight')
      map.set('encoder.layer.1.output.dense.bias', extra)
    })
    expect(await rejection(open(path))).toMatchObject({
      code: 'PARAMETER_MISSING',
      message: expect.stringMatching(
        /no parameters embeddings.LayerNorm.weight, encoder.layer.0.attention.self.query.bias .*encoder.layer.1.output.dense.bias is \[1\]/,
      ),
    })
    const model = await open(path, { strict: false })
    expect((await embedTexts(model)).flat().every(Number.isFinite)).toBe(true)
  })

  it('because its configuration is of another model says so', async () => {
    const config = JSON.parse(await readFile(join(sentenceTransformers, 'config.json'), 'utf8'))
    const path = await variant({ 'config.json': { ...config, intermediate_size: 32 } })
    expect(await rejection(open(path))).toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringMatching(
        /is \[16, 8\], but the configuration asks for \[32, 8\].*belongs to these/,
      ),
    })
  })
})
