// For tests only: gradients beside finite differences.
import { Builder, type Graph, op, type Shape, type Value } from '../../graph/index.ts'
import { compile } from '../../runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'

export interface CheckOptions {
  /** Indices of the inputs by which it is differentiated. Default: all floats. */
  readonly by?: readonly number[]
  /** Half the distance of the two points of a difference. Default 1e-5 in float64, 1e-2 in float32. */
  readonly step?: number
  /** Largest difference allowed, relative to the largest magnitude. Default: 1e-6 in float64, 1e-3 when one side is float32, 1e-2 when both are. */
  readonly tolerance?: number
  /** Elements of each input that are moved, spread over it. Default 24. */
  readonly elements?: number
  /** Version of the operator set. Default 17. */
  readonly opset?: number
  /** Shapes that the graph of the gradients declares for inputs, with symbols for sizes known only at run time. Default: their own. */
  readonly shapes?: readonly (Shape | undefined)[]
  /** How often the gradients are computed, each time to be right; from two on with two threads. Default 1. */
  readonly runs?: number
}

/** Dtypes in which the two sides were computed. */
export interface Checked {
  readonly numeric: 'float32' | 'float64'
  readonly analytic: 'float32' | 'float64'
}

/**
 * Compares the gradients of `Σ w · y` by each input with central differences; the fixed weights `w` tell the outputs apart.
 *
 * Both are computed in float64 where ONNX Runtime has the operators in it, else in float32.
 *
 * @param inputs floats are given as float64, which they are turned from where need be
 */
export async function checkGradients(
  build: (inputs: readonly Value[]) => Value | readonly Value[],
  inputs: readonly Tensor[],
  options: CheckOptions = {},
): Promise<Checked> {
  const isFloat = (index: number) => inputs[index]!.dtype.startsWith('float')
  const by = options.by ?? inputs.map((_, index) => index).filter(isFloat)
  const names = by.map((index) => `x${index}`)
  const { opset = 17, runs = 1 } = options
  const given = inputs.map(({ shape }) => shape)
  const fixed = graphsOf(build, inputs, given, opset)
  const declared = options.shapes
    ? graphsOf(
        build,
        inputs,
        given.map((shape, i) => options.shapes?.[i] ?? shape),
        opset,
      )
    : fixed
  const weights = weightsOf(fixed[0]![1])

  const [numeric, differences] = await firstThatRuns(fixed, async (graph, dtype) => {
    const session = await compile(graph, { workers: 0, lower: false })
    try {
      const step = options.step ?? (dtype === 'float64' ? 1e-5 : 1e-2)
      const lossAt = async (moved: readonly Tensor[]) =>
        Number((await session.run(feedsOf([...moved, ...weights], dtype)))['loss']!.data[0])
      const all: { index: number; element: number; value: number }[] = []
      for (const index of by) {
        for (const element of spread(elementCount(inputs[index]!.shape), options.elements ?? 24)) {
          const at = (by: number) =>
            lossAt(inputs.map((input, i) => (i === index ? movedBy(input, element, by) : input)))
          all.push({ index, element, value: ((await at(step)) - (await at(-step))) / (2 * step) })
        }
      }
      return all
    } finally {
      await session.dispose()
    }
  })
  const [analytic, results] = await firstThatRuns(declared, async (graph, dtype) => {
    const session = await compile(grad(graph, { of: 'loss', by: names }), {
      workers: 0,
      threads: runs > 1 ? 2 : 1,
    })
    try {
      const all: Readonly<Record<string, Tensor>>[] = []
      for (let run = 0; run < runs; run++)
        all.push(await session.run(feedsOf([...inputs, ...weights], dtype)))
      return all
    } finally {
      await session.dispose()
    }
  })
  const both = [numeric, analytic].filter((dtype) => dtype === 'float64').length
  const tolerance = options.tolerance ?? [1e-2, 1e-3, 1e-6][both]!
  for (const gradients of results) {
    for (const index of by) {
      const gradient = gradients[`x${index}.grad`]!
      if (gradient.shape.join() !== inputs[index]!.shape.join()) {
        throw new Error(
          `The gradient by x${index} is [${gradient.shape}], the input [${inputs[index]!.shape}].`,
        )
      }
      const own = differences.filter((difference) => difference.index === index)
      const scale = Math.max(1e-3, ...own.map(({ value }) => Math.abs(value)))
      for (const { element, value } of own) {
        const found = Number(gradient.data[element])
        if (!(Math.abs(found - value) <= tolerance * scale)) {
          throw new Error(
            `Gradient by x${index}[${element}]: ${found}, by differences ${value} (${analytic}, ${numeric}).`,
          )
        }
      }
    }
  }
  return { numeric, analytic }
}

