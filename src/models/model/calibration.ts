// Feeds of pictures that calibrate int8 models, made here or given, and the memory of their results.
import type { Run, Sample } from '../../graph/index.ts'
import { evaluate, type Isolation, readNote, writeNote } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import type { Model } from '../types.ts'
import { rowsAtATime } from './batch.ts'
import { findPictureInput } from './pictureInput.ts'

/**
 * Feeds of pictures, which calibrate a model's convolutions.
 *
 * @param pictures RGB bytes of height × width × 3, of the size that the model's card says. Default: eight made here. With these,
 *   cosines over 144 photographs and drawings are 0.999 on average and 0.995 at least for MobileNetV2, 0.995 and 0.959 for
 *   EfficientNet-lite0 (its least one is dry grass, all texture); with mere patches of colours the latter was at 0.982 and
 *   0.932 (`bench/int8.ts`)
 * @returns nothing for models that take no pictures, or none of a fixed size
 */
export function pictureSamples({ modality, graph, card }: Model, pictures?: readonly Uint8Array[]): Sample[] {
  if (modality !== 'image' || !card.image) return []
  const input = findPictureInput(graph, true)
  // Values of further inputs are not known here.
  if (input?.dtype !== 'float32' || graph.inputs.length > 1) return []
  const [height, width] = card.image.size
  const { mean, std } = card.image
  const { channels, channelsLast: last } = input
  const count = pictures?.length ?? PICTURES
  // Several at a time, where the model takes several: a graph is compiled for each run.
  const rows = rowsAtATime(graph)
  const most = rows ?? PICTURES
  const each = channels * height * width
  return Array.from({ length: Math.ceil(count / most) }, (_, batch): Sample => {
    // A number that is fixed is filled up with the last one.
    const size = rows ?? Math.min(most, count - batch * most)
    const data = new Float32Array(size * each)
    for (let row = 0; row < size; row++) {
      const index = Math.min(batch * most + row, count - 1)
      const own = pictures?.[index]
      const colours = own ? Float32Array.from(own, (byte) => byte / 255) : leaves(height, width, index)
      const pixels = channels === 1 ? grey(colours) : colours
      for (let i = 0; i < each; i++) {
        const channel = i % channels
        const place = last ? i : channel * height * width + Math.floor(i / channels)
        data[row * each + place] = (pixels[i]! - mean[channel]!) / std[channel]!
      }
    }
    const sizes = last ? [height, width, channels] : [channels, height, width]
    return { [input.name]: tensor('float32', [size, ...sizes], data) }
  })
}

const PICTURES = 8

function grey(colours: Float32Array): Float32Array {
  return Float32Array.from(
    { length: colours.length / 3 },
    (_, i) => 0.299 * colours[3 * i]! + 0.587 * colours[3 * i + 1]! + 0.114 * colours[3 * i + 2]!,
  )
}

/**
 * A picture of dead leaves, height × width × 3 numbers from 0 to 1: discs on discs, small ones more often, as things in
 * photographs hide each other (Lee, Mumford & Huang 2001, "Occlusion Models for Natural Images"), each with its colour,
 * its light and its grain.
 */
function leaves(height: number, width: number, seed: number): Float32Array {
  let state = (seed + 1) * 0x9e3779b9
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const numbers = new Float32Array(3 * height * width)
  const side = Math.max(height, width)
  for (let leaf = 0; leaf < LEAVES; leaf++) {
    // The first ones cover all, the others are a power law: radii from a 60th of the side to a half.
    const radius = leaf < 4 ? 2 * side : side / Math.sqrt(4 + next() * 3600)
    const [x0, y0] = [next() * width, next() * height]
    const light = next()
    const colours = [0, 1, 2].map(() => light + (next() - 0.5) / 2)
    const [dx, dy] = [(next() - 0.5) / radius, (next() - 0.5) / radius]
    const grain = next() < 0.5 ? 0 : 0.3 * next()
    const [top, bottom] = [Math.max(0, Math.ceil(y0 - radius)), Math.min(height - 1, Math.floor(y0 + radius))]
    for (let y = top; y <= bottom; y++) {
      const half = Math.sqrt(radius ** 2 - (y - y0) ** 2)
      const [left, right] = [Math.max(0, Math.ceil(x0 - half)), Math.min(width - 1, Math.floor(x0 + half))]
      for (let x = left; x <= right; x++) {
        const shade = (x - x0) * dx * 0.6 + (y - y0) * dy * 0.6 + (grain === 0 ? 0 : (next() - 0.5) * grain)
        for (let channel = 0; channel < 3; channel++)
          numbers[(y * width + x) * 3 + channel] = Math.min(1, Math.max(0, colours[channel]! + shade))
      }
    }
  }
  return numbers
}

const LEAVES = 2000

/**
 * A function that runs graphs and remembers its few small results, in order, so that a later process calibrates without running.
 *
 * @param key what was run, and on what
 * @param isolate run in a child process
 */
export async function remembered(
  key: string,
  isolate: Isolation = false,
): Promise<{ run: Run; keep(): Promise<void> }> {
  const known = (await readNote(key)) as Record<string, Plain>[] | undefined
  const results: Record<string, Plain>[] = []
  let next = 0
  return {
    async run(graph, feeds) {
      const old = known?.[next++]
      if (old) return fromPlain(old)
      const made = await evaluate(graph, feeds, { isolate })
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
