// Arrow schemas and tables of collections in LanceDB.
import { createRequire } from 'node:module'
import type * as Arrow from 'apache-arrow'
import { parseJson } from '../base/index.ts'
import type { CollectionInfo, StoredRow } from './backend.ts'
import { columnName, fieldsOf, kindOf, type ScalarKind } from './lanceSql.ts'

/**
 * Arrow as LanceDB itself loads it. LanceDB tells schemas by `instanceof`, and the ES module of the same package has
 * other classes than the CommonJS one.
 */
export const arrow = (): typeof Arrow => {
  loaded ??= createRequire(import.meta.url)('apache-arrow') as typeof Arrow
  return loaded
}
let loaded: typeof Arrow | undefined

const infoKey = 'pipilo'
/** Of what a collection says about itself: 1 had an identity where 2 has a recipe. */
const VERSION = 2

/** By this on the field `id`, LanceDB notices that two merges at once insert the same new id: the later one is done again. */
export const primaryKey = { 'lance-schema:unenforced-primary-key': 'true' } as const

/** False for a collection of an earlier version. */
export const hasKey = (schema: Arrow.Schema): boolean =>
  schema.fields.some(
    ({ name, metadata }) => name === 'id' && Object.keys(primaryKey).every((key) => metadata.has(key)),
  )

/** A text of ours beside the rows: unlike what the schema says, it can be changed. */
const noteKey = 'pipilo.files'
const noteField = 'metadata'

export const noteOf = (schema: Arrow.Schema): string | undefined =>
  schema.fields.find(({ name }) => name === noteField)?.metadata.get(noteKey)

export const noteFor = (note: string) => ({ path: noteField, metadata: { [noteKey]: note } })

/** The columns every collection has; metadata adds more, one a key and kind, so that filters can use them. */
export function schemaOf(info: CollectionInfo): Arrow.Schema {
  const { Field, FixedSizeList, Float32, Schema, Utf8 } = arrow()
  const item = new Field('item', new Float32(), true)
  return new Schema(
    [
      new Field('id', new Utf8(), false, new Map(Object.entries(primaryKey))),
      new Field('vector', new FixedSizeList(info.dimensions, item), false),
      // Metadata as it was given, for hits: what the columns of single keys hold is for filters only.
      new Field('metadata', new Utf8(), false),
    ],
    new Map([[infoKey, JSON.stringify({ version: VERSION, ...info })]]),
  )
}

/** The text that a table has about itself; undefined when it is not one of ours. */
export const aboutOf = (schema: Arrow.Schema): string | undefined => schema.metadata.get(infoKey)

/** Facts of a collection from its table's schema, or undefined when the table is not one of ours. */
export function infoOf(schema: Arrow.Schema): CollectionInfo | undefined {
  const text = aboutOf(schema)
  if (text === undefined || !['id', 'vector', 'metadata'].every((name) => columnsOf(schema).has(name))) return
  try {
    const { version, dimensions, recipe, identity } = parseJson(text) as Partial<CollectionInfo> & {
      version?: number
    }
    if ((version !== 1 && version !== VERSION) || typeof dimensions !== 'number') return
    return { dimensions, recipe, identity }
  } catch {
    return
  }
}

export const columnsOf = (schema: Arrow.Schema): Set<string> =>
  new Set(schema.fields.map((field) => field.name))

/** Fields for the metadata keys (of a kind) in `rows` that the table has no column for yet. */
export function missingFields(rows: readonly StoredRow[], columns: ReadonlySet<string>): Arrow.Field[] {
  const missing = new Map<string, ScalarKind>()
  const nulls = new Set<string>()
  for (const { metadata } of rows) {
    for (const [key, value] of Object.entries(metadata)) {
      if (value === null) {
        nulls.add(key)
        continue
      }
      const kind = kindOf(value)
      const name = columnName(kind, key)
      if (!columns.has(name)) missing.set(name, kind)
    }
  }
  if (nulls.size > 0) {
    const known = fieldsOf([...columns, ...missing.keys()])
    for (const key of nulls) if (!known.has(key)) missing.set(columnName('z', key), 'z')
  }
  const { Field } = arrow()
  return [...missing].map(([name, kind]) => new Field(name, typeOf(kind), true))
}

function typeOf(kind: ScalarKind): Arrow.DataType {
  const { Bool, Float64, Utf8 } = arrow()
  return { n: () => new Float64(), s: () => new Utf8(), b: () => new Bool(), z: () => new Bool() }[kind]()
}

/** Rows as an Arrow table with all of the schema's columns; what a row's metadata does not have is null. */
export function toTable(rows: readonly StoredRow[], schema: Arrow.Schema, dimensions: number): Arrow.Table {
  const { DataType, Float32, RecordBatch, Struct, Table, Uint8, makeData, vectorFromArray } = arrow()
  const columns = rows.map(({ metadata }) => {
    const values = new Map<string, unknown>()
    for (const [key, value] of Object.entries(metadata)) {
      if (value === null) continue
      // Arrow orders -0 before 0; for a filter they are the same number.
      values.set(columnName(kindOf(value), key), value === 0 ? 0 : value)
    }
    return values
  })
  const children = schema.fields.map(({ name, type }) => {
    if (name === 'vector') {
      const data = new Float32Array(rows.length * dimensions)
      rows.forEach((row, index) => {
        data.set(row.vector, index * dimensions)
      })
      const child = makeData({ type: new Float32(), data, length: data.length })
      return makeData({ type: type as Arrow.FixedSizeList, length: rows.length, nullCount: 0, child })
    }
    let values: unknown[]
    if (name === 'id') values = rows.map((row) => row.id)
    else if (name === 'metadata') values = rows.map((row) => JSON.stringify(row.metadata))
    else values = columns.map((row) => row.get(name) ?? null)
    if (DataType.isBool(type) && values.every((value) => value === null)) {
      // Arrow's writer leaves out the bits of a boolean column without a value, and LanceDB cannot read it so. Bytes are
      // written in full, and only the schema says what they are.
      const [length, bytes] = [rows.length, new Uint8Array(rows.length)]
      return makeData({ type: new Uint8(), length, nullCount: length, nullBitmap: bytes, data: bytes })
    }
    return vectorFromArray(values, type).data[0]!
  })
  const struct = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children })
  return new Table(schema, new RecordBatch(schema, struct))
}
