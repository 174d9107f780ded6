import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../../graph/files/index.ts'
import { Builder, type Graph, op, type ValueInfo } from '../../graph/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-any-graph-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function opened(graph: Graph) {
  const path = join(folder, `${files++}.onnx`)
  await writeOnnx(graph, path)
  return open(path)
}

/** A graph with one more output, of any type. */
const withOutput = (graph: Graph, info: ValueInfo): Graph => ({ ...graph, outputs: [...graph.outputs, info] })
const floats = { kind: 'tensor', dtype: 'float32', shape: ['n'] } as const

/** One of two branches, each with a layer of its own. */
function branching(): Graph {
  const b = new Builder()
  const x = b.input('x', 'float32', ['batch', 3])
  const flag = b.input('flag', 'bool', [])
  const branch = (name: string, by: number): Graph => {
    const inner = new Builder()
    const given = inner.input('given', 'float32', ['batch', 3])
    inner.output(
      `${name}.out`,
      inner.scope(name, () => op.mul(given, by)),
    )
    const { inputs: _, ...built } = inner.build()
    const nodes = built.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((input) => (input === 'given' ? 'before' : input)),
    }))
    return { ...built, inputs: [], nodes, opsets: new Map() }
  }
  b.output(
    'before',
    b.scope('first', () => op.add(x, 1)),
  )
  const [chosen] = b.node(
    'If',
    [flag],
    {
      then_branch: { type: 'graph', value: branch('twice', 2) },
      else_branch: { type: 'graph', value: branch('half', 0.5) },
    },
    { types: [{ kind: 'tensor', dtype: 'float32', shape: ['batch', 3] }] },
  )
  b.output('chosen', op.relu(chosen!))
  return b.build()
}

const row = (...numbers: number[]) => tensor('float32', [1, numbers.length], numbers)
const flag = (on: boolean) => tensor('bool', [], [on])

describe('Any graph opens', () => {
  it('and is listed, run, cut, tapped and saved, with a branch inside', async () => {
    const model = await opened(branching())
    expect(model).toMatchObject({
      modality: 'tensor',
      card: { tap: 'before', dimensions: 3, normalize: false },
    })
    expect(model.layers().map(({ name }) => name)).toEqual(expect.arrayContaining(['first', 'twice', 'half']))
    expect(() => model.cut('twice')).toThrow(/inside a branch/)
    const feeds = { x: row(1, 2, 3), flag: flag(true) }
    const { before, chosen } = await model.run(feeds)
    expect([...before!.data]).toEqual([2, 3, 4])
    expect([...chosen!.data]).toEqual([4, 6, 8])
    expect(Object.keys(await model.run(feeds, ['chosen']))).toEqual(['chosen'])
    // The arrays are still the caller's.
    expect([...feeds.x.data]).toEqual([1, 2, 3])
    const cut = model.cut('first')
    expect(cut.graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect([...(await cut.run({ x: row(0, 0, 0) }))['before']!.data]).toEqual([1, 1, 1])
    const path = join(folder, 'again.onnx')
    await model.save(path)
    const again = await open(path)
    const half = await again.run({ ...feeds, flag: flag(false) })
    expect([...half['chosen']!.data]).toEqual([1, 1.5, 2])
    await expect(model.run({ x: [1, 2, 3] as never, flag: flag(true) })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    await Promise.all([model, cut, again].map((one) => one.dispose()))
    await expect(model.run(feeds)).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(model.layers().length).toBeGreaterThan(0)
  })

  it('with sequences among its outputs, which are left out', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['n'])
    const sequence = b.node(
      'SplitToSequence',
      [x],
      {},
      { types: [{ kind: 'sequence', element: floats }] },
    )[0]!
    b.output('y', op.neg(x))
    const built = b.build()
    const graph = withOutput(
      { ...built, nodes: [...b.build().nodes] },
      { name: sequence.name, type: { kind: 'sequence', element: floats } },
    )
    const model = await opened(graph)
    expect(model.card.tap).toBe('y')
    const results = await model.run({ x: tensor('float32', [2], [1, 2]) })
    expect(Object.keys(results)).toEqual(['y'])
    await expect(model.run({ x: tensor('float32', [2], [1, 2]) }, [sequence.name])).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      input: sequence.name,
    })
    const alone = await opened({ ...graph, outputs: graph.outputs.slice(1) })
    expect(alone.card).toMatchObject({ modality: 'tensor', tap: '', dimensions: 0 })
    expect(() => alone.embedding()).toThrow(/no output that is a tensor/)
    await model.dispose()
  })

  it('with inputs that are no tensors, and says at the run that they cannot be given', async () => {
    const b = new Builder()
    b.output('y', op.neg(b.input('x', 'float32', ['n'])))
    const graph = b.build()
    const model = await opened({
      ...graph,
      inputs: [...graph.inputs, { name: 's', type: { kind: 'sequence', element: floats } }],
    })
    expect(model.modality).toBe('tensor')
    await expect(model.run({})).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED', input: 's' })
  })

  it('with texts, and operators that nobody knows', async () => {
    const b = new Builder()
    const x = b.input('words', 'string', ['n'])
    b.output('y', b.node('Identity', [x])[0]!)
    const model = await opened(b.build())
    const { y } = await model.run({ words: tensor('string', [2], ['a', 'towhee']) })
    expect(y!.data).toEqual(['a', 'towhee'])
    await model.dispose()
    const c = new Builder()
    c.output('z', c.node('Riddle', [c.input('x', 'float32', ['n'])], {}, { domain: 'com.nobody' })[0]!)
    const unknown = await opened(c.build())
    expect(unknown.layers()).toMatchObject([{ kind: 'Riddle', shape: undefined }])
    expect(unknown.cut('z').graph.outputs).toMatchObject([{ name: 'z' }])
    await expect(unknown.run({ x: tensor('float32', [1], [1]) })).rejects.toMatchObject({
      code: expect.stringMatching(/OPERATOR_UNSUPPORTED|GRAPH_INVALID/),
    })
  })

  it('says what pictures, texts and tensors are', async () => {
    const of = async (name: string, ...shape: (number | string)[]) => {
      const b = new Builder()
      b.output('y', op.neg(b.input(name, name === 'input_ids' ? 'int64' : 'float32', shape)))
      return (await opened(b.build())).modality
    }
    expect(await of('input', 'batch', 3, 224, 224)).toBe('image')
    expect(await of('input', 'batch', 224, 224, 3)).toBe('image')
    expect(await of('spectrogram', 'batch', 76, 32, 1)).toBe('tensor')
    expect(await of('audio', 'batch', 'samples')).toBe('tensor')
    expect(await of('x')).toBe('tensor')
  })

  it('and its export embeds the same', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 'time', 3])
    b.output('y', op.matMul(x, b.initializer('w', tensor('float32', [3, 2], [1, 2, 3, 4, 5, 6]))))
    const model = await opened(b.build())
    const path = join(folder, 'exported.onnx')
    await model.export(path, { pool: 'mean' })
    const exported = await open(path)
    expect(exported.card).toMatchObject({ modality: 'tensor', tap: 'embedding', pool: 'mean', dimensions: 2 })
    const { embedding } = await exported.run({ x: tensor('float32', [1, 2, 3], [1, 0, 0, 0, 1, 0]) })
    expect([...embedding!.data]).toEqual([2, 3])
    await exported.dispose()
  })

  it('with sizes of −1, which are any', async () => {
    const b = new Builder()
    b.output('y', op.neg(b.input('x', 'float32', ['', ''])))
    const graph = b.build()
    const any = ({ name }: ValueInfo): ValueInfo => ({ name, type: { ...floats, shape: [-1, -1] } })
    const model = await opened({ ...graph, inputs: graph.inputs.map(any), outputs: graph.outputs.map(any) })
    expect(model.graph.inputs[0]!.type).toEqual({ ...floats, shape: ['', ''] })
    expect((await model.run({ x: row(1, 2) }))['y']!.shape).toEqual([1, 2])
    await model.dispose()
  })
})

