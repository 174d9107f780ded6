import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveSource } from '../index.ts'
import { readTextLayout } from './textLayout.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-text-layout-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The preparation of texts in a folder with these files. */
async function textOf(files: Readonly<Record<string, unknown>>) {
  const place = await mkdtemp(join(folder, 'model-'))
  for (const [name, content] of Object.entries(files))
    await writeFile(join(place, name), JSON.stringify(content))
  return (await readTextLayout(await resolveSource({ kind: 'file', path: place }))).text
}

describe('the limit of tokens', () => {
  const roberta = { model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1, vocab_size: 50265 }

  it.each<[number, Readonly<Record<string, unknown>>]>([
    // RoBERTa's positions begin behind the padding token's.
    [512, { 'config.json': roberta }],
    [512, { 'config.json': roberta, 'tokenizer_config.json': { model_max_length: 514 } }],
    [128, { 'config.json': roberta, 'tokenizer_config.json': { model_max_length: 128 } }],
    [64, { 'config.json': { ...roberta, model_type: 'xlm-roberta', max_position_embeddings: 66 } }],
    [512, { 'config.json': { ...roberta, model_type: 'mpnet' } }],
    [514, { 'config.json': { ...roberta, model_type: 'bert' } }],
  ])('is %i', async (limit, files) => {
    expect((await textOf(files)).maxLength).toBe(limit)
  })

  it('comes with the rows of the table of tokens', async () => {
    expect(await textOf({ 'config.json': roberta })).toMatchObject({ vocabulary: 50265 })
  })
})
