import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, type Graph, op, type Value, type ValueInfo } from '../graph/index.ts'
import type { Pooling } from '../models/index.ts'
import { sentenceTransformers } from '../models/testing/fixtures.ts'
import { type DType, tensor } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import { openRecipe } from './openRecipe.ts'
import type { EmbedderOptions } from './types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-foreign-texts-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

const WIDTH = 4
const WORDS = 68
const texts = ['a towhee', 'owl', 'the owl sings']
/** A word's row of the table. */
const row = (id: number): number[] => Array.from({ length: WIDTH }, (_, i) => Math.sin(1 + id * (i + 1)))
const table = (b: Builder): Value =>
  b.initializer(
    'E',
    tensor('float32', [WORDS, WIDTH], Array.from({ length: WORDS }, (_, id) => row(id)).flat()),
  )

let folders = 0
/** A folder with a tokenizer and the files of these names: graphs, or what becomes JSON. */
async function model(files: Readonly<Record<string, Graph | object>>): Promise<string> {
  const path = join(folder, `${folders++}`)
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, name)
    await mkdir(dirname(file), { recursive: true })
    if ('nodes' in content) await writeOnnx(content as Graph, file)
    else await writeFile(file, JSON.stringify(content))
  }
  await copyFile(join(sentenceTransformers, 'tokenizer.json'), join(path, 'tokenizer.json'))
  return path
}

type Options = Omit<EmbedderOptions, 'pool'> & { readonly pool?: Exclude<Pooling, 'none'> }

/** Vectors of the texts, all at once and each alone, which have to be the same. */
async function embed(path: string, options: Options = {}): Promise<number[][]> {
  const e = await embedder(path, { runtime: { workers: 0 }, ...options })
  try {
    const { vectors, dimensions } = await e.embed(texts)
    expect(dimensions).toBe(vectors[0]!.length)
    for (const [i, text] of texts.entries()) {
      const alone = (await e.embed([text])).vectors[0]!
      for (const [j, value] of alone.entries()) expect(value).toBeCloseTo(vectors[i]![j]!, 5)
    }
    return vectors.map((vector) => [...vector])
  } finally {
    await e.dispose()
  }
}

/** Token ids of the texts. */
async function ids(): Promise<number[][]> {
  const { loadTokenizer } = await import('./onDemand.ts')
  const tokenizer = await loadTokenizer(join(sentenceTransformers, 'tokenizer.json'))
  return texts.map((text) => tokenizer.encode(text, 512).ids)
}
const mean = (rows: readonly number[][]): number[] =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)

function expectRows(got: readonly number[][], wanted: readonly number[][], digits = 5): void {
  expect(got).toHaveLength(wanted.length)
  for (const [i, vector] of got.entries()) {
    expect(vector).toHaveLength(wanted[i]!.length)
    for (const [j, value] of vector.entries()) expect(value).toBeCloseTo(wanted[i]![j]!, digits)
  }
}

describe('further inputs (o-task-id, o-task-id-1d)', () => {
  /** Adds ten times the task to every number. */
  const graph = (shape: readonly (number | string)[]) => {
    const b = new Builder()
    const x = op.gather(table(b), b.input('input_ids', 'int64', ['b', 's']))
    const task = op.cast(b.input('task_id', 'int64', shape), 'float32')
    b.output('last_hidden_state', op.add(x, op.mul(shape.length === 2 ? op.unsqueeze(task, [2]) : task, 10)))
    return b.build()
  }

  it.each([
    ['a number', []],
    ['one number', [1]],
    ['numbers of unknown count', ['n']],
    ['a number a token', ['b', 's']],
    ['a number a row', ['b', 1]],
  ])('that are %s are what the option says', async (_, shape) => {
    const path = await model({ 'model.onnx': graph(shape) })
    const wanted = (await ids()).map((text) => mean(text.map(row)).map((value) => value + 40))
    for (const task_id of [4, 4n, '4']) expectRows(await embed(path, { inputs: { task_id } }), wanted)
  })

  it('are in the recipe, which opens the same', async () => {
    const path = await model({ 'model.onnx': graph([]) })
    const e = await embedder(path, { inputs: { task_id: 4n }, runtime: { workers: 0 } })
    expect(e.recipe.inputs).toEqual({ task_id: '4' })
    const again = await openRecipe(JSON.parse(JSON.stringify(e.recipe)), { runtime: { workers: 0 } })
    expect((await again.embed(texts)).data).toEqual((await e.embed(texts)).data)
    await e.dispose()
    await again.dispose()
  })

  it('are errors that name them without a value, with a wrong one, and where they are not there', async () => {
    const path = await model({ 'model.onnx': graph([]) })
    await expect(embed(path)).rejects.toMatchObject({ code: 'INPUT_UNKNOWN', input: 'task_id' })
    const given = (inputs: object) => embed(path, { inputs } as Options)
    await expect(given({ task_id: 0.5 })).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'task_id' })
    await expect(given({ task_id: 2n ** 63n })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(given({ task_id: 4, taks: 1 })).rejects.toMatchObject({
      code: 'INPUT_UNKNOWN',
      input: 'taks',
    })
    await expect(given({ task_id: 4, input_ids: 1 })).rejects.toMatchObject({ input: 'input_ids' })
    for (const wrong of [Number.NaN, 'four', '', true, [4], null])
      await expect(given({ task_id: wrong })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        input: 'task_id',
      })
  })
})

