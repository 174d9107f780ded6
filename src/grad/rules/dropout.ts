/** Gradient of ONNX's own dropout. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { unary } from './arithmetic.ts'

/** Rules by operator. */
export const dropoutRules = {
  Dropout: {
    // Only a node that reads whether it trains can drop anything.
    needs: (node) => (node.inputs[2] ? ['mask'] : []),
    gradient: unary((g, call) => {
      const training = call.inputs[2]
      if (!training) return g
      const kept = op.mul(g, op.cast(call.output(1), g.dtype))
      return op.where(training, op.div(kept, shareKept(call, g)), g)
    }),
  },
} as const satisfies Record<string, GradientRule>

/** The share of elements that stay: 1 - ratio, where ratio is 0.5 by default. */
function shareKept(call: BackwardCall, like: Value): Value | number {
  const ratio = call.inputs[1]
  return ratio ? op.sub(1, op.cast(ratio, like.dtype)) : 0.5
}
