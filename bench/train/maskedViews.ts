// Measures data2vec by its own task: to say, from the part of a picture that it sees, what it would make of the whole.
import { join } from 'node:path'
import { readDataset } from '../../src/embed/index.ts'
import { type Graph, loadTensor, tap } from '../../src/graph/index.ts'
import type { AnyInput } from '../../src/index.ts'
import { readSafetensors } from '../../src/models/index.ts'
import { compile } from '../../src/runtime/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import { latestCheckpoint } from '../../src/train/checkpoint.ts'
import { blockMask, type Network, pictureDecoder, pictureTensor } from '../../src/train/index.ts'

/** Pictures that run at once. */
const AT_ONCE = 100

/** A network with the input `mask`, and the folder of its run. */
export interface MaskedNetwork {
  readonly network: Network
  readonly folder: string
  /** Rows and columns of patches. */
  readonly grid: readonly [rows: number, columns: number]
  /** Outputs whose mean, each standardised, is predicted. */
  readonly layers: readonly string[]
}

/** Knowledge of pictures from a view of each in which the mask stands for 60 % of its patches: shares of them that are found among all. */
export interface FoundWholes {
  /** By the mean of the patches' tokens: of the encoder alone. */
  readonly byMean: number
  /** By what is predicted behind masked patches, beside what the whole pictures give there. */
  readonly byPrediction: number
  /** Correlation of both, over all masked patches and their features. */
  readonly correlation: number
}

/**
 * How well a masked view tells its whole picture from the others. All vectors are less their mean over pictures, and those of patches less
 * that of their place: a network that has collapsed, to one vector or to one a place, finds none, however small its loss. Parts and wholes go
 * through the same weights. A prediction with its first weights is one by chance.
 */
export async function wholesFromParts(
  from: MaskedNetwork,
  pictures: readonly AnyInput[],
): Promise<FoundWholes> {
  const { network, grid, layers } = from
  const { representation, image } = network
  const session = await compile(tap(await weighted(from), representation), { workers: 0 })
  const decoder = pictureDecoder({ size: image!.size })
  const data = await readDataset(pictures.map((one) => ({ image: one })))
  const [parts, wholes, predictions]: Float32Array[][] = [[], [], []]
  const hidden = layers.map((): Tokens[] => [])
  const masks: Uint8Array[] = []
  for (let first = 0; first < pictures.length; first += AT_ONCE) {
    const places = Array.from({ length: Math.min(AT_ONCE, pictures.length - first) }, (_, i) => first + i)
    const decoded = places.map(async (place) => decoder.decode(data, place, (await data.get(place)).image!))
    const pixel_values = normalised(pictureTensor(await Promise.all(decoded)), network)
    const mask = blockMask({ grid, ratio: 0.6, seed: 1, step: 0, count: places.length, first })
    const none = { ...mask, data: new Uint8Array(mask.data.length) } as Tensor
    const part = await session.run({ pixel_values, mask }, [representation, 'prediction'])
    const whole = await session.run({ pixel_values, mask: none }, [representation, ...layers])
    parts!.push(...rowsOf(part[representation]!).map(meanToken))
    wholes!.push(...rowsOf(whole[representation]!).map(meanToken))
    predictions!.push(...rowsOf(part.prediction!).map(({ data }) => data))
    for (const [i, layer] of layers.entries()) hidden[i]!.push(...rowsOf(whole[layer]!))
    const patches = grid[0] * grid[1]
    masks.push(...places.map((_, i) => (mask.data as Uint8Array).subarray(i * patches, (i + 1) * patches)))
  }
  await session.dispose()
  const standardised = hidden.map(batchNormed)
  const targets = pictures.map((_, i) => meanOf(standardised.map((rows) => rows[i]!)))
  const [single, everywhere] = [1, grid[0] * grid[1]].map((n) => masks.map(() => new Uint8Array(n).fill(1)))
  const predicted = centred(predictions!, masks)
  return {
    byMean: found(centred(parts!, single!), centred(wholes!, single!), single!),
    byPrediction: found(predicted, centred(targets, everywhere!), masks),
    correlation: correlation(predicted, centred(targets, masks), masks),
  }
}

/**
 * The network with the folder's weights. Mask and prediction are no parts of a written encoder: they are in the run's checkpoint. Only of an
 * encoder with the network's first weights they are the first ones.
 */
