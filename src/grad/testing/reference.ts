// For tests only: gradients beside PyTorch's.
import { readFileSync } from 'node:fs'
import { it } from 'vitest'
import { Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type DType, elementCount, type Tensor, tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'

interface Stored {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** JSON has no numbers that are not finite: they are text. */
  readonly data: readonly (number | string)[]
}

interface Case {
  readonly inputs: readonly Stored[]
  readonly gradients: readonly (Stored | null)[]
}

type Build = (...inputs: readonly Value[]) => Value

/**
 * A test for each case of `testdata/<family>.json`: the gradients of `Σ sin(1.7 i + 0.3) · y` in float32 are PyTorch's to 1e-5 of the
 * largest. `builds` must have all of the cases.
 */
export function itAgreesWithPyTorch(family: string, builds: Readonly<Record<string, Build>>): void {
  const path = new URL(`../testdata/${family}.json`, import.meta.url)
  const cases = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Case>
  it(`PyTorch’s cases of ${family} are all here`, () => {
    const missing = Object.keys(cases).filter((name) => !(name in builds))
    const unknown = Object.keys(builds).filter((name) => !(name in cases))
    if (missing.length + unknown.length > 0) throw new Error(`${missing} missing, ${unknown} unknown`)
  })
  for (const [name, build] of Object.entries(builds)) {
    it(`${name} has PyTorch’s gradients`, () => compareCase(cases[name]!, build))
  }
}

async function compareCase({ inputs, gradients }: Case, build: Build): Promise<void> {
  const b = new Builder({ opset: 18 })
  const y = build(...inputs.map(({ dtype, shape }, i) => b.input(`x${i}`, dtype, shape)))
  b.output('loss', op.reduceSum(op.mul(y, b.constant(weightsOf(y)))))
  const by = gradients.flatMap((gradient, i) => (gradient ? [`x${i}`] : []))
  const feeds = inputs.map(
    ({ dtype, shape, data }, i) => [`x${i}`, tensor(dtype, shape, data.map(Number))] as const,
  )
  const results = await evaluate(grad(b.build(), { of: 'loss', by }), Object.fromEntries(feeds))
  for (const [i, gradient] of gradients.entries())
    if (gradient) compareGradient(`x${i}`, results[`x${i}.grad`]!, gradient)
}

function weightsOf(y: Value): Tensor {
  const shape = y.shape.map(Number)
  return tensor(
    'float32',
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(1.7 * i + 0.3)),
  )
}

function compareGradient(name: string, found: Tensor, expected: Stored): void {
  if (found.shape.join() !== expected.shape.join())
    throw new Error(`The gradient by ${name} is [${found.shape}], not [${expected.shape}].`)
  const numbers = expected.data.map(Number)
  const scale = Math.max(1e-3, ...numbers.map(Math.abs).filter(Number.isFinite))
  for (const [i, value] of numbers.entries()) {
    const own = Number(found.data[i])
    if (!Object.is(own, value) && !(Math.abs(own - value) <= 1e-5 * scale))
      throw new Error(`The gradient by ${name}[${i}] is ${own}, PyTorch’s ${value}.`)
  }
}
