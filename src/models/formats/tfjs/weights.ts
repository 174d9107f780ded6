// Reads the weights of TensorFlow.js models from their shards.
import { concatenate, PipiloError } from '../../../base/index.ts'
import { float16ToFloat32, type Tensor } from '../../../tensor/index.ts'
import { isObject } from '../../files.ts'
import { moduleBytes } from './literal.ts'
import type { ModelJson } from './modelJson.ts'

/** A weight as it was stored, to be laid out and dequantised when a layer asks for it. */
interface StoredWeight {
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
  readonly stored: 'float32' | 'float16' | 'uint8' | 'uint16' | 'int32' | 'bool'
  /** Dtype that the model computes with. */
  readonly dtype: 'float32' | 'int32' | 'bool'
  /** Quantised weights are `stored × scale + min`. */
  readonly scale?: number
  readonly min?: number
}

/**
 * How a weight is laid out for the graph: `oihw` turns [height, width, in, out] into [out, in, height, width], `depthwise`
 * turns [height, width, in, multiplier] into [in × multiplier, 1, height, width], `map` turns [1, height, width, channels], and
 * what broadcasts to it, into [1, channels, height, width].
 */
export type WeightLayout = 'as is' | 'oihw' | 'depthwise' | 'map'

const BYTES = { float32: 4, float16: 2, uint8: 1, uint16: 2, int32: 4, bool: 1 } as const

/**
 * The weights of a TensorFlow.js model by name, read from its shards.
 *
 * Quantised weights (uint8, uint16, float16) become float32 when they are taken, the way TensorFlow.js does it.
 */
export class Weights {
  /** Names of the shards within the model. */
  readonly files: readonly string[]
  private readonly weights: ReadonlyMap<string, StoredWeight>
  private readonly taken = new Set<string>()
  /** Full names by those without what Keras puts around them. */
  private readonly bare: ReadonlyMap<string, string>

  private constructor(weights: ReadonlyMap<string, StoredWeight>, files: readonly string[]) {
    this.weights = weights
    this.files = files
    this.bare = new Map([...weights.keys()].reverse().map((key) => [bareName(key), key]))
  }

  /**
   * @param json whose `weightsManifest` says where the weights are
   * @throws PipiloError `MODEL_INVALID` for a broken manifest or a shard of another length, `FILE_NOT_FOUND` for a missing one
   */
  static async read(json: ModelJson): Promise<Weights> {
    const { weightsManifest: manifest, file } = json
    if (!Array.isArray(manifest)) throw broken(file, 'it has no list "weightsManifest"')
    const groups = await Promise.all(manifest.map((group: unknown) => readGroup(group, json)))
    const weights = new Map<string, StoredWeight>()
    for (const [name, weight] of groups.flatMap((group) => group.weights)) {
      if (weights.has(name)) throw broken(file, `it lists the weight ${name} twice`)
      weights.set(name, weight)
    }
    return new Weights(
      weights,
      groups.flatMap((group) => group.files),
    )
  }

  /**
   * A weight of a layer as float32.
   *
   * @param shape what the layer's settings ask for, in TensorFlow's order
   * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
   */
  take(asked: AskedWeight, shape: readonly number[], layout: WeightLayout = 'as is'): Tensor {
    const { layer, names } = asked
    const name = names[0]!
    const key = this.find(asked)
    const weight = key === undefined ? undefined : this.weights.get(key)
    if (key === undefined || weight === undefined) {
      throw new PipiloError('PARAMETER_MISSING', `The model holds no weight ${layer}/${name}.`, {
        input: `${layer}/${name}`,
        hint: 'The topology and the weights are not of one model.',
      })
    }
    if (weight.shape.length !== shape.length || weight.shape.some((size, i) => size !== shape[i])) {
      throw new PipiloError(
        'SHAPE_MISMATCH',
        `The weight ${key} is [${weight.shape}], but its layer asks for [${shape}].`,
        { input: key },
      )
    }
    this.taken.add(key)
    return laidOut(weight, layout)
  }

  /** Full names of all weights. */
  get names(): string[] {
    return [...this.weights.keys()]
  }

  /** Shape of a weight, by its full name; undefined where there is none. */
  shapeOf(key: string): readonly number[] | undefined {
    return this.weights.get(key)?.shape
  }

