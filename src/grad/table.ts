/** The table of gradient rules, one per operator. */
import type { Node, RuleTable } from '../graph/index.ts'
import type { GradientRule } from './rule.ts'
import { arithmeticRules } from './rules/arithmetic.ts'
import { convolutionRules } from './rules/convolutions.ts'
import { normalizationRules } from './rules/normalizations.ts'
import { poolingRules } from './rules/pooling.ts'
import { recurrentRules } from './rules/recurrent.ts'
import { reductionRules } from './rules/reductions.ts'
import { resizingRules } from './rules/resizing.ts'

// A RuleTable<GradientRule> as soon as every family is there: an operator without a rule then does not compile.
const rules: Partial<RuleTable<GradientRule>> = {
  ...arithmeticRules,
  ...convolutionRules,
  ...normalizationRules,
  ...poolingRules,
  ...recurrentRules,
  ...reductionRules,
  ...resizingRules,
}

/** The rule of a node's operator; `undefined` where there is none. */
export function ruleOf({ op, domain }: Pick<Node, 'op' | 'domain'>): GradientRule | undefined {
  const name = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`
  return Object.hasOwn(rules, name) ? rules[name] : undefined
}
