/** The walk that differentiates a graph; it knows no operator. */
import {
  checkOption,
  checkOptions,
  is,
  type OptionTable,
  type OptionType,
  PipiloError,
} from '../base/index.ts'
import {
  Builder,
  type Graph,
  type Node,
  op,
  optionalOutputs,
  prune,
  reads,
  subgraphs,
  upgrade,
  type Value,
} from '../graph/index.ts'
import { zerosLike } from './broadcasting.ts'
import { fuseGelu } from './gelu.ts'
import { recomputed } from './recompute.ts'
import { BackwardCall, type GradientRule } from './rule.ts'
import { ruleOf } from './table.ts'

/** Options of {@link grad}. */
export interface GradOptions {
  /** Name of the output that is differentiated: one floating-point number. */
  readonly of: string
  /** Names of initializers, inputs or inner values by which it is. */
  readonly by: readonly string[]
  /**
   * Layers whose inner values are made again on the way back instead of being kept: less memory for up to a third more time. Patterns of
   * nodes' names; nodes with the same matched text are one layer (`/^encoder\.layer\.\d+/`). Default: none.
   */
  readonly recompute?: readonly RegExp[]
}

/** Names, each of them once. There may be none: all weights of a graph may be frozen. */
const namesType: OptionType = (value, name, input) => {
  if (!Array.isArray(value)) return 'an array of names of initializers, inputs or inner values'
  return value.length > 0 ? is.names(value, name, input) : undefined
}

const gradTypes: OptionTable<GradOptions> = {
  of: is.name,
  by: namesType,
  recompute: is.listOf(is.instance('a pattern (RegExp)', 'source', 'flags')),
}

/**
 * The graph with the gradients of one of its outputs as further outputs.
 *
 * @example
 * ```ts
 * const step = grad(graph, { of: 'loss', by: ['fc.weight', 'fc.bias'] })
 * const { loss, 'fc.weight.grad': gradient } = await evaluate(step, { pixel_values, labels })
 * ```
 *
 * @remarks
 * For each name in `by` there is an output `<name>.grad` of its shape and dtype; zeros where `of` does not depend on it. Everything that
 * the graph had is kept, but the values inside a Gelu, which becomes one node. Where a function has a corner (ReLU at 0), the gradient is PyTorch's choice. Integers and booleans carry
 * no gradient. A graph of an older operator set is raised to 17 first (`upgrade`). Reverse-mode accumulation, as in https://arxiv.org/abs/1502.05767, section 3.2.
 *
 * @throws `LAYER_UNKNOWN` for a name that is not there, `SHAPE_MISMATCH` for an output of more than one number, `DTYPE_MISMATCH` for names
 *   that are no floats, `OPERATOR_UNSUPPORTED` for an operator on the way that has no rule: it names the node, `OPTION_INVALID` for a
 *   pattern that matches no layer and for options of another type, `GRAPH_INVALID` for a graph that has the gradient by a name already
 */
export function grad(imported: Graph, options: GradOptions): Graph {
  checkGradOptions(options)
  const { of, by, recompute = [] } = options
  checkNotYet(imported, by)
  const given = fuseGelu(upgrade(imported), by)
  const way = wayOf(given, of, by)
  const graph = optionalOutputs(given, statisticsOf(way))
  const builder = Builder.from(graph)
  const loss = checkOutput(builder, given, of)
  const targets = by.map((name) => checkTarget(builder, name))

  const gradients = new Map<string, Value>([
    [of, op.expand(builder.constant(1, loss.dtype), [...loss.shape].map(Number))],
  ])
  const wanted = dependents(graph, by)
  const onWay = new Set(way.map(({ name, outputs }) => name || outputs[0]))
  for (const node of graph.nodes.toReversed()) {
    if (!onWay.has(node.name || node.outputs[0])) continue
    const flowing = node.outputs.map((name) => gradients.get(name))
    if (flowing.every((gradient) => !gradient)) continue
    const found = backward(builder, node, flowing, wanted)
    for (const [index, gradient] of found.entries()) {
      const name = node.inputs[index]
      if (!gradient || !name || !wanted.has(name)) continue
      const before = gradients.get(name)
      gradients.set(name, before ? builder.scope(scopeOf(node), () => op.add(before, gradient)) : gradient)
    }
  }
  for (const target of targets)
    builder.output(`${target.name}.grad`, gradients.get(target.name) ?? zerosLike(target))
  // Some gradients were had in another form than a rule had thought.
  const found = prune(builder.build(), { keepInputs: true })
  return recompute.length > 0
    ? recomputed(found, new Set(graph.nodes.map(({ name }) => name)), recompute)
    : found
}

