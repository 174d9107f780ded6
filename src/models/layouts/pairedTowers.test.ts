import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadTensor } from '../../graph/index.ts'
import { compile } from '../../runtime/index.ts'
import { float16ToFloat32, type Tensor, tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'
import { readSafetensors, writeSafetensors } from '../sources/safetensorsFile.ts'
import { rejection, useFolder } from '../testing/fixtures.ts'

const weights = fileURLToPath(new URL('../../../weights/emoji-clip', import.meta.url))
const folder = useFolder()

/** A copy of the pair that comes with Pipilo, with another configuration. */
async function configured(change: object): Promise<string> {
  const config = JSON.parse(await readFile(join(weights, 'config.json'), 'utf8')) as object
  return folder.variant({ 'config.json': { ...config, ...change } }, weights)
}

const ids = tensor('int64', [1, 4], [101, 2417, 2540, 102])
const feeds = {
  input_ids: ids,
  attention_mask: tensor('int64', [1, 4], [1, 1, 1, 1]),
  token_type_ids: tensor('int64', [1, 4], [0, 0, 0, 0]),
}

async function run(graph: Parameters<typeof compile>[0], output: string): Promise<Float32Array> {
  const session = await compile(graph, { workers: 0 })
  const { [output]: found } = await session.run(feeds, [output])
  await session.dispose()
  return found!.data as Float32Array
}

describe('a pair of a model of texts and a network trained towards it', () => {
  it("has MiniLM's vectors, projected, for its texts", async () => {
    const { towers, modality, card } = await open(weights)
    expect([modality, card.dimensions, card.tap]).toEqual(['text-image', 192, 'text_embeds,image_embeds'])
    const found = await run(towers!.text.graph, 'text_embeds')
    const vector = await run((await open('all-MiniLM-L6-v2')).embedding(), 'embedding')
    const { tensors } = await readSafetensors(join(weights, 'model.safetensors'))
    const stored = (await loadTensor(tensors.get('text_projection.weight')!)) as Tensor
    const projection = float16ToFloat32(stored.data as Uint16Array)
    const expected = Array.from({ length: 192 }, (_, row) =>
      vector.reduce((sum, value, i) => sum + value * projection[row * 384 + i]!, 0),
    )
    expect(Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)))).toBeLessThan(1e-4)
  })

  it('is what the card emoji-clip says', async () => {
    const [{ card: stated }, { card: read }] = [await open('emoji-clip'), await open(weights)]
    const { name: _, source: __, description: ___, notes: ____, logitScale, ...rest } = stated
    expect(read).toMatchObject(rest)
    expect(logitScale).toBeCloseTo(read.logitScale!, 2)
  })

  it('names no place on this machine', async () => {
    for (const text of ['file:/etc', '/etc', './other', 7]) {
      const error = await rejection(open(await configured({ text })))
      expect(error).toMatchObject({ code: 'MODEL_INVALID' })
    }
    const error = await rejection(open(await configured({ image: '../image' })))
    expect(error).toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('refuses towers that do not fit together', async () => {
    expect(await rejection(open(await configured({ text: 'mobilenet-v2' })))).toMatchObject({
      code: 'MODEL_INVALID',
      input: 'mobilenet-v2',
    })
    const narrow = await configured({})
    const write = (tensors: Record<string, Tensor>) =>
      writeSafetensors(join(narrow, 'model.safetensors'), new Map(Object.entries(tensors)))
    await write({ 'text_projection.weight': tensor('float32', [2, 384], Array(768).fill(0)) })
    expect(await rejection(open(narrow))).toMatchObject({ code: 'SHAPE_MISMATCH' })
    await write({ other: tensor('float32', [1], [0]) })
    expect(await rejection(open(narrow))).toMatchObject({ code: 'PARAMETER_MISSING' })
  })
})
