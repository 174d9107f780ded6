// The inputs of a foreign graph of texts, brought under the names and the type that they have everywhere else.
import {
  type Dimension,
  dataType,
  type Graph,
  inferShapes,
  type Node,
  rename,
  type ValueInfo,
} from '../../graph/index.ts'
import type { DType } from '../../tensor/index.ts'
import { fixedLength } from './fixedLength.ts'
import { shapeOf } from './onnxOutputs.ts'
import { withPast } from './pastKeys.ts'

/** Inputs that texts fill, [batch, sequence] each. */
type TextRole = 'input_ids' | 'attention_mask' | 'token_type_ids' | 'position_ids'

/** Names that exporters give them. */
const names: Readonly<Record<TextRole, RegExp>> = {
  input_ids: /^input_?(word_?)?ids?$/i,
  attention_mask: /^(att(n|ention)?|input)_?masks?$/i,
  token_type_ids: /^((token|input)_?type|segment)(_?ids?|s)$/i,
  position_ids: /^pos(ition)?(_?ids?|s)$/i,
}

/** Names of ids that mean anything else as well. */
const looseIds = /^(inputs?|tokens?|token_ids?|ids|text|texts|x)(_?\d+|\.\d+)?$/i

/** A name without what TensorFlow puts around it. */
export const plainName = (name: string): string => name.replace(/^serving_default_/, '').replace(/:\d+$/, '')

/** A name without the count that exporters put behind one that is there already, and with underscores for dots. */
const bareName = (name: string): string =>
  plainName(name)
    .replace(/[._]\d+$/, '')
    .replaceAll('.', '_')

/** Meaning of an input of a graph that is for texts. */
function roleOf(name: string): TextRole | undefined {
  return (Object.keys(names) as TextRole[]).find((role) => names[role].test(bareName(name)))
}

/**
 * The input of a graph that takes token ids; undefined where none does.
 *
 * @param told true where a tokenizer or the caller says that the graph is for texts: then a name such as `input`, and in the end any one
 *   input of integers that has no other known name, is enough
 */
export function idsInput(graph: Graph, told: boolean): ValueInfo | undefined {
  const inputs = graph.inputs.filter(isTable)
  const isIds = (plain: (name: string) => string) =>
    inputs.find(({ name }) => names.input_ids.test(plain(name)))
  const known = isIds(plainName) ?? isIds(bareName)
  if (known || !told) return known
  const integers = inputs.filter((info) => /^u?int(32|64)$/.test(dtypeOf(info) ?? ''))
  const loose = integers.find(({ name }) => looseIds.test(plainName(name)))
  if (loose) return loose
  const nameless = integers.filter(({ name }) => roleOf(name) === undefined)
  return nameless.length === 1 ? nameless[0] : undefined
}

/**
 * The graph with `input_ids`, `attention_mask`, `token_type_ids` and `position_ids`, as far as it has them, under these names and as int64
 * [batch, sequence], whatever the file calls them and takes; and with the sizes that are fixed inside it in its inputs.
 *
 * @param config the network's `config.json`, for sizes of `past_key_values` that the graph leaves open
 */
export function withTextInputs(graph: Graph, config: Readonly<Record<string, unknown>>): Graph {
  const ids = idsInput(graph, true)
  if (!ids) return graph
  const found = new Map<string, TextRole>([[ids.name, 'input_ids']])
  for (const info of graph.inputs.filter(isTable)) {
    const role = roleOf(info.name)
    if (role && role !== 'input_ids' && ![...found.values()].includes(role)) found.set(info.name, role)
  }
  const named = renamed(graph, found)
  const [rows, length] = sizesOf(
    ids,
    graph.inputs.filter(({ name }) => found.has(name)),
  )
  const all = named.inputs.map((info) => withSizes(info, [...found.values()], [rows, length]))
  const sized =
    `${all.map(shapeOf)}` === `${named.inputs.map(shapeOf)}` ? named : inferShapes({ ...named, inputs: all })
  const fixed = typeof length === 'number' ? undefined : fixedLength(sized, length)
  const inputs = sized.inputs.map((info) => withSizes(info, [...found.values()], [rows, fixed ?? length]))
  const bounded = fixed === undefined ? sized : inferShapes({ ...sized, inputs })
  return withPast(inInt64(bounded, [...found.values()]), config)
}

