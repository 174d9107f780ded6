import { expect, it } from 'vitest'
import { addition, rows } from '../testing/graphs.ts'
import { evaluate } from './evaluate.ts'

it('Evaluating runs a graph once and tells what is wrong.', async () => {
  expect((await evaluate(addition(), { x: rows(1, 2) })).y?.data).toEqual(Float32Array.of(2, 4))
  await expect(evaluate(addition())).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})
