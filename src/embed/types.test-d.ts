import { expectTypeOf, it } from 'vitest'
import type { Matrix } from '../tensor/index.ts'
import {
  type Embedder,
  type EmbedderOptions,
  embedder,
  type LabelScore,
  type Prompt,
  rerank,
  type TextImageInput,
  zeroShot,
} from './index.ts'

it('knows what a vector is from the pooling', () => {
  expectTypeOf(embedder('model')).resolves.toEqualTypeOf<Embedder>()
  expectTypeOf(embedder('model', { pool: 'mean' })).resolves.toEqualTypeOf<Embedder>()
  expectTypeOf(embedder('model', { pool: 'none' })).resolves.toEqualTypeOf<Embedder<Matrix>>()
  const options: EmbedderOptions = {}
  expectTypeOf(embedder('model', options)).resolves.toEqualTypeOf<Embedder | Embedder<Matrix>>()
})

it('knows that a model of texts and pictures has to be told which of the two an input is', async () => {
  const e = await embedder('model', { modality: 'text-image' })
  expectTypeOf(e).toEqualTypeOf<Embedder<Float32Array, TextImageInput>>()
  e.embed([{ text: 'a red bird' }, { image: 'bird.jpg' }, { image: new Uint8Array() }])
  for await (const { input } of e.stream([{ text: 'a red bird' }]))
    expectTypeOf(input).toEqualTypeOf<{ text: string }>()
  // @ts-expect-error a bare string may be a text or a path
  e.embed(['a red bird'])
  // @ts-expect-error bytes may be many things
  e.embed([new Uint8Array()])
  // @ts-expect-error one or the other
  e.embed([{ text: 'a red bird', image: 'bird.jpg' }])
  // @ts-expect-error no such kind
  e.embed([{ sound: 'bird.mp3' }])
  expectTypeOf(zeroShot(e, 'bird.jpg', ['bird'])).resolves.toEqualTypeOf<LabelScore[]>()
  expectTypeOf(zeroShot(e, ['bird.jpg'], ['bird'])).resolves.toEqualTypeOf<LabelScore[][]>()
  const [best] = await rerank(e, 'a bird', ['bird.jpg' as string])
  expectTypeOf(best!.image).toEqualTypeOf<string>()
  rerank(e, 'a bird', ['bird.jpg'], { prompt: { text: 'a photo of ' } })
  // @ts-expect-error texts are strings
  rerank(e, 1, ['bird.jpg'])
})

it('takes a prompt by its name or by its words', async () => {
  expectTypeOf<Prompt>().toEqualTypeOf<string | { readonly text: string }>()
  const e = await embedder('model', { prompt: 'document' })
  e.embed(['owls'], { prompt: { text: 'query: ' } })
  e.stream(['owls'], { prompt: 'query' })
  embedder('model', { prompt: { text: '' } })
  // @ts-expect-error words are called text
  e.embed(['owls'], { prompt: { words: 'query: ' } })
})
