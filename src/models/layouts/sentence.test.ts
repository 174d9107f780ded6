import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../index.ts'
import {
  embedTexts,
  expectRows,
  rejection,
  sentenceTransformers,
  testdata,
  useFolder,
} from '../testing/fixtures.ts'

const { variant } = useFolder()
const folder = testdata('sentence-modules')

/** The network of the fixture with the modules of a case behind it. */
async function withCase(name: string, changes: Record<string, unknown> = {}): Promise<string> {
  const path = await variant({ '1_Pooling': null, '2_Normalize': null })
  await cp(join(folder, name), path, { recursive: true })
  return variant(changes, path)
}

describe('modules behind the network', () => {
  it.each([
    ['cls+max+mean', 24, false],
    ['mean_sqrt_len_tokens', 8, true],
    ['weightedmean', 8, false],
    ['lasttoken+weightedmean', 16, true],
    ['dense', 6, true],
    ['residual', 5, false],
  ])('give the vectors of sentence-transformers: %s', async (name, dimensions, normalize) => {
    const model = await open(await withCase(name))
    const references = JSON.parse(await readFile(join(folder, 'references.json'), 'utf8'))
    expect(model.card).toMatchObject({ tap: 'sentence_embedding', dimensions, normalize })
    expectRows(await embedTexts(model), references[name])
  })

  it('are cut to the first numbers that the folder keeps (truncate_dim), as they are', async () => {
    const model = await open(
      await withCase('dense', { 'config_sentence_transformers.json': { truncate_dim: 4 } }),
    )
    const { dense: references } = JSON.parse(await readFile(join(folder, 'references.json'), 'utf8'))
    expect(model.card).toMatchObject({ dimensions: 4, normalize: false })
    expectRows(
      await embedTexts(model),
      references.map((row: number[]) => row.slice(0, 4)),
    )
    const wider = { 'config_sentence_transformers.json': { truncate_dim: 9 } }
    expect((await open(await withCase('dense', wider))).card.dimensions).toBe(6)
    const odd = { 'config_sentence_transformers.json': { truncate_dim: 'half' } }
    expect(await rejection(open(await withCase('dense', odd)))).toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it('are layers of the model, called as their folders', async () => {
    const names = (await open(await withCase('dense'))).layers().map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['1_Pooling', '2_Dense', '2_Dense.linear', '3_LayerNorm']))
  })

  it('are part of the fingerprint', async () => {
    const path = await withCase('dense')
    const bytes = await readFile(join(path, '2_Dense', 'model.safetensors'))
    bytes[bytes.length - 3]! ^= 1
    const other = await variant({ '2_Dense/model.safetensors': bytes }, path)
    expect((await open(other)).fingerprint).not.toBe((await open(path)).fingerprint)
  })

  const dense = { in_features: 8, out_features: 6, bias: true }
  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no weights', { '2_Dense/model.safetensors': null }, 'MODEL_INVALID', /no weights in 2_Dense\//],
    [
      'an unknown activation',
      { '2_Dense/config.json': { ...dense, activation_function: 'os.system' } },
      'OPERATOR_UNSUPPORTED',
      /activation system .*Known: Identity, Tanh/,
    ],
    [
      'tokens as its input',
      { '2_Dense/config.json': { ...dense, module_input_name: 'token_embeddings' } },
      'FORMAT_UNSUPPORTED',
      /Dense module on token_embeddings/,
    ],
  ])('are refused with %s', async (_, changes, code, message) => {
    const error = await rejection(open(await withCase('dense', changes)))
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('are refused where their weights have another shape, or are too many', async () => {
    const read = (name: string) => readFile(join(folder, 'dense', name, 'model.safetensors'))
    const wrong = await withCase('dense', { '3_LayerNorm/model.safetensors': await read('2_Dense') })
    expect(await rejection(open(wrong))).toMatchObject({ code: 'PARAMETER_MISSING' })
  })
})

it('is read from pytorch_model.bin as from safetensors', async () => {
  const bytes = await readFile(join(folder, 'pytorch_model.bin'))
  const path = await variant({ 'model.safetensors': null, 'pytorch_model.bin': bytes })
  expectRows(await embedTexts(await open(path)), await embedTexts(await open(sentenceTransformers)))
})
