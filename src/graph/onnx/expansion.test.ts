import { describe, expect, it } from 'vitest'
import type { GraphFunction, Node } from '../types.ts'
import { checkExpansion } from './expansion.ts'

const node = (op: string, domain = 'f'): Node => ({
  name: op,
  op,
  domain,
  inputs: ['x'],
  outputs: ['y'],
  attributes: {},
})
const fn = (name: string, ...calls: string[]): GraphFunction => ({
  name,
  domain: 'f',
  inputs: ['x'],
  outputs: ['y'],
  attributes: [],
  defaults: {},
  nodes: calls.length > 0 ? calls.map((op) => node(op)) : [node('Neg', '')],
  opsets: new Map(),
  values: new Map(),
})
const check = (nodes: Node[], functions: GraphFunction[] = []) =>
  checkExpansion({ nodes, functions }, 'a.onnx')

describe('functions of an ONNX file', () => {
  it('may call each other', () => {
    check([node('A'), node('A')], [fn('A', 'B', 'B'), fn('B')])
  })

  it('that call themselves, one way or another, are refused', () => {
    for (const functions of [[fn('A', 'A')], [fn('A', 'B'), fn('B', 'C'), fn('C', 'A')]]) {
      expect(() => check([node('A')], functions)).toThrow(/calls itself/)
    }
  })

  it('that double each other are refused without counting to the end', () => {
    const functions = Array.from({ length: 60 }, (_, i) =>
      i === 0 ? fn('F0') : fn(`F${i}`, `F${i - 1}`, `F${i - 1}`),
    )
    expect(() => check([node('F59')], functions)).toThrow(/amounts to/)
  })

  it('are refused where they nest too deep, in whichever order they stand', () => {
    const functions = Array.from({ length: 5000 }, (_, i) => (i === 0 ? fn('F0') : fn(`F${i}`, `F${i - 1}`)))
    for (const ordered of [functions, functions.toReversed()])
      expect(() => check([node('F4999')], ordered)).toThrow(/deep/)
  })
})

it('Nodes by the hundred thousand are refused', () => {
  expect(() => check(Array.from({ length: 100_000 }, () => node('Neg', '')))).toThrow(
    /the most that are read/,
  )
})
