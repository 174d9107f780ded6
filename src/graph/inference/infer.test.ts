import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder, type Graph, inferShapes, type Node, op, type Shape, type Value } from '../index.ts'
import { run } from '../testing/run.ts'

function shapeOf(graph: Graph, name: string): Shape | undefined {
  const info = graph.values.get(name) ?? graph.outputs.find((output) => output.name === name)
  return info?.type?.kind === 'tensor' ? info.type.shape : undefined
}

/** Forgets what the builder inferred. */
function bare(graph: Graph): Graph {
  return { ...graph, values: new Map(), outputs: graph.outputs.map(({ name }) => ({ name })) }
}

describe('a slice of an axis whose size is not known', () => {
  it.each([
    [0, 100, 1],
    [0, 1, 1],
    [1, 2 ** 40, 1],
    [2, 5, 1],
    [2, 3, 1],
    [-1, 2 ** 40, 1],
    [-100, 2 ** 40, 1],
    [-4, -2, 1],
    [1, -1, 1],
    [0, 7, 2],
    [-1, -(2 ** 40), -1],
    [100, -(2 ** 40), -1],
  ])('from %i to %i by %i is as long as it is of any size', async (start, end, step) => {
    const b = new Builder()
    b.output('y', op.slice(b.input('x', 'float32', ['n']), [start], [end], { axes: [0], steps: [step] }))
    const [length] = shapeOf(b.build(), 'y')!
    const size = new Function('n', `return ${String(length).replace(/(floor|max|min)\(/g, 'Math.$1(')}`)
    for (const n of [3, 6, 120]) {
      const row = Array.from({ length: n }, (_, i) => i)
      const known = new Builder()
      known.output(
        'y',
        op.slice(known.input('x', 'float32', [n]), [start], [end], { axes: [0], steps: [step] }),
      )
      const { y } = await run(known.build(), { x: tensor('float32', [n], row) })
      // An axis that does not reach a start is one that holds nothing of it.
      if (start < n) expect([n, size(n)]).toEqual([n, y!.shape[0]])
    }
  })
})

