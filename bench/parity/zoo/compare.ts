/** Helpers of the harnesses of this folder: distance of numbers from the reference's, and reading of tensors. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Initializer } from '../../../src/graph/index.ts'
import type { FileTensor, Tensor } from '../../../src/tensor/index.ts'

export interface Distance {
  readonly cosine: number
  /** The largest difference over the largest deviation of the reference from its mean. */
  readonly error: number
}

/** The farthest of several values. */
export interface Comparison extends Distance {
  /** How many values were compared. */
  readonly outputs: number
  /** The value that does not agree, and by how much. */
  readonly failure?: string
}

export const agrees = ({ cosine, error }: Distance) => cosine >= 0.9999 && error <= 1e-4

/** Both NaN where shapes differ or a number is not finite. */
export function distanceOf(actual: Tensor, expected: Tensor): Distance {
  const none = { cosine: Number.NaN, error: Number.NaN }
  if (`${actual.shape}` !== `${expected.shape}`) return none
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  const mean = b.reduce((sum, value) => sum + value, 0) / b.length
  let [product, aa, bb, difference, deviation, magnitude] = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!]
    if (!Number.isFinite(x)) return none
    product += x * y
    aa += x * x
    bb += y * y
    difference = Math.max(difference, Math.abs(x - y))
    deviation = Math.max(deviation, Math.abs(y - mean))
    magnitude = Math.max(magnitude, Math.abs(y))
  }
  // The deviation is zero if all are the same, as weights of a single token are.
  const scale = deviation > 1e-6 * magnitude ? deviation : magnitude || 1
  return { cosine: aa === 0 && bb === 0 ? 1 : product / Math.sqrt(aa * bb), error: difference / scale }
}

/** Compares what was asked for by name with the reference of that name. */
export function compareAll(
  expected: ReadonlyMap<string, Tensor>,
  actual: (name: string) => Tensor,
): Comparison {
  let [cosine, error] = [1, 0]
  for (const [name, wanted] of expected) {
    const found = actual(name)
    const distance = distanceOf(found, wanted)
    cosine = Math.min(cosine, distance.cosine)
    error = Math.max(error, distance.error)
    if (!agrees(distance)) {
      const failure = `${name}: cosine ${distance.cosine}, error ${distance.error}, [${found.shape}] for [${wanted.shape}]`
      return { cosine, error, outputs: expected.size, failure }
    }
  }
  return { cosine, error, outputs: expected.size }
}

/** A tensor of a safetensors file in memory. */
export function readTensor({ dtype, shape, file }: FileTensor): Tensor {
  const bytes = readFileSync(file.path).subarray(file.offset, file.offset + file.length)
  const { buffer } = Uint8Array.from(bytes)
  return dtype === 'int64'
    ? { dtype, shape, data: new BigInt64Array(buffer) }
    : { dtype: 'float32', shape, data: new Float32Array(buffer) }
}

/** A checkpoint of names and shapes, whose numbers are never read but those of one element. */
export function withoutNumbers(
  shapes: Readonly<Record<string, readonly number[]>>,
): Map<string, Initializer> {
  const file = { path: '/nowhere', offset: 0, length: 0 }
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      shape.every((size) => size === 1)
        ? { dtype: 'float32', shape, data: new Float32Array(1) }
        : { dtype: 'float32', shape, file },
    ]),
  )
}

/** @throws Error where tensors of the checkpoint were not asked for */
export function expectAllUsed({ unused }: { readonly unused: readonly string[] }): void {
  if (unused.length > 0) throw new Error(`unused: ${unused.slice(0, 5).join(', ')}`)
}

/** Answers each line of standard input, a JSON object, with one. */
export async function answerLines<Request>(answer: (request: Request) => unknown): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    let found: unknown
    try {
      found = await answer(JSON.parse(line) as Request)
    } catch (error) {
      found = { failure: `${error instanceof Error ? error.message : error}`.slice(0, 400) }
    }
    process.stdout.write(`${JSON.stringify(found)}\n`)
  }
}
