// Fixtures of vision models with PyTorch's results.
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Graph, loadTensor } from '../../graph/index.ts'
import { compile } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { readSafetensors } from '../sources/safetensorsFile.ts'
import type { Model } from '../types.ts'
import { testdata } from './fixtures.ts'

/** Folder of one of the models that testdata/make_vision_models.py makes. */
export const vision = (name: string): string => testdata(join('vision', name))

/** PyTorch's results with such a model. */
export async function references(name: string): Promise<Map<string, Tensor>> {
  const { tensors } = await readSafetensors(join(vision(name), 'references.safetensors'))
  const loaded = [...tensors].map(async ([key, value]) => [key, await loadTensor(value)] as const)
  return new Map(await Promise.all(loaded))
}

/** The picture of the references, as the script makes it. */
export function picture(height = 32, width = 32): Tensor {
  const values = Float32Array.from({ length: 3 * height * width }, (_, i) => Math.sin(i ** 2 * 0.37))
  return tensor('float32', [1, 3, height, width], values)
}

/** Outputs of a graph in the order of their names there. */
export async function run(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await compile(graph, { workers: 0 })
  const results = await session.run(feeds)
  await session.dispose()
  return results
}

/** The values of layers, by the names that they are asked for. */
export async function valuesOf(
  model: Model,
  layers: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Map<string, Tensor>> {
  const tapped = model.tap(...layers)
  const results = await run(tapped.graph, feeds)
  return new Map(layers.map((layer) => [layer, results[model.cut(layer).graph.outputs[0]!.name]!]))
}

/** Equal shapes (axes of 1 aside), cosine at least 0.9999, error at most 1e-4 of the largest number. */
export function expectEqual(found: Tensor | undefined, expected: Tensor | undefined, what: string): void {
  const wide = (shape: readonly number[] = []) => shape.filter((size) => size !== 1)
  expect(wide(found?.shape), what).toEqual(wide(expected?.shape))
  const [a, b] = [found!.data as Float32Array, expected!.data as Float32Array]
  let [product, aa, bb, difference, largest] = [0, 0, 0, 0, 0]
  for (let i = 0; i < b.length; i++) {
    product += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
    largest = Math.max(largest, Math.abs(b[i]!))
  }
  expect(product / Math.sqrt(aa * bb), what).toBeGreaterThan(0.9999)
  expect(difference / largest, what).toBeLessThan(1e-4)
}
