import { describe, expect, it } from 'vitest'
import { readOnnx } from '../files/index.ts'
import { testdata } from '../testing/run.ts'
import { printGraph, printType } from './print.ts'

describe('printGraph', () => {
  it('prints inputs, outputs, weights and a line a node', async () => {
    const lines = printGraph(await readOnnx(testdata('convolutional.onnx'))).split('\n')
    expect(lines[0]).toBe(
      'graph convolutional(%image: float32[batch, 2, 8, 8]) -> (%logits: float32[batch, 5])  opset 17',
    )
    expect(lines).toContain('  %conv1.weight: float32[3, 2, 3, 3]')
    expect(lines).toContain('  %six: float32[] = 6')
    expect(lines).toContain(
      '  %/layer2/act/Clip_output_0 = Clip(%/layer2/bn/BatchNormalization_output_0, _, %six)  # /layer2/act/Clip',
    )
    expect(lines.at(-1)).toBe(
      '  %logits: float32[batch, 5] = Gemm(%/Flatten_output_0, %fc.weight, %fc.bias) {transB: 1}  # /fc/Gemm',
    )
  })

  it('indents sub-graphs and lists functions', async () => {
    const text = printGraph(await readOnnx(testdata('control.onnx')))
    expect(text).toContain(
      '    then_branch: graph then() -> (%doubled: float32)\n      %doubled: float32 = Mul(%hidden, %two)\n',
    )
    expect(text).toContain(
      'function example.functions.ScaledTanh(%x) -> (%y)\n  %t = Tanh(%x)\n  %s = Constant() {value_float: @scale}',
    )
    expect(text).toContain('%pair: sequence(float32) = SequenceConstruct(')
  })

  it('prints every kind of type', () => {
    const element = { kind: 'tensor', dtype: 'int64', shape: ['n', ''] } as const
    expect(printType({ kind: 'optional', element: { kind: 'map', key: 'string', value: element } })).toBe(
      'optional(map(string, int64[n, ?]))',
    )
  })
})
