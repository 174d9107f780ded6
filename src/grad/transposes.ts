/** Products whose transpose is another product. */
import { op, type Value } from '../graph/index.ts'

/** The last two axes swapped. Directly before a MatMul, ONNX Runtime makes it a part of the product. */
export function swapped(x: Value): Value {
  const last = x.shape.length - 1
  const order = [...x.shape.keys()].slice(0, -2)
  return op.transpose(x, [...order, last, last - 1])
}

const others = new WeakMap<Value, () => Value>()

/**
 * `a b`, of which {@link swappedProduct} knows that swapped it is `bᵀ aᵀ`: so the gradient by a weight behind a Transpose needs none.
 *
 * @param transposed operands that are swapped first
 */
export function productOf(a: Value, b: Value, transposed: 'a' | 'b'): Value {
  const [left, right] = [transposed === 'a' ? swapped(a) : a, transposed === 'b' ? swapped(b) : b]
  const result = op.matMul(left, right)
  others.set(result, () => (transposed === 'a' ? op.matMul(swapped(b), a) : op.matMul(b, swapped(a))))
  return result
}

/** A {@link productOf} with its last two axes swapped, at the cost of another product instead; `undefined` for other values. */
export function swappedProduct(x: Value): Value | undefined {
  return others.get(x)?.()
}
