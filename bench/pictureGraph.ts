// Graphs of picture models, and the side of the pictures that they take.
import { fileURLToPath } from 'node:url'
import { open } from '../src/models/index.ts'

/** A model of the package nsfwjs. */
export const nsfw = (model: string) =>
  `file:${fileURLToPath(new URL(`../node_modules/nsfwjs/dist/models/${model}`, import.meta.url))}`

export async function graphOf(source: string) {
  const model = await open(source)
  const type = model.graph.inputs[0]?.type
  const [, , side] = type?.kind === 'tensor' ? (type.shape ?? []) : []
  const size = typeof side === 'number' ? side : 224
  return { graph: model.graph, size }
}
