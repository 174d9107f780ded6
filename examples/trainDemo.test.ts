/** The training demo, on few digits. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('trains on digits, tells how many are right, and finds neighbours', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-demo-'))
  const script = fileURLToPath(new URL('trainDemo.ts', import.meta.url))
  const few = [
    '--epochs',
    '1',
    '--digits',
    '1280',
    '--held',
    '200',
    '--rows',
    '100',
    '--out',
    join(folder, 'run'),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, ...few])
  expect(stdout).toContain('Training LeNet-5 on 1280 digits, 1 epoch; held out: 200.')
  const right = Number(/([\d.]+) % of the held-out digits/.exec(stdout)?.[1])
  // Ten steps are few; chance is 10 %.
  expect(right).toBeGreaterThan(12)
  expect(stdout.match(/^ {2}\d( {2}\d){8}$/gm)).toHaveLength(10)
  for (const file of ['config.json', 'model.safetensors', 'run.json', 'log.jsonl', 'curves.html'])
    expect(existsSync(join(folder, 'run', file)), file).toBe(true)
  rmSync(folder, { recursive: true, force: true })
})
