// Measures the rate of one large MatMul in ONNX Runtime, the machine's practical limit.
import * as ort from 'onnxruntime-node'
import { Builder, encodeOnnx, op } from 'pipilo/graph'

/** The rate of one large MatMul (2048 × 2048 × 2048, float32) on all processors, in GFLOP/s: best of ten. */
export async function matMulRate(size = 2048): Promise<number> {
  const b = new Builder({ name: 'matmul' })
  const x = b.input('x', 'float32', [size, size])
  const y = b.input('y', 'float32', [size, size])
  b.output('z', op.matMul(x, y))
  const session = await ort.InferenceSession.create(encodeOnnx(b.build()))
  const tensor = () =>
    new ort.Tensor('float32', Float32Array.from({ length: size * size }, Math.random), [size, size])
  const feeds = { x: tensor(), y: tensor() }
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < 11; run++) {
    const start = performance.now()
    await session.run(feeds)
    least = Math.min(least, performance.now() - start)
  }
  await session.release()
  return (2 * size ** 3) / least / 1e6
}
