// Finds out if a device computes in half precision, by having it multiply a few halves.
import { Builder, type Graph, op } from '../../graph/index.ts'
import { float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import type { Device, Session } from '../types.ts'
import { messageOf, sentence } from './failures.ts'

const answers = new Map<Device, string>()

/**
 * The reason why a device does not compute in halves; `''` where it does. A session alone says nothing: WebGPU without
 * `shader-f16` opens it, and fails as it runs. Asked once a process.
 *
 * @throws what opening a session throws: of a device that is not there
 */
export async function withoutHalf(device: Device, open: (graph: Graph) => Promise<Session>): Promise<string> {
  const known = answers.get(device)
  if (known !== undefined) return known
  const session = await open(product())
  try {
    const { y } = await session.run({ x: tensor('float32', [1, 4], [1, 2, 3, 4]) })
    answers.set(device, isRight(y) ? '' : `${device} multiplies halves wrongly.`)
  } catch (error) {
    answers.set(device, sentence(causeOf(messageOf(error))))
  } finally {
    await session.dispose()
  }
  return answers.get(device)!
}

/** `y = relu(x · w)` in halves, x of [1, 4], each element of w 0.5. */
function product(): Graph {
  const builder = new Builder({ name: 'halves' })
  const x = op.cast(builder.input('x', 'float32', [1, 4]), 'float16')
  const weight = float32ToFloat16(new Float32Array(16).fill(0.5))
  const w = builder.initializer('w', tensor('float16', [4, 4], weight))
  builder.output('y', op.cast(op.relu(op.matMul(x, w)), 'float32'))
  return builder.build()
}

function isRight(y: Tensor | undefined): boolean {
  return y?.data.length === 4 && [...y.data].every((element) => element === 5)
}

/** A message without the node that happened to be the first, and without a place in the library. */
function causeOf(message: string): string {
  return message
    .replace(/^Node "[^"]*" \(\w+\) failed: /, '')
    .replace(/^\S+\.cc:\d+ \S+ /, '')
    .replace(/^Program \w+ requires/, 'A program requires')
}
