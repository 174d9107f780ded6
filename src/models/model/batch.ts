// The number of inputs that a graph takes at a time.
import {
  Builder,
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
  const inputs = graph.inputs.map((info) => (isRows(info, graph) ? withRows(info, rows) : info))
  return inferShapes({ ...graph, inputs })
}

/** The rows that a graph takes at a time; undefined where it takes any number. */
export function rowsAtATime(graph: Graph): number | undefined {
  const builder = Builder.from(graph)
  const { inputs } = withFixedBatch(graph, (name) =>
    builder.has(name) ? builder.value(name).fact : undefined,
  )
  const first = shapeOf(inputs.find(({ name }) => name !== MASK_COUNTER))?.[0]
  return typeof first === 'number' ? first : undefined
}

/** The input with a number of rows as its first dimension. */
export function withRows(input: ValueInfo, rows: Dimension | undefined): ValueInfo {
  const { type } = input
  if (type?.kind !== 'tensor' || !type.shape || type.shape.length === 0 || typeof rows !== 'number')
    return input
  return { ...input, type: { ...type, shape: [rows, ...type.shape.slice(1)] } }
}

/** The graph with an output that does not say that it has a row for each input: it is then given one at a time. */
export function withoutBatch(graph: Graph): Graph {
  const outputs = graph.outputs.map((info) => {
    const shape = shapeOf(info)
    if (info.type?.kind !== 'tensor' || typeof shape?.[0] !== 'string') return info
    return { ...info, type: { ...info.type, shape: ['', ...shape.slice(1)] } }
  })
  return { ...graph, outputs }
}

/** True if a graph fixes the number of rows of an input whose own first dimension leaves it open. */
export function mixesRows(graph: Graph, known: Known): boolean {
  return rowsInside(graph, batchesOf(graph.inputs.map((info) => shapeOf(info)?.[0])), known).size > 0
}

function batchesOf(firsts: readonly (Dimension | undefined)[]): ReadonlySet<string> {
  return new Set(firsts.filter((first): first is string => typeof first === 'string' && first !== ''))
}

/** Numbers of rows that operators inside fix for a batch. */
function rowsInside(graph: Graph, batches: ReadonlySet<string>, known: Known): ReadonlySet<number> {
  const shapes = (node: Node) => node.inputs.map((name) => shapeOf(known(name)))
  return new Set(
    graph.nodes.flatMap((node) =>
      node.domain === ''
        ? (rowsOfReshape(node, batches, known) ?? rowsMet(node, shapes(node), batches) ?? [])
        : [],
    ),
  )
}

function fixedRows(graph: Graph, known: Known): number | undefined {
  const firsts = graph.inputs.flatMap((info) => (isRows(info, graph) ? [shapeOf(info)?.[0]] : []))
  const given = firsts.find((first) => typeof first === 'number')
  if (typeof given === 'number') return firsts.every((first) => first === given) ? undefined : given
  const batches = batchesOf(firsts)
  if (batches.size === 0) return undefined
  const found = rowsInside(graph, batches, known)
  const [rows] = found
  if (rows !== undefined) return found.size === 1 ? rows : 1
  return graph.outputs.some((info) => typeof shapeOf(info)?.[0] === 'number') ? 1 : undefined
}

/**
 * True of an input that has a row for each text or picture. The counter of a network in training mode has none; beside a text, positions and
 * whatever else is given may be there once for all.
 */
function isRows(info: ValueInfo, graph: Graph): boolean {
  if (info.name === MASK_COUNTER) return false
  const isText = graph.inputs.some(({ name }) => name === 'input_ids')
  return (
    !isText ||
    /^(input_ids|attention_mask|token_type_ids)$/.test(info.name) ||
    typeof shapeOf(info)?.[0] === 'string'
  )
}

/** The rows that a `Reshape` leaves of a batch, where it fixes their number: 0 keeps a size, -1 follows what is left. */
function rowsOfReshape(
  { op, inputs, attributes }: Node,
  batches: ReadonlySet<string>,
  known: Known,
): number | undefined {
  if (op !== 'Reshape') return undefined
  const shape = shapeOf(known(inputs[0] ?? ''))
  const stated = attributes['shape']
  const content = stated?.type === 'ints' ? stated.value.map(Number) : known(inputs[1] ?? '')?.content
  const axis = shape?.findIndex((size) => mentions(size, batches)) ?? -1
  if (!shape || !content || axis < 0) return undefined
  const target = content.map((size, i) => (size === 0 ? (shape[i] ?? '') : size))
  const [first, second] = target
  if (target.some((size) => typeof size !== 'number')) {
    // A size that is not known may be the batch, but not behind a number in its place.
    return axis === 0 && typeof first === 'number' && first > 0 ? 1 : undefined
  }
  const free = target.indexOf(-1)
  const product = (sizes: Shape) => sizes.reduce<number>((all, size) => all * Number(size), 1)
  const isBatch = batches.has(String(shape[axis]))
  if (free < 0) {
    const rows = product(target) / product(shape.toSpliced(axis, 1))
    if (isBatch && Number.isInteger(rows) && rows > 0) return rows
  }
  // Rows are split, or joined with what stands before them, unless what is free begins where they do.
  const isFixed =
    free < 0 || (axis === 0 && free > 0) || product(target.slice(0, free)) > product(shape.slice(0, axis))
  if (!isFixed) return undefined
  return axis === 0 && isBatch && second === shape[1] ? Number(first) : 1
}

/** Operators whose inputs have as many rows as one another. */
const joining = ['Concat', 'Add', 'Sub', 'Mul', 'Div', 'Where']

/** The rows of a constant, or of what was expanded, that meet those of a batch: a batch of more cannot be joined with them. */
function rowsMet(
  { op, attributes }: Node,
  shapes: readonly (Shape | undefined)[],
  batches: ReadonlySet<string>,
): number | undefined {
  if (!joining.includes(op) || !shapes.some((shape) => batches.has(String(shape?.[0])))) return undefined
  const axis = attributes['axis']
  const rank = Math.max(...shapes.map((shape) => shape?.length ?? 0))
  if (op === 'Concat' && axis?.type === 'int' && (Number(axis.value) === 0 || Number(axis.value) === -rank))
    return undefined
  for (const shape of shapes) {
    const [first] = shape?.length === rank ? shape : []
    // One row is spread over all, but is not put beside them.
    if (typeof first === 'number' && (first > 1 || op === 'Concat')) return first
  }
  return undefined
}

function mentions(dimension: Dimension | undefined, symbols: ReadonlySet<string>): boolean {
  if (typeof dimension !== 'string') return false
  if (symbols.has(dimension)) return true
  return (dimension.match(/[A-Za-z_][\w.]*/g) ?? []).some((word) => symbols.has(word))
}

function shapeOf(value: Fact | undefined): Shape | undefined {
  return value?.type?.kind === 'tensor' ? value.type.shape : undefined
}