  /** A weight by its full name: float32, bool, or int64 in place of int32, as ONNX has its sizes and indices. */
  get(key: string, layout: WeightLayout = 'as is'): Tensor | undefined {
    const weight = this.weights.get(key)
    if (!weight) return undefined
    const tensor = laidOut(weight, layout)
    if (weight.dtype === 'float32') return tensor
    if (weight.dtype === 'bool')
      return { ...tensor, dtype: 'bool', data: Uint8Array.from(tensor.data as Float32Array) }
    // float32 holds whole numbers up to 2^24 only: larger ones are taken from where they are stored.
    const exact = weight.stored === 'int32' && layout === 'as is' ? storedElements(weight) : tensor.data
    const data = BigInt64Array.from(exact as Float32Array, (value) => BigInt(Math.round(value)))
    return { ...tensor, dtype: 'int64', data }
  }

  /** Names of the weights that no layer took. */
  unused(): string[] {
    return this.names.filter((name) => !this.taken.has(name))
  }

  /**
   * Newer Keras puts the scope twice before a weight's name (`conv1/conv1/kernel:0`), and Keras 3 may write its number in place of the name,
   * within folders (`layers/conv1/vars/0`); TensorFlow.js looks past that, too. A weight of a model within the model may stand behind the
   * model's name.
   */
  private find({ layer, names, index }: AskedWeight): string | undefined {
    const exact = names.flatMap((name) => [`${layer}/${name}`, `${layer}/${layer}/${name}`])
    const wanted = index >= 0 ? [...exact, `${layer}/${index}`] : exact
    for (const name of wanted) {
      const key = this.bare.get(name)
      if (key !== undefined) return key
    }
    const behind = [...this.bare].filter(([name]) => wanted.some((each) => name.endsWith(`/${each}`)))
    return behind.length === 1 ? behind[0]![1] : undefined
  }
}

/** A weight as a layer asks for it. */
export interface AskedWeight {
  readonly layer: string
  /** Its name, and others that it may have. */
  readonly names: readonly string[]
  /** Its place among the layer's weights; below 0 where it is not known. */
  readonly index: number
}

/** Folders in which Keras 3 keeps weights. */
const FOLDERS = ['vars', 'layers', 'layer_checkpoint_dependencies']

function bareName(key: string): string {
  const parts = key.replace(/:0$/, '').split('/')
  if (!/\/\d+$/.test(key)) return parts.join('/')
  return parts
    .map((part) => part.replace(/^_/, ''))
    .filter((part) => !FOLDERS.includes(part))
    .join('/')
}

function laidOut(weight: StoredWeight, layout: WeightLayout): Tensor {
  const { shape } = weight
  const stored = storedElements(weight)
  if (layout === 'as is') return { dtype: 'float32', shape, data: dequantise(stored, weight) }
  const whole = [...Array<number>(Math.max(0, 4 - shape.length)).fill(1), ...shape]
  const [first, second, third, fourth] = whole as [number, number, number, number]
  const [positions, channelsIn, channelsOut] = {
    oihw: [first * second, third, fourth] as const,
    depthwise: [first * second, 1, third * fourth] as const,
    map: [second * third, 1, fourth] as const,
  }[layout]
  const data = dequantise(outerLast(stored, positions, channelsIn, channelsOut), weight)
  const laid = layout === 'map' ? [1, fourth, second, third] : [channelsOut, channelsIn, first, second]
  return { dtype: 'float32', shape: laid, data }
}

async function readGroup(group: unknown, json: ModelJson) {
  const { file } = json
  if (!isObject(group) || !Array.isArray(group['paths']) || !Array.isArray(group['weights'])) {
    throw broken(file, 'an entry of its "weightsManifest" lacks "paths" or "weights"')
  }
  const shards = await Promise.all(group['paths'].map((path: unknown) => readShard(path, json)))
  const bytes = shards.length === 1 ? shards[0]!.bytes : concatenate(shards.map((shard) => shard.bytes))
  const weights: [string, StoredWeight][] = []
  let offset = 0
  for (const entry of group['weights'] as unknown[]) {
    const { name, shape, stored, ...rest } = readSpec(entry, file)
    const length = shape.reduce((product, size) => product * size, 1) * BYTES[stored]
    weights.push([name, { shape, stored, bytes: bytes.subarray(offset, offset + length), ...rest }])
    offset += length
  }
  if (offset !== bytes.length) {
    const paths = shards.map((shard) => shard.name).join(', ')
    throw new PipiloError(
      'MODEL_INVALID',
      `The shards ${paths} hold ${bytes.length} bytes, but model.json describes ${offset}.`,
      { input: file, hint: 'A download may have been cut off: fetch the shards again.' },
    )
  }
  return { weights, files: shards.map((shard) => shard.path) }
}

