// Reads folders of idx files, the form of MNIST and its kin.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, type ZlibOptions } from 'node:zlib'
import { PipiloError } from '../../../base/index.ts'
import { datasetOf, hashOfRows } from './dataset.ts'
import { LabelCollector } from './labels.ts'
import type { Dataset, ReadDatasetOptions } from './types.ts'

const images = /^(?:(.*)-)?images[-.]idx3-ubyte(?:\.gz)?$/
const labelsFile = /^(?:(.*)-)?labels[-.]idx1-ubyte(?:\.gz)?$/

/** True for a folder with the idx files of pictures. */
export const hasIdxFiles = (names: readonly string[]): boolean => names.some((name) => images.test(name))

/** Other names of a split, as the files of MNIST have them. */
const aliases: Readonly<Record<string, string>> = { test: 't10k' }

/**
 * Opens a folder of idx files: grey pictures and their labels. They are kept in memory as bytes.
 *
 * @param name of the folder in errors
 * @see http://yann.lecun.com/exdb/mnist/
 */
export async function readIdxFolder(
  folder: string,
  name: string,
  options: ReadDatasetOptions,
): Promise<Dataset> {
  const { split = 'train', onError: _, ...rest } = options
  const names = (await readdir(folder)).sort()
  const pictures = await readIdx(folder, fileOf(names, images, split, name), 3)
  const labels = await readIdx(folder, fileOf(names, labelsFile, split, name), 1)
  const [count, height, width] = pictures.shape as [number, number, number]
  if (labels.shape[0] !== count) {
    const fault = `${labels.name} has ${labels.shape[0]} labels for the ${count} pictures of ${pictures.name}`
    throw new PipiloError('FORMAT_INVALID', `${fault}.`, { input: labels.name })
  }
  if (count === 0) throw new PipiloError('FILE_EMPTY', `${pictures.name} holds no pictures.`, { input: name })
  const collector = new LabelCollector(rest)
  for (let i = 0; i < count; i++) collector.add(labels.data[i]!, `Picture ${i} of ${pictures.name}`)
  const each = height * width
  return datasetOf({
    name,
    columns: ['image', 'label'],
    length: count,
    labels: collector.finish(false),
    nameOf: (index) => `picture ${index} of ${pictures.name}`,
    read: async (indices) =>
      Array.from(indices, (index) => {
        const data = pictures.data.subarray(index * each, (index + 1) * each)
        return { image: { width, height, channels: 1, data } }
      }),
    hash: hashOfRows,
  })
}

/** The file of a split: `train-images-idx3-ubyte`, or with more before it (`emnist-letters-train-…`). */
function fileOf(names: readonly string[], form: RegExp, split: string, folder: string): string {
  const wanted = [split, ...(aliases[split] ? [aliases[split]] : [])]
  const splits = new Map(names.flatMap((name) => splitIn(name, form)))
  const exact = wanted.find((each) => splits.has(each))
  const longer = [...splits.keys()].filter((each) => wanted.some((end) => each.endsWith(`-${end}`)))
  const [found, more] = exact !== undefined ? [exact] : longer
  if (found !== undefined && more === undefined) return splits.get(found)!
  const kind = form === images ? 'pictures' : 'labels'
  throw new PipiloError(
    'INPUT_INVALID',
    `${folder} has ${more === undefined ? 'no' : 'several'} idx files of ${kind} for the split ${split}.`,
    {
      input: split,
      hint: `It has ${[...splits.keys()].join(', ') || 'none'}. Say which, as in split: 'test'.`,
    },
  )
}

function splitIn(name: string, form: RegExp): [string, string][] {
  const match = form.exec(name)
  return match ? [[match[1] ?? '', name]] : []
}

interface Idx {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

async function readIdx(folder: string, name: string, dimensions: number): Promise<Idx> {
  const fault = (what: string) =>
    new PipiloError('FORMAT_INVALID', `${name} is no idx file of bytes: ${what}.`, {
      input: join(folder, name),
    })
  const stored = await readFile(join(folder, name))
  const bytes = name.endsWith('.gz')
    ? await promisify<Buffer, ZlibOptions, Buffer>(gunzip)(stored, {
        // Pictures of digits are some five times smaller, and a bomb a thousand times.
        maxOutputLength: Math.max(2 ** 26, 200 * stored.length),
      }).catch((cause: Error) => {
        throw fault(`it cannot be unpacked, ${cause.message}`)
      })
    : stored
  const head = 4 + 4 * dimensions
  if (bytes.length < head) throw fault('it is too short')
  // Two zeros, the type (8 is unsigned bytes), the number of dimensions.
  if (bytes.readUInt32BE(0) !== 0x800 + dimensions)
    throw fault(`it begins with ${bytes.toString('hex', 0, 4)}`)
  const shape = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i))
  const wanted = shape.reduce((a, b) => a * b, 1)
  if (bytes.length !== head + wanted) {
    throw fault(`it says [${shape.join(', ')}] and has ${bytes.length - head} bytes`)
  }
  return { name, shape, data: bytes.subarray(head) }
}
