// For tests only: runs a graph one node at a time, so that each value has the dtype that the graph gives it.
import * as ort from 'onnxruntime-node'
import type { DType, Tensor } from '../../tensor/index.ts'
import { encodeOnnx, loadTensor } from '../onnx/index.ts'
import { reads } from '../passes/walk.ts'
import type { Graph, Initializer } from '../types.ts'

/**
 * Runs a graph node by node, each in a session of its own.
 *
 * ONNX Runtime's CPU has no arithmetic in float16: in one session it computes in float32 from end to end and drops the casts
 * between, so that nothing is rounded and nothing overflows. From session to session, every half is one.
 *
 * @returns the outputs, and the number of halves' tensors and the bits of their largest magnitude; 0x7c00 is infinite
 */
export async function nodeByNode(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<{ outputs: Record<string, Tensor>; largestHalf: number; halves: number }> {
  const values = new Map<string, Initializer>([...graph.initializers, ...Object.entries(feeds)])
  let [largestHalf, halves] = [0, 0]
  for (const node of graph.nodes) {
    const names = [...new Set(reads(node))]
    const part: Graph = {
      ...graph,
      nodes: [node],
      inputs: [],
      outputs: node.outputs.filter((name) => name !== '').map((name) => ({ name })),
      values: new Map(),
      initializers: new Map(),
    }
    const given: Record<string, ort.Tensor> = {}
    const inputs = []
    for (const name of names) {
      const value = await loadTensor(values.get(name)!)
      values.set(name, value)
      // Lists and scalars stay constants: some operators want theirs so.
      if (value.shape.length < 2 && graph.initializers.has(name)) {
        part.initializers instanceof Map && part.initializers.set(name, value)
        continue
      }
      inputs.push({ name, type: { kind: 'tensor', dtype: value.dtype } } as const)
      given[name] = toNative(value)
    }
    const session = await ort.InferenceSession.create(encodeOnnx({ ...part, inputs }), {
      logSeverityLevel: 4,
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
    })
    const results = await session.run(given)
    await session.release()
    for (const [name, { type, dims, data }] of Object.entries(results)) {
      const plain = data as unknown as Uint16Array
      const bits = type === 'float16' ? new Uint16Array(plain.buffer, plain.byteOffset, plain.length) : plain
      values.set(name, { dtype: type as DType, shape: dims, data: bits })
      if (type !== 'float16') continue
      halves++
      for (const half of bits) largestHalf = Math.max(largestHalf, half & 0x7fff)
    }
  }
  const outputs = Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name) as Tensor]))
  return { outputs, largestHalf, halves }
}

function toNative({ dtype, shape, data }: Tensor): ort.Tensor {
  if (dtype === 'float16')
    return Object.assign(new ort.Tensor('uint16', data as Uint16Array, shape), { type: 'float16' })
  return new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
}
