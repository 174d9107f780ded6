/**
 * Cost of the masks of a step of BERT-base at 32 × 128: 25 of [32, 128, 768] and 12 of [32, 12, 128, 128] (588 MB as floats),
 * drawn in the graph from a counter, or in JavaScript on the thread that runs the session and fed; beside the same graph without.
 *
 *     npx tsx bench/runtime/masks.ts [none | graph | drawn]...
 */
import { Builder, op, type Value } from '../../src/graph/index.ts'
import { dropout, MASK_COUNTER } from '../../src/nn/index.ts'
import { compile } from '../../src/runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/index.ts'

const KINDS = ['none', 'graph', 'drawn'] as const
const P = 0.1
const HIDDEN = [32, 128, 768]
const ATTENTION = [32, 12, 128, 128]

const asked = KINDS.filter((kind) => process.argv.includes(kind))
for (const kind of asked.length > 0 ? asked : KINDS) await measure(kind)

async function measure(kind: (typeof KINDS)[number]): Promise<void> {
  const b = new Builder()
  const hidden = b.input('hidden', 'float32', ['batch', 'sequence', 768])
  const attention = b.input('attention', 'float32', ['batch', 12, 'sequence', 'sequence'])
  const masks = new Map<string, number[]>()
  const drop = (x: Value, shape: number[], i: number): Value => {
    if (kind === 'none') return x
    if (kind === 'graph') return b.scope(`layer.${i}`, () => dropout(x, P, 'training'))
    masks.set(`mask.${i}`, shape)
    return op.mul(x, b.input(`mask.${i}`, 'float32', x.shape))
  }
  for (let i = 0; i < 37; i++) {
    const dropped = i % 3 === 0 && i > 0 ? drop(attention, ATTENTION, i) : drop(hidden, HIDDEN, i)
    b.output(`y.${i}`, op.reduceMax(dropped))
  }
  const session = await compile(b.build(), { workers: 0 })
  const feeds: Record<string, Tensor> = { hidden: filled(HIDDEN), attention: filled(ATTENTION) }
  for (const [name, shape] of masks) feeds[name] = filled(shape)
  const times: { wall: number; processor: number }[] = []
  for (let step = 0; step < 11; step++) {
    const [start, before] = [performance.now(), process.cpuUsage()]
    if (kind === 'graph') feeds[MASK_COUNTER] = tensor('int64', [2], [1, step])
    for (const [i, name] of [...masks.keys()].entries())
      draw(feeds[name]!.data as Float32Array, step * 37 + i)
    await session.run(feeds)
    const { user, system } = process.cpuUsage(before)
    times.push({ wall: performance.now() - start, processor: (user + system) / 1000 })
  }
  await session.dispose()
  const median = (of: 'wall' | 'processor') =>
    times
      .map((time) => time[of])
      .sort((a, z) => a - z)[5]!
      .toFixed(0)
  const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0)
  console.log(
    `${kind}: ${median('wall')} ms a step, ${median('processor')} ms of processor, peak so far ${peak} MB`,
  )
}

function filled(shape: number[]): Tensor {
  return { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)).fill(0.5) }
}

/** Two elements of each 32 bits of MurmurHash3's finaliser: about as fast as JavaScript draws. */
function draw(mask: Float32Array, stream: number): void {
  const threshold = Math.round(P * 65536)
  const kept = 1 / (1 - P)
  for (let i = 0; i < mask.length; i += 2) {
    let z = Math.imul(i + 1 + stream * 0x10001, 0x9e3779b1)
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    z ^= z >>> 16
    mask[i] = (z & 0xffff) < threshold ? 0 : kept
    mask[i + 1] = z >>> 16 < threshold ? 0 : kept
  }
}
