import { expect, it } from 'vitest'
import { inHalf } from '../../graph/index.ts'
import { nodeByNode } from '../../graph/testing/nodeByNode.ts'
import { evaluate, keepDerived } from '../../runtime/index.ts'
import { cosineSimilarity, type Tensor, tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'

// "A man is playing a guitar." and "The cat sat.", padded.
const rows = [
  [101, 1037, 2158, 2003, 2652, 1037, 2858, 1012, 102],
  [101, 1996, 4937, 2938, 1012, 102, 0, 0, 0],
]
const integers = (numbers: number[]) => tensor('int64', [2, 9], numbers)
const sentences = {
  input_ids: integers(rows.flat()),
  attention_mask: integers(rows.flat().map((id) => (id === 0 ? 0 : 1))),
  token_type_ids: integers(rows.flat().map(() => 0)),
}

const side = 224
const picture = {
  pixels: tensor(
    'uint8',
    [1, side, side, 3],
    Uint8Array.from({ length: side * side * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)]
      return 128 + 90 * Math.sin(x / (9 + (i % 3) * 7)) * Math.cos(y / 23) + (x - y) / 8
    }),
  ),
}

const vectors = ({ shape, data }: Tensor) =>
  Array.from({ length: shape[0]! }, (_, i) =>
    (data as Float32Array).subarray(i * shape[1]!, (i + 1) * shape[1]!),
  )

it.each([
  ['all-MiniLM-L6-v2', sentences],
  ['mobilenet-v2', picture],
] as const)('%s in half has the vectors of float32, and no half is infinite', async (name, feeds) => {
  const graph = (await open(name)).embedding()
  const half = await inHalf(graph, { place: keepDerived() })
  const [here, there] = [await evaluate(graph, { ...feeds }), await evaluate(half, { ...feeds })]
  const { outputs, halves, largestHalf } = await nodeByNode(half, { ...feeds })
  expect([...half.initializers.values()].filter((one) => 'file' in one).length).toBeGreaterThan(10)
  expect(largestHalf).toBeLessThan(0x7c00)
  expect(halves).toBeGreaterThan(100)
  const exact = vectors(here['embedding']!)
  for (const other of [there, outputs])
    for (const [i, vector] of vectors(other['embedding']!).entries())
      expect(cosineSimilarity(vector, exact[i]!)).toBeGreaterThan(0.999)
  // The weights of products are halves: nothing is left between them and their use.
  const heavy = half.nodes.filter(({ op }) => /^(MatMul|Gemm|Conv)$/.test(op))
  const casts = new Map(half.nodes.filter(({ op }) => op === 'Cast').map((node) => [node.outputs[0]!, node]))
  for (const { inputs } of heavy)
    expect(half.initializers.get(casts.get(inputs[1]!)?.inputs[0] ?? '')).toBeUndefined()
})
