import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadTensor } from '../graph/index.ts'
import type { FileTensor, Tensor } from '../tensor/index.ts'
import { readCheckpoint } from './formats/checkpoint.ts'
import { open, readSafetensors, writeSafetensors } from './index.ts'
import { resolveSource } from './sources/sources.ts'
import { rejection, useFolder } from './testing/fixtures.ts'
import { vision } from './testing/vision.ts'

const folder = useFolder()

describe('two networks under two keys of a checkpoint', () => {
  // Made by testdata/make_several_networks.py.
  const at = (name: string) =>
    fileURLToPath(new URL(`./formats/pickle/testdata/several/${name}`, import.meta.url))
  const read = async (name: string, prefix?: string) => {
    const files = await resolveSource({ kind: 'file', path: at(name) })
    const { tensors, note } = await readCheckpoint(files, files.file!, prefix)
    const loaded = [...tensors].map(async ([key, tensor]) => [key, await loadTensor(tensor)] as const)
    const numbers = (await Promise.all(loaded)).map(([key, { data }]) => [key, Array.from(data, Number)])
    return { tensors: Object.fromEntries(numbers) as Record<string, number[]>, note }
  }
  const expected = async (name: string): Promise<Record<string, number[]>> =>
    JSON.parse(await readFile(at('several.json'), 'utf8'))[name]

  it('are those that timm takes, and that is said', async () => {
    const { tensors, note } = await read('model.pt')
    expect(tensors).toEqual(await expected('model.pt'))
    expect(note).toMatch(/those of model\., as timm takes them; the checkpoint also holds model_state_dict\./)
  })

  it('are the teacher of DINO, and that is said', async () => {
    const { tensors, note } = await read('dino.pt')
    expect(tensors).toMatchObject(await expected('a'))
    expect(note).toMatch(/those of teacher\., as DINO takes them; the checkpoint also holds student\./)
  })

  it.each([
    ['ema.pt', 'model_state_dict., ema_state_dict.'],
    ['distilled.pt', 'teacher., student.'],
  ])('are refused where nothing says which: %s', async (name, list) => {
    expect(await rejection(read(name))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(`2 networks (${list})`),
      hint: expect.stringContaining(`prefix: '${list.split(',')[0]}'`),
    })
  })

  it('are one where they are the same numbers', async () => {
    expect(await read('once.pt')).toEqual({ tensors: await expected('a'), note: undefined })
  })

  it.each([
    ['ema.pt', 'ema_state_dict.', 'b'],
    ['model.pt', 'model_state_dict', 'b'],
    ['distilled.pt', 'student.', 'a'],
    ['nested.pt', 'state_dict.net_b.', 'b'],
    ['nested.pt', 'net_b.', 'b'],
    ['dino.pt', 'student.', 'b'],
  ])('are chosen by their prefix: %s, %s', async (name, prefix, wanted) => {
    expect((await read(name, prefix)).tensors).toMatchObject(await expected(wanted))
  })

  it('whose tensors are negated when they are read are refused by name', async () => {
    expect(await rejection(read('negated.pt'))).toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/fc\.weight as torch\._utils\._rebuild_tensor_v2 \(neg\)/),
    })
  })

  it('are not chosen by a prefix that no name has', async () => {
    expect(await rejection(read('nested.pt', 'net_c'))).toMatchObject({
      code: 'OPTION_INVALID',
      hint: expect.stringMatching(/state_dict\.net_a/),
    })
    expect(await rejection(read('nested.pt', ''))).toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('two networks under prefixes of one’s own', () => {
  async function saved(...prefixes: string[]) {
    const { tensors } = await readSafetensors(join(vision('resnet50'), 'model.safetensors'))
    const all = new Map<string, FileTensor | Tensor>()
    for (const [i, prefix] of prefixes.entries()) {
      for (const [name, tensor] of tensors) {
        const loaded = await loadTensor(tensor)
        const data = loaded.data as Float32Array
        all.set(prefix + name, { ...loaded, data: i > 0 && name === 'fc.bias' ? data.map(() => 0) : data })
      }
    }
    const path = await folder.variant({}, vision('resnet50'))
    await writeSafetensors(join(path, 'model.safetensors'), all)
    return path
  }
  const bias = async (path: string, options?: Parameters<typeof open>[1]) => {
    const { graph, fingerprint, card } = await open(path, options)
    const found = await loadTensor(graph.initializers.get('fc.bias')!)
    return { first: Number(found.data[0]), fingerprint, notes: card.notes ?? '' }
  }

  it.each([
    ['ema.', 'model.'],
    ['net_a.', 'net_b.'],
    ['teacher.', 'student.'],
    ['online_encoder.', 'target_encoder.'],
  ])('are refused, with both: %s and %s', async (...prefixes) => {
    const path = await saved(...prefixes)
    expect(await rejection(open(path))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/2 networks/),
      hint: expect.stringMatching(/prefix: '/),
    })
    const [first, second] = await Promise.all(prefixes.map((prefix) => bias(path, { prefix })))
    expect([first!.first === 0, second!.first]).toEqual([false, 0])
    expect(second!.fingerprint).not.toBe(first!.fingerprint)
  })

  it('are the one that the method evaluates, which the notes say, of tensors too', async () => {
    const path = await saved('module.encoder_k.', 'module.encoder_q.')
    const said = /those of encoder_q\., as MoCo takes them; the checkpoint also holds encoder_k\./
    const { first, notes } = await bias(path)
    expect(first).toBe((await bias(path, { prefix: 'encoder_q' })).first)
    expect(notes).toMatch(said)
    expect((await open(path, { modality: 'tensor' })).card.notes).toMatch(said)
  })

  it('are chosen again by what says how the model was opened', async () => {
    const { opened } = await open(await saved('ema.', 'model.'), { prefix: 'ema.' })
    expect(opened).toMatchObject({ prefix: 'ema.' })
  })

  it('are no part of a graph', async () => {
    expect(await rejection(open('mobilenet-v2', { prefix: 'model.' }))).toMatchObject({
      code: 'OPTION_INVALID',
      input: 'prefix',
    })
  })
})
