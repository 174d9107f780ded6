import { expectTypeOf, it } from 'vitest'
import type { optionRoles, RuntimeOptions } from './options.ts'

type Roles = typeof optionRoles
type Running = {
  [Name in keyof Roles]: Roles[Name] extends 'runtime' | 'opening' ? Name : never
}[keyof Roles]

it('of the runtime are those that the table says', () => {
  expectTypeOf<keyof RuntimeOptions>().toEqualTypeOf<Running>()
})
