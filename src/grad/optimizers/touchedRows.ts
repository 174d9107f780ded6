/** Rows of an embedding table that a step has read: their gradient, and their next values put back. */
import { op, type Value } from '../../graph/index.ts'

/** The distinct rows of a table that were read. */
export interface TouchedRows {
  /** Their numbers, int64 [rows]. */
  readonly rows: Value
  /** The gradient by each, [rows, columns]: the sum over the places that read it. */
  readonly gradient: Value
}

/** @param gradient by the gathered rows: the shape of the indices, then the table's columns */
export function touchedRows(table: Value, indices: Value, gradient: Value): TouchedRows {
  const [height, width] = table.shape.map(Number) as [number, number]
  const flat = op.reshape(op.cast(indices, 'int64'), [-1])
  // Gather counts negative indices from the end: the same row must not stand under two numbers.
  const fromFront = op.where(op.less(flat, 0), op.add(flat, height), flat)
  const [rows, , places] = op.unique(fromFront) as [Value, Value, Value]
  const each = op.reshape(gradient, [-1, width])
  const zeros = op.constantOfShape(
    op.concat([op.shape(rows), table.builder.constant([width])], 0),
    0,
    table.dtype,
  )
  const spread = op.expand(op.unsqueeze(places, [1]), op.shape(each))
  // ScatterND would be wrong here: its sums lose some of what repeated indices add.
  return { rows, gradient: op.scatterElements(zeros, spread, each, { axis: 0, reduction: 'add' }) }
}

/** The table with some rows replaced; each number stands once in `rows`. */
export function withRows(table: Value, rows: Value, next: Value): Value {
  return op.scatterND(table, op.unsqueeze(rows, [1]), next)
}
