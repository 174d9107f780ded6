import { expect, it } from 'vitest'
import { open } from '../models/index.ts'
import { sentenceTransformers } from '../models/testing/fixtures.ts'
import { embedder } from './index.ts'

it('A model in a child process gives the numbers of one that is not, as an embedder and by itself', {
  timeout: 120_000,
}, async () => {
  const name = `file:${sentenceTransformers}`
  const texts = ['a bird sings', 'prices rise']
  const e = await embedder(name, { isolate: true })
  const plain = await embedder(name)
  expect((await e.embed(texts)).data).toEqual((await plain.embed(texts)).data)
  expect(e.recipe).toEqual(plain.recipe)
  await Promise.all([e.dispose(), plain.dispose()])
  const model = await open(name, { isolate: true })
  const from = await embedder(model)
  expect((await from.embed(texts)).vectors).toHaveLength(2)
  await from.dispose()
  await model.dispose()
})
