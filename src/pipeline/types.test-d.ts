import { describe, expectTypeOf, it } from 'vitest'
import type { PipiloError } from '../base/index.ts'
import type { RawImage, TextImageInput } from '../embed/index.ts'
import type { Matrix } from '../tensor/index.ts'
import {
  type DataCollection,
  dc,
  defineOperator,
  type FailedRow,
  glob,
  type Operator,
  ops,
  pipe,
  pipeline,
} from './index.ts'

const shout = defineOperator(
  'shout',
  (options: { mark?: string } = {}) =>
    (text: string) =>
      text.toUpperCase() + (options.mark ?? '!'),
)
const lengths = defineOperator('mine.lengths', () => ({
  batch: 4,
  open: () => ({ run: (texts: readonly string[]) => texts.map((text) => text.length) }),
}))

declare module './index.ts' {
  interface Operators {
    shout: typeof shout
    mine: { lengths: typeof lengths }
  }
}

describe('dc', () => {
  it('carries the type of the values', () => {
    expectTypeOf(dc(['a']).map((text) => text.length)).toEqualTypeOf<DataCollection<number>>()
    expectTypeOf(
      dc(['a'])
        .map(async (text) => text.length)
        .toList(),
    ).resolves.toEqualTypeOf<number[]>()
    expectTypeOf(dc(['a']).flatMap((text) => [...text])).toEqualTypeOf<DataCollection<string>>()
    expectTypeOf(dc([1]).batch(2)).toEqualTypeOf<DataCollection<number[]>>()
    const some = dc([1, undefined]).filter((x): x is number => x !== undefined)
    expectTypeOf(some).toEqualTypeOf<DataCollection<number>>()
    expectTypeOf(dc([1]).toList({ onError: 'keep' })).resolves.toEqualTypeOf<(number | FailedRow)[]>()
    // @ts-expect-error a number has no length
    dc([1]).map((x) => x.length)
    // @ts-expect-error a number is no list
    dc(1)
  })

  it('knows the operators', () => {
    expectTypeOf(dc(['a']).textEmbedding.sentence().toList()).resolves.toEqualTypeOf<Float32Array[]>()
    expectTypeOf(dc(['a']).textEmbedding.transformers({ model: 'm' }).toList()).resolves.toEqualTypeOf<
      Matrix[]
    >()
    expectTypeOf(glob('*.jpg').imageDecode()).toEqualTypeOf<DataCollection<RawImage>>()
    const vectors = glob('*.jpg').imageDecode().imageEmbedding.timm({ model: 'resnet50' })
    expectTypeOf(vectors).toEqualTypeOf<DataCollection<Float32Array>>()
    const maps = glob('*.jpg').imageEmbedding.timm({ pool: 'none' })
    expectTypeOf(maps).toEqualTypeOf<DataCollection<Matrix>>()
    // @ts-expect-error numbers are no texts
    dc([1]).textEmbedding.sentence
    // @ts-expect-error a vector is no picture
    vectors.imageDecode()
    // @ts-expect-error no such operator
    dc(['a']).textEmbeding
    // @ts-expect-error no such option
    dc(['a']).textEmbedding.sentence({ modle: 'm' })
  })

  it('knows which of the two an input of the operator for texts and pictures is', () => {
    const model = 'm'
    const words = dc(['a red bird']).textImageEmbedding.clip({ model, modality: 'text' })
    expectTypeOf(words).toEqualTypeOf<DataCollection<Float32Array>>()
    glob('*.jpg').textImageEmbedding.clip({ model, modality: 'image' })
    glob('*.jpg').imageDecode().textImageEmbedding.clip({ model, modality: 'image' })
    dc([{ text: 'a red bird' }]).textImageEmbedding.clip({ model })
    const op = ops.textImageEmbedding.clip({ model, modality: 'text' })
    expectTypeOf(op).toEqualTypeOf<Operator<string, Float32Array>>()
    expectTypeOf(ops.textImageEmbedding.clip({ model })).toEqualTypeOf<
      Operator<TextImageInput, Float32Array>
    >()
    // @ts-expect-error strings may be texts or paths
    dc(['a red bird']).textImageEmbedding.clip({ model })
    // @ts-expect-error a picture is no text
    glob('*.jpg').imageDecode().textImageEmbedding.clip({ model, modality: 'text' })
    dc(['a red bird']).textImageEmbedding.clip({ modality: 'text' })
    // @ts-expect-error numbers are neither
    dc([1]).textImageEmbedding.clip
    // @ts-expect-error inner layers are not in one space
    ops.textImageEmbedding.clip({ model, tap: 'layer' })
  })

  it('knows operators of one’s own', () => {
    expectTypeOf(dc(['a']).shout({ mark: '?' })).toEqualTypeOf<DataCollection<string>>()
    expectTypeOf(dc(['a']).mine.lengths()).toEqualTypeOf<DataCollection<number>>()
    expectTypeOf(ops.shout).toEqualTypeOf(shout)
    // @ts-expect-error the mark is a string
    dc(['a']).shout({ mark: 1 })
    // @ts-expect-error it shouts texts
    dc([1]).shout()
  })
})

