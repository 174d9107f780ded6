import type { Run, Sample } from '../graph/index.ts'
import { evaluate, readNote, writeNote } from '../runtime/index.ts'
import { type Tensor, tensor } from '../tensor/index.ts'
import { isChannelsLast, pictureInput } from './embedding.ts'
import type { Model } from './types.ts'

/**
 * Feeds of pictures, which calibrate a model's convolutions.
 *
 * @param pictures RGB bytes of height × width × 3, of the size that the model's card says. Default: patchworks made here, of
 *   many sizes on each other, as in photographs the coarser the stronger; MobileNetV2 so calibrated is as near to float as
 *   with photographs (`bench/int8.ts`)
 * @returns nothing for models that take no pictures, or none of a fixed size
 */
export function pictureSamples({ modality, graph, card }: Model, pictures?: readonly Uint8Array[]): Sample[] {
  if (modality !== 'image' || !card.image) return []
  const input = graph.inputs.find(({ name }) => name === pictureInput(graph))
  const shape = input?.type?.kind === 'tensor' ? input.type.shape : undefined
  if (!input || !shape || (input.type?.kind === 'tensor' && input.type.dtype !== 'float32')) return []
  const [height, width] = card.image.size
  const last = isChannelsLast({ shape })
  const { mean, std } = card.image
  const count = pictures?.length ?? PICTURES
  // Several at a time, where the model takes several: a graph is compiled for each run.
  const [free = 1] = shape
  const most = typeof free === 'number' ? 1 : PICTURES
  const each = 3 * height * width
  return Array.from({ length: Math.ceil(count / most) }, (_, batch): Sample => {
    const size = Math.min(most, count - batch * most)
    const data = new Float32Array(size * each)
    for (let row = 0; row < size; row++) {
      const index = batch * most + row
      const own = pictures?.[index]
      const pixels = own ? Float32Array.from(own, (byte) => byte / 255) : patchwork(height, width, index)
      for (let i = 0; i < each; i++) {
        const channel = i % 3
        const place = last ? i : channel * height * width + Math.floor(i / 3)
        data[row * each + place] = (pixels[i]! - mean[channel]!) / std[channel]!
      }
    }
    const sizes = last ? [height, width, 3] : [3, height, width]
    return { [input.name]: tensor('float32', [size, ...sizes], data) }
  })
}

const PICTURES = 8

/** Height × width × 3 numbers from 0 to 1. */
function patchwork(height: number, width: number, seed: number): Float32Array {
  let state = seed + 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const numbers = new Float32Array(3 * height * width)
  // The fall of the strength from coarse to fine differs from picture to picture: flat ones, sharp ones, noise.
  const fall = (seed % 3) / 3
  for (let octave = 0; octave < 7; octave++) {
    const patches = 2 << octave
    const colours = Float32Array.from({ length: 3 * patches * patches }, next)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const patch = Math.floor((y * patches) / height) * patches + Math.floor((x * patches) / width)
        for (let channel = 0; channel < 3; channel++)
          numbers[(y * width + x) * 3 + channel]! += colours[patch * 3 + channel]! * 2 ** (-octave * fall)
      }
  }
  let [least, most] = [Infinity, -Infinity]
  for (const number of numbers) {
    least = Math.min(least, number)
    most = Math.max(most, number)
  }
  return numbers.map((number) => (number - least) / (most - least))
}

/**
 * A way to run graphs that remembers its few small results, in order, so that a later process calibrates without running.
 *
 * @param key what was run, and on what
 */
export async function remembered(key: string): Promise<{ run: Run; keep(): Promise<void> }> {
  const known = (await readNote(key)) as Record<string, Plain>[] | undefined
  const results: Record<string, Plain>[] = []
  let next = 0
  return {
    async run(graph, feeds) {
      const old = known?.[next++]
      if (old) return fromPlain(old)
      const made = await evaluate(graph, feeds)
      results.push(toPlain(made))
      return made
    },
    async keep() {
      if (results.length > 0) await writeNote(key, results)
    },
  }
}

interface Plain {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

function toPlain(made: Readonly<Record<string, Tensor>>): Record<string, Plain> {
  const plain = ({ shape, data }: Tensor) => ({ shape, data: Array.from(data as Float32Array) })
  return Object.fromEntries(Object.entries(made).map(([name, one]) => [name, plain(one)]))
}

function fromPlain(plain: Record<string, Plain>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(plain).map(([name, { shape, data }]) => [name, tensor('float32', shape, data)]),
  )
}
