// A graph from an `.onnx` file on a disk.
import { realpath } from 'node:fs/promises'
import { readOnnx } from '../../graph/files/index.ts'
import type { Graph, Initializer } from '../../graph/index.ts'

/** Reads the file; its weights stay where they are, by their real paths. */
export async function readGraph(path: string): Promise<Graph> {
  return withRealPaths(await readOnnx(path))
}

/** The hub's cache holds symbolic links, behind which ONNX Runtime refuses to look for weights. */
async function withRealPaths(graph: Graph): Promise<Graph> {
  const real = new Map<string, string>()
  const initializers = new Map<string, Initializer>()
  for (const [name, tensor] of graph.initializers) {
    if (!('file' in tensor)) {
      initializers.set(name, tensor)
      continue
    }
    const { path } = tensor.file
    const resolved = real.get(path) ?? (await realpath(path))
    real.set(path, resolved)
    initializers.set(name, { ...tensor, file: { ...tensor.file, path: resolved } })
  }
  return { ...graph, initializers }
}
