// Quantises products with a constant matrix (`MatMul`, `Gemm`) to int8, activations row by row.
import type { Node } from '../types.ts'
import { lastLoaded } from './derived.ts'
import { FLOAT, type NewNode, type Rewriter, type Weight } from './rewriter.ts'
import { mix, mixedBlock, mixWeights } from './rotation.ts'
import { floats, type Quantized, quantizeRows, transposed } from './symmetric.ts'

/**
 * Products with a constant matrix (`MatMul`, `Gemm`) in integers: weights int8 with a scale for each column, activations
 * with a scale for each row, found as each call comes. So a row's numbers do not depend on what it is batched with, and
 * one token with large numbers costs the others no precision: before channels were mixed (see {@link mix}), MiniLM's vectors
 * were at a cosine of 0.9973 on average, 0.9932 with `DynamicQuantizeLinear`, which has one scale for all and is a tenth faster.
 *
 * The integers of activations are -127…127, stored as uint8 with zero point 128: the fastest kernels multiply uint8 by int8.
 *
 * @returns what takes a node's place, or undefined where it stays
 */
export function linearQuantizer(rewriter: Rewriter): (node: Node) => Node[] | undefined {
  /** Activations that are quantised already, by name and block: query, key and value read the same. */
  const activations = new Map<string, Rows>()
  const load = lastLoaded()

  return (node) => {
    const product = productOf(rewriter, node)
    if (!product) return undefined
    const { x, weight, alpha, addend } = product
    const { name, source } = weight
    const [columns, inner] = weight.transposed ? source.shape : source.shape.toReversed()
    if (columns === undefined || inner === undefined || columns * inner < MINIMUM) return undefined

    const shape = [inner, columns]
    let scales: Promise<Float32Array> | undefined
    const block = mixedBlock(rewriter.shape(x), inner, columns)
    const recipe = `int8 columns ${weight.transposed} mixed ${block}`
    const quantize = async (): Promise<Quantized> =>
      columnsOf(floats(await load(source)), columns, inner, weight.transposed, block)
    const numbers = rewriter.derive({
      name: `${name}_quantized`,
      dtype: 'int8',
      shape,
      recipe,
      sources: [source],
      async make() {
        const quantized = await quantize()
        scales = Promise.resolve(quantized.scales)
        return { dtype: 'int8', shape, data: transposed(quantized.data, columns, inner) }
      },
    })
    const scale = rewriter.derive({
      name: `${name}_scale`,
      dtype: 'float32',
      shape: [columns],
      recipe: `scales of ${recipe} times ${alpha}`,
      sources: [source],
      async make() {
        scales ??= quantize().then((quantized) => quantized.scales)
        return { dtype: 'float32', shape: [columns], data: (await scales).map((one) => one * alpha) }
      },
    })

    const nodes: Node[] = []
    const add = (op: string, inputs: readonly string[], options: NewNode = {}): string => {
      const added = rewriter.node(node, op, inputs, { dtypes: ['float32'], ...options })
      nodes.push(added)
      return added.outputs[0]!
    }
    const key = `${block} ${x}`
    let rows = activations.get(key)
    if (!rows) {
      rows = quantizedRows(rewriter, block ? mix(rewriter, x, inner, block, add) : x, add)
      activations.set(key, rows)
    }
    const [output = ''] = node.outputs
    const known = rewriter.shape(output)
    const zeroPoint = rewriter.scalar('uint8', 128)
    const sums = add('MatMulInteger', [rows.integers, numbers, zeroPoint], {
      dtypes: ['int32'],
      shape: known,
    })
    const cast = add('Cast', [sums], { shape: known, attributes: { to: { type: 'int', value: FLOAT } } })
    const columnwise = add('Mul', [cast, scale], { shape: known })
    if (addend === undefined) add('Mul', [columnwise, rows.scales], { outputs: [output] })
    else add('Add', [add('Mul', [columnwise, rows.scales], { shape: known }), addend], { outputs: [output] })
    return nodes
  }
}

/** Activations as integers: `x ≈ integers · scales`, a scale a row. */
interface Rows {
  readonly integers: string
  readonly scales: string
}

function quantizedRows(
  rewriter: Rewriter,
  x: string,
  add: (op: string, inputs: readonly string[], options?: NewNode) => string,
): Rows {
  const shape = rewriter.shape(x)
  const column = shape && [...shape.slice(0, -1), 1]
  const largest = rewriter.reduceMax(add('Abs', [x], { shape }), add, column)
  // A row of zeros is no division by zero.
  const safe = add('Max', [largest, rewriter.scalar('float32', 1e-30)], { shape: column })
  const factors = add('Div', [rewriter.scalar('float32', 127), safe], { shape: column })
  const scaled = add('Mul', [x, factors], { shape })
  const [one, zeroPoint] = [rewriter.scalar('float32', 1), rewriter.scalar('uint8', 128)]
  return {
    integers: add('QuantizeLinear', [scaled, one, zeroPoint], { dtypes: ['uint8'], shape }),
    scales: add('Mul', [safe, rewriter.scalar('float32', 1 / 127)], { shape: column }),
  }
}

/** Below this many elements of a weight, quantising takes longer than it saves. */
const MINIMUM = 1024

interface Product {
  readonly x: string
  readonly weight: Weight
  readonly alpha: number
  readonly addend: string | undefined
}

function productOf(rewriter: Rewriter, { op, domain, inputs, attributes }: Node): Product | undefined {
  const [x = '', w = '', addend] = inputs
  if (domain !== '' || (op !== 'MatMul' && op !== 'Gemm')) return undefined
  const weight = rewriter.weight(w)
  if (weight?.source.shape.length !== 2) return undefined
  if (op === 'MatMul') {
    // Before shapes are known, a vector might meet the matrix; its integers would do as well.
    return { x, weight, alpha: 1, addend: undefined }
  }
  const number = (name: string, standard: number) => Number(attributes[name]?.value ?? standard)
  if (number('transA', 0) !== 0) return undefined
  if (addend && number('beta', 1) !== 1) return undefined
  const turned = number('transB', 0) !== 0
  return {
    x,
    weight: { ...weight, transposed: weight.transposed !== turned },
    alpha: number('alpha', 1),
    addend: addend || undefined,
  }
}

/** Quantised column by column of the matrix as it is multiplied; each column is a row of the result. */
function columnsOf(
  numbers: Float32Array,
  columns: number,
  inner: number,
  turned: boolean,
  block: number,
): Quantized {
  // A copy: what was loaded is shared.
  const rows = turned ? numbers.slice() : transposed(numbers, inner, columns)
  if (block) mixWeights(rows, block)
  return quantizeRows(rows, columns)
}
