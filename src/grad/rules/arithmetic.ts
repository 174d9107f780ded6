/** Gradients of arithmetic with broadcasting. */
import { op } from '../../graph/index.ts'
import { unbroadcast } from '../broadcasting.ts'
import type { GradientRule } from '../rule.ts'

/** Rules by operator. */
export const arithmeticRules = {
  Add: ({ inputs, gradient }) => inputs.map((input) => input && unbroadcast(gradient, input)),
  Mul: (call) => {
    const [a, b] = [call.input(0), call.input(1)]
    return [
      call.wants(0) ? unbroadcast(op.mul(call.gradient, b), a) : undefined,
      call.wants(1) ? unbroadcast(op.mul(call.gradient, a), b) : undefined,
    ]
  },
} as const satisfies Record<string, GradientRule>
