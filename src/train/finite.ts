/** Search for the first number of a step that is not finite. */
import { PipiloError } from '../base/index.ts'
import type { Graph, Node, ValueInfo } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'

type Tensors = Readonly<Record<string, Tensor>>

/** Names of the tensors that hold a number which is not finite. */
export function namesNotFinite(tensors: Tensors): string[] {
  return Object.entries(tensors).flatMap(([name, tensor]) => (placeNotFinite(tensor) ? [name] : []))
}

/**
 * The error of a step that is not finite: it names the first node, in the order of computation, that made such a number of finite ones and
 * from which the outputs took theirs; or the input or weight that held it already. A -∞ that masks what is left out has no blame.
 *
 * @param given what the step was fed, and what it had kept
 * @param outputs that are not finite, loss and gradients before what is kept
 */
export async function notFinite(
  graph: Graph,
  given: { readonly fed: Tensors; readonly kept: Tensors },
  outputs: readonly string[],
  step: number,
): Promise<PipiloError> {
  const fault = (what: string, hint: string) =>
    new PipiloError('RESULT_INVALID', `Step ${step + 1} is not finite: ${what}.`, { input: step + 1, hint })
  for (const [name, tensor] of Object.entries(given.fed)) {
    const at = placeNotFinite(tensor)
    if (at) return fault(`its input ${name} holds ${at}`, 'Look at the data. Nothing of this step was kept.')
  }
  for (const [name, tensor] of Object.entries(given.kept)) {
    const at = placeNotFinite(tensor)
    if (at) return fault(`${name} held ${at} before it`, 'Begin with weights that are finite.')
  }
  const found = await firstNotFinite(graph, { ...given.kept, ...given.fed }, outputs)
  const what = found ?? `${outputs[0]} was not, and was when the step was repeated`
  return fault(
    what,
    'Lower the learning rate, warm it up, or clip the gradients (clip: 1). Nothing of this step was kept.',
  )
}

/**
 * Checks all that a step has kept before it is written.
 *
 * @throws `RESULT_INVALID`: it names the tensor; checkpoints before it are as they were
 */
export function checkKept(tensors: Tensors, step: number): void {
  const [name] = namesNotFinite(tensors)
  if (name === undefined) return
  throw new PipiloError(
    'RESULT_INVALID',
    `After step ${step} ${name} holds ${placeNotFinite(tensors[name]!)}: no checkpoint was written.`,
    {
      input: name,
      hint: 'Squares of the gradients are too large. Clip the gradients (clip: 1), or scale the loss down.',
    },
  )
}

async function firstNotFinite(
  graph: Graph,
  given: Tensors,
  wrong: readonly string[],
): Promise<string | undefined> {
  const outputs = graph.nodes.flatMap(({ outputs }) => outputs.flatMap((name) => infoOf(graph, name)))
  const initializers = new Map([...graph.initializers].filter(([name]) => !(name in given)))
  const inputs = [...graph.inputs]
  for (const [name, { dtype, shape }] of Object.entries(given)) {
    if (!inputs.some((input) => input.name === name)) {
      inputs.push({ name, type: { kind: 'tensor', dtype, shape } })
    }
  }
  const values = await evaluate({ ...graph, inputs, initializers, outputs }, given)
  const places = new Map(
    Object.entries(values).flatMap(([name, tensor]) => {
      const at = placeNotFinite(tensor)
      return at ? [[name, at] as const] : []
    }),
  )
  // The loss first: what is behind it has its gradients from it.
  for (const output of wrong) {
    const name = originOf(graph, places, output)
    const node = name && graph.nodes.find(({ outputs }) => outputs.includes(name))
    if (node)
      return `the first was ${places.get(name)} in ${name}, which ${node.op} at ${node.name} made of ${node.inputs.filter(Boolean).join(', ')}`
  }
  return undefined
}

/** The first value, in the order of computation, that is not finite though its node's inputs are, and that leads to this output. */
function originOf(graph: Graph, places: ReadonlyMap<string, string>, output: string): string | undefined {
  const makers = new Map<string, readonly [Node, number]>(
    graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, [node, index]] as const)),
  )
  const seen = new Set<string>()
  const waiting = places.has(output) ? [output] : []
  let first: { readonly name: string; readonly index: number } | undefined
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const made = makers.get(name)
    if (!made) continue
    const [node, index] = made
    const before = node.inputs.filter((input) => places.has(input))
    waiting.push(...before)
    if (before.length === 0 && (!first || index < first.index)) first = { name, index }
  }
  return first?.name
}

function infoOf(graph: Graph, name: string): ValueInfo[] {
  if (name === '') return []
  const info = graph.outputs.find((output) => output.name === name) ?? graph.values.get(name) ?? { name }
  return info.type?.kind === 'tensor' && !info.type.dtype.startsWith('float') ? [] : [info]
}

/** The first element that is not finite, in words. */
function placeNotFinite({ dtype, data }: Tensor): string | undefined {
  if (dtype !== 'float32' && dtype !== 'float64') return undefined
  const numbers = data as Float32Array
  for (let i = 0; i < numbers.length; i++) {
    if (!Number.isFinite(numbers[i]))
      return `${Number.isNaN(numbers[i]) ? 'NaN' : 'an infinity'} (element ${i})`
  }
  return undefined
}
