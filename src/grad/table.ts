/** The table of gradient rules, one per operator. */
import type { Node, RuleTable } from '../graph/index.ts'
import type { GradientRule } from './rule.ts'
import { activationRules } from './rules/activations.ts'
import { arithmeticRules } from './rules/arithmetic.ts'
import { convolutionRules } from './rules/convolutions.ts'
import { dropoutRules } from './rules/dropout.ts'
import { einsumRules } from './rules/einsum.ts'
import { flatRules } from './rules/flat.ts'
import { indexingRules } from './rules/indexing.ts'
import { matrixRules } from './rules/matrix.ts'
import { normalizationRules } from './rules/normalizations.ts'
import { poolingRules } from './rules/pooling.ts'
import { recurrentRules } from './rules/recurrent.ts'
import { reductionRules } from './rules/reductions.ts'
import { resizingRules } from './rules/resizing.ts'
import { shapeRules } from './rules/shape.ts'
import { softmaxRules } from './rules/softmax.ts'

/** An operator that a graph can be built with and that has no rule does not compile. */
const rules: RuleTable<GradientRule> = {
  ...activationRules,
  ...arithmeticRules,
  ...dropoutRules,
  ...einsumRules,
  ...flatRules,
  ...indexingRules,
  ...matrixRules,
  ...recurrentRules,
  ...reductionRules,
  ...shapeRules,
  ...softmaxRules,
  ...convolutionRules,
  ...normalizationRules,
  ...poolingRules,
  ...resizingRules,
}

/** The rule of a node's operator; `undefined` where there is none. */
export function ruleOf({ op, domain }: Pick<Node, 'op' | 'domain'>): GradientRule | undefined {
  const name = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`
  return Object.hasOwn(rules, name) ? rules[name] : undefined
}
