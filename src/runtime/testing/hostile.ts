// Graphs as a stranger may write them: they end the process, or never end.
import type { Attribute, Graph, Node, ValueInfo } from '../../graph/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'

const info = (name: string, dtype: DType, shape: (number | string)[]): ValueInfo => ({
  name,
  type: { kind: 'tensor', dtype, shape },
})
const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): Node => ({ name: `${op} ${output}`, op, domain: '', inputs, outputs: [output], attributes })

const picture = ['a', 'b', 'c', 'd']

const graphOf = (parts: Pick<Graph, 'name' | 'inputs' | 'outputs' | 'nodes'>): Graph => ({
  ...parts,
  initializers: new Map(),
  sparseInitializers: new Map(),
  values: new Map(),
  opsets: new Map([['', 17]]),
  functions: [],
  metadata: new Map(),
  irVersion: 8,
})

const inside = (name: string, parts: Partial<Graph>): Attribute => ({
  type: 'graph',
  value: graphOf({ name, inputs: [], outputs: [], nodes: [], ...parts }),
})

/** A graph that ends the process when a session is made of it: a division by zero inside ONNX Runtime (SIGFPE). */
export function deadlyGraph(): Graph {
  const graph = graphOf({
    name: 'deadly',
    inputs: [info('x', 'float32', picture)],
    outputs: [info('y', 'float32', picture)],
    nodes: [node('ConvTranspose', ['x', 'weight'], 'y', { group: { type: 'int', value: 0 } })],
  })
  return { ...graph, initializers: new Map([['weight', tensor('float32', [1, 1, 2, 2], [1, 2, 3, 4])]]) }
}

/** y = -x, after as many rounds as `rounds` says. */
export function endlessGraph(): Graph {
  return graphOf({
    name: 'endless',
    inputs: [info('x', 'float32', picture), info('rounds', 'int64', [])],
    outputs: [info('y', 'float32', picture)],
    nodes: [
      node('Neg', ['x'], 'z'),
      node('Loop', ['rounds', '', 'z'], 'y', {
        body: inside('again', {
          inputs: [info('i', 'int64', []), info('on', 'bool', []), info('v', 'float32', picture)],
          nodes: [node('Identity', ['on'], 'further'), node('Identity', ['v'], 'w')],
          outputs: [info('further', 'bool', []), info('w', 'float32', picture)],
        }),
      }),
    ],
  })
}

/** Feeds of {@link endlessGraph}: for ever, or once. */
export const endlessFeeds = ({ rounds = 2 ** 52 } = {}) => ({
  x: tensor('float32', [1, 1, 2, 2], [1, 2, 3, 4]),
  rounds: tensor('int64', [], [rounds]),
})

/** y = -x, by way of as many numbers as `length` says. */
export function greedyGraph(): Graph {
  return graphOf({
    name: 'greedy',
    inputs: [info('x', 'float32', [1]), info('length', 'int64', [1])],
    outputs: [info('y', 'float32', [1])],
    nodes: [
      node('Expand', ['x', 'length'], 'many'),
      node('Neg', ['many'], 'z'),
      node('ReduceMax', ['z'], 'y'),
    ],
  })
}