type Size = number | string
/** A graph of words alone, [b, s, WIDTH]. */
const words = (b: Builder, shape: readonly Size[] = ['b', 's'], name = 'input_ids', dtype: DType = 'int64') =>
  op.gather(table(b), b.input(name, dtype, shape))
const graphOf = (build: (b: Builder) => Readonly<Record<string, Value>>): Graph => {
  const b = new Builder()
  for (const [name, value] of Object.entries(build(b))) b.output(name, value)
  return b.build()
}
/** The graph whose inputs and outputs are said in other words. */
const said = (graph: Graph, change: (info: ValueInfo) => ValueInfo): Graph => ({
  ...graph,
  inputs: graph.inputs.map(change),
  outputs: graph.outputs.map(change),
  values: new Map(),
})
const meanOfWords = async () => (await ids()).map((text) => mean(text.map(row)))
const width = (numbers: readonly number[][], by: (value: number, i: number) => number) =>
  numbers.map((vector) => vector.map(by))

describe('positions (a-07: o-position-ids)', () => {
  /** Adds a hundred times the place. */
  const graph = (shape: readonly Size[] = ['b', 's']) =>
    graphOf((b) => {
      const places = op.cast(b.input('position_ids', 'int64', shape), 'float32')
      return { last_hidden_state: op.add(words(b), op.mul(op.unsqueeze(places, [2]), 100)) }
    })
  const wanted = async (first: number) =>
    (await ids()).map((text) => mean(text.map((id, i) => row(id).map((value) => value + 100 * (i + first)))))

  it.each([[['b', 's']], [[1, 's']]])('of %j count from 0', async (shape) => {
    expectRows(await embed(await model({ 'model.onnx': graph(shape) })), await wanted(0), 3)
  })

  it('count from behind the padding’s id where the family does', async () => {
    const config = { model_type: 'roberta', pad_token_id: 1, max_position_embeddings: 40 }
    const path = await model({ 'model.onnx': graph(), 'config.json': config })
    expectRows(await embed(path), await wanted(2), 3)
    const e = await embedder(path, { runtime: { workers: 0 } })
    expect(e.recipe.text?.positions).toBe(2)
    await e.dispose()
  })

  it('are as long as those in the file', async () => {
    expectRows(await embed(await model({ 'model.onnx': graph([1, 24]) })), await wanted(0), 3)
  })
})

