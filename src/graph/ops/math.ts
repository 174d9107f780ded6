/** Arithmetic, comparison and logic, element by element with broadcasting. */
import { PipiloError } from '../../base/index.ts'
import type { DType } from '../../tensor/index.ts'
import type { Value } from '../builder.ts'
import { dataType } from '../onnx/schema.ts'
import { apply, int, type Operand, operand, pair, string } from './apply.ts'
import type { EmittedOperator } from './emitted.ts'

const binary = (op: EmittedOperator) => (a: Operand, b: Operand) => apply(op, pair(op, a, b))
const unary = (op: EmittedOperator) => (x: Value) => apply(op, [x])

/** `a + b`, broadcasting. Numbers become constants of the other operand's dtype. */
export const add = binary('Add')
/** `a - b`, broadcasting. */
export const sub = binary('Sub')
/** `a · b`, broadcasting. */
export const mul = binary('Mul')
/** `a / b`, broadcasting; truncates for integers. */
export const div = binary('Div')
/** `a` to the power of `b`, broadcasting. */
export const pow = binary('Pow')
/** Sum of all of them, broadcasting. */
export const sum = (first: Value, ...others: Value[]) => apply('Sum', [first, ...others])
/** Elementwise maximum of two. */
export const max = binary('Max')
/** Elementwise minimum of two. */
export const min = binary('Min')
/** Remainder: with the divisor's sign, or as C's `fmod` when `fmod` is set (floats need it). */
export function mod(a: Operand, b: Operand, options: { readonly fmod?: boolean } = {}): Value {
  return apply('Mod', pair('Mod', a, b), { fmod: int(options.fmod) })
}

/** `a = b` as bool. */
export const equal = binary('Equal')
/** `a < b` as bool. */
export const less = binary('Less')
/** `a ≤ b` as bool (operator set 12). */
export const lessOrEqual = binary('LessOrEqual')
/** `a > b` as bool. */
export const greater = binary('Greater')
/** `a ≥ b` as bool (operator set 12). */
export const greaterOrEqual = binary('GreaterOrEqual')

/** Both, of bools. */
export const and = (a: Value, b: Value) => apply('And', [a, b])
/** Either, of bools. */
export const or = (a: Value, b: Value) => apply('Or', [a, b])
/** One but not both, of bools. */
export const xor = (a: Value, b: Value) => apply('Xor', [a, b])
/** The opposite, of bools. */
export const not = unary('Not')

/** `condition ? a : b`, broadcasting all three. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  return apply('Where', [condition, ...pair('Where', a, b)])
}

/** `-x` */
export const neg = unary('Neg')
/** `|x|` */
export const abs = unary('Abs')
/** -1, 0 or 1. */
export const sign = unary('Sign')
/** Square root. */
export const sqrt = unary('Sqrt')
/** `1 / x` */
export const reciprocal = unary('Reciprocal')
/** `eˣ` */
export const exp = unary('Exp')
/** Natural logarithm. */
export const log = unary('Log')
/** Rounds down. */
export const floor = unary('Floor')
/** Rounds up. */
export const ceil = unary('Ceil')
/** Rounds to the nearest, halves to even. */
export const round = unary('Round')
/** Sine, of radians. */
export const sin = unary('Sin')
/** Cosine, of radians. */
export const cos = unary('Cos')
/** The error function. */
export const erf = unary('Erf')
/** True where an element is NaN, as bool. */
export const isNotANumber = unary('IsNaN')

/** Limits to `[low, high]`; either may be left out. */
export function clip(x: Value, low?: Operand, high?: Operand): Value {
  if (x.builder.opset < 11) {
    if ((low !== undefined && typeof low !== 'number') || (high !== undefined && typeof high !== 'number')) {
      throw new PipiloError('OPERATOR_UNSUPPORTED', 'Before operator set 11 the limits of Clip are numbers.')
    }
    return apply('Clip', [x], {
      min: low === undefined ? undefined : { type: 'float', value: low },
      max: high === undefined ? undefined : { type: 'float', value: high },
    })
  }
  const bound = (limit: Operand | undefined) => (limit === undefined ? undefined : operand(limit, x))
  return apply('Clip', [x, bound(low), bound(high)])
}

/** `x` as another dtype; `x` itself when it is that already. */
export function cast(x: Value, dtype: DType): Value {
  if (x.type?.kind === 'tensor' && x.dtype === dtype) return x
  return apply('Cast', [x], { to: int(dataType(dtype)) })
}

/** Matrix product by NumPy's rules: leading axes broadcast. */
export function matMul(a: Value, b: Value): Value {
  return apply('MatMul', [a, b])
}

/** `alpha · a b + beta · c` of matrices, either transposed first. */
export function gemm(
  a: Value,
  b: Value,
  c?: Value,
  options: {
    readonly transA?: boolean
    readonly transB?: boolean
    readonly alpha?: number
    readonly beta?: number
  } = {},
): Value {
  const { transA, transB, alpha, beta } = options
  return apply('Gemm', [a, b, c], {
    transA: transA ? int(1) : undefined,
    transB: transB ? int(1) : undefined,
    alpha: alpha === undefined ? undefined : { type: 'float', value: alpha },
    beta: beta === undefined ? undefined : { type: 'float', value: beta },
  })
}

/** Sum of products in Einstein's notation: `einsum('bhqd,bhkd->bhqk', q, k)`. */
export function einsum(equation: string, ...inputs: Value[]): Value {
  return apply('Einsum', inputs, { equation: string(equation) })
}

/** The bits of unsigned integers (uint8, uint32, uint64) moved by `count` places; zeros come in. */
export function bitShift(x: Value, count: Operand, direction: 'left' | 'right'): Value {
  return apply('BitShift', [x, operand(count, x)], { direction: string(direction.toUpperCase()) })
}

/** Running sum along `axis`. */
export function cumSum(
  x: Value,
  axis: number,
  options: { readonly exclusive?: boolean; readonly reverse?: boolean } = {},
): Value {
  return apply('CumSum', [x, x.builder.constant(axis)], {
    exclusive: int(options.exclusive),
    reverse: int(options.reverse),
  })
}
