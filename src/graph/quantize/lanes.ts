// Table of the operators that compute in half, and of those that stay in float32.
import type { Node } from '../types.ts'

/**
 * How freely a float32 value may be taken as float16.
 *
 * - `constant`: depends on no input; a half of it can be made beforehand
 * - `half`: was computed in half
 * - `bounded`: was computed in float32, and halves hold it well (results of a norm, of a softmax)
 * - `wide`: only products of matrices take it as a half; sums and the like that read it stay in float32
 * - `exact`: never a half: counts, positions, masks of -3.4e38
 */
export type Lane = 'constant' | 'half' | 'bounded' | 'wide' | 'exact'

/** An operator that can compute in half. */
export interface HalfRule {
  /** `product`: always worth it. `light`: done in half beside halves. `move`: also of constants, which then lie there as halves. */
  readonly kind: 'product' | 'light' | 'move'
  /** Places of the inputs that are float32 now. Default: all. */
  readonly floats?: readonly number[]
}

const product: HalfRule = { kind: 'product' }
const light: HalfRule = { kind: 'light' }
const first: HalfRule = { kind: 'light', floats: [0] }
const move: HalfRule = { kind: 'move', floats: [0] }

/**
 * All others stay in float32: sums over many elements and squares pass 65,504 (the parts of a norm, pooling), differences of
 * large numbers lose what they are for (positions, Resize), and small divisors become zero.
 */
const RULES: Readonly<Record<string, HalfRule>> = {
  MatMul: product,
  Gemm: product,
  Conv: product,
  ConvTranspose: product,
  Einsum: product,
  Add: light,
  Sub: light,
  Mul: light,
  Div: light,
  Min: light,
  Max: light,
  Relu: light,
  LeakyRelu: light,
  PRelu: light,
  Clip: light,
  Neg: light,
  Abs: light,
  Sigmoid: light,
  Tanh: light,
  Erf: light,
  Elu: light,
  Selu: light,
  HardSigmoid: light,
  HardSwish: light,
  Gelu: light,
  MaxPool: first,
  GlobalMaxPool: light,
  Identity: move,
  Transpose: move,
  Reshape: move,
  Flatten: move,
  Squeeze: move,
  Unsqueeze: move,
  Slice: move,
  Split: move,
  Expand: move,
  Tile: move,
  Trilu: move,
  DepthToSpace: move,
  SpaceToDepth: move,
  Gather: move,
  GatherElements: move,
  GatherND: move,
  Concat: { kind: 'move' },
  Pad: { kind: 'move', floats: [0, 2] },
  Where: { kind: 'move', floats: [1, 2] },
}

/** Operators in float32 whose results halves hold well; of a norm that gives its deviation too, the first. */
const BOUNDED = new Set([
  'LayerNormalization',
  'RMSNormalization',
  'GroupNormalization',
  'InstanceNormalization',
  'BatchNormalization',
  'MeanVarianceNormalization',
  'LpNormalization',
  'Softmax',
  'Sin',
  'Cos',
  'AveragePool',
  'GlobalAveragePool',
  'Resize',
])

/** The rule of a node that can compute in half. */
export function halfRule({ domain, op, inputs, outputs }: Node): HalfRule | undefined {
  if (domain !== '' && domain !== 'ai.onnx') return undefined
  // A square: of 256 it is no half any more.
  if (op === 'Mul' && inputs[0] === inputs[1]) return undefined
  // Integers beside the result.
  if (op === 'MaxPool' && outputs.length > 1) return undefined
  return RULES[op]
}

/** Lane of a result of a node that computes in float32. */
export function wideLane({ domain, op }: Node, output: number, rule: boolean, inputs: readonly Lane[]): Lane {
  if ((domain === '' || domain === 'ai.onnx') && BOUNDED.has(op)) return output === 0 ? 'bounded' : 'wide'
  if (inputs.length === 0) return 'exact'
  const computed = inputs.filter((lane) => lane !== 'constant')
  if (computed.length === 0) return 'wide'
  if (computed.every((lane) => lane === 'exact')) return 'exact'
  return rule && computed.every((lane) => lane === 'bounded') ? 'bounded' : 'wide'
}
