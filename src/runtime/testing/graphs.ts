// Small graphs for the tests of this room.
import { Builder, type Graph, op } from '../../graph/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'

/** `y = x + [1, 2]`, x of [rows, 2]. */
export function addition(): Graph {
  const builder = new Builder({ name: 'addition' })
  const x = builder.input('x', 'float32', ['rows', 2])
  const bias = builder.initializer('bias', tensor('float32', [2], [1, 2]))
  builder.output('y', op.add(x, bias))
  return builder.build()
}

/** Rows of two numbers. */
export function rows(...numbers: number[]): Tensor {
  return tensor('float32', [numbers.length / 2, 2], Float32Array.from(numbers))
}

/** `y = x · weightᵀ`, as PyTorch's Linear without a bias. */
export function linear(weight: Tensor | Parameters<Builder['initializer']>[1]): Graph {
  const builder = new Builder({ name: 'linear' })
  const [, inputs] = weight.shape as [number, number]
  const x = builder.input('x', 'float32', ['rows', inputs])
  const stored = builder.initializer('weight', weight)
  const float = weight.dtype === 'float32' ? stored : op.cast(stored, 'float32')
  builder.output('y', op.matMul(x, op.transpose(float, [1, 0])))
  return builder.build()
}

/** Runs for about a second: products of `size` × `size` matrices, one after the other. */
export function slow(times: number, size = 512): Graph {
  const builder = new Builder({ name: 'slow' })
  const x = builder.input('x', 'float32', [size, size])
  let y = x
  for (let i = 0; i < times; i++) y = op.matMul(y, x)
  builder.output('y', y)
  return builder.build()
}
