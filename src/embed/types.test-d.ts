import { expectTypeOf, it } from 'vitest'
import type { Matrix } from '../tensor/index.ts'
import { type Embedder, type EmbedderOptions, embedder } from './index.ts'

it('knows what a vector is from the pooling', () => {
  expectTypeOf(embedder('model')).resolves.toEqualTypeOf<Embedder>()
  expectTypeOf(embedder('model', { pool: 'mean' })).resolves.toEqualTypeOf<Embedder>()
  expectTypeOf(embedder('model', { pool: 'none' })).resolves.toEqualTypeOf<Embedder<Matrix>>()
  const options: EmbedderOptions = {}
  expectTypeOf(embedder('model', options)).resolves.toEqualTypeOf<Embedder | Embedder<Matrix>>()
})