interface Shard {
  /** Its name in errors. */
  readonly name: string
  /** Within the model. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** A shard as raw bytes, or as a JavaScript module that exports them in base64. */
async function readShard(shard: unknown, { file, path: model, files }: ModelJson): Promise<Shard> {
  if (
    typeof shard !== 'string' ||
    shard === '' ||
    shard.split(/[\\/]/).includes('..') ||
    /^([\\/]|\w+:)/.test(shard)
  ) {
    throw broken(file, `it names a shard outside of its folder, ${JSON.stringify(shard)}`)
  }
  const folder = model.slice(0, model.lastIndexOf('/') + 1)
  for (const ending of ['', '.min.js', '.js']) {
    const path = folder + shard + ending
    if (!(await files.has(path))) continue
    return files.open(path, async ({ name, size, read }) => {
      const bytes = await read(0, size)
      return { name, path, bytes: path.endsWith('.js') ? moduleBytes(bytes, name) : bytes }
    })
  }
  throw new PipiloError('FILE_NOT_FOUND', `The shard ${shard} that ${file} names is not there.`, {
    input: shard,
  })
}

function readSpec(entry: unknown, file: string) {
  if (!isObject(entry) || typeof entry['name'] !== 'string' || !isShape(entry['shape'])) {
    throw broken(file, 'a weight in its "weightsManifest" lacks a name or a shape')
  }
  const { name, shape, dtype, quantization } = entry
  const stored = isObject(quantization) ? quantization['dtype'] : dtype
  if (typeof stored !== 'string' || !Object.hasOwn(BYTES, stored)) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `The weight ${name} is stored as ${String(stored)}.`, {
      input: file,
      hint: `Weights may be ${Object.keys(BYTES).join(', ')}.`,
    })
  }
  const kind = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32'
  const common = {
    name: name as string,
    shape,
    stored: stored as StoredWeight['stored'],
    dtype: kind,
  } as const
  if (!isObject(quantization) || stored === 'float16') return common
  const { scale, min } = quantization
  if (typeof scale !== 'number' || typeof min !== 'number') {
    throw broken(file, `the quantisation of the weight ${name} lacks "scale" or "min"`)
  }
  return { ...common, scale, min }
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

/** The elements as they were stored; float16 as bit patterns. */
function storedElements({ bytes, stored }: StoredWeight) {
  const length = bytes.length / BYTES[stored]
  // A view needs an aligned start, which weights behind others in a shard do not have.
  const aligned = bytes.byteOffset % BYTES[stored] === 0 ? bytes : new Uint8Array(bytes)
  switch (stored) {
    case 'float32':
      return new Float32Array(aligned.buffer, aligned.byteOffset, length)
    case 'int32':
      return new Int32Array(aligned.buffer, aligned.byteOffset, length)
    case 'uint16':
    case 'float16':
      return new Uint16Array(aligned.buffer, aligned.byteOffset, length)
    default:
      return new Uint8Array(aligned.buffer, aligned.byteOffset, length)
  }
}

type Elements = ReturnType<typeof storedElements>

/** [positions, in, out] → [out, in, positions], before dequantisation: bytes move faster than floats. */
function outerLast(source: Elements, positions: number, channelsIn: number, channelsOut: number): Elements {
  const target = source.slice()
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < channelsIn; i++) {
      const row = (position * channelsIn + i) * channelsOut
      for (let o = 0; o < channelsOut; o++) {
        target[(o * channelsIn + i) * positions + position] = source[row + o]!
      }
    }
  }
  return target
}

function dequantise(elements: Elements, { stored, scale, min }: StoredWeight): Float32Array {
  if (elements instanceof Float32Array) return elements
  if (stored === 'float16') return float16ToFloat32(elements as Uint16Array)
  const result = new Float32Array(elements.length)
  const factor = scale ?? 1
  const offset = min ?? 0
  for (let i = 0; i < elements.length; i++) result[i] = elements[i]! * factor + offset
  return result
}

function broken(file: string, what: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `The model of ${file} is broken: ${what}.`, { input: file })
}
