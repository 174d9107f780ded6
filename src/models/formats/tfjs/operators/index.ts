// Rules of TensorFlow's operators by name, and the operators that have none.
import type { Rules } from '../nodeCall.ts'
import { convolutionRules } from './convolution.ts'
import { elementwiseRules } from './elementwise.ts'
import { indexingRules } from './indexing.ts'
import { linearRules } from './linear.ts'
import { reductionRules } from './reduction.ts'
import { shapeRules } from './shape.ts'

/** How TensorFlow's operators are built in ONNX: by name, a few lines each. */
export const OPERATORS: Rules = {
  ...elementwiseRules,
  ...linearRules,
  ...convolutionRules,
  ...reductionRules,
  ...shapeRules,
  ...indexingRules,
}

/** Operators of control flow and of lists, which change what runs and not only what it gives. */
export const CONTROL_FLOW: ReadonlySet<string> = new Set(
  `Enter Exit If LoopCond Merge NextIteration PartitionedCall StatefulPartitionedCall StatelessIf StatelessWhile Switch While`.split(
    ' ',
  ),
)