describe('earlier tokens (a-07: o-past-kv)', () => {
  const graph = (shape: readonly Size[], own: readonly Size[] = ['b', 1, 's', WIDTH]) =>
    graphOf((b) => {
      const x = words(b)
      const keys = op.unsqueeze(x, [1])
      const kept = b.constant(tensor('bool', [1], [1]))
      // An operator without a rule: its type is what is said.
      const typed = b.node(
        'Compress',
        [keys, kept],
        { axis: { type: 'int', value: 1 } },
        { types: [{ kind: 'tensor', dtype: 'float32', shape: own }] },
      )[0]!
      const past = b.input('past_key_values.0.key', 'float32', shape)
      const all = op.concat([past, typed], 2)
      return { last_hidden_state: op.squeeze(all, [1]), 'present.0.key': all }
    })

  it.each([
    ['all sizes said', ['b', 1, 'past', WIDTH], {}],
    ['sizes of what is joined to it', ['b', 'heads', 'past', 'head_dim'], {}],
    ['sizes in config.json', ['b', 'heads', 'past', 'head_dim'], { num_key_value_heads: 1, head_dim: WIDTH }],
  ])('with %s there are none', async (_, shape, config) => {
    const isSaid = Object.keys(config).length > 0
    const own = isSaid ? ['b', 'a', 's', 'c'] : undefined
    const path = await model({ 'model.onnx': graph(shape, own), ...(isSaid && { 'config.json': config }) })
    expectRows(await embed(path), await meanOfWords())
  })

  it('of sizes that nothing says are an error that names the input', async () => {
    const path = await model({ 'model.onnx': graph(['b', 'heads', 'past', 'dim'], ['b', 'a', 's', 'c']) })
    await expect(embed(path)).rejects.toMatchObject({
      code: 'INPUT_UNKNOWN',
      input: 'past_key_values.0.key',
    })
  })
})

describe('inputs of a decoder', () => {
  const graph = (name: string) =>
    graphOf((b) => {
      const extra = op.cast(b.input(name, 'int64', ['b', 'decoder']), 'float32')
      const first = op.unsqueeze(op.slice(extra, [0], [1], { axes: [1] }), [2])
      const x = words(b)
      return { last_hidden_state: op.add(x, first), encoder_last_hidden_state: op.identity(x) }
    })

  it.each(['decoder_input_ids', 'encoder_attention_mask'])('%s is asked for by its name', async (name) => {
    const path = await model({ 'model.onnx': graph(name) })
    await expect(embed(path)).rejects.toMatchObject({ code: 'INPUT_UNKNOWN', input: name })
    const given = await embed(path, { inputs: { [name]: 3 } })
    expectRows(
      given,
      width(await meanOfWords(), (value) => value + 3),
    )
    // Below the decoder nothing asks for it.
    expectRows(await embed(path, { tap: 'encoder_last_hidden_state' }), await meanOfWords())
  })
})

