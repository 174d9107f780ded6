import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeOnnx } from '../../graph/files/index.ts'
import { Builder, cut, type Graph, op } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'
import { useFolder } from '../testing/fixtures.ts'

const folder = useFolder()
let folders = 0

/** A text is its first token's id in two places, a picture the mean of each of two channels. */
function towers(ends: { readonly text: string; readonly image: string }): Graph {
  const b = new Builder()
  const ids = op.cast(b.input('input_ids', 'int64', ['b', 's']), 'float32')
  const first = op.slice(ids, [0], [1], { axes: [1] })
  const pictures = b.input('pixel_values', 'float32', ['b', 3, 16, 16])
  b.output(ends.text, op.concat([first, op.mul(first, 2)], 1))
  b.output(ends.image, op.slice(op.reduceMean(pictures, [2, 3]), [0], [2], { axes: [1] }))
  return b.build()
}

async function write(files: Readonly<Record<string, Graph | object>>): Promise<string> {
  const path = join(folder.path, `towers-${folders++}`)
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, name)
    await mkdir(dirname(file), { recursive: true })
    if ('nodes' in content) await writeOnnx(content as Graph, file)
    else await writeFile(file, JSON.stringify(content))
  }
  return path
}

const clip = {
  model_type: 'clip',
  text_config: { model_type: 'clip_text_model', max_position_embeddings: 77 },
  vision_config: { image_size: 16 },
}
const embeds = { text: 'text_embeds', image: 'image_embeds' } as const
const exported = (ends: { readonly text: string; readonly image: string }, ending = '') => ({
  [`onnx/text_model${ending}.onnx`]: cut(towers(ends), ends.text),
  [`onnx/vision_model${ending}.onnx`]: cut(towers(ends), ends.image),
})

describe('two towers in ONNX files', () => {
  it.each<[string, Readonly<Record<string, Graph | object>>]>([
    ['of their own (clipdir)', { ...exported(embeds), 'config.json': clip }],
    [
      'of their own, quantised alone',
      { ...exported(embeds), ...exported(embeds, '_quantized'), 'config.json': clip },
    ],
    ['of their own, each quantised', { ...exported(embeds, '_quantized'), 'config.json': clip }],
    ['of one', { 'onnx/model.onnx': towers(embeds), 'config.json': clip }],
    ['without a configuration', exported(embeds)],
  ])('%s are two towers', async (_, files) => {
    const model = await open(await write(files))
    expect(model.modality).toBe('text-image')
    expect(model.card).toMatchObject({ tap: 'text_embeds,image_embeds', normalize: true, dimensions: 2 })
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['text_embeds', 'image_embeds'])
    const { text, image, logitScale } = model.towers!
    expect(logitScale).toBeUndefined()
    expect(text.graph.inputs.map(({ name }) => name)).toEqual(['input_ids'])
    const vectors = await evaluate(text.graph, { input_ids: tensor('int64', [1, 3], [5, 6, 7]) })
    expect([...(vectors['text_embeds']!.data as Float32Array)]).toEqual([5, 10])
    expect(image.graph.inputs.map(({ name }) => name)).toEqual(['pixel_values'])
    // No mask says what is padding.
    expect(text.card.together).toBe('equal')
  })

  it('read as the family does where nothing else is said', async () => {
    const { card } = await open(await write({ ...exported(embeds), 'config.json': clip }))
    expect(card.text).toEqual({ maxLength: 77 })
    expect(card.image).toMatchObject({
      size: [16, 16],
      crop: 'center',
      mean: [0.48145466, 0.4578275, 0.40821073],
    })
    const siglip = { model_type: 'siglip', text_config: { max_position_embeddings: 64 }, vision_config: {} }
    const poolers = { text: 'pooler_output', image: 'pooler_output' }
    const separate = (ends: typeof poolers) => ({
      'onnx/text_model.onnx': rename(cut(towers({ text: 'a', image: 'b' }), 'a'), ends.text),
      'onnx/vision_model.onnx': rename(cut(towers({ text: 'a', image: 'b' }), 'b'), ends.image),
    })
    const other = await open(await write({ ...separate(poolers), 'config.json': siglip }))
    expect(other.card.text).toMatchObject({ maxLength: 64, padding: { length: 64 }, clean: 'siglip' })
    expect(other.card.image).toMatchObject({ crop: 'squash', mean: [0.5, 0.5, 0.5] })
    // CLIP has a projection behind what it pools.
    await expect(open(await write({ ...separate(poolers), 'config.json': clip }))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    })
  })

  it('are chosen by a word, and one of them alone is a model of its own', async () => {
    const path = await write({ ...exported(embeds, '_q4'), 'config.json': clip })
    expect((await open(path, { dtype: 'q4' })).opened.dtype).toBe('q4')
    const one = await open(join(path, 'onnx/vision_model_q4.onnx'))
    expect(one).toMatchObject({ modality: 'image', card: { tap: 'image_embeds', dimensions: 2 } })
  })
})

/** The graph with its one output under another name. */
function rename(graph: Graph, name: string): Graph {
  const b = Builder.from(graph, { outputs: 'clear' })
  b.output(name, b.value(graph.outputs[0]!.name))
  return b.build()
}
