/** The linear layers of a graph: products with a weight that is an initializer, however the graph writes them. */
import { closest, PipiloError } from '../../base/index.ts'
import type { Graph, Node } from '../../graph/index.ts'

/** A product `x Wᵀ`, or with `x W`. */
export interface LinearLayer {
  /** PyTorch's name of the module: its weight is `<module>.weight`. */
  readonly module: string
  /** Name of the initializer. */
  readonly weight: string
  /** The `MatMul` or `Gemm`. */
  readonly node: Node
  readonly inputs: number
  readonly outputs: number
  /** The weight is [inputs, outputs], as a `MatMul` takes it, and not PyTorch's [outputs, inputs]. */
  readonly transposed: boolean
}

/** Layers that are meant: a pattern that a module's name has to contain, or names, each a whole one or its end. */
export type LoraTargets = RegExp | readonly string[]

/**
 * The linear layers whose modules are meant.
 *
 * @throws PipiloError `LAYER_UNKNOWN` with the closest names where a target means none; `OPERATOR_UNSUPPORTED` where one means a module
 *   with a weight that is no linear layer
 */
export function linearLayers(graph: Graph, targets: LoraTargets): LinearLayer[] {
  const all = findAll(graph)
  const modules = modulesOf(graph)
  const wanted = [targets].flat()
  const chosen = new Set<string>()
  for (const target of wanted) {
    const meant = modules.filter((module) => matches(module, target))
    if (meant.length === 0) throw nothing(target, modules)
    for (const module of meant) chosen.add(module)
  }
  if (wanted.length === 0) throw nothing('', modules)
  const other = [...chosen].find((module) => !all.has(module))
  if (other !== undefined) {
    throw new PipiloError('OPERATOR_UNSUPPORTED', `${other} is no linear layer, and gets no LoRA.`, {
      input: other,
      hint: 'Choose names that mean linear layers alone.',
    })
  }
  return [...all.values()].filter(({ module }) => chosen.has(module))
}

function matches(module: string, target: string | RegExp): boolean {
  // A pattern with the flag g would go on from its last match.
  if (typeof target !== 'string')
    return new RegExp(target.source, target.flags.replace(/[gy]/g, '')).test(module)
  return module === target || module.endsWith(`.${target}`)
}

const moduleOf = (weight: string) => weight.replace(/\.weight$/, '')

function modulesOf(graph: Graph): string[] {
  const named = [...graph.initializers].filter(([name]) => name.endsWith('.weight'))
  return named.map(([name]) => moduleOf(name))
}

function nothing(target: string | RegExp, modules: readonly string[]): PipiloError {
  const text = typeof target === 'string' ? target : target.source
  const parts = [...new Set(modules.flatMap((module) => [module, module.slice(module.lastIndexOf('.') + 1)]))]
  const near = closest(text, parts)
  return new PipiloError('LAYER_UNKNOWN', `No layer of the graph is meant by ${target}.`, {
    input: text,
    hint:
      near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${modules.slice(0, 5).join(', ')} …`,
  })
}

/** By module. A weight that is used twice, or otherwise than in one product, is no layer's own. */
function findAll(graph: Graph): Map<string, LinearLayer> {
  const uses = new Map<string, Node[]>()
  for (const node of graph.nodes)
    for (const input of new Set(node.inputs)) uses.set(input, [...(uses.get(input) ?? []), node])
  const found = new Map<string, LinearLayer>()
  for (const [name, { shape }] of graph.initializers) {
    if (shape.length !== 2 || !name.endsWith('.weight')) continue
    const product = productOf(name, uses)
    if (!product) continue
    const [outputs, inputs] = (product.transposed ? shape.toReversed() : shape) as [number, number]
    found.set(moduleOf(name), { module: moduleOf(name), weight: name, inputs, outputs, ...product })
  }
  return found
}

function productOf(
  weight: string,
  uses: ReadonlyMap<string, readonly Node[]>,
): { node: Node; transposed: boolean } | undefined {
  let name = weight
  let turned = false
  for (;;) {
    const [node, ...more] = uses.get(name) ?? []
    if (!node || more.length > 0) return undefined
    if (node.op === 'Cast') name = node.outputs[0]!
    else if (node.op === 'Transpose' && !turned) {
      turned = true
      name = node.outputs[0]!
    } else if (node.op === 'MatMul' && node.inputs[1] === name) return { node, transposed: !turned }
    else if (node.op === 'Gemm' && node.inputs[1] === name && !turned && isPlain(node)) {
      return { node, transposed: number(node, 'transB', 0) === 0 }
    } else return undefined
  }
}

/** Only such a `Gemm` is `x W` or `x Wᵀ` and a bias. */
function isPlain(node: Node): boolean {
  return number(node, 'alpha', 1) === 1 && number(node, 'transA', 0) === 0
}

function number({ attributes }: Node, name: string, otherwise: number): number {
  const attribute = attributes[name]
  return attribute?.type === 'int' || attribute?.type === 'float' ? Number(attribute.value) : otherwise
}