describe('inferShapes', () => {
  it('follows the arithmetic on shapes that exporters write', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 'sequence', 12])
    const sizes = op.shape(x)
    const at = (axis: number) => op.unsqueeze(op.gather(sizes, axis), [0])
    const heads = op.concat([at(0), at(1), b.constant([3]), b.constant([-1])], 0)
    const split = op.transpose(op.reshape(x, heads), [0, 2, 1, 3])
    b.output('scores', op.matMul(split, op.transpose(split, [0, 1, 3, 2])))
    const tokens = op.mul(op.gather(sizes, 0), op.gather(sizes, 1))
    b.output('flat', op.reshape(x, op.concat([op.unsqueeze(tokens, [0]), b.constant([12])], 0)))
    // expand(n, 2, -1): the exporter replaces -1 by 1 through Equal and Where.
    const wanted = op.concat([at(0), b.constant([2]), b.constant([-1])], 0)
    const ones = op.constantOfShape(op.shape(wanted), 1, 'int64')
    const target = op.where(op.equal(wanted, op.mul(ones, -1)), ones, wanted)
    b.output('wide', op.expand(b.constant(tensor('float32', [1, 1, 4], [1, 2, 3, 4])), target))
    const graph = inferShapes(bare(b.build()), { strict: true })
    expect(shapeOf(graph, 'scores')).toEqual(['batch', 3, 'sequence', 'sequence'])
    expect(shapeOf(graph, 'flat')).toEqual(['batch*sequence', 12])
    expect(shapeOf(graph, 'wide')).toEqual(['batch', 2, 4])
  })

  it('keeps sizes that depend on windows as expressions', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 3, 'height', 'width'])
    const weight = b.initializer('w', tensor('float32', [8, 3, 3, 3], Array(216).fill(0)))
    const y = op.conv(x, weight, undefined, { strides: [2, 1], pads: [1, 1, 1, 1] })
    expect(y.shape).toEqual(['batch', 8, 'floor((height+1)/2)', 'width'])
    expect(op.depthToSpace(y, 2).shape).toEqual(['batch', 2, '2*floor((height+1)/2)', '2*width'])
    expect(op.reshape(y, [0, -1]).shape).toEqual(['batch', '8*floor((height+1)/2)*width'])
  })

  const type = (shape: Shape) => ({ kind: 'tensor', dtype: 'float32', shape }) as const
  const node = (name: string, inputs: string[], outputs: string[], extra: Partial<Node> = {}): Node => ({
    name,
    op: name,
    domain: '',
    inputs,
    outputs,
    attributes: {},
    ...extra,
  })
  const graphOf = (nodes: Node[], parts: Partial<Graph> = {}): Graph => ({
    ...new Builder().build(),
    inputs: [{ name: 'x', type: type(['n', 4]) }],
    outputs: [{ name: 'y' }],
    nodes,
    ...parts,
  })

  it('reads attributes of older operator sets', () => {
    const ints = (...value: number[]) => ({ type: 'ints', value }) as const
    const old = graphOf(
      [
        node('Unsqueeze', ['x'], ['u'], { attributes: { axes: ints(0, 3) } }),
        node('Pad', ['u'], ['p'], { attributes: { pads: ints(0, 1, 0, 0, 0, 1, 2, 0) } }),
        node('Slice', ['p'], ['s'], { attributes: { starts: ints(0), ends: ints(-2), axes: ints(1) } }),
        node('ReduceSum', ['s'], ['r'], { attributes: { axes: ints(2) } }),
        node('Squeeze', ['r'], ['y'], { attributes: { axes: ints(0, 3) } }),
      ],
      { opsets: new Map([['', 7]]) },
    )
    const graph = inferShapes(old, { strict: true })
    expect(shapeOf(graph, 'p')).toEqual([1, 'n+2', 6, 1])
    expect(shapeOf(graph, 'y')).toEqual(['n', 1])
  })

  it('looks into sub-graphs and functions', () => {
    const sub = (name: string, nodes: Node[], output: string): Graph =>
      graphOf(nodes, { name, inputs: [], outputs: [{ name: output }], opsets: new Map() })
    const branches = {
      then_branch: { type: 'graph', value: sub('then', [node('Relu', ['x'], ['a'])], 'a') },
      else_branch: { type: 'graph', value: sub('else', [node('Neg', ['x'], ['b'])], 'b') },
    } as const
    const graph = graphOf(
      [
        node('If', ['c'], ['chosen'], { attributes: branches }),
        node('Twice', ['chosen'], ['y'], {
          domain: 'local',
          attributes: { axis: { type: 'int', value: 1 } },
        }),
      ],
      {
        inputs: [
          { name: 'x', type: type(['n', 4]) },
          { name: 'c', type: { kind: 'tensor', dtype: 'bool', shape: [] } },
        ],
        functions: [
          {
            name: 'Twice',
            domain: 'local',
            inputs: ['v'],
            outputs: ['w'],
            attributes: ['axis'],
            defaults: {},
            nodes: [
              node('Concat', ['v', 'v'], ['w'], {
                attributes: { axis: { type: 'reference', value: 'axis', of: 'int' } },
              }),
            ],
            opsets: new Map([['', 17]]),
            values: new Map(),
          },
        ],
      },
    )
    const inferred = inferShapes(graph, { strict: true })
    expect(shapeOf(inferred, 'chosen')).toEqual(['n', 4])
    expect(shapeOf(inferred, 'y')).toEqual(['n', 8])
  })

  it('leaves what it does not know, keeps what the graph declares, and goes on', () => {
    const nodes = [
      node('Riddle', ['x'], ['r'], { domain: 'nobody' }),
      node('Riddle', ['x'], ['declared'], { domain: 'nobody' }),
      node('Relu', ['declared'], ['y']),
      node('Add', ['x', 'w'], ['wrong']),
    ]
    const values = new Map([['declared', { name: 'declared', type: type(['n', 2]) }]])
    const initializers = new Map([['w', tensor('float32', [3], [1, 2, 3])]])
    const graph = inferShapes(graphOf(nodes, { values, initializers }))
    expect(graph.values.has('r')).toBe(false)
    expect(shapeOf(graph, 'y')).toEqual(['n', 2])
    expect(graph.values.has('wrong')).toBe(false)
    expect(() => inferShapes(graphOf(nodes, { values, initializers }), { strict: true })).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    )
  })
})

const SIZES = { a: 2, b: 3, c: 4 } as const

