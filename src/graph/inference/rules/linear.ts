/** Matrix products. */
import type { DType } from '../../../tensor/index.ts'
import type { Dimension, Shape } from '../../types.ts'
import { broadcast, type Call, type Rule, tensor } from '../rule.ts'

/** The shape of `a @ b` by NumPy's rules. */
export function matMulShape(call: Call, a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b) return undefined
  if (a.length === 0 || b.length === 0) throw call.error('a scalar has no matrix product')
  const left = a.length === 1 ? [1, ...a] : a
  const right = b.length === 1 ? [...b, 1] : b
  call.same(left.at(-1), right.at(-2), 'inner sizes')
  const batch = broadcast(call, left.slice(0, -2), right.slice(0, -2))!
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])]
}

const matMul: Rule = (call) => [tensor(call.sameDtype(0, 1), matMulShape(call, call.shape(0), call.shape(1)))]

const integer =
  (a: number, b: number, dtype: DType): Rule =>
  (call) => [tensor(dtype, matMulShape(call, call.shape(a), call.shape(b)))]

const gemm: Rule = (call) => {
  const dtype = call.sameDtype(0, 1, 2)
  const [a, b] = [call.shape(0), call.shape(1)]
  if (!a || !b) return [tensor(dtype)]
  if (a.length !== 2 || b.length !== 2) throw call.error('both must be matrices')
  const [rows, inner] = call.int('transA', 0) ? [a[1]!, a[0]!] : [a[0]!, a[1]!]
  const [depth, columns] = call.int('transB', 0) ? [b[1]!, b[0]!] : [b[0]!, b[1]!]
  call.same(inner, depth, 'inner sizes')
  const c = call.shape(2)
  if (c) {
    const whole = broadcast(call, [rows, columns], c)!
    if (whole.length !== 2) throw call.error('the third must broadcast to the product')
  }
  return [tensor(dtype, [rows, columns])]
}

const einsum: Rule = (call) => {
  const dtype = call.dtype(0)
  const [left = '', right] = (call.string('equation') ?? '').replace(/\s/g, '').split('->')
  const terms = left.split(',')
  const sizes = new Map<string, Dimension>()
  let batch: Shape = []
  for (const [index, term] of terms.entries()) {
    const shape = call.shape(index)
    if (!shape) return [tensor(dtype)]
    const letters = term.replace('...', '')
    const extra = shape.length - letters.length
    if (extra < 0 || (extra > 0 && !term.includes('...')))
      throw call.error(`${term} names ${letters.length} axes`)
    const ellipsis = term.indexOf('...')
    if (ellipsis >= 0) batch = broadcast(call, batch, shape.slice(ellipsis, ellipsis + extra))!
    for (const [i, letter] of [...letters].entries()) {
      const dimension = shape[ellipsis >= 0 && i >= ellipsis ? i + extra : i]!
      const known = sizes.get(letter)
      if (known !== 1 && dimension !== 1) call.same(known, dimension, `size of ${letter}`)
      if (known === undefined || known === 1 || typeof known === 'string') sizes.set(letter, dimension)
    }
  }
  const once = [...sizes.keys()].filter((letter) => left.split(letter).length === 2).sort()
  const output = right ?? (left.includes('...') ? '...' : '') + once.join('')
  const at = output.indexOf('...')
  const named = [...output.replace('...', '')].map((letter) => sizes.get(letter) ?? '')
  return [tensor(dtype, at < 0 ? named : [...named.slice(0, at), ...batch, ...named.slice(at)])]
}

export const linear = {
  MatMul: matMul,
  Gemm: gemm,
  Einsum: einsum,
  MatMulInteger: integer(0, 1, 'int32'),
  QLinearMatMul: (call) => [tensor(call.dtype(7), matMulShape(call, call.shape(0), call.shape(3)))],
  Det: (call) => [tensor(call.dtype(0), call.shape(0)?.slice(0, -2))],
} satisfies Readonly<Record<string, Rule>>
