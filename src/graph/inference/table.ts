/** The one table of shape rules, by domain and operator. */
import type { RuleTable } from '../ops/emitted.ts'
import type { Rule } from './rule.ts'
import { contrib } from './rules/contrib.ts'
import { control } from './rules/control.ts'
import { convolution } from './rules/convolution.ts'
import { elementwise } from './rules/elementwise.ts'
import { indexing } from './rules/indexing.ts'
import { linear } from './rules/linear.ts'
import { normalization } from './rules/normalization.ts'
import { reduction } from './rules/reduction.ts'
import { sequence } from './rules/sequence.ts'
import { shape } from './rules/shape.ts'

const standard: RuleTable<Rule> = {
  ...elementwise,
  ...reduction,
  ...shape,
  ...indexing,
  ...linear,
  ...convolution,
  ...normalization,
  ...sequence,
  ...control,
}

const domains: Readonly<Record<string, Readonly<Partial<Record<string, Rule>>>>> = {
  '': standard,
  'ai.onnx': standard,
  'com.microsoft': contrib,
}

/** The shape rule of an operator, if it has one. */
export function ruleOf(domain: string, op: string): Rule | undefined {
  const rules = domains[domain]
  return rules && Object.hasOwn(rules, op) ? rules[op] : undefined
}
