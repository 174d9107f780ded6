import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../../graph/files/index.ts'
import { Builder, type Graph, op, type Shape } from '../../graph/index.ts'
import { type Model, open } from '../../models/index.ts'
import { writeNpy } from '../../tensor/files/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'
import { embedder } from '../embedder.ts'
import { openRecipe } from '../openRecipe.ts'
import { recipeKey } from '../recipe/recipe.ts'
import type { AnyInput, EmbedderOptions } from '../types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-tensors-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function saved(graph: Graph): Promise<string> {
  const path = join(folder, `${files++}.onnx`)
  await writeOnnx(graph, path)
  return path
}

const here = { runtime: { workers: 0 } } as const
const numbers = (count: number, seed = 1) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(seed * (i + 1)))

async function embed(path: string | Model, inputs: readonly AnyInput[], options: EmbedderOptions = {}) {
  const e = await embedder(path, { ...here, ...options })
  try {
    const { vectors } = await e.embed(inputs)
    return (vectors as Float32Array[]).map((vector) => Array.from(vector))
  } finally {
    await e.dispose()
  }
}

const close = (got: readonly number[] | undefined, wanted: readonly number[]) => {
  expect(got).toHaveLength(wanted.length)
  for (const [i, value] of wanted.entries())
    expect(Math.abs(got![i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)))
}

/** Sound and a state to three numbers: mean · rate + sum of the state, its square, the count of samples. */
function speech(input: Shape = ['batch', 'samples'], state: Shape = [2, 'batch', 4]): Graph {
  const b = new Builder()
  const x = b.input('input', 'float32', input)
  const rate = op.cast(b.input('sr', 'int64', []), 'float32')
  const sum = op.reduceSum(op.reduceSum(b.input('state', 'float32', state), [2]), [0])
  const mean = op.add(op.mul(op.reduceMean(x, [1]), rate), sum)
  const count = op.reduceSum(op.add(op.mul(x, 0), 1), [1])
  b.output(
    'vector',
    op.concat(
      [mean, op.mul(mean, mean), count].map((one) => op.unsqueeze(one, [1])),
      1,
    ),
  )
  return b.build()
}
const meanOf = (x: Float32Array) => x.reduce((sum, value) => sum + value, 0) / x.length

describe('Sound with a rate and a state', () => {
  const options = { inputs: { sr: 16n, state: 'zeros' } } as const
  const clips = [numbers(5), numbers(9, 2), numbers(5, 3), numbers(2, 4)]
  const wanted = clips.map((x) => [meanOf(x) * 16, (meanOf(x) * 16) ** 2, x.length])

  it('is embedded as an open graph says it, each clip by itself whatever its length', async () => {
    const path = await saved(speech())
    const model = await open(path)
    expect(model).toMatchObject({
      modality: 'tensor',
      card: { tap: 'vector', normalize: false, dimensions: 3 },
    })
    const got = await embed(path, clips, options)
    for (const [i, vector] of got.entries()) close(vector, wanted[i]!)
    const one = await embed(model, [clips[1]!], options)
    expect(one[0]).toEqual(got[1])
  })

  it.each([
    ['unnamed axes', ['', ''], [2, '', 4]],
    ['a batch of 1', [1, ''], [2, 1, 4]],
    ['another name of the batch', ['batch', 'samples'], [2, 'n', 4]],
  ] as [string, Shape, Shape][])('with %s', async (_, input, state) => {
    const got = await embed(await saved(speech(input, state)), clips, options)
    for (const [i, vector] of got.entries()) close(vector, wanted[i]!)
  })

  it('comes as typed arrays, with a shape, by name, as other numbers and as .npy files', async () => {
    const path = await saved(speech())
    const [x] = clips
    const file = join(folder, 'clip.npy')
    await writeNpy(file, tensor('float64', [5], Float64Array.from(x!)))
    const inputs: AnyInput[] = [
      x!,
      { shape: [5], data: x! },
      { shape: [1, 5], data: [...x!] },
      { input: x! },
      { input: x!, sr: 16 },
      Float64Array.from(x!),
      file,
      { input: file },
    ]
    for (const vector of await embed(path, inputs, options)) close(vector, wanted[0]!)
    const [own] = await embed(
      path,
      [{ input: x!, sr: 1n, state: { shape: [2, 1, 4], data: numbers(8).fill(1) } }],
      options,
    )
    close(own, [meanOf(x!) + 8, (meanOf(x!) + 8) ** 2, 5])
  })

  it('has a recipe that opens again', async () => {
    const path = await saved(speech())
    const e = await embedder(path, { ...here, ...options })
    expect(e.recipe).toMatchObject({
      modality: 'tensor',
      inputs: { sr: '16', state: '0' },
      pool: 'mean',
      dimensions: 3,
    })
    expect(e.recipe).not.toHaveProperty('text')
    const again = await openRecipe(JSON.parse(JSON.stringify(e.recipe)), here)
    expect((await again.embed(clips)).data).toEqual((await e.embed(clips)).data)
    const other = await embedder(path, { ...here, inputs: { sr: 8n, state: 0 } })
    expect(recipeKey(other.recipe)).not.toBe(recipeKey(e.recipe))
    await Promise.all([e, again, other].map((one) => one.dispose()))
  })

  it('is an error that names what is missing, unknown or does not fit', async () => {
    const path = await saved(speech())
    const fails = (input: AnyInput, wanted: object, given: EmbedderOptions = options) =>
      expect(embed(path, [input], given)).rejects.toMatchObject(wanted)
    const message = (text: string) => expect.stringContaining(text)
    await fails(clips[0]!, { code: 'INPUT_INVALID', message: message('3 inputs, input, sr, state') }, {})
    await fails({ input: clips[0]!, speed: 1 }, { code: 'INPUT_INVALID', message: message("'speed'") })
    await fails({ sr: 16 }, { code: 'INPUT_INVALID', message: message("'input'") })
    await fails({ shape: [1, 1, 5], data: clips[0]! }, { code: 'SHAPE_MISMATCH' })
    await fails({ shape: [4], data: clips[0]! }, { code: 'SHAPE_MISMATCH' })
    await fails({ input: clips[0]!, sr: 0.5 }, { code: 'DTYPE_MISMATCH', message: message('0.5') })
    await fails('no such file.npy', { code: 'FILE_NOT_FOUND' })
    await fails(clips[0]!, { code: 'OPTION_INVALID' }, { ...options, prompt: 'query' })
    await fails(clips[0]!, { code: 'OPTION_INVALID', input: 'maxLength' }, { ...options, maxLength: 8 })
    await fails(clips[0]!, { code: 'OPTION_INVALID', input: 'device' }, { ...options, device: 'webgpu' })
    await fails(clips[0]!, { code: 'INPUT_UNKNOWN' }, { inputs: { rate: 1 } })
    const e = await embedder(path, { ...here, ...options })
    const { errors, vectors } = await e.embed([clips[0]!, { shape: [4], data: clips[0]! }], {
      onError: 'skip',
    })
    expect(errors).toMatchObject([{ index: 1 }])
    close(Array.from(vectors[0]!), wanted[0]!)
    await e.dispose()
  })
})

