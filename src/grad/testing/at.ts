// For tests only: the gradient of a sum by one input, as numbers.
import { Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'

/** The gradient of `Σ weights · y` (default: all 1) by `x`. */
export async function gradientsOf(
  build: (x: Value) => Value,
  x: Tensor,
  weights?: Tensor,
): Promise<number[]> {
  const b = new Builder()
  const y = build(b.input('x', x.dtype, x.shape))
  b.output('loss', op.reduceSum(weights ? op.mul(y, b.constant(weights)) : y))
  const results = await evaluate(grad(b.build(), { of: 'loss', by: ['x'] }), { x: structuredClone(x) })
  return Array.from(results['x.grad']!.data as Float32Array, (value) => value + 0)
}