/** The nodes between `by` and `of`, in the graph's order, each of which has a rule. */
function wayOf(graph: Graph, of: string, by: readonly string[]): readonly Node[] {
  const depend = dependents(graph, by)
  const needed = new Set([of])
  const way: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => name !== '' && needed.has(name))) continue
    if (!reads(node).some((name) => depend.has(name))) continue
    if (ruleFor(node) === 'none') continue
    way.push(node)
    for (const name of reads(node)) if (depend.has(name)) needed.add(name)
  }
  return way.reverse()
}

/** Names of values that change with `by`, and these themselves. */
function dependents(graph: Graph, by: readonly string[]): ReadonlySet<string> {
  const depend = new Set(by)
  for (const node of graph.nodes) {
    if (!reads(node).some((name) => depend.has(name))) continue
    if (ruleOf(node) === 'none') continue
    for (const name of node.outputs) if (name !== '') depend.add(name)
  }
  return depend
}

function ruleFor(node: Node): GradientRule {
  const rule = ruleOf(node)
  if (rule) return rule
  const operator = node.domain ? `${node.domain}.${node.op}` : node.op
  throw new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `${operator} at ${JSON.stringify(node.name)} has no gradient.`,
    {
      input: node.name,
      hint:
        subgraphs(node).length > 0
          ? 'Graphs inside a node are not differentiated: export the model without control flow.'
          : 'Differentiate by values behind it, or express it by other operators.',
    },
  )
}

/** The optional outputs that the rules ask of the forward nodes. */
function statisticsOf(way: readonly Node[]): Record<string, readonly string[]> {
  return Object.fromEntries(
    way.flatMap((node) => {
      const rule = ruleFor(node)
      const needs = typeof rule === 'object' ? rule.needs(node) : []
      return needs.length > 0 ? [[node.name || node.outputs[0]!, needs] as const] : []
    }),
  )
}

function backward(
  builder: Builder,
  node: Node,
  gradients: readonly (Value | undefined)[],
  wanted: ReadonlySet<string>,
): readonly (Value | undefined)[] {
  const rule = ruleFor(node)
  if (rule === 'none') return []
  const value = (name: string) => (name === '' ? undefined : builder.value(name))
  const inputs = node.inputs.map(value)
  const call = new BackwardCall(builder, node, {
    inputs,
    outputs: node.outputs.map(value),
    gradients,
    wanted: node.inputs.map((name, index) => wanted.has(name) && isFloat(inputs[index])),
  })
  const gradient = typeof rule === 'object' ? rule.gradient : rule
  return builder.scope(scopeOf(node), () => gradient(call))
}

/** Gradients of a layer stand in a scope of their own, named after it. */
function scopeOf({ name }: Node): string {
  const end = name.lastIndexOf('/')
  return end > 0 ? `backward.${name.slice(0, end)}` : 'backward'
}

/** Beside their types: `of` and `by` may not be left out. */
function checkGradOptions(options: Partial<GradOptions> = {}): void {
  checkOptions('grad', options, gradTypes)
  checkOption('of', options.of, gradTypes.of)
  checkOption('by', options.by, gradTypes.by)
}

/** Refuses a graph that has gradients by these names from before: both would have one name. */
function checkNotYet({ outputs }: Graph, by: readonly string[]): void {
  const name = by.find((one) => outputs.some((output) => output.name === `${one}.grad`))
  if (name === undefined) return
  throw new PipiloError(
    'GRAPH_INVALID',
    `The graph has been differentiated by ${name} already: it has the output ${name}.grad.`,
    {
      input: name,
      hint: `Differentiate the graph from before, or first give the output another name: rename(graph, { '${name}.grad': '${name}.first' }).`,
    },
  )
}

function checkOutput(builder: Builder, graph: Graph, name: string): Value {
  if (!graph.outputs.some((output) => output.name === name)) {
    const names = graph.outputs.map((output) => output.name)
    throw new PipiloError('LAYER_UNKNOWN', `${name} is no output of the graph.`, {
      input: name,
      hint: `Its outputs are ${names.join(', ')}.`,
    })
  }
  const value = builder.value(name)
  checkFloat(value)
  if (value.shape.every((size) => size === 1)) return value
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `${name} is [${value.shape.join(', ')}]; what is differentiated is one number.`,
    {
      input: name,
      hint: 'Reduce it by a sum or a mean first.',
    },
  )
}

function checkTarget(builder: Builder, name: string): Value {
  const value = builder.value(name)
  checkFloat(value)
  return value
}

function checkFloat(value: Value): void {
  if (isFloat(value)) return
  throw new PipiloError('DTYPE_MISMATCH', `${value.name} is ${value.dtype}: only floats have gradients.`, {
    input: value.name,
  })
}

function isFloat(value: Value | undefined): boolean {
  return value?.type?.kind === 'tensor' && /^(float|bfloat16)/.test(value.dtype)
}