describe('outputs (a-09, a-10)', () => {
  /** Twice the first token's row; what it is called decides. */
  const both = (name: string, tokens = 'last_hidden_state') =>
    graphOf((b) => {
      const x = words(b)
      return {
        [tokens]: op.identity(x),
        [name]: op.mul(op.squeeze(op.slice(x, [0], [1], { axes: [1] }), [1]), 2),
      }
    })
  const twiceFirst = async () => (await ids()).map(([first]) => row(first!).map((value) => 2 * value))

  it.each([
    'sentence_embedding',
    'text_embeds',
    'text_embeds:0',
    'embeddings',
    'dense_vecs',
  ])('called %s are the embedding', async (name) => {
    const path = await model({ 'model.onnx': both(name, 'token_embeddings') })
    expectRows(await embed(path), await twiceFirst())
    await expect(embed(path, { pool: 'cls' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('called pooler_output are the embedding of the families that use them', async () => {
    const of = async (type: string) =>
      embed(await model({ 'model.onnx': both('pooler_output'), 'config.json': { model_type: type } }))
    expectRows(await of('clip_text_model'), await twiceFirst())
    expectRows(await of('bert'), await meanOfWords())
  })

  it('are not behind the modules of the folder once more', async () => {
    const folder = await model({
      'onnx/model.onnx': both('sentence_embedding'),
      'config.json': { model_type: 'bert', max_position_embeddings: 64 },
      'modules.json': [
        { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
        { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
      ],
      '1_Pooling/config.json': { word_embedding_dimension: WIDTH, pooling_mode_cls_token: true },
    })
    const length = (vector: readonly number[]) => Math.hypot(...vector)
    expectRows(
      await embed(folder),
      (await twiceFirst()).map((vector) => vector.map((value) => value / length(vector))),
    )
  })

  it('called logits are read below their head', async () => {
    const path = await model({
      'model.onnx': graphOf((b) => {
        const head = b.initializer('head', tensor('float32', [WIDTH, 9], Array(WIDTH * 9).fill(1)))
        return { logits: op.matMul(words(b), head) }
      }),
    })
    expectRows(await embed(path), await meanOfWords())
  })

  it.each(['float16', 'float64', 'bfloat16'] as const)('of %s are pooled in every way', async (dtype) => {
    const path = await model({
      'model.onnx': graphOf((b) => ({ last_hidden_state: op.cast(words(b), dtype) })),
    })
    const texts = (await ids()).map((text) => text.map(row))
    const digits = dtype === 'float64' ? 5 : dtype === 'float16' ? 2 : 1
    const pools = {
      mean,
      cls: (rows: number[][]) => rows[0]!,
      last: (rows: number[][]) => rows.at(-1)!,
      max: (rows: number[][]) => rows[0]!.map((_, i) => Math.max(...rows.map((one) => one[i]!))),
    } as const
    for (const [pool, by] of Object.entries(pools) as [keyof typeof pools, typeof mean][])
      expectRows(await embed(path, { pool }), texts.map(by), digits)
    const e = await embedder(path, { pool: 'none', runtime: { workers: 0 } })
    const { vectors } = await e.embed(['owl'])
    expect(vectors[0]!.data[0]).toBeCloseTo(texts[1]![0]![0]!, digits)
    await e.dispose()
  })

  it('of a width that only running tells, or that a slice may cut, are as long as they are', async () => {
    const graph = graphOf((b) => ({ sentence_embedding: op.reduceMean(words(b), [1]) }))
    const unsaid = (size: Size) => (info: ValueInfo) =>
      info.name === 'sentence_embedding' ? typed(info, { shape: ['b', size] }) : info
    for (const size of [-1, 0, '', 'features']) {
      const bare = said(graph, unsaid(size))
      // An operator without a rule stands before the output.
      const nodes = bare.nodes.map((node) =>
        node.op === 'ReduceMean' ? { ...node, outputs: ['mean'] } : node,
      )
      const compress = {
        name: 'all',
        op: 'Compress',
        domain: '',
        inputs: ['mean', 'kept'],
        outputs: ['sentence_embedding'],
        attributes: { axis: { type: 'int', value: 1 } as const },
      }
      const initializers = new Map(bare.initializers).set('kept', tensor('bool', [WIDTH], [1, 1, 0, 1]))
      const path = await model({ 'model.onnx': { ...bare, nodes: [...nodes, compress], initializers } })
      expectRows(
        await embed(path),
        (await meanOfWords()).map(([a, b, , d]) => [a!, b!, d!]),
      )
    }
    const short = graphOf((b) => {
      const x = op.reduceMean(words(b), [1])
      const any = b.node(
        'Identity',
        [x],
        {},
        { types: [{ kind: 'tensor', dtype: 'float32', shape: ['b', 'n'] }] },
      )[0]!
      return { sentence_embedding: op.slice(any, [0], [100], { axes: [1] }) }
    })
    expectRows(await embed(await model({ 'model.onnx': short })), await meanOfWords())
  })
})

const typed = (
  info: ValueInfo,
  type: { readonly shape?: readonly Size[]; readonly dtype?: DType },
): ValueInfo => (info.type?.kind === 'tensor' ? { ...info, type: { ...info.type, ...type } } : info)

describe('types of inputs (a-11: o-int32, o-boolmask, o-floatmask)', () => {
  /** Ten more for each token that the mask has, ten times the type. */
  const graph = (id: DType, mask: DType, type: DType) =>
    graphOf((b) => {
      const x = words(b, ['b', 's'], 'input_ids', id)
      const seen = op.mul(op.cast(b.input('attention_mask', mask, ['b', 's']), 'float32'), 10)
      const kind = op.cast(b.input('token_type_ids', type, ['b', 's']), 'float32')
      return { last_hidden_state: op.add(x, op.unsqueeze(op.add(seen, kind), [2])) }
    })

  it.each<[DType, DType, DType]>([
    ['int32', 'int32', 'int32'],
    ['int64', 'bool', 'int64'],
    ['int64', 'float32', 'int32'],
    ['int32', 'float16', 'uint8'],
    ['int64', 'float64', 'float32'],
  ])('ids %s, mask %s, types %s', async (id, mask, type) => {
    const path = await model({ 'model.onnx': graph(id, mask, type) })
    expectRows(
      await embed(path),
      width(await meanOfWords(), (value) => value + 10),
    )
  })

  it('that no row of a text is, are an error that names the input', async () => {
    const path = await model({
      'model.onnx': graphOf((b) => {
        const mask = op.cast(b.input('attention_mask', 'int64', ['b', 1, 's', 's']), 'float32')
        return { last_hidden_state: op.add(words(b), op.unsqueeze(op.reduceMax(mask, [2, 3]), [2])) }
      }),
    })
    await expect(embed(path)).rejects.toMatchObject({ code: 'INPUT_UNKNOWN', input: 'attention_mask' })
  })
})

describe('fixed sizes (a-12: o-fixed-batch, o-fixed-seq, o-fixed-both)', () => {
  const masked = (b: Builder, shape: readonly Size[]) => {
    b.input('attention_mask', 'int64', shape)
    return words(b, shape)
  }
  it.each<[string, (b: Builder) => Value]>([
    ['of the batch', (b) => masked(b, [1, 's'])],
    ['of two texts', (b) => masked(b, [2, 's'])],
    ['of the length', (b) => masked(b, ['b', 16])],
    ['of both', (b) => masked(b, [1, 16])],
    ['of both, in a Reshape', (b) => op.reshape(masked(b, ['b', 's']), [1, 16, 2, 2])],
    ['of the length, in a Reshape', (b) => op.reshape(masked(b, ['b', 's']), [-1, 16, 2, 2])],
    [
      'of the length, in a Reshape of the ids',
      (b) => {
        b.input('attention_mask', 'int64', ['b', 's'])
        return op.gather(table(b), op.reshape(b.input('input_ids', 'int64', ['b', 's']), [-1, 16]))
      },
    ],
    [
      'of the length, in positions',
      (b) => {
        const places = b.initializer('P', tensor('float32', [1, 16, WIDTH], Array(16 * WIDTH).fill(0)))
        return op.add(masked(b, ['b', 's']), places)
      },
    ],
    ['of the batch, in a Reshape', (b) => op.reshape(masked(b, ['b', 's']), [1, -1, 2, 2])],
  ])('%s', async (_, build) => {
    const path = await model({
      'model.onnx': graphOf((b) => {
        const x = build(b)
        return { last_hidden_state: x.shape.length === 4 ? op.reshape(x, [0, 0, WIDTH]) : x }
      }),
    })
    expectRows(await embed(path), await meanOfWords())
  })

  it('are not those of pieces that are put together again', async () => {
    const graph = graphOf((b) => {
      const x = masked(b, ['b', 's'])
      return { last_hidden_state: op.reshape(op.reshape(x, [-1, 4, WIDTH]), op.shape(x)) }
    })
    const e = await embedder(await model({ 'model.onnx': graph }), { runtime: { workers: 0 } })
    expect(e.card.text?.maxLength).toBe(512)
    await e.dispose()
  })

  it('are the limit: longer texts are cut, and a larger maxLength is refused', async () => {
    const path = await model({ 'model.onnx': graphOf((b) => ({ last_hidden_state: masked(b, ['b', 6]) })) })
    const e = await embedder(path, { runtime: { workers: 0 } })
    expect(e.card.text?.maxLength).toBe(6)
    const longer = (await ids()).flatMap(({ length }, i) => (length > 6 ? [i] : []))
    expect((await e.embed(texts)).truncated).toEqual(longer)
    expect(longer).not.toHaveLength(texts.length)
    await e.dispose()
    await expect(embed(path, { maxLength: 7 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'maxLength',
    })
  })
})

describe('what runs together', () => {
  it('is one text each where scales are those of the batch (a dynamically quantised file)', async () => {
    const graph = graphOf((b) => {
      // The widest text of a batch would coarsen all others.
      const x = op.mul(
        words(b),
        op.cast(op.shape(b.input('attention_mask', 'int64', ['b', 's']), 1, 2), 'float32'),
      )
      const [small, scale, zero] = b.node('DynamicQuantizeLinear', [op.mul(x, x)], {}, { outputs: 3 }) as [
        Value,
        Value,
        Value,
      ]
      return { last_hidden_state: b.node('DequantizeLinear', [small, scale, zero])[0]! }
    })
    const path = await model({ 'model.onnx': graph })
    await embed(path)
    const e = await embedder(path, { runtime: { workers: 0 } })
    expect(e.card.together).toBe('none')
    await e.dispose()
    const any = await embedder(path, { card: { together: 'any' }, runtime: { workers: 0 } })
    expect(any.recipe.together).toBeUndefined()
    const alone = (await any.embed([texts[1]!])).vectors[0]
    expect((await any.embed(texts)).vectors[1]).not.toEqual(alone)
    await any.dispose()
  })

  it.each([
    false,
    true,
  ])('is as long where the graph reads no mask (one is declared: %s)', async (declared) => {
    // The mean of the words is part of each.
    const graph = graphOf((b) => {
      // PyTorch's exporter keeps what nothing reads.
      if (declared) b.input('attention_mask', 'int64', ['b', 's'])
      const x = words(b)
      return { last_hidden_state: op.add(x, op.reduceMean(x, [1], { keepDims: true })) }
    })
    expectRows(
      await embed(await model({ 'model.onnx': graph })),
      width(await meanOfWords(), (value) => 2 * value),
    )
  })
})

describe('a layer behind random numbers', () => {
  it('is no embedding', async () => {
    const graph = graphOf((b) => {
      const x = words(b)
      return { last_hidden_state: op.add(x, b.node('RandomNormalLike', [x])[0]!) }
    })
    await expect(embed(await model({ 'model.onnx': graph }))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/RandomNormalLike/),
    })
  })
})

describe('names of inputs (a-29)', () => {
  const named = (names: readonly [string, string, string?], outputs = 'last_hidden_state') =>
    graphOf((b) => {
      const x = words(b, ['b', 's'], names[0])
      const seen = op.mul(op.cast(b.input(names[1], 'int64', ['b', 's']), 'float32'), 10)
      if (names[2]) b.input(names[2], 'int64', ['b', 's'])
      return { [outputs]: op.add(x, op.unsqueeze(seen, [2])) }
    })
  const wanted = async () => width(await meanOfWords(), (value) => value + 10)

  it.each<[string, Graph]>([
    ['of TensorFlow', named(['input_ids:0', 'attention_mask:0'], 'last_hidden_state:0')],
    ['of TensorFlow’s hub', named(['input_word_ids', 'input_mask', 'input_type_ids'], 'output')],
    ['of old BERT', named(['input_ids', 'input_mask', 'segment_ids'], 'output')],
    ['of a saved model', named(['serving_default_input_ids:0', 'serving_default_attention_mask:0'])],
    [
      'without shapes',
      said(named(['input_ids', 'attention_mask']), ({ name }) => ({
        name,
        type: { kind: 'tensor', dtype: name.startsWith('last') ? 'float32' : 'int64' },
      })),
    ],
    [
      'with sizes of −1',
      said(named(['input_ids', 'attention_mask']), (info) =>
        typed(info, { shape: [-1, -1, ...(info.name.startsWith('last') ? [WIDTH] : [])] }),
      ),
    ],
    [
      'with other symbols each',
      said(named(['input_ids', 'attention_mask']), (info) =>
        typed(info, {
          shape: [`${info.name}_0`, `${info.name}_1`, ...(info.name.startsWith('last') ? [WIDTH] : [])],
        }),
      ),
    ],
  ])('%s are known', async (_, graph) => {
    expectRows(await embed(await model({ 'model.onnx': graph })), await wanted())
  })

  it.each(['input', 'tokens', 'sentence'])('such as %s are known by the tokenizer beside', async (name) => {
    expectRows(
      await embed(await model({ 'model.onnx': graphOf((b) => ({ output: words(b, ['b', 's'], name) })) })),
      await meanOfWords(),
    )
  })

  it('of initializers are no inputs', async () => {
    const graph = named(['input_ids', 'attention_mask'])
    const inputs = [
      ...graph.inputs,
      { name: 'E', type: { kind: 'tensor', dtype: 'float32', shape: [WORDS, WIDTH] } as const },
    ]
    const path = await model({ 'model.onnx': { ...graph, inputs, irVersion: 3 } })
    expectRows(await embed(path), await wanted())
  })

  it('that a value inside has already go on being known', async () => {
    const path = await model({
      'model.onnx': graphOf((b) => {
        const x = b.input('input_word_ids', 'int32', ['b', 's'])
        const cast = op.cast(x, 'int64')
        b.output('input_ids', cast)
        return { output: op.gather(table(b), cast) }
      }),
    })
    expectRows(await embed(path, { tap: 'output' }), await meanOfWords())
  })

  it('say that it takes texts where the caller does', async () => {
    const path = await model({ 'model.onnx': graphOf((b) => ({ output: words(b, ['b', 's'], 'numbers') })) })
    expectRows(await embed(path, { modality: 'text' }), await meanOfWords())
    await expect(embed(path, { modality: 'image' })).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })
})

describe('files of an export', () => {
  const times = (factor: number) => graphOf((b) => ({ last_hidden_state: op.mul(words(b), factor) }))
  const config = { model_type: 'unheard-of' }
  const of = async (path: string, dtype?: EmbedderOptions['dtype']) =>
    (await embed(path, dtype ? { dtype } : {}))[0]![0]! / (await meanOfWords())[0]![0]!

  it.each([
    ['onnx/', { 'config.json': config }],
    ['onnx/', {}],
    ['', {}],
  ])('in %j are chosen by transformers.js’s words', async (place, more) => {
    const path = await model({
      [`${place}model.onnx`]: times(1),
      [`${place}model_quantized.onnx`]: times(2),
      [`${place}model_q4.onnx`]: times(3),
      [`${place}model_q4f16.onnx`]: times(4),
      ...more,
    })
    expect(await of(path)).toBeCloseTo(1)
    expect(await of(path, 'q8')).toBeCloseTo(2)
    expect(await of(path, 'q4')).toBeCloseTo(3)
    expect(await of(path, 'q4f16')).toBeCloseTo(4)
    // Pipilo's own conversion.
    expect(await of(path, 'fp16')).toBeCloseTo(1, 2)
    await expect(of(path, 'bnb4')).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'dtype' })
    const e = await embedder(path, { dtype: 'q8', runtime: { workers: 0 } })
    const again = await openRecipe(e.recipe, { runtime: { workers: 0 } })
    expect((await again.embed(texts)).data).toEqual((await e.embed(texts)).data)
    await e.dispose()
    await again.dispose()
  })

  it('are found without a word where there is one alone, and asked for where there are several', async () => {
    const one = await model({ 'onnx/model_quantized.onnx': times(2), 'config.json': config })
    expect([await of(one), await of(one, 'q8')].map((value) => Math.round(value))).toEqual([2, 2])
    const two = await model({ 'onnx/model_quantized.onnx': times(2), 'onnx/model_fp16.onnx': times(3) })
    await expect(of(two)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      hint: expect.stringContaining('q8'),
    })
    expect(await of(two, 'q8')).toBeCloseTo(2)
    await expect(of(join(two, 'onnx/model_fp16.onnx'), 'q8')).rejects.toMatchObject({ input: 'dtype' })
  })
})

describe('axes of tokens in another order', () => {
  it.each<[string, number[]]>([
    ['[b, features, s]', [0, 2, 1]],
    ['[s, b, features]', [1, 0, 2]],
    ['[features, b, s]', [2, 0, 1]],
    ['[s, features, b]', [1, 2, 0]],
  ])('are put in order where the sizes show them: %s', async (_, axes) => {
    const graph = graphOf((b) => {
      const mask = op.cast(b.input('attention_mask', 'int64', ['b', 's']), 'float32')
      return { output: op.transpose(op.mul(words(b), op.unsqueeze(mask, [2])), axes) }
    })
    expectRows(await embed(await model({ 'model.onnx': graph })), await meanOfWords())
  })

  it('are one vector a text where they have an axis of their own', async () => {
    const graph = graphOf((b) => ({ output: op.reduceMean(words(b), [1], { keepDims: true }) }))
    expectRows(await embed(await model({ 'model.onnx': graph })), await meanOfWords())
  })

  it('that are no tokens are refused by name', async () => {
    const graph = graphOf((b) => ({ latents: op.slice(words(b), [0], [3], { axes: [1] }) }))
    const shape = ['b', 3, WIDTH]
    const fixed = said(graph, (info) =>
      info.name === 'latents' ? { ...info, type: { kind: 'tensor', dtype: 'float32', shape } } : info,
    )
    await expect(embed(await model({ 'model.onnx': fixed }))).rejects.toMatchObject({
      code: 'LAYER_UNKNOWN',
      message: expect.stringContaining('3 vectors a text'),
    })
  })
})

describe('scores', () => {
  const head = (b: Builder, x: Value, classes: number) =>
    op.matMul(
      x,
      b.initializer('W', tensor('float32', [WIDTH, classes], new Array(WIDTH * classes).fill(0.5))),
    )
  const pooledWords = (b: Builder) => op.reduceMean(words(b), [1])

  it.each<[string, (b: Builder) => Record<string, Value>]>([
    ['softmax behind them', (b) => ({ output: op.softmax(head(b, pooledWords(b), 3), -1) })],
    ['their name', (b) => ({ scores: head(b, pooledWords(b), 3) })],
  ])('are told by %s: what the head reads is taken', async (_, build) => {
    expectRows(await embed(await model({ 'model.onnx': graphOf(build) })), await meanOfWords())
  })

  it('are told by the architecture', async () => {
    const path = await model({
      'model.onnx': graphOf((b) => ({ output: head(b, words(b), 16) })),
      'config.json': { model_type: 'unheard-of', architectures: ['UnheardForTokenClassification'] },
    })
    expectRows(await embed(path), await meanOfWords())
  })

  it('of one number, or without a head to be seen, are refused', async () => {
    const one = graphOf((b) => ({ output: op.reduceMean(pooledWords(b), [1], { keepDims: true }) }))
    await expect(embed(await model({ 'model.onnx': one }))).rejects.toMatchObject({ code: 'LAYER_UNKNOWN' })
    const bare = graphOf((b) => ({ output: op.softmax(pooledWords(b), -1) }))
    await expect(embed(await model({ 'model.onnx': bare }))).rejects.toMatchObject({ code: 'LAYER_UNKNOWN' })
  })
})

describe('graphs that mix the texts of a batch', () => {
  it.each<[string, (x: Value, mask: Value) => Value]>([
    ['softmax over the batch', (x) => op.mul(x, op.softmax(x, 0))],
    ['the mean of the batch', (x) => op.sub(x, op.reduceMean(x, [0], { keepDims: true }))],
    [
      'padding that is read before the mask is',
      (x, mask) => op.mul(op.add(x, op.reduceMean(x, [1], { keepDims: true })), op.unsqueeze(mask, [2])),
    ],
  ])('are found by running, and run text by text: %s', async (_, mix) => {
    const graph = graphOf((b) => {
      const mask = op.cast(b.input('attention_mask', 'int64', ['b', 's']), 'float32')
      return { last_hidden_state: mix(words(b), mask) }
    })
    // The helper compares all at once with each alone.
    await embed(await model({ 'model.onnx': graph }))
  })

  it('only where there is padding are found when it comes', async () => {
    const graph = graphOf((b) => {
      const mask = op.cast(b.input('attention_mask', 'int64', ['b', 's']), 'float32')
      const x = words(b)
      return {
        last_hidden_state: op.mul(
          op.add(x, op.reduceMean(x, [1], { keepDims: true })),
          op.unsqueeze(mask, [2]),
        ),
      }
    })
    const e = await embedder(await model({ 'model.onnx': graph }), { runtime: { workers: 0 } })
    // Two texts of one length show nothing.
    await e.embed(['owl', 'owl'])
    const [both, alone] = [await e.embed(['owl', 'the owl sings']), await e.embed(['owl'])]
    for (const [j, value] of alone.vectors[0]!.entries()) expect(both.vectors[0]![j]).toBeCloseTo(value, 5)
    await e.dispose()
  })
})