async function weighted({ network, folder }: MaskedNetwork): Promise<Graph> {
  const initializers = new Map(network.inference.initializers)
  const kept = (await latestCheckpoint(folder))?.tensors ?? {}
  for (const [name, tensor] of Object.entries(kept))
    if (/^(mask_token$|regression_head\.)/.test(name)) initializers.set(name, tensor)
  const { tensors } = await readSafetensors(join(folder, 'model.safetensors'))
  for (const [name, tensor] of tensors) {
    if (!initializers.has(name)) throw new Error(`${folder} has ${name}, which is not the network's.`)
    const [given, first] = [await loadTensor(tensor), await loadTensor(initializers.get(name)!)]
    if (!('mask_token' in kept) && (given.data as Float32Array).some((x, i) => x !== first.data[i]))
      throw new Error(`${folder} is trained and has no checkpoint, so its mask and prediction are not known.`)
    initializers.set(name, given)
  }
  return { ...network.inference, initializers }
}

function normalised(pixels: Tensor, { image }: Network): Tensor {
  const { size, channels, mean, std } = image!
  const area = size[0] * size[1]
  const data = (pixels.data as Float32Array).map((x, i) => {
    const channel = Math.floor(i / area) % channels
    return (x - (mean?.[channel] ?? 0)) / (std?.[channel] ?? 1)
  })
  return { ...pixels, data } as Tensor
}

/** Tokens of a picture. */
interface Tokens {
  /** Token after token. */
  readonly data: Float32Array
  readonly width: number
}

function rowsOf({ shape, data }: Tensor): Tokens[] {
  const [count, tokens, width] = shape as [number, number, number]
  const length = tokens * width
  return Array.from({ length: count }, (_, i) => ({
    data: (data as Float32Array).slice(i * length, (i + 1) * length),
    width,
  }))
}

function meanToken({ data, width }: Tokens): Float32Array {
  const sum = new Float32Array(width)
  for (const [i, x] of data.entries()) sum[i % width]! += x
  return sum.map((x) => (x * width) / data.length)
}

/** Each feature standardised over all tokens of all pictures, as the recipe has its targets. */
function batchNormed(rows: readonly Tokens[]): Float32Array[] {
  const { width } = rows[0]!
  const count = rows.reduce((sum, { data }) => sum + data.length / width, 0)
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)]
  for (const { data } of rows) for (const [i, x] of data.entries()) sums[i % width]! += x
  for (const { data } of rows)
    for (const [i, x] of data.entries()) squares[i % width]! += (x - sums[i % width]! / count) ** 2
  return rows.map(({ data }) =>
    data.map((x, i) => (x - sums[i % width]! / count) / Math.sqrt(squares[i % width]! / count + 1e-5)),
  )
}

const meanOf = (rows: readonly Float32Array[]): Float32Array =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)

/** Less the mean over those pictures in which the place is marked. */
function centred(rows: readonly Float32Array[], marks: readonly Uint8Array[]): Float32Array[] {
  const width = rows[0]!.length / marks[0]!.length
  const means = rows[0]!.map((_, i) => {
    const marked = rows.filter((_, row) => marks[row]![Math.floor(i / width)] === 1)
    return marked.reduce((sum, row) => sum + row[i]!, 0) / Math.max(1, marked.length)
  })
  return rows.map((row) => row.map((x, i) => x - means[i]!))
}

/** Of numbers that are less their means already, in the marked places. */
function correlation(
  some: readonly Float32Array[],
  others: readonly Float32Array[],
  marks: readonly Uint8Array[],
): number {
  const width = some[0]!.length / marks[0]!.length
  let [product, squares, otherSquares] = [0, 0, 0]
  for (const [row, mark] of marks.entries()) {
    for (let i = 0; i < some[row]!.length; i++) {
      if (mark[Math.floor(i / width)] === 0) continue
      const [a, b] = [some[row]![i]!, others[row]![i]!]
      product += a * b
      squares += a * a
      otherSquares += b * b
    }
  }
  return product / Math.sqrt(squares * otherSquares)
}

/** Share of queries whose nearest, by the cosine over the marked places, is of the same picture. */
function found(
  queries: readonly Float32Array[],
  among: readonly Float32Array[],
  marks: readonly Uint8Array[],
): number {
  const width = queries[0]!.length / marks[0]!.length
  const right = queries.filter((query, row) => {
    const places = [...marks[row]!.keys()].filter((place) => marks[row]![place] === 1)
    const likeness = among.map((other) => {
      let [dot, square] = [0, 1e-12]
      for (const place of places) {
        for (let i = place * width; i < (place + 1) * width; i++) {
          dot += query[i]! * other[i]!
          square += other[i]! ** 2
        }
      }
      return dot / Math.sqrt(square)
    })
    return likeness.indexOf(Math.max(...likeness)) === row
  })
  return right.length / queries.length
}
