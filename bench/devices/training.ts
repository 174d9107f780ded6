/**
 * Training steps on each device that is there: losses of five steps beside the CPU's, and steps a second. Packed by pack.ts.
 *
 *     node training.js                         # also: --device webgpu,cuda, --works mlp,vit, --threads 8
 *
 * An operator that a device lacks runs on the CPU, and what travels between them costs more than it saves: the numbers say where that is.
 */
import { parseArgs } from 'node:util'
import { PipiloError } from '../../src/base/index.ts'
import { compileStateful, type Device, devices } from '../../src/runtime/index.ts'
import { works } from '../train/works.ts'

const { values } = parseArgs({
  options: {
    device: { type: 'string' },
    works: { type: 'string', default: 'mlp,lenet,vit,resnet20' },
    threads: { type: 'string', default: '2' },
  },
})
const chosen = (values.device?.split(',') ?? devices) as Device[]
const SECONDS = 4

console.log('| work | device | loss of five steps | furthest from the CPU | steps a second |')
console.log('|---|---|---|---|---|')
for (const name of values.works.split(',')) {
  let expected: readonly number[] | undefined
  for (const device of ['cpu' as const, ...chosen.filter((one) => one !== 'cpu')]) {
    try {
      const { losses, rate } = await measure(name, device)
      expected ??= losses
      const far = Math.max(...losses.map((loss, i) => Math.abs(loss / expected![i]! - 1)))
      const cells = [losses.map((loss) => loss.toFixed(5)).join(' '), far.toExponential(1), rate.toFixed(1)]
      console.log(`| ${[name, device, ...cells].join(' | ')} |`)
    } catch (error) {
      const said = error instanceof PipiloError ? `${error.code}: ${error.message}` : String(error)
      console.log(`| ${name} | ${device} | ${said.split('\n')[0]!.slice(0, 200)} | | |`)
    }
  }
}

async function measure(name: string, device: Device): Promise<{ losses: number[]; rate: number }> {
  const { graph, state, feeds } = works[name]!({})
  const session = await compileStateful(graph, { state, device, threads: Number(values.threads), workers: 0 })
  const fixed = feeds()
  const step = async () => {
    const { loss } = await session.step({ feeds: fixed, fetch: ['loss'] })
    return Number(loss!.data[0])
  }
  const losses: number[] = []
  for (let i = 0; i < 5; i++) losses.push(await step())
  const start = performance.now()
  let steps = 0
  while (performance.now() - start < SECONDS * 1000) {
    await step()
    steps++
  }
  const rate = (steps * 1000) / (performance.now() - start)
  await session.dispose()
  return { losses, rate }
}
