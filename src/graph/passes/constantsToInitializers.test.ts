import { expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder } from '../builder.ts'
import * as op from '../ops/all.ts'
import { parametersOf } from '../roles.ts'
import { run } from '../testing/run.ts'
import type { Attribute, Graph } from '../types.ts'
import { constantsToInitializers } from './constantsToInitializers.ts'
import { layers } from './layers.ts'

const held = (value: ReturnType<typeof tensor>) =>
  ({ value: { type: 'tensor', value } }) as Record<string, Attribute>

function network(): Graph {
  const b = new Builder()
  const x = b.input('x', 'float32', ['batch', 2])
  const [weight] = b.node('Constant', [], held(tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])))
  const [half] = b.node('Constant', [], held(tensor('float32', [], [0.5])))
  const [shape] = b.node('Constant', [], held(tensor('int64', [2], [-1, 3])))
  b.output(
    'y',
    op.reshape(
      b.scope('fc', () => op.mul(op.matMul(x, weight!), half!)),
      shape!,
    ),
  )
  return b.build()
}

it('weights in Constant nodes become parameters; scalars and shapes stay', async () => {
  const graph = network()
  const lifted = constantsToInitializers(graph)
  expect(graph.nodes.filter(({ op }) => op === 'Constant')).toHaveLength(3)
  expect(lifted.nodes.filter(({ op }) => op === 'Constant')).toHaveLength(2)
  expect(parametersOf(lifted).map(({ role, shape }) => [role, shape])).toEqual([['weight', [2, 3]]])
  expect(layers(lifted).find(({ name }) => name === 'fc')?.parameters).toBe(6)
  const x = tensor('float32', [1, 2], [1, -2])
  expect((await run(lifted, { x }))['y']!.data).toEqual((await run(graph, { x }))['y']!.data)
})

it('leaves a graph without them as it is', () => {
  const b = new Builder()
  b.output('y', op.relu(b.input('x', 'float32', ['batch', 2])))
  const graph = b.build()
  expect(constantsToInitializers(graph)).toBe(graph)
})
