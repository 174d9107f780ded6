/**
 * Pictures a second of SimCLR's augmentation (crop, flip, jitter, grey, blur, normalisation), beside torchvision on the same CPU.
 *
 *     PYTHON=venv/bin/python npx tsx train/augmentations.ts [SIZE BEFORE]...     # in bench/; default 64 96 96 128
 *
 * PYTHON is one with torch and torchvision. Sides take turns; of each the median round counts. Milliseconds of processor say more than
 * those of the clock on a machine that does other things.
 */
import { execFileSync } from 'node:child_process'
import { type Tensor, tensor } from '../../src/tensor/index.ts'
import { augmentation, augmenter, simClrAugmentation } from '../../src/train/index.ts'

const COUNT = 256
const ROUNDS = 7
const TURNS = 2
const python = process.env.PYTHON ?? 'python3'

/** Milliseconds of the clock and of the processor. */
type Time = readonly [wall: number, processor: number]

const asked = process.argv.slice(2).map(Number)
const sizes = asked.length > 0 ? asked : [64, 96, 96, 128]
for (let i = 0; i < sizes.length; i += 2) await compare(sizes[i]!, sizes[i + 1]!)

async function compare(size: number, before: number): Promise<void> {
  const all = new Map<string, Time[]>()
  const note = (name: string, times: readonly Time[]) => all.set(name, [...(all.get(name) ?? []), ...times])
  for (let turn = 0; turn < TURNS; turn++) {
    for (const threads of [1, 2]) {
      for (const [kind, times] of torchvision(size, before, threads))
        note(`torchvision, ${kind}, ${threads} threads`, times)
      note(`pipilo, floats, ${threads} threads`, await pipilo(size, before, threads, 'float32'))
      note(`pipilo, bytes, ${threads} threads`, await pipilo(size, before, threads, 'uint8'))
    }
  }
  console.log(`\n${COUNT} pictures, ${before} px to ${size} px`)
  const base = median(all.get('torchvision, one by one, 1 threads')!)
  for (const [name, times] of all) {
    const [wall, processor] = median(times)
    const rate = (COUNT / wall) * 1000
    console.log(
      `${name.padEnd(40)} ${wall.toFixed(0).padStart(5)} ms, ${processor.toFixed(0).padStart(5)} ms of processor, ` +
        `${rate.toFixed(0).padStart(5)} a second: × ${(base[0] / wall).toFixed(2)}, by processor × ${(base[1] / processor).toFixed(2)}`,
    )
  }
}

/** Medians of both columns. */
function median(times: readonly Time[]): Time {
  const of = (column: 0 | 1) =>
    times.map((time) => time[column]).sort((a, b) => a - b)[Math.floor(times.length / 2)]!
  return [of(0), of(1)]
}

function torchvision(size: number, before: number, threads: number): [kind: string, times: Time[]][] {
  const script = new URL('augmentations.py', import.meta.url).pathname
  const text = execFileSync(python, [script, ...[size, before, COUNT, threads, ROUNDS].map(String)], {
    encoding: 'utf8',
    // Its allocator as fast as it gets: otherwise it gives large blocks back and fetches them again.
    env: {
      ...process.env,
      MALLOC_MMAP_THRESHOLD_: '2000000000',
      MALLOC_TRIM_THRESHOLD_: '4000000000',
      MALLOC_TOP_PAD_: '268435456',
    },
  })
  const lines = text.trim().split('\n')
  return lines.map((line) => {
    const { kind, times } = JSON.parse(line) as { kind: string; times: Time[] }
    return [kind, times]
  })
}

async function pipilo(
  size: number,
  before: number,
  workers: number,
  pixels: 'float32' | 'uint8',
): Promise<Time[]> {
  const made = augmentation(simClrAugmentation(size), { size: before, channels: 3, pixels })
  const running = await augmenter(made, { workers })
  const batch = noise(before, pixels)
  const times: Time[] = []
  for (let step = 0; step <= ROUNDS; step++) {
    const [start, used] = [performance.now(), process.cpuUsage()]
    await running.augment(batch, { seed: 1, step })
    const { user, system } = process.cpuUsage(used)
    if (step > 0) times.push([performance.now() - start, (user + system) / 1000])
  }
  await running.dispose()
  return times
}

function noise(side: number, dtype: 'float32' | 'uint8'): Tensor {
  const bytes = Uint8Array.from(
    { length: COUNT * side * side * 3 },
    (_, i) => Math.imul(i, 2654435761) >>> 24,
  )
  if (dtype === 'uint8') return tensor(dtype, [COUNT, side, side, 3], bytes)
  return tensor(
    dtype,
    [COUNT, 3, side, side],
    Float32Array.from(bytes, (byte) => byte / 255),
  )
}
