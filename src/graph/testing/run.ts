/** For this room's tests only: runs a graph on ONNX Runtime, and reads the reference numbers of `testdata/`. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as ort from 'onnxruntime-node'
import { type DType, elementCount, type Tensor, tensor } from '../../tensor/index.ts'
import { encodeOnnx } from '../onnx/index.ts'
import type { Graph } from '../types.ts'

/** Path of a file in `testdata/`. */
export function testdata(name: string): string {
  return fileURLToPath(new URL(`../testdata/${name}`, import.meta.url))
}

/** Runs a graph once and returns its outputs. */
export async function run(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(encodeOnnx(graph), {
    logSeverityLevel: 3,
    // As the runtime has it: without it, products of bytes saturate on processors without integer dot products.
    extra: { session: { x64quantprecision: '1' } },
  })
  try {
    const given = Object.entries(feeds).map(([name, { dtype, data, shape }]) => {
      const value = new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
      return [name, value] as const
    })
    const results = await session.run(Object.fromEntries(given))
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, dims, data }]) => [
        name,
        { dtype: type as DType, shape: dims, data: data as Tensor['data'] },
      ]),
    )
  } finally {
    await session.release()
  }
}

interface Plain {
  readonly dtype: DType
  readonly shape: number[]
  readonly data: number[]
}

/** Inputs and values of a network as ONNX's reference evaluator computed them. */
export function reference(name: string): {
  feeds: Record<string, Tensor>
  values: Record<string, Tensor>
} {
  const record = JSON.parse(readFileSync(testdata(`${name}.json`), 'utf8')) as Record<
    'feeds' | 'values',
    Record<string, Plain>
  >
  const tensors = (plain: Record<string, Plain>) =>
    Object.fromEntries(
      Object.entries(plain).map(([key, { dtype, shape, data }]) => [key, tensor(dtype, shape, data)]),
    )
  return { feeds: tensors(record.feeds), values: tensors(record.values) }
}

/** The largest difference of two tensors of one shape, relative to the largest magnitude of the second. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  let difference = 0
  let largest = Number.MIN_VALUE
  for (let i = 0; i < elementCount(expected.shape); i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
    largest = Math.max(largest, Math.abs(b[i]!))
  }
  return difference / largest
}
