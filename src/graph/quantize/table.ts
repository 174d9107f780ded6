// Quantises tables that rows are gathered from (embeddings) to int8 with a scale for each row.
import type { Node } from '../types.ts'
import { lastLoaded } from './derived.ts'
import { FLOAT, type Rewriter } from './rewriter.ts'
import { floats, quantizeRows } from './symmetric.ts'

/**
 * Tables that rows are gathered from (embeddings) as int8 with a scale for each row: `Gather` of both, `Cast`, `Mul`.
 *
 * @returns what takes a node's place, or undefined where it stays
 */
export function tableQuantizer(rewriter: Rewriter): (node: Node) => Node[] | undefined {
  const load = lastLoaded()
  return (node) => {
    const [table = '', indices = ''] = node.inputs
    if (node.op !== 'Gather' || node.domain !== '' || Number(node.attributes['axis']?.value ?? 0) !== 0)
      return undefined
    const weight = rewriter.weight(table)
    const [rows, width] = weight?.source.shape ?? []
    if (!weight || weight.transposed || weight.source.shape.length !== 2) return undefined
    if (rows === undefined || width === undefined || rows * width < MINIMUM) return undefined

    const { name, source } = weight
    let scales: Promise<Float32Array> | undefined
    const quantize = async () => quantizeRows(floats(await load(source)), rows)
    const numbers = rewriter.derive({
      name: `${name}_quantized`,
      dtype: 'int8',
      shape: [rows, width],
      recipe: 'int8 rows',
      sources: [source],
      async make() {
        const { data, scales: found } = await quantize()
        scales = Promise.resolve(found)
        return { dtype: 'int8', shape: [rows, width], data }
      },
    })
    const scale = rewriter.derive({
      name: `${name}_scale`,
      dtype: 'float32',
      shape: [rows, 1],
      recipe: 'scales of int8 rows',
      sources: [source],
      async make() {
        scales ??= quantize().then((quantized) => quantized.scales)
        return { dtype: 'float32', shape: [rows, 1], data: await scales }
      },
    })
    const shape = rewriter.shape(node.outputs[0] ?? '')
    const gathered = rewriter.node(node, 'Gather', [numbers, indices], { dtypes: ['int8'], shape })
    const factors = rewriter.node(node, 'Gather', [scale, indices], {
      dtypes: ['float32'],
      shape: shape && [...shape.slice(0, -1), 1],
    })
    const cast = rewriter.node(node, 'Cast', gathered.outputs, {
      dtypes: ['float32'],
      shape,
      attributes: { to: { type: 'int', value: FLOAT } },
    })
    const product = rewriter.node(node, 'Mul', [cast.outputs[0]!, factors.outputs[0]!], {
      outputs: node.outputs,
    })
    return [gathered, factors, cast, product]
  }
}

/** Smaller tables (kinds of tokens, positions of tiny models) are no burden. */
const MINIMUM = 2 ** 16
