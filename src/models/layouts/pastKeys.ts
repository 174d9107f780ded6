// The keys and values of tokens before a text, which a graph of a language model takes: there are none, and their other sizes have to be known.
import { type Dimension, type Graph, inferShapes, type ValueInfo } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { shapeOf, shapesOf } from './onnxOutputs.ts'

type Config = Readonly<Record<string, unknown>>

/** Inputs that hold keys and values of earlier tokens: `past_key_values.0.key`, `past.3.value`. */
const isPast = (name: string): boolean => /^past(_key_?values?|_keys?|_values?)?[._]\d/.test(name)

/** Of a graph with a branch for each: whether there are such tokens. */
const branch = 'use_cache_branch'

/**
 * The graph whose inputs of earlier tokens have room for none, [batch, heads, 0, features]: whoever feeds them has nothing to put there. Sizes that
 * they leave open are those of what is joined to them, or as `config.json` says; where neither tells, an input stays as it is.
 */
export function withPast(graph: Graph, config: Config): Graph {
  if (!graph.inputs.some(({ name }) => isPast(name))) return graph
  const inputs = graph.inputs
    .filter(({ name }) => name !== branch)
    .map((info) => (isPast(info.name) ? sized(info, graph, config) : info))
  const initializers = new Map(graph.initializers)
  if (inputs.length < graph.inputs.length) initializers.set(branch, tensor('bool', [1], [false]))
  return inferShapes({ ...graph, inputs, initializers })
}

function sized(info: ValueInfo, graph: Graph, config: Config): ValueInfo {
  const { type } = info
  const shape = shapeOf(info)
  // [batch, heads, tokens, features]; in another order the heads are not guessed.
  if (type?.kind !== 'tensor' || !shape) return info
  const open = shape.flatMap((size, axis) => (typeof size === 'string' && axis > 0 ? [axis] : []))
  const tokens = open.length === 1 ? open[0] : open.find((axis) => /past|seq|len/.test(String(shape[axis])))
  const isUsual = shape.length === 4 && typeof shape[2] === 'string' && (tokens ?? 2) === 2
  if (!isUsual && open.length !== 1) return info
  const joined = graph.nodes.find(({ op, inputs }) => op === 'Concat' && inputs.includes(info.name))
  const others = [...(joined?.inputs ?? []), ...(joined?.outputs ?? [])].filter((name) => name !== info.name)
  const known = others.map(shapesOf(graph))
  const stated = [undefined, headsOf(config), undefined, widthOf(config)]
  const sizes = shape.map((size, axis): Dimension => {
    if (axis === (isUsual ? 2 : tokens)) return 0
    if (typeof size === 'number' || axis === 0) return size
    const seen = known.map((other) => other?.[axis]).find((other) => typeof other === 'number')
    return seen ?? stated[axis] ?? size
  })
  const isKnown = sizes.every((size, axis) => axis === 0 || typeof size === 'number')
  return isKnown ? { ...info, type: { ...type, shape: sizes } } : info
}

function headsOf(config: Config): number | undefined {
  return firstNumber(config, ['num_key_value_heads', 'num_attention_heads', 'n_head', 'num_heads'])
}

function widthOf(config: Config): number | undefined {
  const all = firstNumber(config, ['hidden_size', 'n_embd', 'd_model'])
  const heads = firstNumber(config, ['num_attention_heads', 'n_head', 'num_heads'])
  return firstNumber(config, ['head_dim', 'd_kv']) ?? (all && heads ? all / heads : undefined)
}

function firstNumber(config: Config, names: readonly string[]): number | undefined {
  return names
    .map((name) => config[name])
    .find((value): value is number => typeof value === 'number' && value > 0)
}