/** Numbers between `low` and `high` that no two calls share, as float64: sines of the place. */
export function numbers(shape: readonly number[], seed = 0, low = -1, high = 1): Tensor {
  const data = Float64Array.from({ length: elementCount(shape) }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return low + (high - low) * (x - Math.floor(x))
  })
  return { dtype: 'float64', shape, data }
}

function graphsOf(
  build: (inputs: readonly Value[]) => Value | readonly Value[],
  inputs: readonly Tensor[],
  shapes: readonly Shape[],
  opset: number,
): readonly (readonly ['float64' | 'float32', Graph])[] {
  return (['float64', 'float32'] as const).map((dtype) => {
    const b = new Builder({ opset })
    const values = inputs.map((input, i) =>
      b.input(`x${i}`, input.dtype === 'float64' ? dtype : input.dtype, shapes[i]!),
    )
    const made = build(values)
    const terms = (Array.isArray(made) ? (made as readonly Value[]) : [made as Value]).map((y, i) =>
      op.reduceSum(op.mul(y, b.input(`x${inputs.length + i}`, y.dtype, y.shape, new Map([['weight', '']])))),
    )
    b.output(
      'loss',
      terms.reduce((sum, term) => op.add(sum, term)),
    )
    return [dtype, b.build()] as const
  })
}

/** A weight for each element of the outputs. They are inputs of the graph, behind those by which it is differentiated. */
function weightsOf(graph: Graph): Tensor[] {
  return graph.inputs.flatMap(({ metadata, type }, i) => {
    if (metadata?.get('weight') === undefined || type?.kind !== 'tensor') return []
    const shape = type.shape!.map(Number)
    const elements = Array.from({ length: elementCount(shape) }, (_, j) => Math.sin(1.7 * j + i + 0.3))
    return [tensor(type.dtype, shape, elements)]
  })
}

function feedsOf(inputs: readonly Tensor[], dtype: 'float32' | 'float64'): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map((input, i) => [
      `x${i}`,
      input.dtype === 'float64' && dtype === 'float32'
        ? { dtype, shape: input.shape, data: Float32Array.from(input.data as Float64Array) }
        : { ...input, data: input.data.slice() as Tensor['data'] },
    ]),
  )
}

function movedBy(input: Tensor, element: number, by: number): Tensor {
  const data = (input.data as Float64Array).slice()
  data[element] = data[element]! + by
  return { ...input, data }
}

/** At most `limit` of `count` places, evenly spread. */
function spread(count: number, limit: number): number[] {
  if (count <= limit) return Array.from({ length: count }, (_, i) => i)
  return Array.from({ length: limit }, (_, i) => Math.floor((i * count) / limit))
}

/** ONNX Runtime lacks many operators in float64. */
async function firstThatRuns<T>(
  graphs: readonly (readonly ['float64' | 'float32', Graph])[],
  work: (graph: Graph, dtype: 'float64' | 'float32') => Promise<T>,
): Promise<[dtype: 'float64' | 'float32', result: T]> {
  for (const [dtype, graph] of graphs) {
    try {
      return [dtype, await work(graph, dtype)]
    } catch (error) {
      const lacking =
        /not implemented|NOT_IMPLEMENTED|Could not find an implementation|Failed to find kernel|Type 'tensor\(double\)'|does not support double/i.test(
          String(error),
        )
      if (dtype === 'float32' || !lacking) throw error
    }
  }
  throw new Error('Nothing ran.')
}