describe('Rows', () => {
  /** The mean over the whole batch in every row: what a graph must not be given two inputs for. */
  const mixing = (reshaped: boolean) => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const all = reshaped ? op.reduceMean(op.reshape(x, [1, -1]), [1]) : op.reduceMean(x, [0, 1])
    b.output('y', op.add(op.mul(x, 0), op.reshape(all, [1, 1])))
    return b.build()
  }
  const rows = [numbers(2), numbers(2, 2), numbers(2, 3)]

  it.each([
    true,
    false,
  ])('of graphs that mix them are run one by one (by a reshape: %s)', async (reshaped) => {
    const got = await embed(await saved(mixing(reshaped)), rows)
    for (const [i, vector] of got.entries()) close(vector, [meanOf(rows[i]!), meanOf(rows[i]!)])
  })

  it('of the same shape run together, and give what each gives alone', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['n', 'time', 3])
    const weight = b.initializer('w', tensor('float32', [3, 4], numbers(12)))
    b.output('y', op.reduceMean(op.matMul(x, weight), [1]))
    const path = await saved(b.build())
    const inputs = Array.from({ length: 20 }, (_, i) => numbers(3 * (1 + (i % 3)), i + 1))
    const got = await embed(path, inputs)
    for (const [i, input] of inputs.entries()) close(got[i], (await embed(path, [input]))[0]!)
  })

  it('that the graph has in a fixed number are whole tensors', async () => {
    const b = new Builder()
    b.output('y', op.reduceMean(b.input('x', 'float32', [76, 32]), [0], { keepDims: true }))
    const path = await saved(b.build())
    const x = numbers(76 * 32)
    const [flat, shaped] = await embed(path, [x, { shape: [76, 32], data: x }])
    expect(flat).toHaveLength(32)
    expect(shaped).toEqual(flat)
    await expect(embed(path, [numbers(32)])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' })
  })

  it('of an axis that is called batch further behind are not put in front', async () => {
    const b = new Builder()
    b.output('y', op.reduceMean(b.input('x', 'float32', ['time', 'batch', 2]), [0]))
    const path = await saved(b.build())
    await expect(embed(path, [{ shape: [3, 2], data: numbers(6) }])).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
    expect(await embed(path, [{ shape: [3, 1, 2], data: numbers(6) }])).toHaveLength(1)
  })
})

