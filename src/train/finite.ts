/** Search for the first number of a step that is not finite. */
import { PipiloError } from '../base/index.ts'
import type { Graph, ValueInfo } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'

/**
 * The error of a step whose loss or gradients are not finite, which names the first node, in the order of computation, that made such a
 * number of finite ones; or the input or weight that held it already.
 *
 * @param given all that the step was fed, its state too
 */
export async function notFinite(
  graph: Graph,
  given: Readonly<Record<string, Tensor>>,
  step: number,
): Promise<PipiloError> {
  const found = await firstNotFinite(graph, given)
  const what = found ?? 'the loss or a gradient, and not again when the step was repeated'
  return new PipiloError('RESULT_INVALID', `Step ${step + 1} is not finite: the first was ${what}.`, {
    input: step + 1,
    hint: 'Lower the learning rate, warm it up, or clip the gradients (clip: 1). Nothing of this step was kept.',
  })
}

async function firstNotFinite(
  graph: Graph,
  given: Readonly<Record<string, Tensor>>,
): Promise<string | undefined> {
  for (const [name, tensor] of Object.entries(given)) {
    const at = placeNotFinite(tensor)
    if (at) return `${at} in ${name}, which the step was given`
  }
  const outputs = graph.nodes.flatMap(({ outputs }) => outputs.flatMap((name) => infoOf(graph, name)))
  const initializers = new Map([...graph.initializers].filter(([name]) => !(name in given)))
  const inputs = [...graph.inputs]
  for (const [name, { dtype, shape }] of Object.entries(given)) {
    if (!inputs.some((input) => input.name === name)) {
      inputs.push({ name, type: { kind: 'tensor', dtype, shape } })
    }
  }
  const values = await evaluate({ ...graph, inputs, initializers, outputs }, given)
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const at = values[name] && placeNotFinite(values[name])
      if (at) return `${at} in ${name}, which ${node.op} at ${node.name} made`
    }
  }
  return undefined
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
