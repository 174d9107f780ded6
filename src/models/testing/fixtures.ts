// Fixtures of tests: folders of small models, copies of them with some files replaced.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { compile } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { EmbeddingOptions, Model } from '../types.ts'
import { deadAddress } from './hubServer.ts'

/** A folder as sentence-transformers saves it: a random BERT. */
export const sentenceTransformers = testdata('sentence-transformers')

/** Absolute path of a file among the fixtures. */
export function testdata(name: string): string {
  return fileURLToPath(new URL(`../testdata/${name}`, import.meta.url))
}

/** Before the tests of a file: a folder of their own, and no hub to be reached. */
export function useFolder(): { readonly path: string; variant: typeof variant } {
  const folder = { path: '' }
  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'pipilo-models-'))
    vi.stubEnv('HF_ENDPOINT', await deadAddress())
    vi.stubEnv('HF_HOME', join(folder.path, 'hf'))
    vi.stubEnv('PIPILO_CACHE', join(folder.path, 'cache'))
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await rm(folder.path, { recursive: true })
  })
  return Object.assign(folder, {
    variant: (changes: Record<string, unknown>, source?: string) => variant(changes, source, folder.path),
  })
}

let copies = 0
/** A copy of a folder with some files replaced: by JSON, by text or bytes, or (null) by nothing. */
async function variant(
  changes: Record<string, unknown>,
  source = sentenceTransformers,
  parent = tmpdir(),
): Promise<string> {
  const copy = join(parent, `variant-${copies++}`)
  await cp(source, copy, { recursive: true })
  for (const [name, content] of Object.entries(changes)) {
    const path = join(copy, name)
    await rm(path, { force: true, recursive: true })
    if (content === null) continue
    await mkdir(join(path, '..'), { recursive: true })
    const isRaw = typeof content === 'string' || content instanceof Uint8Array
    await writeFile(path, isRaw ? content : JSON.stringify(content))
  }
  return copy
}

/** The error of a promise that has to fail. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The embeddings of the texts whose token ids the references of {@link sentenceTransformers} hold. */
export async function embedTexts(model: Model, options?: EmbeddingOptions): Promise<number[][]> {
  const references = JSON.parse(await readFile(join(sentenceTransformers, 'references.json'), 'utf8'))
  const session = await compile(model.embedding(options), { workers: 0 })
  const rows = (name: string): number[][] => references[name]
  const ids = (values: number[][]) => tensor('int64', [values.length, values[0]!.length], values.flat())
  const feeds = {
    input_ids: ids(rows('input_ids')),
    attention_mask: ids(rows('attention_mask')),
    token_type_ids: ids(rows('input_ids').map((row) => row.map(() => 0))),
  }
  const { embedding } = await session.run(feeds)
  await session.dispose()
  const data = [...(embedding!.data as Float32Array)]
  const width = data.length / rows('input_ids').length
  return rows('input_ids').map((_, i) => data.slice(i * width, (i + 1) * width))
}

/** Rows that agree to five digits. */
export function expectRows(found: number[][], expected: number[][]): void {
  expect(found.length).toBe(expected.length)
  for (const [i, row] of expected.entries()) {
    expect(found[i]!.length).toBe(row.length)
    for (const [j, value] of row.entries()) expect(found[i]![j]).toBeCloseTo(value, 5)
  }
}