describe('pipe', () => {
  const typed = pipe.input<{ path: string }>('path')

  it('gives objects by column', () => {
    const index = typed
      .map('path', 'image', ops.imageDecode())
      .map('image', 'vector', ops.imageEmbedding.timm({ model: 'resnet50', tap: 'layer2', pool: 'mean' }))
      .map(['path', 'vector'], 'row', (path, vector) => ({ id: path, vector }))
      .output('path', 'row')
    expectTypeOf(index).parameters.toEqualTypeOf<[string]>()
    expectTypeOf(index('x')).resolves.toEqualTypeOf<{
      path: string
      row: { id: string; vector: Float32Array }
    }>()
    expectTypeOf(index.batch(['x'])).resolves.items.toEqualTypeOf<Awaited<ReturnType<typeof index>>>()
    index.stream(glob('*.jpg'))
    // @ts-expect-error a path is a string
    index(1)
    // @ts-expect-error so are the paths of a stream
    index.stream([1])
  })

  it('refuses columns that are not there', () => {
    // @ts-expect-error misspelt
    typed.map('pth', 'image', ops.imageDecode())
    // @ts-expect-error misspelt, without a declared type
    pipe.input('path').map('pth', 'image', ops.imageDecode())
    // @ts-expect-error misspelt among several
    typed.map(['path', 'vector'], 'row', (path, vector) => [path, vector])
    // @ts-expect-error not made yet
    typed.output('vector')
    // @ts-expect-error not there
    typed.filter('image', () => true)
    // @ts-expect-error not a column of the declared type
    pipe.input<{ path: string }>('pth')
  })

  it('refuses functions and operators of other types', () => {
    const measured = typed.map('path', 'length', (path) => path.length)
    // @ts-expect-error a length is a number
    measured.map('length', 'loud', (length: string) => length.toUpperCase())
    // @ts-expect-error an operator of texts
    measured.map('length', 'vector', ops.textEmbedding.sentence())
    // @ts-expect-error the arguments have changed places
    measured.map(['path', 'length'], 'both', (length: number, path: string) => [length, path])
    const counted = pipe.input('path').map('path', 'n', (path: string) => path.length)
    // @ts-expect-error a column made from an undeclared one has a type
    counted.map('n', 'm', (n: string) => n)
    // @ts-expect-error two columns need two values
    typed.map('path', ['a', 'b'], (path) => path)
  })

  it('follows several columns, replaced columns, filters, lists and windows', () => {
    const sums = pipe.input<{ a: number; b: number }, ['a', 'b']>('a', 'b')
    const both = sums.map(['a', 'b'], ['sum', 'text'], (a, b) => [a + b, `${a}${b}`]).output('sum', 'text')
    expectTypeOf(both).parameters.toEqualTypeOf<[number, number]>()
    expectTypeOf(both(1, 2)).resolves.toEqualTypeOf<{ sum: number; text: string }>()
    const later = sums.map(['a', 'b'], ['sum', 'text'], async (a, b) => [a + b, `${a}${b}`]).output('text')
    expectTypeOf(later(1, 2)).resolves.toEqualTypeOf<{ text: string }>()
    const pairs = typed.flatMap('path', ['i', 'c'], (path) =>
      Object.entries([...path]).map(([i, c]) => [Number(i), c]),
    )
    expectTypeOf(pairs.output('i', 'c')('x')).resolves.toEqualTypeOf<{ i: number; c: string }[]>()
    const replaced = typed.map('path', 'path', async (path) => path.length).output('path')
    expectTypeOf(replaced('x')).resolves.toEqualTypeOf<{ path: number }>()
    const some = typed.filter('path', (path) => path !== '').output('path')
    expectTypeOf(some('x')).resolves.toEqualTypeOf<{ path: string } | undefined>()
    const parts = typed.flatMap('path', 'part', (path) => path.split('/')).output('part')
    expectTypeOf(parts('x')).resolves.toEqualTypeOf<{ part: string }[]>()
    const windows = typed.window(2, 1).output('path')
    expectTypeOf(windows.batch(['x'])).resolves.toEqualTypeOf<{ path: string[] }[]>()
    const kept = typed.output('path').batch(['x'], { onError: 'keep' })
    expectTypeOf(kept).resolves.items.toHaveProperty('error').toEqualTypeOf<PipiloError | undefined>()
  })
})

describe('pipeline', () => {
  it('gives a vector for an input and an array for an array', async () => {
    const embed = await pipeline('text-embedding')
    expectTypeOf(embed('a')).resolves.toEqualTypeOf<Float32Array>()
    expectTypeOf(embed(['a'])).resolves.toEqualTypeOf<Float32Array[]>()
    const tokens = await pipeline('text-embedding', { pool: 'none' })
    expectTypeOf(tokens('a')).resolves.toEqualTypeOf<Matrix>()
    // @ts-expect-error no such task
    pipeline('txt-embedding')
    // @ts-expect-error texts are strings
    embed(1)
  })

  it('gives a function of texts and pictures', async () => {
    const embed = await pipeline('text-image-embedding', { model: 'm' })
    expectTypeOf(embed.text('a red bird')).resolves.toEqualTypeOf<Float32Array>()
    expectTypeOf(embed.image(['a.jpg', new Uint8Array()])).resolves.toEqualTypeOf<Float32Array[]>()
    expectTypeOf(embed([{ text: 'a' }, { image: 'a.jpg' }])).resolves.toEqualTypeOf<Float32Array[]>()
    // @ts-expect-error a bare string may be a text or a path
    embed('a red bird')
    embed.text('a red bird', { prompt: { text: 'a photo of ' } })
    // @ts-expect-error a prompt is put before texts
    embed.image('a.jpg', { prompt: 'query' })
    // @ts-expect-error a prompt is put before texts
    ops.imageEmbedding.timm({ prompt: 'query' })
    ops.textEmbedding.sentence({ prompt: { text: 'query: ' } })
    // @ts-expect-error bytes are no text
    embed.text(new Uint8Array())
    pipeline('text-image-embedding')
    // @ts-expect-error vectors, not matrices
    pipeline('text-image-embedding', { model: 'm', pool: 'none' })
  })
})
