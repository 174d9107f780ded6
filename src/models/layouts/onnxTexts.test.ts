import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeOnnx } from '../../graph/files/index.ts'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'
import { rejection, useFolder } from '../testing/fixtures.ts'

const folder = useFolder()
let folders = 0

/** A text is its first token's id times 3, 4 and 12, beside vectors of tokens. */
function finished(name: string): Graph {
  const b = new Builder()
  const ids = op.cast(b.input('input_ids', 'int64', ['b', 's']), 'float32')
  const first = op.slice(ids, [0], [1], { axes: [1] })
  b.output('token_embeddings', op.concat([op.unsqueeze(ids, [2]), op.unsqueeze(ids, [2])], 2))
  b.output(name, op.concat([op.mul(first, 3), op.mul(first, 4), op.mul(first, 12)], 1))
  return b.build()
}

const modules = (kinds: readonly string[]) =>
  kinds.map((kind, i) => ({
    idx: i,
    name: `${i}`,
    path: i === 0 ? '' : `${i}_${kind}`,
    type: `sentence_transformers.models.${kind}`,
  }))
const config = { model_type: 'bert', max_position_embeddings: 8 }

async function write(graph: Graph, files: Readonly<Record<string, object>>): Promise<string> {
  const path = join(folder.path, `texts-${folders++}`)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), JSON.stringify(content))
  }
  await mkdir(join(path, 'onnx'), { recursive: true })
  await writeOnnx(graph, join(path, 'onnx/model.onnx'))
  return path
}

describe('a finished output of texts', () => {
  it.each([
    ['sentence_embedding', ['Transformer', 'Pooling'], 2, [15, 20]],
    // The norm of sentence-transformers comes before the cut, which leaves shorter vectors.
    ['sentence_embedding', ['Transformer', 'Pooling', 'Normalize'], 2, [3 / 13, 4 / 13]],
    ['text_embeds', ['Transformer', 'Pooling', 'Normalize'], 1, [3 / 13]],
    ['sentence_embedding', ['Transformer', 'Pooling'], 5, [15, 20, 60]],
  ] as const)('%s of %j is cut to truncate_dim %i', async (name, kinds, size, expected) => {
    const model = await open(
      await write(finished(name), {
        'config.json': config,
        'modules.json': modules(kinds),
        '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
        'config_sentence_transformers.json': { truncate_dim: size },
      }),
    )
    expect(model.card).toMatchObject({ dimensions: expected.length, normalize: false })
    const { [model.card.tap]: vectors } = await evaluate(model.graph, {
      input_ids: tensor('int64', [1, 3], [5, 6, 7]),
    })
    expect(vectors!.shape).toEqual([1, expected.length])
    for (const [i, value] of expected.entries()) expect(vectors!.data[i]).toBeCloseTo(value, 6)
  })

  it('is as it is where nothing cuts it', async () => {
    const { card } = await open(
      await write(finished('sentence_embedding'), {
        'config.json': config,
        'modules.json': modules(['Transformer', 'Pooling', 'Normalize']),
        '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
      }),
    )
    expect(card).toMatchObject({ tap: 'sentence_embedding', dimensions: 3, normalize: true })
  })

  it('of two towers is not cut without a word', async () => {
    const b = new Builder()
    const ids = op.cast(b.input('input_ids', 'int64', ['b', 's']), 'float32')
    const first = op.slice(ids, [0], [1], { axes: [1] })
    b.output('text_embeds', op.concat([first, first], 1))
    const pictures = op.reduceMean(b.input('pixel_values', 'float32', ['b', 3, 16, 16]), [2, 3])
    b.output('image_embeds', op.slice(pictures, [0], [2], { axes: [1] }))
    const path = await write(b.build(), {
      'config.json': { model_type: 'clip', vision_config: { image_size: 16 }, text_config: {} },
      'modules.json': modules(['CLIPModel']),
      'config_sentence_transformers.json': { truncate_dim: 1 },
    })
    expect(await rejection(open(path))).toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('has Truncate behind two towers'),
    })
  })
})
