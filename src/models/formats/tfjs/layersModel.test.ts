import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../../../base/index.ts'
import { type Graph, layers, resolveLayer, tap } from '../../../graph/index.ts'
import { compile } from '../../../runtime/index.ts'
import { cosineSimilarity, float32ToFloat16, type Tensor } from '../../../tensor/index.ts'
import { open } from '../../index.ts'
import { resolveSource } from '../../sources/sources.ts'
import { readTfjsLayersModel as read, readModelJson } from './index.ts'
import { pixelValues, seededPicture } from './testing/seededPicture.ts'

const nsfwjs = (model: string) =>
  fileURLToPath(new URL(`../../../../node_modules/nsfwjs/dist/models/${model}`, import.meta.url))
/** The model in a folder, or of a model.json. */
async function readTfjsLayersModel(place: string) {
  const files = await resolveSource({ kind: 'file', path: place })
  return read(await readModelJson(files, files.file))
}

const testdata = fileURLToPath(new URL('./testdata/', import.meta.url))
const scratch = await mkdtemp(join(tmpdir(), 'pipilo-tfjs-'))
afterAll(() => rm(scratch, { recursive: true }))

async function run(graph: Graph, pictures: readonly Tensor[]): Promise<Record<string, Tensor>[]> {
  const session = await compile(graph, { workers: 0, cacheDir: scratch })
  try {
    const results = []
    for (const pixel_values of pictures) results.push(await session.run({ pixel_values }))
    return results
  } finally {
    await session.dispose()
  }
}

interface Reference {
  model: string
  seed: number
  size: number
  scores: number[]
  penultimate?: { layer: string; values: number[] }
}

describe.each([
  ['mobilenet_v2', 224, 1280],
  ['inception_v3', 299, 2048],
] as const)('%s of nsfwjs', (name, size, features) => {
  it('gives what TensorFlow.js gives on the same weights', async () => {
    const model = await readTfjsLayersModel(nsfwjs(name))
    expect(model.inputSize).toEqual([size, size])
    expect(model.unused).toEqual([])
    expect(model.penultimate).toBe('flatten_1')
    const all = JSON.parse(await readFile(join(testdata, 'reference.json'), 'utf8')) as Reference[]
    const references = all.filter((reference) => reference.model === name)
    const graph = tap(model.graph, 'flatten_1')
    const pictures = references.map(({ seed }) => pixelValues(seededPicture(seed, size), size, size))
    const results = await run(graph, pictures)
    for (const [i, { scores, penultimate }] of references.entries()) {
      const given = results[i]!
      for (const [j, score] of scores.entries()) expect(given['dense_3']!.data[j]).toBeCloseTo(score, 5)
      if (!penultimate) continue
      const vector = given[resolveLayer(graph, 'flatten_1')]!
      expect(vector.shape).toEqual([1, features])
      const expected = Float32Array.from(penultimate.values)
      expect(cosineSimilarity(vector.data as Float32Array, expected)).toBeGreaterThan(0.999999)
    }
    expect(references).toHaveLength(3)
  }, 30_000)
})

