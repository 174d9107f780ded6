import { expectTypeOf, it } from 'vitest'
import { type EmittedOperator, op, type RuleTable, type Value } from '../index.ts'
import { apply } from './apply.ts'

type Rule = () => void
declare const rule: Rule
declare const x: Value
declare const allBut: Omit<Record<EmittedOperator, Rule>, 'Xor'>

it('A table that lacks the rule of an operator that is emitted does not compile; further operators may be in it.', () => {
  const whole: RuleTable<Rule> = { ...allBut, Xor: rule, LSTM: rule }
  expectTypeOf(whole.Xor).toEqualTypeOf<Rule>()
  expectTypeOf(whole['GRU']).toEqualTypeOf<Rule | undefined>()
  // @ts-expect-error Property 'Xor' is missing
  const lacking: RuleTable<Rule> = { ...allBut, LSTM: rule }
  expectTypeOf(lacking).not.toBeAny()
})

it('An operator that is not in the list cannot be emitted by the functions of op.', () => {
  expectTypeOf(op.bitShift).returns.toEqualTypeOf<Value>()
  expectTypeOf<EmittedOperator>().not.toEqualTypeOf<string>()
  // @ts-expect-error it is not in the list
  apply('Riddle', [x])
})
