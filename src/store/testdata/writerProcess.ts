// A process that runs writer.ts, and what it has acknowledged so far.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('writer.ts', import.meta.url))

/** A process that writes; `acknowledged` grows while it runs. */
export function writerProcess(
  folder: string,
  name: string,
  first: number,
  count: number,
  { flags = [], env = {} }: { readonly flags?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', script, folder, name, String(first), String(count), ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  )
  const acknowledged: number[] = []
  let errors = ''
  child.stderr!.on('data', (data) => {
    errors += data
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  createInterface({ input: child.stdout! }).on('line', (line) => {
    acknowledged.push(Number(line))
    begin()
  })
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      begin()
      resolve(code)
    })
  })
  return { child, acknowledged, begun, ended, errors: () => errors }
}
