// Reads the nodes of a TensorFlow graph and sorts out its outputs.
import { PipiloError } from '../../../base/index.ts'
import { isObject } from '../../files.ts'
import type { ModelJson } from './modelJson.ts'

/** One output of a node. */
export interface NodeOutput {
  readonly node: string
  readonly output: number
}

/** TensorFlow's NodeDef: an operator, what it reads, and its attributes as protobuf writes them in JSON. */
export interface NodeDef {
  readonly name: string
  readonly op: string
  readonly inputs: readonly NodeOutput[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The nodes of a graph model, and which of their outputs are its outputs. */
export interface NodeGraph {
  readonly file: string
  readonly nodes: ReadonlyMap<string, NodeDef>
  readonly outputs: readonly NodeOutput[]
}

/**
 * The nodes of a TensorFlow.js graph model.
 *
 * @see https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/node_def.proto
 * @throws PipiloError `MODEL_INVALID` for names that are missing, twice there, or read and nowhere made
 */
export function readNodes({ file, topology, signature }: ModelJson): NodeGraph {
  const list = topology['node']
  if (!Array.isArray(list) || list.length === 0) throw brokenGraph(file, 'it has no list of nodes')
  const nodes = new Map<string, NodeDef>()
  for (const entry of list as unknown[]) {
    const node = readNode(entry, file)
    if (nodes.has(node.name)) throw brokenGraph(file, `two nodes are called ${node.name}`)
    nodes.set(node.name, node)
  }
  for (const { name, inputs } of nodes.values()) {
    const missing = inputs.find(({ node }) => !nodes.has(node))
    if (missing) throw brokenGraph(file, `${name} reads from ${missing.node}, which does not exist`)
  }
  const outputs = statedOutputs(signature) ?? ends(nodes)
  const unknown = outputs.find(({ node }) => !nodes.has(node))
  if (unknown) throw brokenGraph(file, `its output ${unknown.node} does not exist`)
  if (outputs.length === 0) throw brokenGraph(file, 'no node of it is an output')
  return { file, nodes, outputs }
}

/** The nodes that the outputs need, in any order. */
export function needed({ nodes, outputs }: NodeGraph): NodeDef[] {
  const names = new Set(outputs.map(({ node }) => node))
  for (const name of names) for (const { node } of nodes.get(name)!.inputs) names.add(node)
  return [...names].map((name) => nodes.get(name)!)
}

/** The nodes that the outputs need, each behind what it reads. @throws PipiloError `MODEL_INVALID` for a circle */
export function inOrder({ file, nodes, outputs }: NodeGraph): NodeDef[] {
  const order: NodeDef[] = []
  const state = new Map<string, 'open' | 'done'>()
  const stack = outputs.map(({ node }) => node).reverse()
  while (stack.length > 0) {
    const name = stack[stack.length - 1]!
    const node = nodes.get(name)!
    const waiting = state.get(name) ? [] : node.inputs.filter((input) => state.get(input.node) !== 'done')
    if (waiting.some((input) => state.get(input.node) === 'open')) {
      throw brokenGraph(file, `${name} reads, over others, from itself`)
    }
    if (waiting.length > 0) {
      state.set(name, 'open')
      stack.push(...waiting.map((input) => input.node))
      continue
    }
    if (state.get(name) !== 'done') order.push(node)
    state.set(name, 'done')
    stack.pop()
  }
  return order
}

/** @throws PipiloError `MODEL_INVALID` */
export function brokenGraph(file: string, what: string): PipiloError {
  return new PipiloError('MODEL_INVALID', `${file} is broken: ${what}.`, { input: file })
}

function readNode(entry: unknown, file: string): NodeDef {
  if (!isObject(entry) || typeof entry['name'] !== 'string' || typeof entry['op'] !== 'string') {
    throw brokenGraph(file, 'a node lacks its "name" or "op"')
  }
  const { name, op } = entry
  const inputs = entry['input'] ?? []
  if (!Array.isArray(inputs) || !inputs.every((input) => typeof input === 'string' && input !== '')) {
    throw brokenGraph(file, `"input" of ${name} is no list of names`)
  }
  const attributes = isObject(entry['attr']) ? entry['attr'] : {}
  // A name behind ^ only says what runs first.
  return { name, op, inputs: inputs.filter((input) => !input.startsWith('^')).map(readOutput), attributes }
}

/** `name` or `name:1` */
function readOutput(text: string): NodeOutput {
  const [, node, output] = /^(.*?)(?::(\d+))?$/s.exec(text) ?? []
  return { node: node ?? text, output: Number(output ?? 0) }
}

function statedOutputs(signature: unknown): NodeOutput[] | undefined {
  const outputs = isObject(signature) ? signature['outputs'] : undefined
  if (!isObject(outputs)) return undefined
  const named = Object.values(outputs).map((info) => (isObject(info) ? info['name'] : undefined))
  const names = named.filter((name) => typeof name === 'string')
  return names.length > 0 ? names.map(readOutput) : undefined
}

/** Outputs of a graph that states none: the nodes that no other reads. */
function ends(nodes: ReadonlyMap<string, NodeDef>): NodeOutput[] {
  const read = new Set([...nodes.values()].flatMap(({ inputs }) => inputs.map(({ node }) => node)))
  return [...nodes.values()]
    .filter(({ name, op }) => !read.has(name) && !['NoOp', 'Const', 'Placeholder', 'Assert'].includes(op))
    .map(({ name }) => ({ node: name, output: 0 }))
}
