// The number of inputs that a graph takes at a time.
import {
  type Dimension,
  type Fact,
  type Graph,
  inferShapes,
  MASK_COUNTER,
  type Node,
  type Shape,
  type ValueInfo,
} from '../../graph/index.ts'

/** Fact of a value of the graph, by its name. */
type Known = (name: string) => Fact | undefined

/**
 * The graph with the rows that it takes at a time as the first dimension of its inputs, where their number is fixed.
 *
 * Exporters write the batch of their example into a graph: into its inputs, which then say so, or only into a `Reshape` or the
 * output, where two inputs would be mixed or lost in silence. Such a graph says `batch` and takes 1.
 */
export function withFixedBatch(graph: Graph, known: Known): Graph {
  // Ids of all texts in one row, as in model2vec's graphs: their number is none of rows.
  if (graph.inputs.some(({ name }) => name === 'offsets')) return graph
  const rows = fixedRows(graph, known)
  if (rows === undefined) return graph
  const inputs = graph.inputs.map((info) => (info.name === MASK_COUNTER ? info : withRows(info, rows)))
  return inferShapes({ ...graph, inputs })
}

/** The input with a number of rows as its first dimension. */
export function withRows(input: ValueInfo, rows: Dimension | undefined): ValueInfo {
  const { type } = input
  if (type?.kind !== 'tensor' || !type.shape || type.shape.length === 0 || typeof rows !== 'number')
    return input
  return { ...input, type: { ...type, shape: [rows, ...type.shape.slice(1)] } }
}

function fixedRows(graph: Graph, known: Known): number | undefined {
  // The counter of a network in training mode has no rows.
  const firsts = graph.inputs.flatMap((info) => (info.name === MASK_COUNTER ? [] : [shapeOf(info)?.[0]]))
  const given = firsts.find((first) => typeof first === 'number')
  if (typeof given === 'number') return firsts.every((first) => first === given) ? undefined : given
  const batches = new Set(
    firsts.filter((first): first is string => typeof first === 'string' && first !== ''),
  )
  if (batches.size === 0) return undefined
  const lost = graph.outputs.some((info) => typeof shapeOf(info)?.[0] === 'number')
  return lost || graph.nodes.some((node) => fixesRows(node, batches, known)) ? 1 : undefined
}

/** True if a `Reshape` fixes the size of a batch dimension: 0 keeps the size, -1 follows it. */
function fixesRows(
  { op, domain, inputs, attributes }: Node,
  batches: ReadonlySet<string>,
  known: Known,
): boolean {
  if (op !== 'Reshape' || domain !== '') return false
  const shape = attributes['shape']
  const first = shape?.type === 'ints' ? shape.value[0] : known(inputs[1] ?? '')?.content?.[0]
  if (first === undefined || typeof first === 'string' || first <= 0) return false
  return mentions(shapeOf(known(inputs[0] ?? ''))?.[0], batches)
}

function mentions(dimension: Dimension | undefined, symbols: ReadonlySet<string>): boolean {
  if (typeof dimension !== 'string') return false
  if (symbols.has(dimension)) return true
  return (dimension.match(/[A-Za-z_][\w.]*/g) ?? []).some((word) => symbols.has(word))
}

function shapeOf(value: Fact | undefined): Shape | undefined {
  return value?.type?.kind === 'tensor' ? value.type.shape : undefined
}
