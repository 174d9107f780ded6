import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { open, openForTraining } from '../models/index.ts'
import { expectRows, rejection, testdata, useFolder } from '../models/testing/fixtures.ts'
import { tensor } from '../tensor/index.ts'
import { embedder } from './index.ts'

const folder = useFolder()
// Made by testdata/make_static.py.
const place = (name: string) => testdata(`static/${name}`)
const referencesOf = async (name: string) =>
  JSON.parse(await readFile(join(place(name), 'references.json'), 'utf8')) as Record<string, number[][]> & {
    texts: string[]
  }

async function embedded(path: string, texts: readonly string[], options = {}): Promise<number[][]> {
  const e = await embedder(path)
  const { vectors } = await e.embed([...texts], options)
  await e.dispose()
  return vectors.map((vector) => [...(vector as Float32Array)])
}

// a-28, b-16
describe('static embeddings', () => {
  it('of sentence-transformers give its vectors, with its prompts', async () => {
    const { texts, vectors, query } = await referencesOf('sentence')
    expectRows(await embedded(place('sentence'), texts), vectors!)
    expectRows(await embedded(place('sentence'), texts, { prompt: 'query' }), query!)
    const model = await open(place('sentence'))
    expect(model.card).toMatchObject({ dimensions: 8, normalize: true, tap: 'token_embeddings' })
    expect(model.unused).toEqual([])
  })

  it('of sentence-transformers with dense layers behind them, in folders, give its vectors', async () => {
    const { texts, vectors } = await referencesOf('dense')
    expectRows(await embedded(place('dense'), texts), vectors!)
    expect((await open(place('dense'))).card).toMatchObject({ dimensions: 5, tap: 'sentence_embedding' })
  })

  it('of model2vec, with a mapping and weights, give its vectors', async () => {
    const { texts, vectors } = await referencesOf('model2vec')
    expectRows(await embedded(place('model2vec'), texts), vectors!)
  })

  it.each([
    'limits',
    'unigram',
    'int8',
  ])('of model2vec cut texts by characters and tokens, and leave out unknown words, as it does: %s', async (name) => {
    const { texts, vectors } = await referencesOf(name)
    const none = vectors!.flatMap((vector, i) => (vector.every((x) => x === 0) ? [i] : []))
    const known = <T>(list: readonly T[]) => list.filter((_, i) => !none.includes(i))
    expectRows(await embedded(place(name), known(texts)), known(vectors!))
    for (const i of none) await expect(embedded(place(name), [texts[i]!])).rejects.toThrow(/no token/)
  })

  it("of sentence-transformers keep to the limit in their tokenizer's file", async () => {
    const { texts, sentence } = await referencesOf('limits')
    const modules = [{ idx: 0, name: '0', path: '', type: 'sentence_transformers.models.StaticEmbedding' }]
    const path = await folder.variant({ 'modules.json': modules }, place('limits'))
    expectRows(await embedded(path, texts), sentence!)
  })

  it('of model2vec with a modules.json are those of sentence-transformers', async () => {
    const { texts, sentence } = await referencesOf('model2vec')
    const modules = [{ idx: 0, name: '0', path: '', type: 'sentence_transformers.models.StaticEmbedding' }]
    const path = await folder.variant({ 'modules.json': modules }, place('model2vec'))
    expectRows(await embedded(path, texts), sentence!)
  })

  it('of model2vec as ONNX, with all ids in one row, are fed text by text', async () => {
    const path = join(folder.path, 'model2vec-onnx')
    await mkdir(path)
    await writeFile(join(path, 'tokenizer.json'), await readFile(join(place('model2vec'), 'tokenizer.json')))
    const b = new Builder()
    const ids = b.input('input_ids', 'int64', ['tokens'])
    b.input('offsets', 'int64', ['texts'])
    const table = Array.from({ length: 16 * 2 }, (_, i) => (i % 7) - (i % 3))
    const rows = op.gather(b.initializer('table', tensor('float32', [16, 2], table)), ids, 0)
    b.output('embeddings', op.reduceMean(rows, [0], { keepDims: true }))
    await writeOnnx(b.build(), join(path, 'model.onnx'))
    // a (4), bird (5); the unknown word is left out.
    const mean = [0, 1].map((j) => (table[8 + j]! + table[10 + j]!) / 2)
    const texts = ['a bird', 'a unknown bird', 'bird']
    expectRows(await embedded(join(path, 'model.onnx'), texts), [mean, mean, table.slice(10, 12)])
  })

  it('have none for a text without tokens, whose mean would be of nothing', async () => {
    const e = await embedder(place('sentence'))
    expect(await rejection(e.embed(['a bird', '']))).toMatchObject({ code: 'TEXT_INVALID', input: 1 })
    const { errors } = await e.embed(['a bird', ''], { onError: 'skip' })
    expect(errors.map(({ index }) => index)).toEqual([1])
    await e.dispose()
  })

  it('are not trained', async () => {
    expect(await rejection(openForTraining(place('sentence')))).toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })
})
