// Operators without a gradient: small changes of what they read do not change what they give.
import type { GradientRule } from '../rule.ts'

/** Rules by operator. */
export const flatRules = {
  // Comparison and logic.
  And: 'none',
  Equal: 'none',
  Greater: 'none',
  GreaterOrEqual: 'none',
  IsInf: 'none',
  IsNaN: 'none',
  Less: 'none',
  LessOrEqual: 'none',
  Not: 'none',
  Or: 'none',
  Xor: 'none',
  // Steps.
  BitShift: 'none',
  BitwiseAnd: 'none',
  BitwiseNot: 'none',
  BitwiseOr: 'none',
  BitwiseXor: 'none',
  Ceil: 'none',
  Floor: 'none',
  Hardmax: 'none',
  Round: 'none',
  Sign: 'none',
  // Shapes, and what is made from them.
  Constant: 'none',
  ConstantOfShape: 'none',
  EyeLike: 'none',
  RandomNormal: 'none',
  RandomNormalLike: 'none',
  RandomUniform: 'none',
  RandomUniformLike: 'none',
  Shape: 'none',
  Size: 'none',
  // Indices.
  ArgMax: 'none',
  ArgMin: 'none',
  NonMaxSuppression: 'none',
  NonZero: 'none',
} as const satisfies Record<string, GradientRule>
