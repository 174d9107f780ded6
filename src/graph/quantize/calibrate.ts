// Measures on samples the ranges that values take, and the mean shift that rounding causes.
import { type Tensor, tensor } from '../../tensor/index.ts'
import { prune } from '../passes/index.ts'
import { defined } from '../passes/walk.ts'
import type { Graph, Node } from '../types.ts'
import type { Range } from './convolution.ts'

/** Runs a graph on feeds by the names of its inputs. */
export type Run = (
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
) => Promise<Readonly<Record<string, Tensor>>>

/** Feeds of one run. */
export type Sample = Readonly<Record<string, Tensor>>

/** The ranges that values take on samples, as uint8: zero is always a whole number. */
export async function calibrate(
  graph: Graph,
  names: readonly string[],
  samples: readonly Sample[],
  evaluate: Run,
): Promise<Map<string, Range>> {
  const probe = new Probe(graph)
  for (const name of names) for (const op of ['ReduceMin', 'ReduceMax']) probe.add(name, op, [name])
  const least = new Map<string, number>()
  const most = new Map<string, number>()
  for (const sample of samples) {
    for (const { value, key, numbers } of await probe.run(sample, evaluate)) {
      const number = numbers[0] ?? 0
      if (key === 'ReduceMin') least.set(value, Math.min(least.get(value) ?? 0, number))
      else most.set(value, Math.max(most.get(value) ?? 0, number))
    }
  }
  return new Map(names.map((name) => [name, rangeOf(least.get(name) ?? 0, most.get(name) ?? 0)]))
}

/** Nodes in a row that read `x`. */
export interface Chain {
  readonly x: string
  readonly nodes: readonly Node[]
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * By how much the channels of each value shift, on average, when what a chain of nodes before it reads is rounded. Rounding
 * a kernel of few weights shifts a whole channel, always the same way, so a bias can take it back (Nagel et al. 2019,
 * "Data-Free Quantization Through Weight Equalization and Bias Correction").
 *
 * @param chains nodes from the rounded value, and rounded weights by name, by the name of the value they end in
 */
export async function shifts(
  graph: Graph,
  chains: ReadonlyMap<string, Chain>,
  ranges: ReadonlyMap<string, Range>,
  samples: readonly Sample[],
  evaluate: Run,
): Promise<Map<string, Float32Array>> {
  const probe = new Probe(graph)
  for (const [value, { x, nodes, weights }] of chains) {
    const range = ranges.get(x)
    if (!range) continue
    const renamed = new Map([[x, probe.rounded(x, range)]])
    for (const [name, weight] of weights) renamed.set(name, probe.constant(weight))
    probe.addShift(value, renamed, nodes)
  }
  const sums = new Map<string, Float32Array>()
  const counts = new Map<string, number>()
  for (const sample of samples) {
    for (const { value, shape, numbers } of await probe.run(sample, evaluate)) {
      const [batch = 1, channels = 0] = shape
      const sum = sums.get(value) ?? new Float32Array(channels)
      for (const [i, one] of numbers.entries()) sum[i % channels]! += one
      sums.set(value, sum)
      counts.set(value, (counts.get(value) ?? 0) + batch)
    }
  }
  return new Map([...sums].map(([value, sum]) => [value, sum.map((one) => one / counts.get(value)!)]))
}

/** A graph with small outputs that say something about its values. */
class Probe {
  readonly #graph: Graph
  readonly #taken: Set<string>
  readonly #nodes: Node[] = []
  readonly #constants = new Map<string, Tensor>()
  readonly #outputs: { value: string; key: string; output: string }[] = []

  constructor(graph: Graph) {
    this.#graph = graph
    this.#taken = defined(graph)
  }

  /** A reduction of `inputs`, over all axes unless the operator knows better. */
  add(value: string, op: string, inputs: readonly string[], key: string = op): void {
    const attributes: Node['attributes'] = op.startsWith('Reduce')
      ? { keepdims: { type: 'int', value: 0 } }
      : {}
    this.#outputs.push({ value, key, output: this.#node(op, inputs, attributes) })
  }

  /** A value rounded to a range. */
  rounded(value: string, { scale, zeroPoint }: Range): string {
    const parameters = [
      this.constant(tensor('float32', [], [scale])),
      this.constant(tensor('uint8', [], [zeroPoint])),
    ]
    const down = this.#node('QuantizeLinear', [value, ...parameters])
    return this.#node('DequantizeLinear', [down, ...parameters])
  }

  /** By how much the channels of a value shift when `nodes`, which make it, read other values in place of some. */
  addShift(value: string, others: ReadonlyMap<string, string>, nodes: readonly Node[]): void {
    const renamed = new Map(others)
    for (const { op, inputs, outputs, attributes } of nodes) {
      const made = this.#node(
        op,
        inputs.map((name) => renamed.get(name) ?? name),
        attributes,
      )
      renamed.set(outputs[0]!, made)
    }
    const difference = this.#node('Sub', [value, renamed.get(value)!])
    // Over all pictures and places; GlobalAveragePool does so for any number of axes.
    this.add(value, 'GlobalAveragePool', [difference], 'shift')
  }

  async run(
    sample: Sample,
    evaluate: Run,
  ): Promise<{ value: string; key: string; shape: readonly number[]; numbers: Float32Array }[]> {
    const type = { kind: 'tensor', dtype: 'float32' } as const
    const probe = prune({
      ...this.#graph,
      nodes: [...this.#graph.nodes, ...this.#nodes],
      initializers: new Map([...this.#graph.initializers, ...this.#constants]),
      outputs: this.#outputs.map(({ output }) => ({ name: output, type })),
    })
    const wanted = new Set(probe.inputs.map(({ name }) => name))
    const feeds = Object.fromEntries(
      Object.entries(sample)
        .filter(([name]) => wanted.has(name))
        // The runtime may move a feed's array to another thread.
        .map(([name, feed]) => [name, structuredClone(feed)]),
    )
    const results = await evaluate(probe, feeds)
    return this.#outputs.map(({ value, key, output }) => ({
      value,
      key,
      shape: results[output]?.shape ?? [],
      numbers: results[output]?.data as Float32Array,
    }))
  }

  constant(value: Tensor): string {
    const name = this.#fresh('probe/constant')
    this.#constants.set(name, value)
    return name
  }

  #node(op: string, inputs: readonly string[], attributes: Node['attributes'] = {}): string {
    const name = this.#fresh(`probe/${op}`)
    this.#nodes.push({ name, op, domain: '', inputs, outputs: [name], attributes })
    return name
  }

  #fresh(wanted: string): string {
    let name = wanted
    for (let i = 2; this.#taken.has(name); i++) name = `${wanted}_${i}`
    this.#taken.add(name)
    return name
  }
}

function rangeOf(least: number, most: number): Range {
  const scale = Math.fround((most - least) / 255) || 1
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-least / scale))) }
}