describe('readTfjsLayersModel', () => {
  it('lists the layers under their Keras names', async () => {
    const { graph } = await readTfjsLayersModel(nsfwjs('mobilenet_v2'))
    const found = new Map(
      layers(graph).map(({ name, kind, shape, parameters }) => [name, { kind, shape, parameters }]),
    )
    expect(found.get('Conv1')).toEqual({ kind: 'Conv2D', shape: ['batch', 32, 112, 112], parameters: 864 })
    expect(found.get('block_13_project_BN')).toEqual({
      kind: 'BatchNormalization',
      shape: ['batch', 160, 7, 7],
      parameters: 640,
    })
    expect(found.get('out_relu')).toMatchObject({ kind: 'ReLU', shape: ['batch', 1280, 7, 7] })
    expect(found.get('dense_1')).toMatchObject({
      kind: 'Dense',
      shape: ['batch', 256],
      parameters: 1280 * 256 + 256,
    })
  })

  it('computes every kind of layer as TensorFlow.js does', async () => {
    const model = await readTfjsLayersModel(join(testdata, 'layers'))
    expect(model.unused).toEqual([])
    const [results] = await run(model.graph, [pixelValues(seededPicture(1, 9), 9, 8)])
    const expected = JSON.parse(await readFile(join(testdata, 'layers/expected.json'), 'utf8')) as {
      output: string
      shape: number[]
      values: number[]
    }[]
    for (const { output, shape, values } of expected) {
      const { data, shape: given } = results![output]!
      const mapped =
        given.length === 4 ? channelsLast(data as Float32Array, given) : Array.from(data as Float32Array)
      const last = given.length === 4 ? [given[0], given[2], given[3], given[1]] : given
      expect([output, last]).toEqual([output, shape])
      const worst = Math.max(
        ...values.map((value, i) => Math.abs(value - mapped[i]!) / Math.max(1, Math.abs(value))),
      )
      expect([output, worst < 1e-5]).toEqual([output, true])
    }
    expect(expected.length).toBeGreaterThan(20)
  })

  it('reads models packed into JavaScript modules, and sequential ones', async () => {
    const folder = await write('packed', sequential(), { 'model.min.js': 'js', 'shard.bin.js': 'js' })
    const model = await readTfjsLayersModel(folder)
    expect(model.files).toEqual(['model.min.js', 'shard.bin.js'])
    expect(model.penultimate).toBe('flat')
    const [result] = await run(model.graph, [pixelValues(Uint8Array.from([0, 51, 102, 153, 204, 255]), 1, 2)])
    expect(Array.from(result!['out']!.data as Float32Array)).toEqual([expect.closeTo(4.4, 5)])
  })

  it.each([
    ['uint8', Buffer.from([0, 1, 2, 3, 4, 5]), { scale: 0.5, min: 1 }, [1, 1.5, 2, 2.5, 3, 3.5]],
    [
      'uint16',
      Buffer.from(Uint16Array.of(0, 1, 2, 256, 512, 65_535).buffer),
      { scale: 0.25, min: -1 },
      [-1, -0.75, -0.5, 63, 127, 16_382.75],
    ],
    [
      'float16',
      Buffer.from(float32ToFloat16(Float32Array.of(0, 1, -2, 0.5, 65_504, -0.25)).buffer),
      {},
      [0, 1, -2, 0.5, 65_504, -0.25],
    ],
  ])('dequantises %s as TensorFlow.js does', async (dtype, bytes, numbers, expected) => {
    const packed = sequential()
    Object.assign(packed.json.weightsManifest[0]!.weights[0]!, { quantization: { dtype, ...numbers } })
    const { graph } = await readTfjsLayersModel(await write(dtype, { ...packed, bytes }))
    expect(Array.from((graph.initializers.get('out/kernel') as Tensor).data as Float32Array)).toEqual(
      expected,
    )
  })

  it('takes a model as the first layer of a sequential one', async () => {
    const packed = sequential()
    const { model_config } = packed.json.modelTopology
    const inner = { ...model_config, config: { ...model_config.config, name: 'inner' } }
    const softmax = { class_name: 'Activation', config: { name: 'scores', activation: 'sigmoid' } }
    Object.assign(model_config, { config: { name: 'outer', layers: [inner, softmax] } })
    const model = await readTfjsLayersModel(await write('nested', packed))
    expect(layers(model.graph).map(({ name }) => name)).toEqual([
      'inner',
      'inner.flat',
      'inner.out',
      'scores',
    ])
    expect(model.penultimate).toBe('inner.flat')
  })

  it('never fails with anything but a clear error, whatever a model.json says', async () => {
    const folder = join(scratch, 'fuzzed')
    await cp(join(testdata, 'layers'), folder, { recursive: true })
    const text = await readFile(join(testdata, 'layers/model.json'), 'utf8')
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.jsonValue(), async (place, value) => {
        const json: unknown = JSON.parse(text)
        replaceOne(json, place, value)
        await writeFile(join(folder, 'model.json'), JSON.stringify(json))
        const error: unknown = await readTfjsLayersModel(folder).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        if (error !== undefined) expect(error).toBeInstanceOf(PipiloError)
      }),
      { numRuns: 400 },
    )
  }, 20_000)

  it('computes what stands before a layer that it does not know, and says which it is', async () => {
    const packed = sequential()
    const list = packed.json.modelTopology.model_config.config.layers
    list.push({ class_name: 'LSTM', config: { name: 'a' } }, { class_name: 'Softmax', config: { name: 'b' } })
    const { graph, blocked } = await readTfjsLayersModel(await write('lstm', packed))
    expect([...blocked]).toEqual([
      ['a', 'a is a layer of an unknown kind, LSTM'],
      ['b', 'a is a layer of an unknown kind, LSTM'],
    ])
    expect(graph.outputs.map(({ name }) => name)).toEqual(['out'])
    const model = await open(join(scratch, 'lstm'))
    expect(model.card.notes).toMatch(/2 layers are not computed: a is a layer of an unknown kind, LSTM/)
    expect(() => model.embedding()).toThrow(/The layer a of .* cannot be computed: a is a layer/)
    expect(model.embedding({ tap: 'out', normalize: false }).outputs).toHaveLength(1)
    first(packed).class_name = 'Lambda'
    await expectError(
      packed,
      'OPERATOR_UNSUPPORTED',
      /No layer of .*: flat is a layer of an unknown kind, Lambda/,
    )
  })

  // Made by testdata/keras3.py: Keras 3.15, converted by tensorflowjs 4.22.
  it('gives what Keras 3 computes, with its own hard sigmoid', async () => {
    const { graph, unused, blocked } = await readTfjsLayersModel(join(testdata, 'keras3'))
    expect([unused, [...blocked]]).toEqual([[], []])
    const data = Float32Array.from({ length: 243 }, (_, i) => {
      const at = (i % 81) * 3 + Math.floor(i / 81)
      return ((at * at * 7 + at * 13) % 256) / 255
    })
    const path = join(testdata, 'keras3/expected.json')
    const expected: Record<string, number[]> = JSON.parse(await readFile(path, 'utf8'))
    const names = Object.keys(expected)
    const tapped = tap(graph, ...names.map((name) => resolveLayer(graph, name)))
    const [found] = await run(tapped, [{ dtype: 'float32', shape: [1, 3, 9, 9], data }])
    for (const name of names) {
      const values = [...(found![resolveLayer(graph, name)]!.data as Float32Array)]
      expect(values, name).toHaveLength(expected[name]!.length)
      for (const [i, value] of values.entries()) expect(value, name).toBeCloseTo(expected[name]![i]!, 4)
    }
  })

  it('reads the topology and the names of Keras 3 from before', async () => {
    const folder = join(scratch, 'keras3')
    await cp(join(testdata, 'layers'), folder, { recursive: true })
    const place = join(folder, 'model.json')
    const json = JSON.parse((await readFile(place, 'utf8')).replaceAll('hard_sigmoid', 'sigmoid'))
    await writeFile(place, JSON.stringify(json))
    const before = await readTfjsLayersModel(folder)
    toKeras3(json)
    await writeFile(place, JSON.stringify(json))
    const after = await readTfjsLayersModel(folder)
    expect(after.unused).toEqual([])
    expect(after.graph.outputs).toEqual(before.graph.outputs)
    const picture = pixelValues(seededPicture(1, 9), 9, 8)
    const [wanted, found] = [await run(before.graph, [picture]), await run(after.graph, [picture])]
    for (const { name } of before.graph.outputs)
      expect(found[0]![name]!.data, name).toEqual(wanted[0]![name]!.data)
  })

  it.each([
    ['the activation ELU with settings', { activation: { class_name: 'ELU', config: { alpha: 0.5 } } }],
    [
      'quantised weights',
      { dtype: { class_name: 'QuantizedDTypePolicy', config: { mode: 'int8', source_name: 'float32' } } },
    ],
  ])('refuses %s rather than passing over them', async (what, config) => {
    const packed = sequential()
    Object.assign(last(packed).config, config)
    const { blocked } = await readTfjsLayersModel(await write(`case-${what.length}`, packed))
    expect(`${[...blocked.values()]}`).toContain(what)
  })

  it('refuses numbers among the inputs of a layer of Keras 3, which it would pass over', async () => {
    const packed = sequential()
    const tensor = (name: string) => ({
      class_name: '__keras_tensor__',
      config: { keras_history: [name, 0, 0] },
    })
    const input = {
      class_name: 'InputLayer',
      name: 'in',
      config: { name: 'in', batch_shape: [null, 1, 2, 3] },
    }
    const node = (class_name: string, name: string, ...args: unknown[]) => ({
      class_name,
      name,
      config: { name },
      inbound_nodes: [{ args, kwargs: { training: false, mask: null } }],
    })
    const config = {
      name: 'three',
      layers: [input, node('Multiply', 'm', tensor('in'), 2), node('Add', 'a', [tensor('in'), tensor('in')])],
      input_layers: ['in', 0, 0],
      output_layers: [
        ['a', 0, 0],
        ['m', 0, 0],
      ],
    }
    Object.assign(packed.json.modelTopology.model_config, { class_name: 'Functional', config })
    packed.json.weightsManifest = []
    const { graph, blocked } = await readTfjsLayersModel(await write('operation', packed))
    expect(graph.outputs.map(({ name }) => name)).toEqual(['a'])
    expect(blocked.get('m')).toMatch(/m \(Multiply\) uses 2 among its inputs/)
  })

  it.each<[string, (packed: Packed) => void, string, RegExp]>([
    [
      'no topology',
      ({ json }) => delete (json as Partial<Packed['json']>).modelTopology,
      'FORMAT_INVALID',
      /modelTopology/,
    ],
    [
      'no manifest',
      ({ json }) => Object.assign(json, { weightsManifest: 3 }),
      'MODEL_INVALID',
      /weightsManifest/,
    ],
    [
      'a graph model',
      ({ json }) => Object.assign(json, { format: 'graph-model' }),
      'FORMAT_UNSUPPORTED',
      /graph model/,
    ],
    [
      'a missing shard',
      ({ json }) => Object.assign(json.weightsManifest[0]!, { paths: ['no'] }),
      'FILE_NOT_FOUND',
      /shard no/,
    ],
    [
      'a shard elsewhere',
      ({ json }) => Object.assign(json.weightsManifest[0]!, { paths: ['../x'] }),
      'MODEL_INVALID',
      /outside/,
    ],
    [
      'a short shard',
      (packed) => Object.assign(packed, { bytes: packed.bytes.subarray(1) }),
      'MODEL_INVALID',
      /23 bytes, .* 24/,
    ],
    [
      'a long shard',
      (packed) => Object.assign(packed, { bytes: Buffer.alloc(28) }),
      'MODEL_INVALID',
      /28 bytes, .* 24/,
    ],
    [
      'another shape',
      ({ json }) => Object.assign(json.weightsManifest[0]!.weights[0]!, { shape: [1, 6] }),
      'SHAPE_MISMATCH',
      /\[1,6\].*\[6,1\]/,
    ],
    [
      'another name',
      ({ json }) => Object.assign(json.weightsManifest[0]!.weights[0]!, { name: 'x' }),
      'PARAMETER_MISSING',
      /out\/kernel/,
    ],
    [
      'an odd dtype',
      ({ json }) => Object.assign(json.weightsManifest[0]!.weights[0]!, { dtype: 'string' }),
      'FORMAT_UNSUPPORTED',
      /string/,
    ],
    [
      'a bad setting',
      (packed) => Object.assign(last(packed).config, { units: 'many' }),
      'MODEL_INVALID',
      /"units" of the layer out/,
    ],
    [
      'an odd activation',
      (packed) => Object.assign(last(packed).config, { activation: 'constructor' }),
      'OPERATOR_UNSUPPORTED',
      /The layer out .*"constructor"/,
    ],
    [
      'an input of no fixed size',
      (packed) => Object.assign(first(packed).config, { batch_input_shape: [null, null, null, 3] }),
      'FORMAT_UNSUPPORTED',
      /fixed size/,
    ],
    ['a circle', (packed) => circle(packed), 'MODEL_INVALID', /circle/],
  ])('refuses %s', async (_, damage, code, message) => {
    const packed = sequential()
    damage(packed)
    if (code === 'OPERATOR_UNSUPPORTED') {
      const { blocked } = await readTfjsLayersModel(await write(`case-${Math.random()}`, packed))
      expect([...blocked.values()].join()).toMatch(message)
    } else await expectError(packed, code, message)
  })

  it('refuses what is no model at all', async () => {
    const folder = join(scratch, 'broken')
    await mkdir(folder)
    await expect(readTfjsLayersModel(folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await writeFile(join(folder, 'model.json'), '{"modelTopology":')
    await expect(readTfjsLayersModel(folder)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    await expect(readTfjsLayersModel(nsfwjs('mobilenet_v2_mid'))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    })
  })

  it('notices a shard in base64 that was cut off', async () => {
    const folder = join(scratch, 'cut')
    await cp(nsfwjs('mobilenet_v2'), folder, { recursive: true })
    const shard = join(folder, 'group1-shard1of1.min.js')
    await writeFile(shard, (await readFile(shard)).subarray(0, 1_000_000))
    await expect(readTfjsLayersModel(folder)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  })
})

interface Packed {
  json: {
    modelTopology: {
      model_config: {
        class_name: string
        config: { name: string; layers: { class_name: string; config: Record<string, unknown> }[] }
      }
    }
    weightsManifest: { paths: string[]; weights: { name: string; shape: number[]; dtype: string }[] }[]
  }
  bytes: Buffer
}

/** Sums a picture of 1×2 pixels, each number weighted by its place. */
function sequential(): Packed {
  const layer = (class_name: string, config: Record<string, unknown>) => ({ class_name, config })
  return {
    json: {
      modelTopology: {
        model_config: {
          class_name: 'Sequential',
          config: {
            name: 'tiny',
            layers: [
              layer('Flatten', { name: 'flat', batch_input_shape: [null, 1, 2, 3] }),
              layer('Dense', { name: 'out', units: 1, use_bias: false }),
            ],
          },
        },
      },
      weightsManifest: [
        { paths: ['shard.bin'], weights: [{ name: 'out/kernel', shape: [6, 1], dtype: 'float32' }] },
      ],
    },
    // 0.2 · 1 + 0.4 · 2 + 0.6 · 3 + 0.8 · 1 + 1 · 0.8, in the order of rows, columns, channels.
    bytes: Buffer.from(Float32Array.of(9, 1, 2, 3, 1, 0.8).buffer),
  }
}

/** Puts a model into the form in which Keras 3 writes it: calls as objects, weights by number. */
function toKeras3(json: {
  modelTopology: { keras_version: string; config: { layers: Keras2Layer[] } }
  weightsManifest: { weights: { name: string }[] }[]
}): void {
  json.modelTopology.keras_version = '3.8.0'
  const convert = ({ layers }: { layers: Keras2Layer[] }): void => {
    for (const layer of layers) {
      if (Array.isArray(layer.config['layers'])) convert(layer.config as { layers: Keras2Layer[] })
      layer.inbound_nodes = (layer.inbound_nodes ?? []).map((node) => {
        const reads = (node as unknown[][]).map((keras_history) => ({
          class_name: '__keras_tensor__',
          config: { dtype: 'float32', keras_history: keras_history.slice(0, 3) },
        }))
        return { args: reads.length > 1 ? [reads] : reads, kwargs: {} }
      })
    }
  }
  convert(json.modelTopology.config)
  const counts = new Map<string, number>()
  for (const weight of json.weightsManifest.flatMap(({ weights }) => weights)) {
    const [layer = ''] = weight.name.split('/')
    const index = counts.get(layer) ?? 0
    counts.set(layer, index + 1)
    weight.name = `_layer_checkpoint_dependencies/${layer}/vars/${index}`
  }
}

interface Keras2Layer {
  config: Record<string, unknown>
  inbound_nodes?: unknown[]
}

const first = (packed: Packed) => packed.json.modelTopology.model_config.config.layers[0]!
const last = (packed: Packed) => packed.json.modelTopology.model_config.config.layers.at(-1)!

/** Makes the model functional, with two layers that read each other. */
function circle({ json }: Packed) {
  const node = (name: string, reads: string[]) => ({
    class_name: 'Add',
    name,
    config: { name },
    inbound_nodes: [reads.map((read) => [read, 0, 0, {}])],
  })
  const input = { class_name: 'InputLayer', config: { name: 'in', batch_input_shape: [null, 1, 2, 3] } }
  const config = {
    layers: [input, node('a', ['in', 'b']), node('b', ['a'])],
    input_layers: [['in', 0, 0]],
    output_layers: [['b', 0, 0]],
  }
  Object.assign(json.modelTopology.model_config, { class_name: 'Model', config })
}

async function write(
  name: string,
  { json, bytes }: Packed,
  files: Record<string, 'js'> = {},
): Promise<string> {
  const folder = join(scratch, name)
  await mkdir(folder)
  if (Object.keys(files).length === 0) {
    await writeFile(join(folder, 'model.json'), JSON.stringify(json))
    await writeFile(join(folder, 'shard.bin'), bytes)
  }
  for (const file of Object.keys(files)) {
    const literal = file.startsWith('model') ? json : bytes.toString('base64')
    await writeFile(join(folder, file), `module.exports=${JSON.stringify(literal)};`)
  }
  return folder
}

async function expectError(packed: Packed, code: string, message: RegExp) {
  const folder = await write(`case-${Math.random()}`, packed)
  const error = (await readTfjsLayersModel(folder).catch((thrown: unknown) => thrown)) as PipiloError
  expect({ code: error.code, message: error.message }).toEqual({
    code,
    message: expect.stringMatching(message),
  })
}

/** Puts `value` in the place of one part of `json`, the `place`-th of all parts. */
function replaceOne(json: unknown, place: number, value: unknown) {
  const parts: [Record<string, unknown>, string][] = []
  const collect = (part: unknown) => {
    if (typeof part !== 'object' || part === null) return
    for (const [key, child] of Object.entries(part)) {
      parts.push([part as Record<string, unknown>, key])
      collect(child)
    }
  }
  collect(json)
  const [parent, key] = parts[place % parts.length]!
  parent[key] = value
}

/** [1, channels, height, width] → the values in the order [height, width, channels] */
function channelsLast(data: Float32Array, [, channels, height, width]: readonly number[]): number[] {
  const area = height! * width!
  return Array.from(
    { length: data.length },
    (_, i) => data[(i % channels!) * area + Math.floor(i / channels!)]!,
  )
}
