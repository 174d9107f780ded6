/** The weights that a training step changes, found by their gradients among the graph's outputs. */
import { closest, PipiloError } from '../../base/index.ts'
import { type Graph, type Initializer, updatesOf } from '../../graph/index.ts'
import type { SparseTable } from './options.ts'

/** A weight with the name of its gradient. */
export interface Trained {
  readonly name: string
  readonly tensor: Initializer
  /** Name of the gradient, of the weight's shape or by the rows that were gathered. */
  readonly gradient: string
  /** Name of the indices, where only the rows that they read are changed. */
  readonly indices?: string
}

const ENDING = '.grad'

/** @throws `OPTION_INVALID`, `GRAPH_INVALID`, `DTYPE_MISMATCH`, `SHAPE_MISMATCH` */
export function trainedOf(
  graph: Graph,
  sparse: Readonly<Record<string, SparseTable>> = {},
): readonly Trained[] {
  const ofRows = new Set(Object.values(sparse).map(({ gradient }) => gradient))
  const dense = graph.outputs
    .map(({ name }) => name)
    .filter((name) => name.endsWith(ENDING) && !ofRows.has(name))
    .map((gradient) => ({ name: gradient.slice(0, -ENDING.length), gradient }))
  const tables = Object.entries(sparse).map(([name, table]) => ({ name, ...table }))
  const trained = [...dense, ...tables].map((weight) => ({ ...weight, tensor: tensorOf(graph, weight.name) }))
  if (trained.length === 0) {
    throw new PipiloError('GRAPH_INVALID', 'The graph has no gradients: no output ends with ".grad".', {
      hint: 'Give the graph of grad(graph, { of, by }).',
    })
  }
  const updates = updatesOf(graph)
  for (const { name } of trained) {
    if (!updates.has(name)) continue
    throw new PipiloError('GRAPH_INVALID', `${name} has a gradient, and the graph updates it itself.`, {
      input: name,
    })
  }
  checkTables(trained, dense)
  return trained
}

function checkTables(trained: readonly Trained[], dense: readonly { readonly name: string }[]): void {
  for (const { name, tensor, indices } of trained) {
    if (indices === undefined) continue
    if (dense.some((weight) => weight.name === name)) {
      throw new PipiloError(
        'OPTION_INVALID',
        `sparse names ${name}, which has a gradient of its whole shape too.`,
        {
          input: name,
          hint: 'Leave the table out of by, and name the gathered rows there.',
        },
      )
    }
    if (tensor.shape.length === 2) continue
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${name} is [${tensor.shape.join(', ')}]; a table has rows and columns.`,
      {
        input: name,
      },
    )
  }
}

/** The graph without the gradients among its outputs: they become inner values. */
export function withoutGradients(graph: Graph, trained: readonly Trained[]): Graph {
  const gradients = new Set(trained.map(({ gradient }) => gradient))
  const inner = graph.outputs.filter(({ name }) => gradients.has(name))
  return {
    ...graph,
    outputs: graph.outputs.filter(({ name }) => !gradients.has(name)),
    values: new Map([...graph.values, ...inner.map((info) => [info.name, info] as const)]),
  }
}

function tensorOf(graph: Graph, name: string): Initializer {
  const tensor = graph.initializers.get(name)
  if (!tensor) {
    const near = closest(name, graph.initializers.keys())
    throw new PipiloError('GRAPH_INVALID', `${name} has a gradient and is no initializer of the graph.`, {
      input: name,
      hint:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : 'Differentiate by weights only, and leave them in the graph.',
    })
  }
  if (/^float(32|64)$/.test(tensor.dtype)) return tensor
  throw new PipiloError(
    'DTYPE_MISMATCH',
    `${name} is ${tensor.dtype}; trained weights are float32 or float64.`,
    {
      input: name,
      hint: 'widen(graph, load) makes float32 of halves.',
    },
  )
}
