// Pass that puts a linear reduction behind an output of a graph.
import { PipiloError } from '../../base/index.ts'
import { Builder, compose, type Graph, op } from '../../graph/index.ts'
import { l2Normalize } from '../../nn/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import type { AppendOptions } from '../types.ts'

/** See `LinearReducer.appendTo` in ../types.ts. */
export function append(
  graph: Graph,
  { mean, projection }: { readonly mean: Float64Array; readonly projection: Matrix },
  output: string | undefined,
  { name = 'reduced', normalize = false }: AppendOptions,
): Graph {
  const found =
    output === undefined && graph.outputs.length === 1
      ? graph.outputs[0]
      : graph.outputs.find((info) => info.name === output)
  if (!found) {
    const names = graph.outputs.map((info) => info.name).join(', ')
    const fault =
      output === undefined
        ? `The graph has ${graph.outputs.length} outputs.`
        : `${output} is no output of the graph.`
    throw new PipiloError('LAYER_UNKNOWN', fault, {
      ...(output !== undefined && { input: output }),
      hint: `Name one of: ${names || 'none'}.`,
    })
  }
  const type = found.type?.kind === 'tensor' ? found.type : undefined
  const shape = type?.shape
  const { rows: inputs, columns } = projection
  if (!type || !shape || shape.length < 2) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `Output ${found.name} is no matrix of vectors, as far as its shape is known.`,
      {
        input: found.name,
      },
    )
  }
  if (!/^b?float/.test(type.dtype)) {
    throw new PipiloError(
      'DTYPE_MISMATCH',
      `Output ${found.name} is ${type.dtype}, and vectors are made of floats.`,
      {
        input: found.name,
      },
    )
  }
  const last = shape.at(-1)
  if (last !== inputs) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `Output ${found.name} has vectors of ${last || 'an unknown number of'} numbers; the reducer takes ${inputs}.`,
      {
        input: found.name,
        hint: 'Append it to the graph whose vectors were fitted.',
      },
    )
  }
  const builder = new Builder({ name: 'reduction', opset: graph.opsets.get('') ?? 17 })
  const x = builder.input('vectors', type.dtype, shape)
  const reduced = builder.scope('reduction', () => {
    const numbers = type.dtype === 'float32' ? x : op.cast(x, 'float32')
    const offset = builder.initializer('mean', {
      dtype: 'float32',
      shape: [inputs],
      data: Float32Array.from(mean),
    })
    const weight = builder.initializer('projection', {
      dtype: 'float32',
      shape: [inputs, columns],
      data: projection.data,
    })
    const product = op.matMul(mean.every((m) => m === 0) ? numbers : op.sub(numbers, offset), weight)
    return normalize ? l2Normalize(product) : product
  })
  builder.output(name, reduced)
  const whole = compose(graph, builder.build(), { [found.name]: 'vectors' })
  if (whole.outputs.at(-1)!.name === name) return whole
  throw new PipiloError('OPTION_INVALID', `The graph has a value ${name} already.`, {
    input: 'name',
    hint: 'Give the new output another name: appendTo(graph, output, { name }).',
  })
}