/** Steps of a random graph: from a value, another value of the same rank or less, and a number. */
const STEPS: ((x: Value, other: Value, n: number) => Value | undefined)[] = [
  (x) => op.relu(x),
  (x, other) => op.add(x, other),
  (x, other) => op.max(op.unsqueeze(x, [0]), other),
  (x) => op.transpose(x),
  (x, _, n) =>
    op.transpose(
      x,
      x.shape.map((_, axis) => (axis + n) % x.shape.length),
    ),
  (x) => (x.shape.length > 1 ? op.matMul(x, op.transpose(x, swapLast(x.shape.length))) : undefined),
  (x, _, n) => op.concat([x, x], n % x.shape.length),
  (x, _, n) => op.reduceSum(x, [n % x.shape.length], { keepDims: n > 2 }),
  (x, _, n) => op.reduceMax(x, [n % x.shape.length], { keepDims: true }),
  (x, _, n) => op.unsqueeze(x, [n % (x.shape.length + 1)]),
  (x) => op.reshape(x, [-1]),
  (x) => (x.shape.length > 1 ? op.reshape(x, [0, -1]) : undefined),
  (x) => op.reshape(x, op.concat([op.shape(x), op.shape(x, 0, 0)], 0)),
  (x) => op.flatten(x),
  (x, _, n) => op.slice(x, [0], [-1], { axes: [n % x.shape.length] }),
  (x, _, n) => op.slice(x, [-1], [-(2 ** 31)], { axes: [n % x.shape.length], steps: [-1 - (n % 2)] }),
  (x, _, n) => op.pad(x, [...x.shape.map(() => n), ...x.shape.map((_, axis) => axis)]),
  (x, _, n) =>
    op.tile(
      x,
      x.shape.map((_, axis) => 1 + ((n + axis) % 2)),
    ),
  (x, _, n) => op.gather(x, n % 2, n % x.shape.length),
  (x, _, n) => op.gather(x, x.builder.constant([0, 0, 0]), n % x.shape.length),
  (x) => (x.shape.length === 4 ? op.maxPool(x, [2, 1], { strides: [2, 1], ceilMode: true }) : undefined),
  (x) => (x.shape.length === 4 ? op.averagePool(x, [2, 2], { pads: [1, 0, 0, 1] }) : undefined),
  (x) => (x.shape.length > 2 ? op.globalAveragePool(x) : undefined),
  (x) => (x.shape.length === 4 ? op.resize(x, { scales: [1, 1, 2, 0.5] }, { mode: 'nearest' }) : undefined),
  (x, _, n) => op.split(x, 2, n % x.shape.length)[n % 2],
  (x) => op.expand(x, op.concat([x.builder.constant([2]), op.shape(x)], 0)),
  (x, _, n) => op.cast(op.argMax(x, n % x.shape.length, { keepDims: true }), 'float32'),
  (x, _, n) => op.topK(x, 1, { axis: n % x.shape.length })[0],
  (x) => op.einsum('...i->i...', x),
  (x) => op.cast(op.transpose(op.nonZero(x)), 'float32'),
]

const swapLast = (rank: number) => [...Array(rank - 2).keys(), rank - 1, rank - 2]

/** The size that a dimension has in a run; undefined for sizes that depend on the data. */
function sized(dimension: number | string): number | undefined {
  if (typeof dimension === 'number') return dimension
  if (dimension === '' || /_dim_/.test(dimension)) return undefined
  const expression = dimension.replace(/(floor|max|min)\(/g, 'Math.$1(')
  return new Function(...Object.keys(SIZES), `return ${expression}`)(...Object.values(SIZES))
}

describe('shapes inferred while building', () => {
  it('are the shapes of the values in a run', async () => {
    const dimension = fc.constantFrom('a', 'b', 'c', 1, 2, 3, 4)
    const shape = fc.array(dimension, { minLength: 1, maxLength: 4 })
    const step = fc.tuple(fc.nat(STEPS.length - 1), fc.nat(9), fc.nat(9), fc.nat(4))
    await fc.assert(
      fc.asyncProperty(
        shape,
        shape,
        fc.array(step, { minLength: 1, maxLength: 8 }),
        async (first, second, steps) => {
          const b = new Builder()
          const inputs = [b.input('x', 'float32', first), b.input('other', 'float32', second)]
          const values = [...inputs]
          for (const [kind, from, to, n] of steps) {
            // Small enough to run, and nothing that depends on the data: its size may be 0.
            const fitting = values.filter(
              ({ shape }) => shape.length > 0 && shape.length < 6 && shape.every((d) => (sized(d) ?? 0) > 0),
            )
            const x = fitting[from % fitting.length]!
            try {
              const made = STEPS[kind]!(x, fitting[to % fitting.length]!, n)
              if (made && made.shape.reduce<number>((p, d) => p * (sized(d) ?? 1), 1) < 5000)
                values.push(made)
            } catch (error) {
              expect(error).toMatchObject({ code: 'SHAPE_MISMATCH' })
            }
          }
          const graph = b.build()
          const made = values
            .slice(2)
            .filter(({ name }) => graph.nodes.some(({ outputs }) => outputs.includes(name)))
          if (made.length === 0) return
          const feeds = inputs.map(({ name, shape }) => {
            const sizes = shape.map((d) => sized(d)!)
            const count = sizes.reduce((p, d) => p * d, 1)
            return [
              name,
              tensor(
                'float32',
                sizes,
                Array.from({ length: count }, (_, i) => (i % 7) - 3),
              ),
            ] as const
          })
          let results: Awaited<ReturnType<typeof run>>
          try {
            results = await run(
              { ...graph, outputs: made.map(({ name }) => ({ name })) },
              Object.fromEntries(feeds),
            )
          } catch {
            // Two symbols were taken to be equal, or a symbolic axis to be long enough; in this run they are not.
            expect(first.concat(second).some((d) => typeof d === 'string')).toBe(true)
            return
          }
          for (const { name, shape } of made) {
            const actual = results[name]!.shape
            expect(actual.length).toBe(shape.length)
            for (const [axis, d] of shape.entries()) {
              const size = sized(d)
              if (size !== undefined) expect([name, axis, actual[axis]]).toEqual([name, axis, size])
            }
          }
          // The same from the finished graph.
          expect(inferShapes(bare(graph), { strict: true }).values).toEqual(graph.values)
        },
      ),
      { numRuns: 200 },
    )
  }, 30_000)
})
