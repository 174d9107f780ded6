import type { Node } from '../types.ts'
import { lastLoaded } from './derived.ts'
import { FLOAT, type Rewriter, type Weight } from './rewriter.ts'
import { floats, type Quantized, quantizeRows, transposed } from './symmetric.ts'

/**
 * Products with a constant matrix (`MatMul`, `Gemm`) in integers: weights int8 with a scale for each column, activations
 * uint8 with scale and zero point of each call (`DynamicQuantizeLinear`, `MatMulInteger`).
 *
 * @returns what takes a node's place, or undefined where it stays
 */
export function linearQuantizer(rewriter: Rewriter): (node: Node) => Node[] | undefined {
  /** Activations that are quantised already: query, key and value read the same. */
  const activations = new Map<string, readonly string[]>()
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
    const quantize = async (): Promise<Quantized> =>
      columnsOf(floats(await load(source)), columns, inner, weight.transposed)
    const numbers = rewriter.derive({
      name: `${name}_quantized`,
      dtype: 'int8',
      shape,
      recipe: `int8 columns ${weight.transposed}`,
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
      recipe: `scales of int8 columns ${weight.transposed} times ${alpha}`,
      sources: [source],
      async make() {
        scales ??= quantize().then((quantized) => quantized.scales)
        return { dtype: 'float32', shape: [columns], data: (await scales).map((one) => one * alpha) }
      },
    })

    const nodes: Node[] = []
    let activation = activations.get(x)
    if (!activation) {
      const added = rewriter.node(node, 'DynamicQuantizeLinear', [x], {
        dtypes: ['uint8', 'float32', 'uint8'],
        shape: rewriter.shape(x),
      })
      nodes.push(added)
      activation = added.outputs
      activations.set(x, activation)
    }
    const [quantized = '', xScale = '', zeroPoint = ''] = activation
    const [output = ''] = node.outputs
    const known = rewriter.shape(output)
    const add = (op: string, inputs: readonly string[], options: Parameters<typeof rewriter.node>[3]) => {
      const added = rewriter.node(node, op, inputs, options)
      nodes.push(added)
      return added.outputs[0]!
    }
    const sums = add('MatMulInteger', [quantized, numbers, zeroPoint], { dtypes: ['int32'], shape: known })
    const cast = add('Cast', [sums], {
      dtypes: ['float32'],
      shape: known,
      attributes: { to: { type: 'int', value: FLOAT } },
    })
    const both = add('Mul', [xScale, scale], { dtypes: ['float32'], shape: [columns] })
    if (addend === undefined) add('Mul', [cast, both], { outputs: [output] })
    else {
      const scaled = add('Mul', [cast, both], { dtypes: ['float32'], shape: known })
      add('Add', [scaled, addend], { outputs: [output] })
    }
    return nodes
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
function columnsOf(numbers: Float32Array, columns: number, inner: number, turned: boolean): Quantized {
  return quantizeRows(turned ? numbers : transposed(numbers, inner, columns), columns)
}
