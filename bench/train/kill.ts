/**
 * Kills a training process at twenty random moments, goes on each time, and compares model and log with those of a run left alone.
 *
 *     npx tsx train/kill.ts [lenet | autoencoder | dropout]     # in bench/
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const KILLS = 20
const kind = process.argv[2] ?? 'lenet'
const script = fileURLToPath(new URL('../../src/train/testdata/runTraining.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-kill-'))

/** Ends the process so many milliseconds after its first line, if it is still there. */
function run(out: string, pause: number, milliseconds?: number): Promise<{ done: boolean; steps: number }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', script, out, kind, String(pause)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk) => {
      if (text === '' && milliseconds !== undefined) setTimeout(() => child.kill('SIGKILL'), milliseconds)
      text += chunk
    })
    child.on('close', () =>
      resolve({ done: text.endsWith('done\n'), steps: text.match(/^step /gm)?.length ?? 0 }),
    )
  })
}

const hash = (out: string) =>
  createHash('sha256')
    .update(readFileSync(join(out, 'model.safetensors')))
    .digest('hex')
const log = (out: string) =>
  readFileSync(join(out, 'log.jsonl'), 'utf8').replace(
    /"(?:samplesPerSecond|secondsLeft|waiting)":[\d.e-]+,?/g,
    '',
  )

const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')]
await run(whole, 0)
let [kills, steps] = [0, 0]
for (let done = false; !done; ) {
  const ended = await run(killed, 60, kills < KILLS ? 200 * Math.random() : undefined)
  done = ended.done
  steps += ended.steps
  if (!done && kills++ > KILLS) throw new Error('The run ends without having been killed.')
}
console.log(`${kind}: ${kills} kills, ${steps} steps made in all`)
console.log(`weights ${hash(whole) === hash(killed) ? 'the same, bit for bit' : 'DIFFER'}`)
console.log(`log ${log(whole) === log(killed) ? 'the same' : 'DIFFERS'}`)
rmSync(folder, { recursive: true, force: true })