/** The graph without sizes below 1 of what goes in and comes out, and below 0 inside: exporters write them where they mean any. */
export function withoutOddSizes(graph: Graph): Graph {
  const freed = (info: ValueInfo, least: number): ValueInfo => {
    const shape = shapeOf(info)
    if (info.type?.kind !== 'tensor' || !shape?.some((size) => typeof size === 'number' && size < least))
      return info
    return { ...info, type: { ...info.type, shape: shape.map((size) => (Number(size) < least ? '' : size)) } }
  }
  return {
    ...graph,
    inputs: graph.inputs.map((info) => freed(info, 1)),
    outputs: graph.outputs.map((info) => freed(info, 1)),
    values: new Map([...graph.values].map(([name, info]) => [name, freed(info, 0)])),
  }
}

/** True of what may be [batch, sequence]. */
function isTable(info: ValueInfo): boolean {
  const { type } = info
  return (
    type?.kind === 'tensor' &&
    (type.shape === undefined || type.shape.length === 2) &&
    type.dtype !== 'string'
  )
}

const dtypeOf = ({ type }: ValueInfo): DType | undefined => (type?.kind === 'tensor' ? type.dtype : undefined)

/** Rows that ids say and length that any of the inputs says; a symbol where they say none. */
function sizesOf(ids: ValueInfo, all: readonly ValueInfo[]): readonly [Dimension, Dimension] {
  const [rows = '', symbol = ''] = shapeOf(ids) ?? []
  const length = [symbol, ...all.map((info) => shapeOf(info)?.[1])].find((size) => typeof size === 'number')
  return [rows || 'batch', length ?? (symbol === '' || symbol === rows ? 'sequence' : symbol)]
}

function renamed(graph: Graph, found: ReadonlyMap<string, TextRole>): Graph {
  const changes = Object.fromEntries(found)
  const wanted = [...found].filter(([name, role]) => name !== role).map(([, role]) => role)
  if (wanted.length === 0) return graph
  // A value inside that has the name already gives it up.
  for (const role of wanted)
    if (valuesOf(graph).has(role) && !found.has(role)) changes[role] = `${role}.inner` as TextRole
  return rename(graph, changes)
}

const valuesOf = (graph: Graph): Set<string> =>
  new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ])

/** The input with these rows and this length, if it is one of those. A fixed number of rows of its own stays: positions are often there once. */
function withSizes(
  info: ValueInfo,
  roles: readonly string[],
  [rows, length]: readonly [Dimension, Dimension],
): ValueInfo {
  if (!roles.includes(info.name) || info.type?.kind !== 'tensor') return info
  const [own, wide] = info.type.shape ?? []
  const first = typeof own === 'number' ? own : rows
  const second = typeof wide === 'number' ? wide : length
  return { ...info, type: { ...info.type, shape: [first, second] } }
}

/** The graph whose inputs of these names are int64, cast to what the file takes. */
export function inInt64(graph: Graph, roles: readonly string[]): Graph {
  const others = graph.inputs.filter((info) => roles.includes(info.name) && dtypeOf(info) !== 'int64')
  if (others.length === 0) return graph
  const inner = Object.fromEntries(others.map(({ name }) => [name, `${name}.cast`]))
  const inside = rename(graph, inner)
  const values = new Map(inside.values)
  const casts = others.map((info): Node => {
    const name = inner[info.name]!
    values.set(name, { ...info, name })
    return {
      name: `${info.name}/Cast`,
      op: 'Cast',
      domain: '',
      inputs: [info.name],
      outputs: [name],
      attributes: { to: { type: 'int', value: dataType(dtypeOf(info)!) } },
    }
  })
  const inputs = graph.inputs.map((info): ValueInfo => {
    if (!others.includes(info) || info.type?.kind !== 'tensor') return info
    return { ...info, type: { ...info.type, dtype: 'int64' } }
  })
  return { ...inside, inputs, values, nodes: [...casts, ...inside.nodes] }
}