describe('an input that has a value of its own', () => {
  /** x · alpha, with its first `count` columns; both are inputs with initializers, as in files of ONNX's versions before IR 4. */
  function scaled(): Graph {
    const b = new Builder()
    const x = b.input('x', 'float32', ['n', 4])
    const alpha = b.initializer('alpha', tensor('float32', [1], [2]))
    const count = b.initializer('count', tensor('int64', [1], [3]))
    b.output('y', op.slice(op.mul(x, alpha), [0], count, { axes: [1] }))
    const graph = b.build()
    const info = (name: string, dtype: 'float32' | 'int64') => ({
      name,
      type: { kind: 'tensor' as const, dtype, shape: [1] },
    })
    return { ...graph, inputs: [...graph.inputs, info('alpha', 'float32'), info('count', 'int64')] }
  }
  const x = tensor('float32', [1, 4], [1, 2, 3, 4])

  it('keeps it, is fed another where that is named, and keeps it again', async () => {
    const model = await opened(scaled())
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(model.defaults?.map(({ name }) => name)).toEqual(['alpha', 'count'])
    const run = async (feeds: Record<string, Tensor>) => [
      ...((await model.run(feeds))['y']!.data as Float32Array),
    ]
    expect(await run({ x })).toEqual([2, 4, 6])
    expect(await run({ x, alpha: tensor('float32', [1], [10]) })).toEqual([10, 20, 30])
    expect(await run({ x, count: tensor('int64', [1], [2]) })).toEqual([2, 4])
    expect(await run({ x })).toEqual([2, 4, 6])
    await model.dispose()
  })

  it('is an input of the embedding where it is named', async () => {
    const model = await opened(scaled())
    const names = (graph: Graph) => graph.inputs.map(({ name }) => name)
    expect(names(model.embedding())).toEqual(['x'])
    expect(names(model.embedding({ inputs: { alpha: 3 } }))).toEqual(['x', 'alpha'])
    expect(names(model.cut('y').embedding({ inputs: { count: 2 } }))).toEqual(['x', 'count'])
  })
})