describe('Pooling', () => {
  const convolved = (transposed: boolean) => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2, 'time'])
    const y = op.relu(
      op.conv(x, b.initializer('w', tensor('float32', [4, 2, 3], numbers(24))), undefined, {}),
    )
    b.output('y', transposed ? op.transpose(y, [0, 2, 1]) : y)
    return b.build()
  }
  const x = { shape: [2, 7], data: numbers(14) }

  it('is asked for where a row is no vector, with the shape and the choices', async () => {
    const path = await saved(convolved(false))
    await expect(embed(path, [x])).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'pool',
      message: expect.stringContaining('[batch, 4, time-2]'),
      hint: expect.stringMatching(/'mean' or 'max'.*'cls' or 'last'.*'flatten'.*'none'/),
    })
  })

  it('keeps the features of a convolution, wherever they have gone', async () => {
    const first = await saved(convolved(false))
    const last = await saved(convolved(true))
    for (const pool of ['mean', 'max', 'cls', 'last'] as const) {
      const [a, b] = [await embed(first, [x], { pool }), await embed(last, [x], { pool })]
      expect(a[0]).toHaveLength(4)
      close(b[0], a[0]!)
    }
    const [flat] = await embed(first, [x], { pool: 'flatten' })
    close(
      (await embed(first, [x], { pool: 'mean' }))[0],
      [0, 1, 2, 3].map((channel) => meanOf(Float32Array.from(flat!.slice(channel * 5, channel * 5 + 5)))),
    )
    const e = await embedder(first, { ...here, pool: 'none' })
    expect((await e.embed([x])).vectors[0]).toMatchObject({ rows: 5, columns: 4 })
    await e.dispose()
  })

  it('needs to be told the features where the graph does not show them', async () => {
    const b = new Builder()
    b.output('y', op.mul(b.input('x', 'float32', ['batch', 3, 'time', 2]), 2))
    const path = await saved(b.build())
    const input = { shape: [3, 4, 2], data: numbers(24) }
    const asked = { modality: 'tensor', pool: 'mean' } as const
    await expect(embed(path, [input], asked)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'featureAxis',
    })
    const [one] = await embed(path, [input], { ...asked, card: { featureAxis: 1 } })
    const [last] = await embed(path, [input], { ...asked, card: { featureAxis: -1 } })
    close(
      one,
      [0, 1, 2].map((i) => 2 * meanOf(input.data.slice(i * 8, i * 8 + 8))),
    )
    close(
      last,
      [0, 1].map((i) => 2 * meanOf(input.data.filter((_, at) => at % 2 === i))),
    )
  })

  it('is not needed where the axes in between are 1', async () => {
    const b = new Builder()
    b.output('y', op.reshape(b.input('x', 'float32', ['batch', 6]), [-1, 1, 1, 6]))
    expect((await embed(await saved(b.build()), [numbers(6)]))[0]).toEqual([...numbers(6)])
  })
})

describe('Sizes', () => {
  it('that are known only after running work', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 6])
    const places = op.transpose(b.node('NonZero', [op.greater(op.reshape(x, [-1]), 0)])[0]!, [1, 0])
    b.output('y', op.reshape(op.gatherND(op.reshape(x, [-1]), places), [1, -1]))
    const path = await saved(b.build())
    const data = Float32Array.of(1, -1, 2, 3, -2, 4)
    const e = await embedder(path, here)
    expect(e.recipe.dimensions).toBe(0)
    const { vectors, dimensions } = await e.embed([data])
    expect([...vectors[0]!]).toEqual([1, 2, 3, 4])
    expect(dimensions).toBe(4)
    await expect(e.embed([Float32Array.of(1, 1, 1, 1, 1, -1)])).rejects.toMatchObject({
      code: 'RESULT_INVALID',
    })
    await e.dispose()
  })

  it.each(['int8', 'uint8', 'float16', 'int32', 'bool'] as DType[])('of %s inputs', async (dtype) => {
    const b = new Builder()
    b.output('y', op.cast(b.input('x', dtype, ['batch', 4]), 'float32'))
    expect((await embed(await saved(b.build()), [{ shape: [4], data: [0, 1, 1, 0] }]))[0]).toEqual([
      0, 1, 1, 0,
    ])
  })
})

describe('modality', () => {
  it('tensor feeds a model of texts its ids', async () => {
    const ids = {
      input_ids: { shape: [3], data: [101, 7592, 102] },
      attention_mask: { shape: [3], data: [1, 1, 1] },
    }
    const options = { modality: 'tensor', tap: 'hidden_states.2', pool: 'mean' } as const
    const name = 'all-MiniLM-L6-v2'
    const [vector] = await embed(name, [ids], { ...options, inputs: { token_type_ids: 0 } })
    const [words] = await embed(name, ['hello'], { tap: 'hidden_states.2', pool: 'mean', normalize: false })
    close(vector, words!)
    const e = await embedder(await open(name), { ...here, ...options, inputs: { token_type_ids: 0 } })
    expect(e.modality).toBe('tensor')
    close(Array.from((await e.embed([ids])).vectors[0] as Float32Array), words!)
    await e.dispose()
  })
})
